//! What an endpoint hears: which of the known tones, how loud, since when, and whether anything at all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::shared::lock;
use crate::tone::{HEARD_DBFS, KNOWN, WINDOW_MS, level_dbfs};

/// The meter moves on by this much, so an onset is known to this accuracy.
const HOP_MS: u32 = 5;
/// Measurements kept per tone: five minutes.
const KEPT_HOPS: usize = 60_000;
/// A tone counts when it lasts longer than the edge of another tone's burst, whose half-filled windows leak everywhere.
const HEARD_HOPS: usize = 6;
/// A trace of a tone must last this long: speech passes over every frequency, but does not stay on it.
const TRACE_HOPS: usize = 20;
/// A tone stands this far out of the frequencies one window's resolution beside it; speech and noise do not.
const STANDS_OUT_DB: f64 = 6.0;
/// Levels below this one are not kept at all.
const FLOOR_DBFS: f64 = -90.0;

/// One tone as heard within a span of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// The tone.
    pub hz: u32,
    /// Median level while it was there, in dB below a full-scale sine.
    pub level_dbfs: f64,
    /// When it was first loud enough.
    pub first: Instant,
    /// For how long in total it was loud enough.
    pub duration: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Measurement {
    /// Number of the hop since the ear was made.
    hop: u64,
    at: Instant,
    level_dbfs: f32,
    stands_out: bool,
}

#[derive(Debug)]
struct State {
    rate: u32,
    window: VecDeque<i16>,
    since_hop: u32,
    hops: u64,
    measurements: BTreeMap<u32, VecDeque<Measurement>>,
    /// End of each frame and its loudest sample.
    peaks: VecDeque<(Instant, u16)>,
    frames: u64,
}

/// A listener; clones share what was heard.
#[derive(Debug, Clone)]
pub struct Ear(Arc<Mutex<State>>);

