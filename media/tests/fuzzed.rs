//! What the fuzzers of `fuzz/` play for minutes, played for a moment in every run: their seeds, cut, and with bytes changed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

use std::path::Path;

#[path = "../../fuzz/src/media.rs"]
mod targets;

/// Each seed whole, cut at every place, and with every byte changed in a few ways.
fn play(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        seeds += 1;
        for at in 0..=seed.len() {
            target(&seed[..at]);
        }
        for at in 0..seed.len() {
            for change in [1, 0x0f, 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] ^= change;
                target(&changed);
            }
        }
    }
    assert!(seeds > 0, "no seeds in {}", folder.display());
}

#[test]
fn p5_session_descriptions_cut_and_changed() {
    play("sdp", targets::sdp);
}

#[test]
fn p5_packets_cut_and_changed() {
    play("media_ports", targets::media_ports);
}
