//! RFC 8866: the lines and attributes read here; and what RFC 4566 and its time let pass.

use super::*;

#[test]
fn rfc_8866_5_a_line_is_a_letter_an_equals_sign_and_a_value() {
    for (line, taken) in [
        ("i=about it", true),
        ("u=https://example.com/", true),
        ("e=a@example.com", true),
        ("p=+1 202 555 0100", true),
        ("b=AS:64", true),
        ("r=604800 3600 0 90000", true),
        ("z=2882844526 -1h", true),
        ("k=prompt", true),
        ("a=unknown:attributes are passed over", true),
        // No other letters: such a description is not to be used at all.
        ("x=1", false),
        ("A=sendonly", false),
        ("V=0", false),
        ("a", false),
        ("a =sendonly", false),
        ("nonsense", false),
    ] {
        let found = answer(&local(), &described(&format!("{line}\n{AUDIO}")));
        assert_eq!(found.map_err(|error| error.status()).err(), (!taken).then_some(400), "{line}");
    }
}

#[test]
fn rfc_8866_5_lines_end_in_crlf_or_in_lf() {
    let offer = text(described(&format!("{AUDIO}a=sendonly\n")));
    let with_crlf = offer.replace('\n', "\r\n");
    for offer in [offer.as_str(), with_crlf.as_str(), offer.trim_end(), with_crlf.trim_end()] {
        let (found, answer) = answer(&local(), offer.as_bytes()).unwrap();
        assert_eq!(found.direction, Direction::RecvOnly, "{offer:?}");
        assert!(text(answer).lines().all(|line| !line.contains('\r')));
    }
}

#[test]
fn rfc_8866_5_text_may_be_in_any_character_set() {
    for value in [&b"caf\xE9"[..], b"\xFF\xFE", "caf\u{e9}".as_bytes()] {
        for kind in [&b"s="[..], b"i=", b"a=tool:"] {
            let offer = [b"v=0\nc=IN IP4 198.51.100.7\n", kind, value, b"\n", AUDIO.as_bytes()].concat();
            assert!(answer(&local(), &offer).is_ok(), "{offer:?}");
        }
    }
}

#[test]
fn rfc_8866_5_1_a_description_begins_with_version_0() {
    for (begin, taken) in
        [("v=0\n", true), ("v=1\n", false), ("v= 0\n", false), ("o=- 1 1 IN IP4 x\nv=0\n", false)]
    {
        let offer = format!("{begin}c=IN IP4 198.51.100.7\n{AUDIO}");
        assert_eq!(answer(&local(), offer.as_bytes()).is_ok(), taken, "{begin}");
    }
    assert_eq!(refused(b""), (400, None));
}

#[test]
fn rfc_8866_5_7_the_connection_of_a_medium_comes_before_that_of_the_session() {
    for (session, medium, expected) in [
        ("c=IN IP4 198.51.100.7\n", "", Ok("198.51.100.7:4000")),
        ("c=IN IP4 198.51.100.7\n", "c=IN IP4 203.0.113.4\n", Ok("203.0.113.4:4000")),
        ("", "c=IN IP6 2001:db8::7\n", Ok("[2001:db8::7]:4000")),
        ("c=IN IP4 phone.example\n", "c=IN IP4 203.0.113.4\n", Ok("203.0.113.4:4000")),
        ("", "", Err((400, None))),
        ("c=IN IP4\n", "", Err((400, None))),
        // Names, other families and other networks: nothing we could send to.
        ("", "c=IN IP4 phone.example\n", Err((488, Some(301)))),
        ("", "c=IN IP6 198.51.100.7\n", Err((488, Some(301)))),
        ("", "c=IN IP9 x\n", Err((488, Some(301)))),
        ("", "c=ATM NSAP 47.0091\n", Err((488, Some(301)))),
    ] {
        let offer = format!("v=0\n{session}{AUDIO}{medium}");
        let found = answer(&local(), offer.as_bytes());
        match expected {
            Ok(remote) => assert_eq!(found.unwrap().0.remote.to_string(), remote, "{offer}"),
            Err(expected) => assert_eq!(refused(offer.as_bytes()), expected, "{offer}"),
        }
    }
    // The connection of a medium that is refused anyway is no matter.
    assert!(answer(&local(), &described(&format!("{AUDIO}m=video 9 RTP/AVP 96\nc=TN RFC2543 +1\n"))).is_ok());
}