impl Ear {
    /// An ear for samples at `rate` per second.
    pub fn new(rate: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            rate,
            window: VecDeque::new(),
            since_hop: 0,
            hops: 0,
            measurements: BTreeMap::new(),
            peaks: VecDeque::new(),
            frames: 0,
        })))
    }

    /// Hears a frame whose first sample could be played at `at`.
    pub fn hear(&self, at: Instant, samples: &[i16]) {
        let mut state = lock(&self.0);
        let rate = u64::from(state.rate);
        state.frames += 1;
        let end = at + Duration::from_micros(samples.len() as u64 * 1_000_000 / rate);
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        state.peaks.push_back((end, peak));
        if state.peaks.len() > KEPT_HOPS {
            state.peaks.pop_front();
        }
        for (index, sample) in samples.iter().enumerate() {
            let heard_at = at + Duration::from_micros(index as u64 * 1_000_000 / rate);
            state.hear_sample(heard_at, *sample);
        }
    }

    /// Every known tone that was loud enough between `from` and `to`, in order of frequency.
    pub fn heard_between(&self, from: Instant, to: Instant) -> Vec<Heard> {
        let state = lock(&self.0);
        state.measurements.iter().filter_map(|(hz, all)| summary(*hz, all, from, to)).collect()
    }

    /// Every known tone that was loud enough since `from`.
    pub fn heard_since(&self, from: Instant) -> Vec<Heard> {
        self.heard_between(from, Instant::now() + Duration::from_secs(1))
    }

    /// The frequencies heard since `from` for at least `least` in total.
    pub fn tones_since(&self, from: Instant, least: Duration) -> Vec<u32> {
        self.heard_since(from)
            .into_iter()
            .filter(|heard| heard.duration >= least)
            .map(|heard| heard.hz)
            .collect()
    }

    /// When `hz` was first heard at or after `from`.
    pub fn first_heard(&self, hz: u32, from: Instant) -> Option<Instant> {
        self.heard_since(from).into_iter().find(|heard| heard.hz == hz).map(|heard| heard.first)
    }

    /// The loudest sample since `from`; 0 means not one sample of anybody came through.
    pub fn peak_since(&self, from: Instant) -> u16 {
        lock(&self.0).peaks.iter().filter(|(at, _)| *at >= from).map(|(_, peak)| *peak).max().unwrap_or(0)
    }

    /// The highest level of `hz` since `from` that was steady for 100 ms, however faint; -120 when there was none.
    pub fn faintest_trace(&self, hz: u32, from: Instant) -> f64 {
        let state = lock(&self.0);
        let Some(all) = state.measurements.get(&hz) else { return -120.0 };
        let since: Vec<Measurement> = all.iter().filter(|one| one.at >= from).copied().collect();
        let sustained = since.windows(TRACE_HOPS).filter(|window| is_steady(window));
        let lowest =
            sustained.map(|window| window.iter().map(|one| f64::from(one.level_dbfs)).fold(0.0, f64::min));
        lowest.fold(-120.0, f64::max)
    }

    /// Frames heard so far.
    pub fn frames(&self) -> u64 {
        lock(&self.0).frames
    }

    /// Waits until `hz` is heard at or after `from`; `None` when `timeout` passes first.
    pub async fn wait_for(&self, hz: u32, from: Instant, timeout: Duration) -> Option<Instant> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(first) = self.first_heard(hz, from) {
                return Some(first);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl State {
    fn hear_sample(&mut self, at: Instant, sample: i16) {
        let window = (self.rate / 1000 * WINDOW_MS) as usize;
        if self.window.len() == window {
            self.window.pop_front();
        }
        self.window.push_back(sample);
        self.since_hop += 1;
        if self.since_hop < self.rate / 1000 * HOP_MS || self.window.len() < window {
            return;
        }
        self.since_hop = 0;
        self.hops += 1;
        let hop = self.hops;
        let rate = self.rate;
        let samples = self.window.make_contiguous();
        if samples.iter().all(|sample| sample.unsigned_abs() < 2) {
            return;
        }
        for hz in KNOWN {
            let level = level_dbfs(samples, rate, hz);
            if level > FLOOR_DBFS {
                let beside = 1000 / WINDOW_MS;
                let neighbours = [hz - beside, hz + beside].map(|near| level_dbfs(samples, rate, near));
                let stands_out = neighbours.into_iter().all(|near| level - near >= STANDS_OUT_DB);
                let kept = self.measurements.entry(hz).or_default();
                kept.push_back(Measurement { hop, at, level_dbfs: level as f32, stands_out });
                if kept.len() > KEPT_HOPS {
                    kept.pop_front();
                }
            }
        }
    }
}

/// Whether these measurements follow each other without a gap and are of a tone, not of speech.
fn is_steady(window: &[Measurement]) -> bool {
    window.iter().all(|one| one.stands_out) && window.windows(2).all(|pair| pair[0].hop + 1 == pair[1].hop)
}

/// Whether a run of loud measurements is a tone: long enough, and mostly standing out (its first windows fill up).
fn is_tone(run: &[Measurement]) -> bool {
    run.len() >= HEARD_HOPS && run.iter().filter(|one| one.stands_out).count() * 2 >= run.len()
}

fn summary(hz: u32, all: &VecDeque<Measurement>, from: Instant, to: Instant) -> Option<Heard> {
    let loud: Vec<Measurement> = all
        .iter()
        .filter(|one| one.at >= from && one.at < to && f64::from(one.level_dbfs) >= HEARD_DBFS)
        .copied()
        .collect();
    let runs = loud.chunk_by(|a, b| a.hop + 1 == b.hop).filter(|run| is_tone(run));
    let heard: Vec<&Measurement> = runs.flatten().collect();
    let first = heard.first()?.at;
    let mut levels: Vec<f32> = heard.iter().map(|one| one.level_dbfs).collect();
    levels.sort_by(f32::total_cmp);
    Some(Heard {
        hz,
        level_dbfs: f64::from(levels[levels.len() / 2]),
        first,
        duration: Duration::from_millis(u64::from(HOP_MS) * heard.len() as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{HANA, UMA};
    use crate::voice::Voice;

    fn play(ear: &Ear, voice: &Voice, start: Instant, frames: u32) {
        for number in 0..frames {
            let mut frame = [0; 160];
            let at = start + Duration::from_millis(20) * number;
            voice.fill(at, 8_000, &mut frame);
            ear.hear(at, &frame);
        }
    }

    #[test]
    fn hears_the_tone_its_level_and_its_onset() {
        let ear = Ear::new(8_000);
        let start = Instant::now();
        play(&ear, &Voice::silent(), start, 10);
        let onset = start + Duration::from_millis(200);
        play(&ear, &Voice::steady(UMA), onset, 25);
        let heard = ear.heard_between(start, start + Duration::from_secs(9));
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0].hz, UMA);
        assert!((heard[0].level_dbfs + 15.0).abs() < 1.0);
        let error = heard[0].first.saturating_duration_since(onset);
        assert!(error <= Duration::from_millis(6), "{error:?}");
        assert!(heard[0].duration > Duration::from_millis(450));
    }

    #[test]
    fn tells_two_voices_apart_when_they_are_mixed() {
        let ear = Ear::new(8_000);
        let start = Instant::now();
        let voices = [Voice::steady(UMA), Voice::steady(HANA)];
        for number in 0..25 {
            let at = start + Duration::from_millis(20) * number;
            let mut mix = [0i16; 160];
            for voice in &voices {
                let mut frame = [0; 160];
                voice.fill(at, 8_000, &mut frame);
                mix.iter_mut().zip(frame).for_each(|(sum, sample)| *sum = sum.saturating_add(sample));
            }
            ear.hear(at, &mix);
        }
        let heard: Vec<u32> =
            ear.heard_between(start, start + Duration::from_secs(9)).iter().map(|one| one.hz).collect();
        assert_eq!(heard, [HANA, UMA]);
    }

    #[test]
    fn silence_has_no_peak() {
        let ear = Ear::new(8_000);
        let start = Instant::now();
        play(&ear, &Voice::silent(), start, 10);
        assert_eq!(ear.peak_since(start), 0);
        assert_eq!(ear.frames(), 10);
        assert_eq!(ear.faintest_trace(UMA, start), -120.0);
    }
}
