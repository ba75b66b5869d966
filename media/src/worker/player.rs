//! What is played to one leg: recordings or a tone, frame by frame.

use std::sync::Arc;

use crate::prompt::Recording;
use crate::sample::{FULL_FRAME, Rate};
use crate::tone::Oscillator;

use super::types::{PlayingId, Source};

/// Plays one source at the leg's rate.
#[derive(Debug)]
pub(super) struct Player {
    rate: Rate,
    playing: Option<Playing>,
    frame: [i16; FULL_FRAME],
}

#[derive(Debug)]
struct Playing {
    id: PlayingId,
    source: Source,
    repeat: bool,
    /// Which recording is played; not used for tones.
    clip: usize,
    /// Samples played so far of it, or ticks of a tone.
    position: usize,
    oscillator: Oscillator,
}

impl Player {
    /// Length of a tone that is not repeated, in ticks (400 ms).
    const TONE_TICKS: usize = 20;

    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, playing: None, frame: [0; FULL_FRAME] }
    }

    /// The leg hears at another rate from the next tick on; what is played goes on where it is.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        let was = std::mem::replace(&mut self.rate, rate);
        let Some(playing) = &mut self.playing else { return };
        match playing.source {
            Source::Clips(_) => playing.position = playing.position * rate.frame() / was.frame(),
            Source::Tone { hz } => playing.oscillator = Oscillator::new(u32::from(hz), rate.hz()),
        }
    }

    pub(super) fn play(&mut self, id: PlayingId, source: Source, repeat: bool) {
        let hz = match source {
            Source::Clips(_) => 0,
            Source::Tone { hz } => u32::from(hz),
        };
        let oscillator = Oscillator::new(hz, self.rate.hz());
        self.playing = Some(Playing { id, source, repeat, clip: 0, position: 0, oscillator });
    }

    pub(super) fn stop(&mut self) {
        self.playing = None;
    }

    /// Makes the next tick; says whether something played, and what ended with this tick.
    pub(super) fn tick(&mut self) -> (bool, Option<PlayingId>) {
        let Some(playing) = &mut self.playing else { return (false, None) };
        let Some(frame) = self.frame.get_mut(..self.rate.frame()) else { return (false, None) };
        let Playing { id, source, clip, position, oscillator, repeat } = playing;
        let ended = match source {
            Source::Clips(clips) => fill(clips, self.rate, (clip, position), frame),
            Source::Tone { .. } => {
                frame.iter_mut().for_each(|sample| *sample = oscillator.next_sample());
                *position += 1;
                *position >= Self::TONE_TICKS
            }
        };
        let over = (ended && !*repeat).then_some(*id);
        if over.is_some() {
            self.playing = None;
        }
        (true, over)
    }

    /// The frame made by the last [`Self::tick`] that played something.
    pub(super) fn frame(&self) -> &[i16] {
        self.frame.get(..self.rate.frame()).unwrap_or_default()
    }
}

/// Copies the next tick of the recordings, one after the other; says whether the end of the last one was reached,
/// and then begins anew.
fn fill(
    clips: &[Arc<Recording>],
    rate: Rate,
    (clip, position): (&mut usize, &mut usize),
    mut frame: &mut [i16],
) -> bool {
    while let Some(recording) = clips.get(*clip) {
        let rest = recording.samples(rate).get(*position..).unwrap_or_default();
        let count = rest.len().min(frame.len());
        let (now, later) = frame.split_at_mut(count);
        now.copy_from_slice(rest.get(..count).unwrap_or_default());
        frame = later;
        *position += count;
        if count < rest.len() {
            return false;
        }
        (*clip, *position) = (*clip + 1, 0);
        if frame.is_empty() && *clip < clips.len() {
            return false;
        }
    }
    frame.fill(0);
    (*clip, *position) = (0, 0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PlayingId = PlayingId(1);

    fn recording(samples: usize, value: i16) -> Arc<Recording> {
        Arc::new(Recording::from_samples(8_000, &vec![value; samples]).unwrap())
    }

    fn play_out(player: &mut Player) -> Vec<i16> {
        let mut played = Vec::new();
        loop {
            let (playing, over) = player.tick();
            assert!(playing);
            played.extend_from_slice(player.frame());
            if over.is_some() {
                return played;
            }
        }
    }

    #[test]
    fn d50_recordings_play_one_after_the_other_without_a_gap() {
        let mut player = Player::new(Rate::Narrow);
        assert_eq!(player.tick(), (false, None));
        let clips = [recording(500, 1_000), Arc::default(), recording(90, 2_000), recording(250, 3_000)];
        player.play(ONE, Source::Clips(Arc::new(clips)), false);
        let played = play_out(&mut player);
        let expected = [vec![1_000; 500], vec![2_000; 90], vec![3_000; 250], vec![0; 120]].concat();
        assert_eq!(played, expected);
        assert_eq!(player.tick(), (false, None));
    }

    #[test]
    fn a_recording_goes_on_when_the_codec_changes() {
        let mut player = Player::new(Rate::Narrow);
        player.play(ONE, Source::clip(recording(480, 1_000)), false);
        assert_eq!(player.tick(), (true, None));
        player.set_rate(Rate::Full);
        assert_eq!((player.tick(), player.frame().len()), ((true, None), Rate::Full.frame()));
        player.set_rate(Rate::Narrow);
        assert_eq!((player.tick(), player.frame().len()), ((true, Some(ONE)), Rate::Narrow.frame()));
    }

    #[test]
    fn an_end_at_the_end_of_a_tick_is_told_with_that_tick() {
        let mut player = Player::new(Rate::Narrow);
        player.play(ONE, Source::Clips(Arc::new([recording(160, 1), recording(160, 2)])), false);
        assert_eq!(
            [player.tick(), player.tick(), player.tick()],
            [(true, None), (true, Some(ONE)), (false, None)]
        );
        player.play(ONE, Source::Clips(Arc::new([])), false);
        assert_eq!(player.tick(), (true, Some(ONE)), "nothing to play is over at once");
    }

    #[test]
    fn repetition_goes_on_until_stopped_and_tones_are_beeps_otherwise() {
        let mut player = Player::new(Rate::Full);
        player.play(ONE, Source::Tone { hz: 440 }, true);
        assert!((0..100).all(|_| player.tick() == (true, None)));
        player.stop();
        assert_eq!(player.tick(), (false, None));
        player.play(ONE, Source::Tone { hz: 440 }, false);
        assert_eq!((0..30).filter(|_| player.tick().0).count(), 20);
        player.play(ONE, Source::clip(recording(900, 5)), true);
        assert!((0..200).all(|_| player.tick() == (true, None)));
    }
}
