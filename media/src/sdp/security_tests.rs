//! DTLS-SRTP and ICE in descriptions.

use super::*;
use crate::dtls::{DtlsParameters, Hash, SetupRole};

fn ours() -> Fingerprint {
    Fingerprint::of(Hash::Sha256, b"our certificate")
}

fn theirs() -> Fingerprint {
    Fingerprint::of(Hash::Sha256, b"their certificate")
}

fn local(srtp: SrtpPolicy) -> LocalDescription {
    let address = "192.0.2.1:20000".parse().unwrap();
    let plain = LocalDescription::new(address, 1, vec![Codec::Pcmu]);
    LocalDescription { srtp, key_seed: KeySeed([7; 32]), dtls: Some(ours()), ..plain }
}

/// An offer with these lines before and after the one of its medium.
fn text(session: &str, protocol: &str, media: &str) -> String {
    format!("v=0\r\nc=IN IP4 192.0.2.9\r\n{session}m=audio 4000 {protocol} 0\r\n{media}")
}

const DTLS: &str = "UDP/TLS/RTP/SAVP";
const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";

#[test]
fn d22_dtls_is_agreed_on_with_the_role_that_is_left() {
    let fingerprint = format!("a=fingerprint:{}\r\n", theirs());
    for (setup, role) in
        [("actpass", SetupRole::Passive), ("active", SetupRole::Passive), ("passive", SetupRole::Active)]
    {
        let setup = format!("a=setup:{setup}\r\n");
        for offer in [
            text("", DTLS, &format!("{setup}{fingerprint}")),
            text(&fingerprint, "UDP/TLS/RTP/SAVPF", &setup),
            text(&format!("{fingerprint}{setup}"), "RTP/SAVP", KEY),
        ] {
            let (negotiated, answer) = answer(&local(SrtpPolicy::Prefer), offer.as_bytes()).unwrap();
            assert_eq!(negotiated.dtls, Some(DtlsParameters { role, remote: theirs() }), "{offer}");
            assert_eq!(negotiated.srtp, None, "one way is enough");
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains(&format!("a=setup:{}\r\n", role.attribute())), "{answer}");
            assert!(
                answer.contains(&format!("a=fingerprint:{}\r\n", ours())) && !answer.contains("a=crypto")
            );
        }
    }
}

#[test]
fn d22_the_policy_rules_dtls_too() {
    let dtls = format!("a=setup:actpass\r\na=fingerprint:{}\r\n", theirs());
    let weak = "a=setup:actpass\r\na=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n";
    let refused = |srtp, offer: &str| answer(&local(srtp), offer.as_bytes()).unwrap_err();
    assert!(matches!(refused(SrtpPolicy::Off, &text("", DTLS, &dtls)), SdpError::UnsupportedTransport(_)));
    assert!(matches!(refused(SrtpPolicy::Prefer, &text("", DTLS, weak)), SdpError::UnsupportedTransport(_)));
    assert_eq!(refused(SrtpPolicy::Require, &text("", DTLS, "a=setup:actpass\r\n")), SdpError::SrtpRequired);
    let (plain, _) = answer(&local(SrtpPolicy::Off), text("", "RTP/AVP", &dtls).as_bytes()).unwrap();
    assert_eq!((plain.dtls, plain.srtp), (None, None));
    let (best_effort, _) = answer(&local(SrtpPolicy::Prefer), text("", "RTP/AVP", &dtls).as_bytes()).unwrap();
    assert!(best_effort.dtls.is_some(), "RFC 8643");
    let without = LocalDescription { dtls: None, ..local(SrtpPolicy::Prefer) };
    assert!(answer(&without, text("", DTLS, &dtls).as_bytes()).is_err(), "no certificate of ours");
}

#[test]
fn d22_our_offer_is_answered_with_dtls_or_with_keys() {
    for srtp in [SrtpPolicy::Prefer, SrtpPolicy::Require] {
        let offered = String::from_utf8(offer(&local(srtp))).unwrap();
        assert!(
            offered.contains("a=setup:actpass\r\n") && offered.contains(&ours().to_string()),
            "{offered}"
        );
        let answer = text("", DTLS, &format!("a=setup:active\r\na=fingerprint:{}\r\n", theirs()));
        let negotiated = accept_answer(&local(srtp), answer.as_bytes()).unwrap();
        assert_eq!(negotiated.dtls.map(|dtls| dtls.role), Some(SetupRole::Passive));
        // The other side answers what it reads.
        let far = LocalDescription { dtls: Some(theirs()), key_seed: KeySeed([8; 32]), ..local(srtp) };
        let (far, answer) = self::answer(&far, offered.as_bytes()).unwrap();
        let near = accept_answer(&local(srtp), &answer).unwrap();
        assert_eq!((near.dtls.map(|dtls| dtls.remote), near.srtp), (Some(theirs()), None));
        assert_eq!((far.dtls.map(|dtls| dtls.remote), far.srtp), (Some(ours()), None));
        assert!(far.dtls.map(|dtls| dtls.role) != near.dtls.map(|dtls| dtls.role), "one begins");
    }
    let off = String::from_utf8(offer(&local(SrtpPolicy::Off))).unwrap();
    assert!(!off.contains("fingerprint"));
}

#[test]
fn ice_is_answered_as_the_lite_side_where_it_is_offered() {
    let ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 192.0.2.9 4000 typ host\r\n";
    for offer in [text("", "RTP/AVP", ice), text(ice, "RTP/AVP", "")] {
        let (negotiated, answer) = answer(&local(SrtpPolicy::Off), offer.as_bytes()).unwrap();
        let ours = negotiated.ice.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (session, media) = answer.split_once("m=audio").unwrap();
        assert!(session.contains("a=ice-lite\r\n"), "{answer}");
        assert!(media.contains(&format!(
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
            ours.ufrag(),
            ours.password()
        )));
        assert!(media.contains("a=candidate:1 1 UDP 2130706431 192.0.2.1 20000 typ host\r\n"), "{answer}");
        let again = self::answer(&local(SrtpPolicy::Off), offer.as_bytes()).unwrap().0;
        assert_eq!(again.ice, Some(ours), "an offer repeated restarts nothing");
        let restarted = offer.replace("abcd", "efgh");
        assert_ne!(self::answer(&local(SrtpPolicy::Off), restarted.as_bytes()).unwrap().0.ice, Some(ours));
    }
    let lite = text(&format!("a=ice-lite\r\n{ice}"), "RTP/AVP", "");
    let (negotiated, answer) = answer(&local(SrtpPolicy::Off), lite.as_bytes()).unwrap();
    assert_eq!(negotiated.ice, None, "between two lite sides nobody checks");
    assert!(!String::from_utf8(answer).unwrap().contains("ice"));
    for half in
        ["a=ice-ufrag:abcd\r\n", "a=ice-pwd:0123456789012345678901\r\n", "a=ice-ufrag:a\r\na=ice-pwd:b\r\n"]
    {
        let (negotiated, _) =
            self::answer(&local(SrtpPolicy::Off), text("", "RTP/AVP", half).as_bytes()).unwrap();
        assert_eq!(negotiated.ice, None, "{half}");
    }
}
