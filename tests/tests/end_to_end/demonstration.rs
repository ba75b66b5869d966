//! What `./dev demo` shows, on ports of its own.

use partyline_tests::demo::{self, DemoConfig};
use partyline_tests::stage::StageConfig;

/// Hana calls a desk phone, an outside person, a busy line and a voicemail, and the report finds nothing amiss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i96_the_demonstration_runs_by_itself_and_finds_all_well() {
    let stage = StageConfig::demo_on_free_ports().unwrap_or_else(|error| panic!("{error}"));
    let mut out = Vec::new();
    let well = demo::run(&DemoConfig { stage, exit: true, url_only: false }, &mut out).await;
    let words = String::from_utf8_lossy(&out);
    assert!(well.unwrap_or_else(|error| panic!("{error}\n{words}")), "{words}");
    assert!(words.contains("OK: everything was as it must be."), "{words}");
}
