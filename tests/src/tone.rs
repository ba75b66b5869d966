//! Tones as voices: each endpoint of the lab speaks with a tone of its own, and a Goertzel meter tells them apart.
//!
//! Every known tone is a multiple of 50 Hz, so that a window of 20 ms holds a whole number of periods and the tones do
//! not leak into each other's measurement. No tone is a harmonic, nor the third-order mixing product of two others:
//! a limiter or a G.711 law that bends one voice does not look like another voice.

use std::f64::consts::TAU;

/// Hana, the Host of the demonstration.
pub const HANA: u32 = 450;
/// Uma's desk phone 103a.
pub const UMA: u32 = 600;
/// Pia's desk phone 101a.
pub const PIA: u32 = 800;
/// The outside person who presses 1.
pub const OUTSIDE: u32 = 950;
/// The greeting of the voicemail box.
pub const GREETING: u32 = 1950;
/// The beep after it.
pub const BEEP: u32 = 2100;
/// A second outside person, who answers and presses nothing.
pub const BYSTANDER: u32 = 2300;
/// A second web participant.
pub const GUEST: u32 = 2450;

/// All tones the lab can tell apart.
pub const KNOWN: [u32; 8] = [HANA, UMA, PIA, OUTSIDE, GREETING, BEEP, BYSTANDER, GUEST];

/// Level of a speaking endpoint, in dB below a sine of full scale.
pub const SPEAKING_DBFS: f64 = -15.0;
/// From this level on a tone counts as heard.
pub const HEARD_DBFS: f64 = -40.0;
/// Below this a steady trace is the noise of the codecs; a leg that leaks is at its speaking level or near it.
pub const SILENT_DBFS: f64 = -50.0;
/// Length of a measurement window.
pub const WINDOW_MS: u32 = 20;

/// Who speaks with the tone `hz`, for tables.
pub fn owner(hz: u32) -> &'static str {
    match hz {
        HANA => "Hana",
        UMA => "Uma",
        PIA => "Pia",
        OUTSIDE => "outside person",
        GREETING => "voicemail greeting",
        BEEP => "voicemail beep",
        BYSTANDER => "second outside person",
        GUEST => "guest",
        _ => "unknown",
    }
}

/// A sine that continues without a click from one frame to the next.
#[derive(Debug, Clone)]
pub struct Generator {
    hz: f64,
    amplitude: f64,
    phase: f64,
}

impl Generator {
    /// A sine of `hz` at `dbfs` below full scale.
    pub fn new(hz: u32, dbfs: f64) -> Self {
        Self { hz: f64::from(hz), amplitude: f64::from(i16::MAX) * 10f64.powf(dbfs / 20.0), phase: 0.0 }
    }

    /// The next sample at `rate` samples per second.
    pub fn next_sample(&mut self, rate: u32) -> i16 {
        let sample = self.amplitude * self.phase.sin();
        self.phase = (self.phase + TAU * self.hz / f64::from(rate)) % TAU;
        sample.round() as i16
    }
}

/// Level of the tone `hz` in `samples` by the Goertzel algorithm, in dB below a sine of full scale; -120 is silence.
pub fn level_dbfs(samples: &[i16], rate: u32, hz: u32) -> f64 {
    if samples.is_empty() {
        return -120.0;
    }
    let coefficient = 2.0 * (TAU * f64::from(hz) / f64::from(rate)).cos();
    let (mut previous, mut before) = (0.0f64, 0.0f64);
    for sample in samples {
        let current = f64::from(*sample) + coefficient * previous - before;
        before = previous;
        previous = current;
    }
    let power = previous * previous + before * before - coefficient * previous * before;
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len() as f64;
    (20.0 * (amplitude / f64::from(i16::MAX)).log10()).max(-120.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(hz: u32, rate: u32, dbfs: f64) -> Vec<i16> {
        let mut generator = Generator::new(hz, dbfs);
        (0..rate / 50).map(|_| generator.next_sample(rate)).collect()
    }

    #[test]
    fn a_tone_is_measured_at_its_level() {
        for rate in [8_000, 48_000] {
            for hz in KNOWN {
                let level = level_dbfs(&frame(hz, rate, -15.0), rate, hz);
                assert!((level + 15.0).abs() < 0.1, "{hz} Hz at {rate}: {level}");
            }
        }
    }

    #[test]
    fn a_tone_is_not_mistaken_for_another() {
        for hz in KNOWN {
            for other in KNOWN.into_iter().filter(|other| *other != hz) {
                let level = level_dbfs(&frame(hz, 8_000, -3.0), 8_000, other);
                assert!(level < -80.0, "{hz} Hz seen as {other} Hz at {level}");
            }
        }
    }

    #[test]
    fn tones_are_no_products_of_each_other() {
        for a in KNOWN {
            for b in KNOWN {
                for product in [2 * a, 3 * a, a + b, 2 * a + b] {
                    assert!(!KNOWN.contains(&product), "{a} and {b} make {product}");
                }
                let mixed = (2 * a).abs_diff(b);
                assert!(a == b || !KNOWN.contains(&mixed), "2 x {a} - {b} is {mixed}");
            }
        }
    }

    #[test]
    fn silence_is_minus_120() {
        assert_eq!(level_dbfs(&[0; 160], 8_000, HANA), -120.0);
        assert_eq!(level_dbfs(&[], 8_000, HANA), -120.0);
    }
}
