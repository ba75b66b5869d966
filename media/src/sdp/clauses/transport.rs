//! RFC 3605 (RTCP on a port of its own), RFC 5761 (RTCP with RTP) and RFC 8839 (ICE).

use super::*;

#[test]
fn rfc_3605_2_1_rtcp_goes_to_the_port_that_is_named() {
    for (attribute, port) in [
        ("", 4001),
        ("a=rtcp:53020\n", 53_020),
        // Only the port: RTCP goes where RTP goes.
        ("a=rtcp:53020 IN IP4 203.0.113.9\n", 53_020),
        ("a=rtcp:53020 IN IP6 2001:db8::9\n", 53_020),
        ("a=rtcp:0\n", 4001),
        ("a=rtcp:70000\n", 4001),
        ("a=rtcp\n", 4001),
    ] {
        let (found, answer) = answered(&local(), &format!("{AUDIO}{attribute}"));
        assert_eq!(found.rtcp, RtcpPort::Apart(port), "{attribute}");
        assert_eq!(lines(&answer, "a=rtcp:"), ["a=rtcp:20001"], "ours is told");
    }
    // It belongs to a medium: a session has none.
    assert_eq!(answered(&local(), &format!("a=rtcp:53020\n{AUDIO}")).0.rtcp, RtcpPort::Apart(4001));
    assert_eq!(answered(&local(), "m=audio 65535 RTP/AVP 0\n").0.rtcp, RtcpPort::None, "no port comes after");
}

#[test]
fn rfc_5761_4_payload_types_that_look_like_rtcp_do_not_share_its_port() {
    let event = "a=rtpmap:72 telephone-event/8000\n";
    for (formats, map, rtcp) in [
        ("0", "", RtcpPort::Muxed),
        ("96", "a=rtpmap:96 PCMA/8000\n", RtcpPort::Muxed),
        ("63", "a=rtpmap:63 PCMA/8000\n", RtcpPort::Muxed),
        ("64", "a=rtpmap:64 PCMA/8000\n", RtcpPort::Apart(4001)),
        ("95", "a=rtpmap:95 PCMA/8000\n", RtcpPort::Apart(4001)),
        ("0 72", event, RtcpPort::Apart(4001)),
        // Offered and not chosen.
        ("0 72", "a=rtpmap:72 PCMA/8000\n", RtcpPort::Muxed),
    ] {
        let (found, answer) =
            answered(&local(), &format!("m=audio 4000 RTP/AVP {formats}\n{map}a=rtcp-mux\n"));
        assert_eq!(found.rtcp, rtcp, "{formats} {map}");
        assert_eq!(lines(&answer, "a=rtcp-mux").len(), usize::from(rtcp == RtcpPort::Muxed), "{answer}");
    }
}

#[test]
fn rfc_5761_5_1_1_one_port_is_offered_and_used_only_if_both_say_so() {
    assert_eq!(lines(&text(offer(&local())), "a=rtcp-mux").len(), 1);
    for (attribute, rtcp) in [("a=rtcp-mux\n", RtcpPort::Muxed), ("", RtcpPort::Apart(4001))] {
        let found = accept_answer(&local(), &described(&format!("{AUDIO}{attribute}"))).unwrap();
        assert_eq!(found.rtcp, rtcp, "{attribute}");
        let (found, answer) = answered(&local(), &format!("{AUDIO}{attribute}"));
        assert_eq!(found.rtcp, rtcp, "{attribute}");
        assert_eq!(lines(&answer, "a=rtcp-mux").is_empty(), attribute.is_empty(), "{answer}");
    }
    // Both are said for those who know only one of them.
    let (found, answer) = answered(&local(), &format!("{AUDIO}a=rtcp:4001\na=rtcp-mux\n"));
    assert_eq!((found.rtcp, lines(&answer, "a=rtcp:").len()), (RtcpPort::Muxed, 0));
}

const CREDENTIALS: &str = "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n";
const CANDIDATE: &str = "a=candidate:1 1 UDP 2130706431 198.51.100.7 4000 typ host\n";