#[test]
fn rfc_8866_5_7_our_own_connection_is_of_the_family_of_our_address() {
    let ours = LocalDescription { address: "[2001:db8::1]:20000".parse().unwrap(), ..local() };
    let (_, answer) = answered(&ours, AUDIO);
    assert_eq!(lines(&answer, "c="), ["c=IN IP6 2001:db8::1"]);
    assert_eq!(lines(&answer, "o="), ["o=- 77 77 IN IP6 2001:db8::1"]);
}

#[test]
fn rfc_8866_5_8_bandwidths_of_a_session_count_for_media_without_their_own() {
    for (session, medium, rtcp) in [
        ("", "", RtcpPort::Apart(4001)),
        ("b=AS:64\nb=CT:1000\n", "b=TIAS:64000\nb=X-YZ:128\n", RtcpPort::Apart(4001)),
        ("b=RS:0\nb=RR:0\n", "", RtcpPort::None),
        ("b=RS:0\n", "b=RR:0\n", RtcpPort::None),
        ("b=RS:0\nb=RR:0\n", "b=RS:600\n", RtcpPort::Apart(4001)),
        ("", "b=RS:none\nb=RR:0\n", RtcpPort::Apart(4001)),
    ] {
        let (found, _) = answered(&local(), &format!("{session}{AUDIO}{medium}"));
        assert_eq!(found.rtcp, rtcp, "{session}{medium}");
    }
}

#[test]
fn rfc_8866_5_13_names_of_attributes_are_case_sensitive_and_unknown_ones_are_ignored() {
    for (attribute, direction) in [
        ("a=sendonly", Direction::RecvOnly),
        ("a=SendOnly", Direction::SendRecv),
        ("a=x-sendonly", Direction::SendRecv),
        ("a=", Direction::SendRecv),
        ("a=:", Direction::SendRecv),
    ] {
        assert_eq!(
            answered(&local(), &format!("{AUDIO}{attribute}\n")).0.direction,
            direction,
            "{attribute}"
        );
    }
}

#[test]
fn rfc_8866_5_14_a_medium_has_a_kind_a_port_a_transport_and_formats() {
    for (medium, expected) in [
        ("audio 4000 RTP/AVP 0", Ok(4000)),
        ("audio 4000/1 RTP/AVP 0", Ok(4000)),
        ("audio 65535 RTP/AVP 0", Ok(65_535)),
        ("audio 65536 RTP/AVP 0", Err((400, None))),
        ("audio -1 RTP/AVP 0", Err((400, None))),
        ("audio 4000 RTP/AVP", Err((400, None))),
        ("audio 4000", Err((400, None))),
        ("audio 4000 udp 0", Err((488, Some(302)))),
        ("audio 4000 RTP/XYZ 0", Err((488, Some(302)))),
        ("text 4000 RTP/AVP 98", Err((488, Some(304)))),
    ] {
        let offer = format!("m={medium}\n");
        match expected {
            Ok(port) => assert_eq!(answered(&local(), &offer).0.remote.port(), port, "{medium}"),
            Err(expected) => assert_eq!(refused(&described(&offer)), expected, "{medium}"),
        }
    }
}

#[test]
fn rfc_8866_6_4_and_6_5_packet_times() {
    for (attributes, expected) in [
        ("", 20),
        ("a=ptime:30\n", 30),
        ("a=ptime:40\na=maxptime:30\n", 30),
        ("a=maxptime:10\n", 10),
        ("a=maxptime:240\n", 20),
        // Nonsense is as if it were not said.
        ("a=ptime:0\n", 20),
        ("a=ptime:1000\n", 20),
        ("a=ptime:x\n", 20),
        ("a=ptime\n", 20),
    ] {
        assert_eq!(answered(&local(), &format!("{AUDIO}{attributes}")).0.ptime_ms, expected, "{attributes}");
    }
}

