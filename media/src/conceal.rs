//! Concealment for codecs without their own, in the manner of ITU-T G.711 Appendix I: the last pitch periods are
//! repeated and faded out, and the return to the real signal is cross-faded.
//!
//! The appendix delays everything by 3.75 ms to smooth the beginning of a gap; here the first samples made up are
//! bent towards the last one heard instead, which costs no delay. The fade is slower than the appendix's (110 ms
//! instead of 60 ms), so that bursts of four lost packets are bridged.

use crate::pitch::{self, Search};
use crate::sample::limit;

/// Samples of history at 8 kHz: three of the longest pitch periods and a quarter (48.75 ms).
const HISTORY: usize = 390;
/// At 8 kHz, room for the history and a packet.
const RING: usize = 640;

/// Covers gaps in one stream of 8 kHz.
pub type NarrowConcealer = Concealer<HISTORY, RING>;
/// Covers gaps in one stream of 16 kHz.
pub type WideConcealer = Concealer<{ 2 * HISTORY }, { 2 * RING }>;

/// Covers gaps in one stream, of which it remembers so many samples in a ring of so many.
#[derive(Debug, Clone)]
pub struct Concealer<const H: usize, const R: usize> {
    /// The samples that were really heard last, in a ring.
    ring: [i16; R],
    /// Where the next sample goes in the ring.
    next: usize,
    /// The newest of them in order, the newest last; made when a gap begins.
    history: [i16; H],
    /// What is repeated: the end of the history, its seam smoothed.
    template: [i16; H],
    /// Length of the pitch period and how many of them are repeated.
    lag: usize,
    periods: usize,
    position: usize,
    /// Samples made up in this gap.
    made: usize,
    /// What the first sample made up must be bent by to follow the last one heard.
    bend: i32,
}

impl<const H: usize, const R: usize> Default for Concealer<H, R> {
    fn default() -> Self {
        Self {
            ring: [0; R],
            next: 0,
            history: [0; H],
            template: [0; H],
            lag: Self::SEARCH.shortest,
            periods: 1,
            position: 0,
            made: 0,
            bend: 0,
        }
    }
}

impl<const H: usize, const R: usize> Concealer<H, R> {
    /// Multiples of 8 kHz.
    const SCALE: usize = H / HISTORY;
    /// Where the pitch is looked for: 200 Hz to 66 Hz.
    const SEARCH: Search =
        Search { shortest: 40 * Self::SCALE, longest: 120 * Self::SCALE, window: 160 * Self::SCALE, step: 2 };
    /// Samples after which another pitch period is taken into the repetition (10 ms).
    const BLOCK: usize = 80 * Self::SCALE;
    /// Samples at full level, and samples after which all is silent.
    const FULL: usize = Self::BLOCK;
    const SILENT: usize = 11 * Self::BLOCK;

    /// Remembers what was really heard. After a gap its beginning is cross-faded with what would have been made up.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            self.fade_over(samples);
            self.made = 0;
        }
        let newest = samples.get(samples.len().saturating_sub(H)..).unwrap_or_default();
        let (until_end, from_start) = newest.split_at(newest.len().min(R - self.next));
        self.write(until_end);
        self.write(from_start);
    }

    fn write(&mut self, samples: &[i16]) {
        let end = self.next + samples.len();
        if let Some(place) = self.ring.get_mut(self.next..end) {
            place.copy_from_slice(samples);
            self.next = end % R;
        }
    }

    /// Puts what is in the ring in order.
    fn unroll(&mut self) {
        let from = (self.next + R - H) % R;
        let end = (from + H).min(R);
        let older = self.ring.get(from..end).unwrap_or_default();
        let newer = self.ring.get(..H - older.len()).unwrap_or_default();
        for (to, &sample) in self.history.iter_mut().zip(older.iter().chain(newer)) {
            *to = sample;
        }
    }

    /// Makes up the next samples of a gap.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        samples.iter_mut().for_each(|sample| *sample = self.next_sample());
    }

    /// What comes next has nothing to do with what was heard.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn next_sample(&mut self) -> i16 {
        if self.made >= Self::SILENT {
            return 0;
        }
        if self.made == 0 {
            self.begin();
        } else if self.made.is_multiple_of(Self::BLOCK) && self.periods < 3 {
            self.periods += 1;
            self.position += self.lag;
            self.fill_template();
        }
        let length = self.lag * self.periods;
        let sample = self.template.get(self.position).copied().map_or(0, i32::from);
        self.position = (self.position + 1) % length;
        let bent =
            sample + self.bend * to_i32(self.quarter().saturating_sub(self.made)) / to_i32(self.quarter());
        let gain = to_i32(Self::SILENT - self.made.max(Self::FULL));
        self.made += 1;
        limit(bent * gain / to_i32(Self::SILENT - Self::FULL))
    }

    fn begin(&mut self) {
        self.unroll();
        self.lag = pitch::best_lag(&self.history, Self::SEARCH).lag;
        self.periods = 1;
        self.position = 0;
        self.fill_template();
        let at = |back: usize| self.history.get(H - back).copied().map_or(0, i32::from);
        // Had the signal been periodic, the last sample would be the one a period earlier.
        self.bend = at(1) - at(1 + self.lag);
    }

    /// Copies the last periods; their end is cross-faded with what came before their beginning, so that the
    /// repetition has no seam.
    fn fill_template(&mut self) {
        let length = self.lag * self.periods;
        let quarter = self.quarter();
        let start = H - length;
        let newest = self.history.get(start..).unwrap_or_default();
        for (to, &from) in self.template.iter_mut().zip(newest) {
            *to = from;
        }
        let before = self.history.get(start - quarter..start).unwrap_or_default();
        let end = self.template.get_mut(length - quarter..length).unwrap_or_default();
        for (n, (sample, &earlier)) in end.iter_mut().zip(before).enumerate() {
            *sample = cross_fade(*sample, earlier, n, quarter);
        }
    }

    /// The longer the gap was, the longer the return to the real signal takes: a quarter period, and 4 ms more for
    /// each 10 ms.
    fn fade_over(&mut self, samples: &mut [i16]) {
        let length =
            (self.quarter() + self.made / Self::BLOCK * 32 * Self::SCALE).min(Self::BLOCK).min(samples.len());
        for (n, sample) in samples.iter_mut().take(length).enumerate() {
            *sample = cross_fade(self.next_sample(), *sample, n, length);
        }
    }

    const fn quarter(&self) -> usize {
        self.lag / 4
    }
}