#[test]
fn rfc_8839_4_2_5_an_address_changed_on_the_way_means_no_ice() {
    let relayed =
        "a=candidate:2 1 UDP 1694498815 203.0.113.8 45664 typ srflx raddr 198.51.100.7 rport 4000\n";
    let rtcp = "a=candidate:1 2 UDP 2130706430 198.51.100.7 4000 typ host\n";
    let hidden = "a=candidate:1 1 UDP 2130706431 a1.local 4000 typ host\n";
    let later = "m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\n";
    for (medium, candidates, is_ice) in [
        (AUDIO, CANDIDATE.to_owned(), true),
        (AUDIO, format!("{relayed}{CANDIDATE}"), true),
        (AUDIO, String::new(), true),
        (AUDIO, hidden.to_owned(), true),
        (later, relayed.to_owned(), true),
        (AUDIO, relayed.to_owned(), false),
        (AUDIO, format!("{rtcp}{relayed}"), false),
        ("m=audio 4002 RTP/AVP 0\n", CANDIDATE.to_owned(), false),
    ] {
        let (found, answer) = answered(&local(), &format!("{medium}{CREDENTIALS}{candidates}"));
        assert_eq!(found.ice.is_some(), is_ice, "{medium}{candidates}");
        assert_eq!(lines(&answer, "a=ice-mismatch").is_empty(), is_ice, "{answer}");
        assert_eq!(lines(&answer, "a=candidate").len(), usize::from(is_ice), "{answer}");
    }
}

#[test]
fn rfc_8839_5_1_our_only_candidate_is_where_media_goes_by_default() {
    for address in ["192.0.2.1:20000", "[2001:db8::1]:20000"] {
        let ours = LocalDescription { address: address.parse().unwrap(), ..local() };
        let (_, answer) = answered(&ours, &format!("{AUDIO}{CREDENTIALS}{CANDIDATE}"));
        let expected = format!("a=candidate:1 1 UDP 2130706431 {} 20000 typ host", ours.address.ip());
        assert_eq!(lines(&answer, "a=candidate"), [expected]);
    }
}

#[test]
fn rfc_8839_5_3_and_5_6_we_are_the_lite_side_and_say_so_for_the_session() {
    let (_, answer) = answered(&local(), &format!("{AUDIO}{CREDENTIALS}{CANDIDATE}"));
    let (session, media) = answer.split_once("m=").unwrap();
    assert_eq!((lines(session, "a=ice-lite").len(), lines(media, "a=ice-lite").len()), (1, 0));
    assert_eq!(lines(session, "a=ice-options:"), ["a=ice-options:ice2"]);
    // Between two lite sides nobody would check, and who offers no ICE is told of none.
    for offer in [format!("a=ice-lite\n{AUDIO}{CREDENTIALS}{CANDIDATE}"), AUDIO.to_owned()] {
        let (found, answer) = answered(&local(), &offer);
        assert_eq!((found.ice, answer.contains("a=ice")), (None, false), "{answer}");
    }
}

#[test]
fn rfc_8839_5_4_credentials_have_a_length_and_an_alphabet_and_those_of_the_medium_come_first() {
    let long = "a".repeat(256);
    for (ufrag, pwd, is_ice) in [
        ("8hhY", "asd88fgpdd777uzjYhagZg", true),
        ("8h+/", "asd88fgpdd777uzjYhag+/", true),
        (long.as_str(), long.as_str(), true),
        ("8hh", "asd88fgpdd777uzjYhagZg", false),
        ("8hhY", "asd88fgpdd777uzjYhagZ", false),
        ("8hh-", "asd88fgpdd777uzjYhagZg", false),
        ("8hhY", "asd88fgpdd777uzjYhag Zg", false),
        (&format!("{long}a"), "asd88fgpdd777uzjYhagZg", false),
        ("", "", false),
    ] {
        for at_session in [false, true] {
            let credentials = format!("a=ice-ufrag:{ufrag}\na=ice-pwd:{pwd}\n");
            let (before, after) =
                if at_session { (credentials.as_str(), "") } else { ("", credentials.as_str()) };
            let (found, _) = answered(&local(), &format!("{before}{AUDIO}{after}"));
            assert_eq!(found.ice.is_some(), is_ice, "{ufrag} {pwd}");
        }
    }
    let of_session = answered(&local(), &format!("{CREDENTIALS}{AUDIO}")).0.ice;
    let other = "a=ice-ufrag:other\na=ice-pwd:asd88fgpdd777uzjYhagZg\n";
    let of_medium = answered(&local(), &format!("{CREDENTIALS}{AUDIO}{other}")).0.ice;
    assert!(of_session.is_some() && of_medium.is_some() && of_session != of_medium);
}