#[test]
fn rfc_8866_6_6_a_map_names_encoding_clock_and_channels() {
    for (formats, expected) in [
        ("0", Some((Codec::Pcmu, 0))),
        ("97\na=rtpmap:97 pcma/8000", Some((Codec::Pcma, 97))),
        ("97\na=rtpmap:97 PCMA/8000/1", Some((Codec::Pcma, 97))),
        ("97\na=rtpmap:97 opus/48000/2", Some((Codec::Opus, 97))),
        // Another clock or number of channels is another format.
        ("97\na=rtpmap:97 PCMA/16000", None),
        ("97\na=rtpmap:97 PCMU/8000/2", None),
        ("97\na=rtpmap:97 opus/48000", None),
        ("97\na=rtpmap:97 opus/48000/x", None),
        // A dynamic number means nothing without a map, and a map nothing for a number that is not listed.
        ("97", None),
        ("97\na=rtpmap:98 PCMU/8000", None),
        ("97 8\na=rtpmap:98 PCMU/8000", Some((Codec::Pcma, 8))),
    ] {
        let offer = described(&format!("m=audio 4000 RTP/AVP {formats}\n"));
        let found = answer(&local(), &offer).map(|(found, _)| (found.codec, found.payload_type));
        assert_eq!(found.ok(), expected, "{formats}");
    }
    // A parameter of another medium's format.
    let offer = format!("m=video 5000 RTP/AVP 96\na=rtpmap:96 raw/90000/sampling\n{AUDIO}");
    assert_eq!(answered(&local(), &offer).0.codec, Codec::Pcmu);
    for broken in ["0", "0 PCMU", "x PCMU/8000", "0 /8000", "128 PCMU/8000"] {
        assert_eq!(refused(&described(&format!("{AUDIO}a=rtpmap:{broken}\n"))), (400, None), "{broken}");
    }
}

#[test]
fn rfc_8866_6_7_the_direction_of_a_medium_comes_before_that_of_the_session() {
    for (session, medium, expected) in [
        ("", "", Direction::SendRecv),
        ("a=sendonly\n", "", Direction::RecvOnly),
        ("a=sendonly\n", "a=sendrecv\n", Direction::SendRecv),
        ("a=inactive\n", "a=recvonly\n", Direction::SendOnly),
        // That of another medium is not ours.
        ("m=video 5000 RTP/AVP 96\na=inactive\n", "", Direction::SendRecv),
        ("", "m=video 5000 RTP/AVP 96\na=inactive\n", Direction::SendRecv),
    ] {
        let (found, _) = answered(&local(), &format!("{session}{AUDIO}{medium}"));
        assert_eq!(found.direction, expected, "{session}{medium}");
    }
}

#[test]
fn rfc_8866_6_15_parameters_belong_to_one_format() {
    let opus = "m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n";
    for (parameters, bitrate, fec) in [
        ("", 32_000, false),
        ("a=fmtp:96 maxaveragebitrate=20000;useinbandfec=1\n", 20_000, true),
        ("a=fmtp:96 x=y; useinbandfec=1 ;z\n", 32_000, true),
        ("a=fmtp:97 useinbandfec=1\n", 32_000, false),
        ("a=fmtp:96\n", 32_000, false),
        ("a=fmtp:x useinbandfec=1\n", 32_000, false),
    ] {
        let (found, _) = answered(&local(), &format!("{opus}{parameters}"));
        assert_eq!((found.opus.bitrate, found.opus.fec), (bitrate, fec), "{parameters}");
    }
}

#[test]
fn rfc_4566_what_careless_senders_write_is_taken() {
    for (offer, why) in [
        (format!("v=0\nc=IN IP4 198.51.100.7\n{AUDIO}"), "no o=, s= or t="),
        (format!("v=0\nc=IN IP4 198.51.100.7\ns=\no=\nt=\n{AUDIO}"), "values left out, another order"),
        (format!("v=0\nt=0 0\n{AUDIO}c=IN IP4 198.51.100.7\n\n\r\n"), "empty lines at the end"),
        (format!("{HEAD}m=audio  4000 RTP/AVP  0 \n"), "blanks in a line and after it"),
        (format!("{HEAD}{AUDIO}a=rtpmap: 0 PCMU/8000\n"), "a blank after the colon"),
        (format!("{HEAD}{AUDIO}a=ptime: 20\n"), "a blank after the colon"),
        (format!("{HEAD}{AUDIO}a=ptime:20.0\n"), "a fraction"),
        (format!("v=0\nc=IN IP4 198.51.100.7/127\n{AUDIO}"), "a time to live for one address"),
    ] {
        let (found, _) = answer(&local(), offer.as_bytes()).unwrap_or_else(|error| panic!("{why}: {error}"));
        let found = (found.codec, found.ptime_ms, found.remote.to_string());
        assert_eq!(found, (Codec::Pcmu, 20, "198.51.100.7:4000".to_owned()), "{why}");
    }
    let (found, _) = answered(&local(), &format!("{AUDIO}a=sendonly \na=rtcp-mux\t\n"));
    assert_eq!((found.direction, found.rtcp), (Direction::RecvOnly, RtcpPort::Muxed), "a blank left behind");
}
