//! One test for each clause of the RFCs held to here: what comes in, what must come out. `docs/SDP.md` lists them.

mod grammar;
mod offer_answer;
mod security;
mod transport;

use super::*;

/// What a description begins with, up to its first medium.
const HEAD: &str = "v=0\no=x 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\n";
const AUDIO: &str = "m=audio 4000 RTP/AVP 0\n";

fn local() -> LocalDescription {
    let codecs = vec![Codec::Pcmu, Codec::Pcma, Codec::Opus];
    LocalDescription::new("192.0.2.1:20000".parse().unwrap(), 77, codecs)
}

fn described(media: &str) -> Vec<u8> {
    format!("{HEAD}{media}").into_bytes()
}

fn text(description: Vec<u8>) -> String {
    String::from_utf8(description).unwrap()
}

/// What an offer of these media comes to, and our answer.
fn answered(local: &LocalDescription, media: &str) -> (Negotiated, String) {
    let (negotiated, answer) = answer(local, &described(media)).unwrap_or_else(|e| panic!("{media}: {e}"));
    (negotiated, text(answer))
}

/// How a description is refused: the status, and the Warning that goes with it.
fn refused(description: &[u8]) -> (u16, Option<u16>) {
    let error = answer(&local(), description).unwrap_err();
    (error.status(), error.warning().map(|warning| warning.code))
}

/// The lines that begin so, in their order.
fn lines<'a>(description: &'a str, with: &str) -> Vec<&'a str> {
    description.lines().filter(|line| line.starts_with(with)).collect()
}

#[test]
fn every_test_of_a_clause_is_in_the_table_and_every_one_of_the_table_is_here() {
    let table = include_str!("../../../../docs/SDP.md");
    let sources = [
        include_str!("grammar.rs"),
        include_str!("offer_answer.rs"),
        include_str!("security.rs"),
        include_str!("transport.rs"),
    ];
    let tests = |source: &'static str| {
        source.lines().filter_map(|line| line.strip_prefix("fn rfc_")?.split('(').next())
    };
    let mut here: Vec<&str> = sources.into_iter().flat_map(tests).collect();
    let mut there: Vec<&str> =
        table.split("`rfc_").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    here.sort_unstable();
    there.sort_unstable();
    there.dedup();
    assert_eq!(here, there);
}
