//! Hold music and chimes: made, not recorded, so that they are nobody's but ours and take no room.
//!
//! A note is a plucked string of four harmonics that dies away. The music is a slow round of four broken chords, 24
//! seconds long, whose end runs into its beginning.

use super::{PromptId, Recording};
use crate::resample::ResampleError;
use crate::sample::from_float;

/// Samples per second of what is made here.
const RATE: u32 = 48_000;
/// Seconds one broken chord takes.
const CHORD_SECONDS: f32 = 3.0;
/// Notes of a broken chord.
const STEPS: usize = 6;

/// Each chord as steps above A3 (220 Hz) in equal temperament: A minor seventh, F major seventh, C major, G major.
const CHORDS: [[i8; 4]; 4] = [[0, 7, 12, 15], [-4, 3, 8, 12], [3, 7, 10, 15], [-2, 5, 10, 14]];
/// Which of a chord's notes is played at each step.
const PATTERN: [usize; STEPS] = [0, 1, 2, 3, 2, 1];

type Maker = fn() -> Vec<i16>;

/// Music or chime; `None` for what is recorded.
pub(super) fn recording(prompt: PromptId) -> Option<Recording> {
    let makers: [(PromptId, Maker); 3] = [
        (PromptId::HoldMusic, music),
        (PromptId::JoinChime, || chime([523.25, 783.99])),
        (PromptId::LeaveChime, || chime([783.99, 523.25])),
    ];
    let samples = makers.iter().find(|(id, _)| *id == prompt).map(|(_, make)| make())?;
    let made: Result<Recording, ResampleError> = Recording::from_samples(RATE, &samples);
    made.ok()
}

/// A note to be mixed into a piece.
struct Note {
    /// When it begins, in seconds.
    at: f32,
    /// Its pitch in Hz.
    hz: f32,
    /// How loud it begins; 1 is full deflection.
    gain: f32,
    /// The time in which it falls to a third, in seconds.
    decay: f32,
}

fn music() -> Vec<i16> {
    let step = CHORD_SECONDS / steps(STEPS);
    let mut notes = Vec::new();
    for (index, chord) in CHORDS.iter().chain(CHORDS.iter()).enumerate() {
        let begin = steps(index) * CHORD_SECONDS;
        for (number, which) in PATTERN.iter().enumerate() {
            let tone = chord.get(*which).copied().unwrap_or_default();
            let at = begin + steps(number) * step;
            notes.push(Note { at, hz: pitch(tone), gain: 0.11, decay: 0.9 });
        }
        let root = chord.first().copied().unwrap_or_default();
        notes.push(Note { at: begin, hz: pitch(root) / 2.0, gain: 0.09, decay: 1.8 });
    }
    render(&notes, CHORD_SECONDS * steps(CHORDS.len() * 2), true)
}

fn chime(pitches: [f32; 2]) -> Vec<i16> {
    let [first, second] = pitches;
    let notes = [
        Note { at: 0.0, hz: first, gain: 0.16, decay: 0.12 },
        Note { at: 0.12, hz: second, gain: 0.16, decay: 0.15 },
    ];
    render(&notes, 0.5, false)
}

/// Mixes the notes. What sounds on after the end of a piece that goes round is heard at its beginning.
fn render(notes: &[Note], seconds: f32, round: bool) -> Vec<i16> {
    let length = samples(seconds);
    let mut piece = vec![0.0_f32; length];
    for note in notes {
        let begin = samples(note.at);
        for n in 0..samples(note.decay * 6.0) {
            let at = if round { (begin + n) % length.max(1) } else { begin + n };
            if let Some(sample) = piece.get_mut(at) {
                *sample += note.sample(n);
            }
        }
    }
    piece.into_iter().map(from_float).collect()
}

impl Note {
    /// The note `n` samples after its beginning.
    fn sample(&self, n: usize) -> f32 {
        let time = steps(n) / steps(usize::try_from(RATE).unwrap_or(1));
        let attack = (time / 0.006).min(1.0);
        let harmonics = [(1.0, 1.0), (2.0, 0.35), (3.0, 0.15), (4.0, 0.06)];
        let wave: f32 = harmonics
            .iter()
            .map(|(number, share)| {
                let angle = std::f32::consts::TAU * (self.hz * number * time).fract();
                share * angle.sin() * (-time * number / self.decay).exp()
            })
            .sum();
        self.gain * attack * wave
    }
}

fn pitch(steps_above_a: i8) -> f32 {
    220.0 * (f32::from(steps_above_a) / 12.0).exp2()
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples in less than a minute")]
fn steps(count: usize) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates; lengths are a few seconds"
)]
fn samples(seconds: f32) -> usize {
    (seconds * 48_000.0).round() as usize
}