/// Sample `n` of a linear cross-fade of `length` samples.
fn cross_fade(from: i16, to: i16, n: usize, length: usize) -> i16 {
    let (n, length) = (to_i32(n), to_i32(length.max(1)));
    limit((i32::from(from) * (length - n) + i32::from(to) * n) / length)
}

fn to_i32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::measure;
    use crate::sample::NARROW_FRAME;
    use crate::tone::{Oscillator, level_at};

    fn tone(hz: u32, samples: usize) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hz, 8_000);
        (0..samples).map(|_| oscillator.next_sample()).collect()
    }

    /// Hears 100 ms of a signal, loses `lost` samples, hears the rest.
    fn with_gap(signal: &[i16], lost: usize) -> Vec<i16> {
        let mut concealer = NarrowConcealer::default();
        let mut heard = signal.to_vec();
        for frame in heard[..800].chunks_mut(NARROW_FRAME) {
            concealer.heard(frame);
        }
        concealer.conceal(&mut heard[800..800 + lost]);
        concealer.heard(&mut heard[800 + lost..]);
        heard
    }

    #[test]
    fn d45_a_tone_goes_on_through_a_lost_packet_without_a_click() {
        for hz in [200, 440, 500, 700, 1_000, 1_633] {
            let signal = tone(hz, 1_600);
            let heard = with_gap(&signal, NARROW_FRAME);
            let steepest =
                |s: &[i16]| s.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
            let bound = steepest(&signal) * 5 / 4 + 300;
            assert!(steepest(&heard) <= bound, "{hz} Hz: {} of {bound}", steepest(&heard));
            let level = level_at(&heard[800..960], hz, 8_000);
            assert!(level > -12.5, "{hz} Hz: {level} dB in the gap");
        }
    }

    #[test]
    fn d45_at_16_khz_a_tone_goes_on_through_a_lost_packet_without_a_click() {
        for hz in [200, 440, 1_000, 3_000] {
            let mut oscillator = Oscillator::new(hz, 16_000);
            let signal: Vec<i16> = (0..3_200).map(|_| oscillator.next_sample()).collect();
            let mut heard = signal.clone();
            let mut concealer = WideConcealer::default();
            for frame in heard[..1_600].chunks_mut(160) {
                concealer.heard(frame);
            }
            concealer.conceal(&mut heard[1_600..1_920]);
            for frame in heard[1_920..].chunks_mut(160) {
                concealer.heard(frame);
            }
            let steepest =
                |s: &[i16]| s.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
            let bound = steepest(&signal) * 5 / 4 + 300;
            assert!(steepest(&heard) <= bound, "{hz} Hz: {} of {bound}", steepest(&heard));
            assert!(level_at(&heard[1_600..1_920], hz, 16_000) > -12.5, "{hz} Hz");
        }
    }

    #[test]
    fn d45_a_burst_of_four_is_bridged_and_a_longer_one_becomes_silent() {
        let heard = with_gap(&tone(500, 2_400), 1_200);
        let levels: Vec<u8> = heard[800..2_000].chunks(NARROW_FRAME).map(measure).collect();
        assert!(levels[..4].iter().all(|&dbov| dbov < 24), "{levels:?}");
        assert!(levels.is_sorted(), "it only gets softer: {levels:?}");
        assert_eq!(levels[6], crate::level::SILENCE_DBOV);
    }

    #[test]
    fn nothing_heard_is_silence_and_so_is_a_new_stream() {
        let mut concealer = NarrowConcealer::default();
        let mut frame = [1; NARROW_FRAME];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; NARROW_FRAME]);
        concealer.heard(&mut [6_400; NARROW_FRAME]);
        concealer.reset();
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; NARROW_FRAME]);
    }

    #[test]
    fn packets_of_any_length_are_remembered() {
        let signal = tone(400, 480);
        let mut concealer = NarrowConcealer::default();
        concealer.heard(&mut signal.clone());
        let mut again = NarrowConcealer::default();
        signal.chunks(7).for_each(|chunk| again.heard(&mut chunk.to_vec()));
        concealer.unroll();
        again.unroll();
        assert_eq!(concealer.history, again.history);
        assert_eq!(concealer.history, signal[90..]);
    }
}
