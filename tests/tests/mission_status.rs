//! `docs/mission-status.md` is true: it lists every row of the mission, and every test it names exists.

#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the mission: letter, first and last number of each run.
const ROWS: [(&str, &[(u32, u32)]); 4] = [
    ("A", &[(1, 82)]),
    ("B", &[(1, 50)]),
    ("D", &[(1, 8), (10, 24), (30, 39), (40, 50), (60, 69)]),
    ("I", &[(1, 23), (30, 37), (40, 47), (50, 63), (70, 78), (80, 96)]),
];

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", "node_modules", "dist", ".git"].contains(&name) {
                sources(&path, found);
            }
        } else if [".rs", ".ts", ".tsx", ".mjs"].iter().any(|ending| name.ends_with(ending)) {
            found.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// Cells of the table's rows: id, what, test or "not yet".
fn rows(text: &str) -> Vec<[String; 3]> {
    let cells = |line: &str| {
        let mut cells = line.trim_matches('|').splitn(3, '|').map(|cell| cell.trim().to_owned());
        Some([cells.next()?, cells.next()?, cells.next()?])
    };
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id"))
        .filter_map(cells)
        .collect()
}

#[test]
fn every_row_is_listed_once_and_every_named_test_exists() {
    let text = fs::read_to_string(root().join("docs/mission-status.md")).expect("docs/mission-status.md");
    let mut code = String::new();
    sources(&root(), &mut code);
    let mut listed = BTreeSet::new();
    for [id, _, proof] in rows(&text) {
        assert!(listed.insert(id.clone()), "{id} is listed twice");
        let named: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || proof.starts_with("not yet") || proof.starts_with("none"),
            "{id}: {proof}"
        );
        for test in named {
            let exists = code.contains(&format!("fn {test}(")) || code.contains(&format!("\"{test}"));
            assert!(exists, "{id} names the test {test}, which does not exist");
            let lower = id.to_lowercase();
            assert!(
                test.split('_').any(|part| part == lower),
                "{id}: the test {test} does not bear the row's id"
            );
        }
    }
    for (letter, runs) in ROWS {
        for number in runs.iter().flat_map(|(first, last)| *first..=*last) {
            assert!(listed.contains(&format!("{letter}{number:02}")), "{letter}{number:02} is not listed");
        }
    }
}

/// Rows of sections A and B that ask for nothing to be built or are other articles' matter.
const WITHOUT_TEST: [&str; 4] = ["A80", "A81", "A82", "B09"];

#[test]
fn d08_every_row_of_a_and_b_has_a_test_or_belongs_to_the_page() {
    let text = fs::read_to_string(root().join("docs/mission-status.md")).expect("docs/mission-status.md");
    let open: Vec<_> = rows(&text)
        .into_iter()
        .filter(|[id, _, proof]| {
            let of_the_server = !proof.starts_with("not yet: it belongs to the page");
            id.starts_with(['A', 'B'])
                && of_the_server
                && !proof.contains('`')
                && !WITHOUT_TEST.contains(&id.as_str())
        })
        .map(|[id, ..]| id)
        .collect();
    assert!(open.is_empty(), "without a test of the server: {open:?}");
}
