//! RFC 4568: keys in SDP.

use super::*;
use crate::srtp::Suite;

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

fn secured(srtp: SrtpPolicy) -> LocalDescription {
    LocalDescription { srtp, key_seed: KeySeed([9; 32]), ..local() }
}

fn offered_with(crypto: &str) -> String {
    format!("m=audio 4000 RTP/SAVP 0\n{crypto}")
}

/// The `a=crypto` of our answer, without its key.
fn chosen(crypto: &str) -> Option<String> {
    let offer = described(&offered_with(crypto));
    let (_, answer) = answer(&secured(SrtpPolicy::Require), &offer).ok()?;
    let answer = text(answer);
    let lines = lines(&answer, "a=crypto:");
    assert_eq!(lines.len(), 1, "one is accepted: {answer}");
    Some(lines[0].split(" inline:").next().unwrap().to_owned())
}

#[test]
fn rfc_4568_4_1_a_tag_is_a_number_of_up_to_nine_digits() {
    for (tag, taken) in [
        ("1", true),
        ("999999999", true),
        ("1000000000", false),
        ("x", false),
        ("-1", false),
        ("+1", false),
        ("", false),
    ] {
        let found = chosen(&format!("a=crypto:{tag} {SUITE} inline:{KEY}\n"));
        assert_eq!(found, taken.then(|| format!("a=crypto:{tag} {SUITE}")), "{tag}");
    }
}

#[test]
fn rfc_4568_5_1_1_an_offer_lists_suites_by_preference_under_tags_of_their_own() {
    let offered = text(offer(&secured(SrtpPolicy::Require)));
    assert_eq!(lines(&offered, "m="), ["m=audio 20000 RTP/SAVP 0 8 96 103 101 102"]);
    let suites = Suite::ALL.map(|suite| suite.name());
    let found: Vec<(&str, &str)> = lines(&offered, "a=crypto:")
        .into_iter()
        .map(|line| {
            let mut fields = line.strip_prefix("a=crypto:").unwrap().split(' ');
            (fields.next().unwrap(), fields.next().unwrap())
        })
        .collect();
    assert_eq!(found, ["1", "2", "3", "4"].into_iter().zip(suites).collect::<Vec<_>>());
}

#[test]
fn rfc_4568_5_1_2_an_answer_takes_the_first_that_is_valid_under_its_tag() {
    let lines = |lines: &[&str]| lines.iter().map(|line| format!("a=crypto:{line}\n")).collect::<String>();
    let good = format!("7 {SUITE} inline:{KEY}");
    let short = format!("8 AES_CM_128_HMAC_SHA1_32 inline:{KEY}");
    let unknown = format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}");
    for (offered, expected) in [
        (lines(&[&good]), Some(format!("a=crypto:7 {SUITE}"))),
        (lines(&[&unknown, &good, &short]), Some(format!("a=crypto:7 {SUITE}"))),
        (lines(&[&short, &good]), Some("a=crypto:8 AES_CM_128_HMAC_SHA1_32".to_owned())),
        (lines(&["nonsense", "", &good]), Some(format!("a=crypto:7 {SUITE}"))),
        (lines(&[&unknown]), None),
        (String::new(), None),
    ] {
        assert_eq!(chosen(&offered), expected, "{offered}");
    }
    let none = described(&offered_with(""));
    let error = answer(&secured(SrtpPolicy::Require), &none).unwrap_err();
    assert_eq!((error.status(), error.warning().unwrap().code), (488, 302));
}

#[test]
fn rfc_4568_5_1_2_each_direction_has_a_key_of_its_own() {
    let offer = described(&offered_with(&format!("a=crypto:7 {SUITE} inline:{KEY}\n")));
    let (found, answer) = answer(&secured(SrtpPolicy::Require), &offer).unwrap();
    let keys = found.srtp.unwrap();
    assert_ne!(keys.local, keys.remote);
    assert!(!text(answer).contains(KEY));
}

#[test]
fn rfc_4568_5_1_3_an_answer_must_accept_one_of_our_lines() {
    for (tag, suite, taken) in [
        (1, Suite::ALL[0].name(), true),
        (4, Suite::ALL[3].name(), true),
        (1, Suite::ALL[3].name(), false),
        (9, Suite::ALL[0].name(), false),
    ] {
        let key = crypto::Crypto::offered(&KeySeed([3; 32])).find(|ours| ours.suite.name() == suite).unwrap();
        let answer = described(&offered_with(&crypto::Crypto { tag, ..key }.line()));
        let found = accept_answer(&secured(SrtpPolicy::Require), &answer);
        assert_eq!(found.map(|found| found.srtp.is_some()).ok(), taken.then_some(true), "{tag} {suite}");
    }
}

#[test]
fn rfc_4568_6_1_a_key_has_the_length_of_its_suite_and_may_have_a_lifetime() {
    for (key, taken) in [
        (KEY.to_owned(), true),
        (format!("{KEY}|2^20"), true),
        (format!("{KEY}|2^48"), true),
        (format!("{KEY}|1048576"), true),
        // Longer than any may live, or nothing that can be read.
        (format!("{KEY}|2^49"), false),
        (format!("{KEY}|0"), false),
        (format!("{KEY}|long"), false),
        // Master key identifiers and more than one key are beyond us.
        (format!("{KEY}|1:4"), false),
        (format!("{KEY}|2^20|1:4"), false),
        (format!("{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"), false),
        (KEY[..36].to_owned(), false),
        (format!("{KEY}AAAA"), false),
        ("*".to_owned(), false),
    ] {
        let found = chosen(&format!("a=crypto:1 {SUITE} inline:{key}\n"));
        assert_eq!(found.is_some(), taken, "{key}");
    }
    assert_eq!(chosen(&format!("a=crypto:1 {SUITE} uri:{KEY}\n")), None, "another key method");
}

#[test]
fn rfc_4568_6_3_session_parameters_that_change_the_protection_are_not_taken() {
    for (parameters, taken) in [
        ("WSH=128", true),
        ("-EXTRA=1", true),
        ("WSH=64 -EXTRA", true),
        ("UNENCRYPTED_SRTP", false),
        ("UNENCRYPTED_SRTCP", false),
        ("UNAUTHENTICATED_SRTP", false),
        ("KDR=1", false),
        ("FEC_ORDER=FEC_SRTP", false),
        ("EXTRA=1", false),
    ] {
        let found = chosen(&format!("a=crypto:1 {SUITE} inline:{KEY} {parameters}\n"));
        assert_eq!(found.is_some(), taken, "{parameters}");
    }
}
