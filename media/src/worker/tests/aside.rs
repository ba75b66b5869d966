//! One ear hears what no other does.

use super::*;

#[test]
fn asks_21_a_ringing_call_is_heard_aside_by_one_ear_alone() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut bench = Bench::new();
        let host = bench.browser(1, 500, ALL);
        let other = bench.phone(2, Codec::Pcma, 900, ALL);
        let ringing = bench.phone(3, codec, 1_300, NOTHING);
        bench.settle(50);
        bench.command(Command::Overhear { leg: host, of: Some(ringing) });
        bench.settle(20);
        bench.run(50);
        assert!(bench.hears(host, 1_300) > -16.0, "{codec:?}: {}", bench.hears(host, 1_300));
        assert!(bench.hears(host, 900) > -16.0, "{codec:?}: over the meeting");
        assert!(bench.hears(other, 1_300) < -55.0, "{codec:?}: the others hear nothing of it");
        let in_return = bench.hears(ringing, 500).max(bench.hears(ringing, 900));
        assert!(in_return < -55.0, "{codec:?}: nor does it hear them, {in_return}");
        bench.command(Command::Overhear { leg: host, of: None });
        bench.settle(20);
        bench.run(50);
        assert!(bench.hears(host, 1_300) < -55.0, "{codec:?}: over");
    }
}

#[test]
fn asks_21_a_phone_hears_aside_in_a_small_room_too() {
    let mut bench = Bench::new();
    let host = bench.phone(1, Codec::Pcmu, 500, ALL);
    let ringing = bench.phone(2, Codec::G722, 1_300, NOTHING);
    bench.settle(50);
    bench.command(Command::Overhear { leg: host, of: Some(ringing) });
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(host, 1_300) > -16.0, "{}", bench.hears(host, 1_300));
    assert!(bench.hears(ringing, 500) < -55.0);
}

#[test]
fn asks_21_nothing_is_heard_twice_of_who_is_let_in_nor_anything_of_who_has_gone() {
    let mut bench = Bench::new();
    let host = bench.browser(1, 500, ALL);
    let ringing = bench.phone(2, Codec::Pcmu, 1_300, NOTHING);
    bench.command(Command::Overhear { leg: host, of: Some(ringing) });
    bench.settle(50);
    bench.run(50);
    let aside = bench.hears(host, 1_300);
    bench.plan(ringing, ALL);
    bench.settle(20);
    bench.run(50);
    let in_the_mix = bench.hears(host, 1_300);
    assert!((aside - in_the_mix).abs() < 1.0, "{aside} and {in_the_mix}");
    bench.command(Command::RemoveLeg { leg: ringing });
    bench.phones.remove(&ringing);
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(host, 1_300) < -55.0);
}
