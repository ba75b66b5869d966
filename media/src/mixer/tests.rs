use super::*;
use crate::sample::FULL_FRAME;
use crate::tone::{Oscillator, level_at};
use proptest::prelude::*;

const NARROW_ONLY: Rates = Rates { narrow: true, full: false };
const BOTH: Rates = Rates { narrow: true, full: true };

fn voice(samples: &[i16]) -> Voice {
    let mut voice = Voice::new(Rate::Narrow);
    voice.frame_mut()[..samples.len()].copy_from_slice(samples);
    voice
}

fn enable_conversion(voice: &mut Voice) {
    let mut pool = ConverterPool::default();
    pool.reserve(voice.rate(), 1).unwrap();
    pool.lend(voice);
}

/// What each of `voices` hears.
fn heard(voices: &mut [Voice]) -> Vec<[i16; NARROW_FRAME]> {
    let mut mixer = Mixer::default();
    mixer.begin(NARROW_ONLY);
    voices.iter_mut().for_each(|voice| mixer.add(voice));
    let listen = |own: &Voice| {
        let mut mix = [0; NARROW_FRAME];
        mixer.mix(Rate::Narrow, Some(own), None, &mut mix);
        mix
    };
    voices.iter().map(listen).collect()
}

#[test]
fn d40_each_hears_the_sum_of_the_others_to_the_sample() {
    let mut voices = [voice(&[1, 2, 3]), voice(&[10, 20, 30]), voice(&[100, 200, 300])];
    let mixes = heard(&mut voices);
    assert_eq!(
        mixes.iter().map(|mix| &mix[..4]).collect::<Vec<_>>(),
        [[110, 220, 330, 0], [101, 202, 303, 0], [11, 22, 33, 0]]
    );
}

#[test]
fn d40_the_sum_is_limited_once_and_only_at_the_end() {
    // Limiting on the way (30000 + 30000 = 32767, then - 30000) would leave 2767.
    let mut voices = [voice(&[30_000]), voice(&[30_000]), voice(&[-30_000])];
    let mixes = heard(&mut voices);
    assert_eq!((mixes[0][0], mixes[1][0], mixes[2][0]), (0, 0, i16::MAX));
}

#[test]
fn a_prompt_lies_over_the_mix_before_the_limit() {
    let mut mixer = Mixer::default();
    mixer.begin(NARROW_ONLY);
    let (mut own, mut other) = (voice(&[20_000, 5]), voice(&[20_000, 7]));
    mixer.add(&mut own);
    mixer.add(&mut other);
    let mut mix = [9; NARROW_FRAME];
    mixer.mix(Rate::Narrow, Some(&own), Some(&[-30_000, 1, 4]), &mut mix);
    assert_eq!(mix[..4], [-10_000, 8, 4, 0]);
}

#[test]
fn a_tick_begins_with_silence() {
    let mut mixer = Mixer::default();
    mixer.begin(NARROW_ONLY);
    assert!(mixer.is_silent(false));
    mixer.add(&mut voice(&[5]));
    assert!(mixer.is_silent(true) && !mixer.is_silent(false));
    mixer.begin(NARROW_ONLY);
    assert!(mixer.is_silent(false));
    assert!(mixer.total(Rate::Narrow).iter().all(|&sum| sum == 0));
}

#[test]
fn d46_a_voice_is_converted_once_per_rate_that_is_needed() {
    let mut mixer = Mixer::default();
    let mut voices = [Voice::new(Rate::Narrow), Voice::new(Rate::Full), Voice::new(Rate::Narrow)];
    voices.iter_mut().for_each(enable_conversion);
    let mut run = |needed, listeners: usize| {
        let before = mixer.conversions();
        voices.iter_mut().for_each(|voice| {
            voice.frame_mut();
        });
        mixer.begin(needed);
        voices.iter_mut().for_each(|voice| mixer.add(voice));
        for _ in 0..listeners {
            mixer.mix(Rate::Narrow, None, None, &mut [0; NARROW_FRAME]);
            mixer.mix(Rate::Full, None, None, &mut [0; FULL_FRAME]);
        }
        mixer.conversions() - before
    };
    assert_eq!(run(BOTH, 1), 3);
    assert_eq!(run(BOTH, 50), 3, "never per listener");
    assert_eq!(run(NARROW_ONLY, 50), 1, "only the browser's voice");
    assert_eq!(run(Rates { narrow: false, full: true }, 50), 2, "only the phones' voices");
}

