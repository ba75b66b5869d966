//! Nothing depends upward, and the pure crates link nothing that reads a clock, a socket or a runtime.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every allowed edge between members. The lab's library uses none of them (its dev-dependencies may).
const EDGES: [(&str, &[&str]); 6] = [
    ("sip-core", &[]),
    ("media", &[]),
    ("conference", &["media", "sip-core"]),
    ("api", &["conference"]),
    ("gateway", &["api", "conference", "media", "sip-core"]),
    ("partyline-tests", &[]),
];

/// Crates that would let logic reach the world behind the back of its tests.
const WORLDLY: [&str; 6] = ["tokio", "mio", "socket2", "sqlx", "axum", "async-std"];

fn metadata() -> Value {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path", manifest])
        .output()
        .expect("cargo metadata runs");
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Normal (not dev, not optional) dependencies of each member.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let edges = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|edge| edge["kind"].is_null() && edge["optional"] != true)
            .map(|edge| edge["name"].as_str().expect("name").to_owned())
            .collect()
    };
    packages
        .iter()
        .map(|package| (package["name"].as_str().expect("name").to_owned(), edges(package)))
        .collect()
}

#[test]
fn d02_members_depend_only_downward() {
    let found = dependencies();
    let members: BTreeSet<_> = EDGES.iter().map(|(member, _)| (*member).to_owned()).collect();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), members, "the members of the workspace");
    for (member, allowed) in EDGES {
        let inner: BTreeSet<_> = found[member].intersection(&members).map(String::as_str).collect();
        assert_eq!(inner, allowed.iter().copied().collect(), "edges of {member}");
    }
}

#[test]
fn d04_d05_the_pure_crates_link_nothing_worldly() {
    let found = dependencies();
    for member in ["sip-core", "media", "conference"] {
        for worldly in WORLDLY {
            assert!(!found[member].contains(worldly), "{member} depends on {worldly}");
        }
    }
}