#[test]
fn d46_a_room_of_phones_never_leaves_8_khz() {
    let mut mixer = Mixer::default();
    mixer.begin(NARROW_ONLY);
    let mut voices: Vec<Voice> = (0..20).map(|_| voice(&[100; NARROW_FRAME])).collect();
    for voice in &mut voices {
        enable_conversion(voice);
        mixer.add(voice);
    }
    assert_eq!(mixer.conversions(), 0);
    assert!(mixer.total(Rate::Full).iter().all(|&sum| sum == 0));
}

#[test]
fn d46_phones_and_browsers_hear_each_other_at_the_right_level() {
    let mut mixer = Mixer::default();
    let (mut phone, mut browser) = (Voice::new(Rate::Narrow), Voice::new(Rate::Full));
    enable_conversion(&mut phone);
    enable_conversion(&mut browser);
    let (mut low, mut high) = (Oscillator::new(500, 8_000), Oscillator::new(1_300, 48_000));
    let (mut at_phone, mut at_browser) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        phone.frame_mut().iter_mut().for_each(|s| *s = low.next_sample());
        browser.frame_mut().iter_mut().for_each(|s| *s = high.next_sample());
        mixer.begin(BOTH);
        mixer.add(&mut phone);
        mixer.add(&mut browser);
        let (mut narrow, mut full) = ([0; NARROW_FRAME], [0; FULL_FRAME]);
        mixer.mix(Rate::Narrow, Some(&phone), None, &mut narrow);
        mixer.mix(Rate::Full, Some(&browser), None, &mut full);
        at_phone.extend(narrow);
        at_browser.extend(full);
    }
    let (at_phone, at_browser) = (&at_phone[1_600..7_200], &at_browser[9_600..43_200]);
    assert!((level_at(at_phone, 1_300, 8_000) + 9.0).abs() < 0.5);
    assert!(level_at(at_phone, 500, 8_000) < -80.0, "nobody hears himself");
    assert!((level_at(at_browser, 500, 48_000) + 9.0).abs() < 0.5);
    assert!(level_at(at_browser, 1_300, 48_000) < -80.0, "nobody hears himself");
}

#[test]
fn a_converter_taken_back_leaves_nothing_behind() {
    let mut mixer = Mixer::default();
    let mut pool = ConverterPool::default();
    pool.reserve(Rate::Narrow, 1).unwrap();
    let (mut first, mut second) = (voice(&[10_000; NARROW_FRAME]), voice(&[]));
    pool.lend(&mut first);
    mixer.begin(BOTH);
    mixer.add(&mut first);
    assert!(mixer.total(Rate::Full).iter().any(|&sum| sum != 0));
    pool.lend(&mut second);
    assert!(!second.has_converter(), "there is but one");
    pool.take_back(&mut first);
    pool.lend(&mut second);
    for mut silent in [first, second] {
        silent.frame_mut().fill(0);
        mixer.begin(BOTH);
        mixer.add(&mut silent);
        assert!(mixer.total(Rate::Full).iter().all(|&sum| sum == 0));
    }
}

fn voices() -> impl Strategy<Value = Vec<Vec<i16>>> {
    prop::collection::vec(prop::collection::vec(any::<i16>(), NARROW_FRAME), 1..8)
}

proptest! {
    #[test]
    fn the_order_of_voices_does_not_matter(samples in voices(), turn in 0_usize..8) {
        let mut forward: Vec<Voice> = samples.iter().map(|s| voice(s)).collect();
        let mut turned = samples.clone();
        turned.rotate_left(turn % samples.len());
        let mut turned: Vec<Voice> = turned.iter().map(|s| voice(s)).collect();
        let mut at_turned = heard(&mut turned);
        at_turned.rotate_right(turn % samples.len());
        prop_assert_eq!(heard(&mut forward), at_turned);
    }

    #[test]
    fn each_mix_is_the_limited_sum_of_the_others(samples in voices()) {
        let mut voices: Vec<Voice> = samples.iter().map(|s| voice(s)).collect();
        for (listener, mix) in heard(&mut voices).iter().enumerate() {
            for (at, &heard) in mix.iter().enumerate() {
                let sum: i64 = samples.iter().enumerate().filter(|(who, _)| *who != listener).map(|(_, s)| i64::from(s[at])).sum();
                prop_assert_eq!(i64::from(heard), sum.clamp(i64::from(i16::MIN), i64::from(i16::MAX)));
            }
        }
    }
}
