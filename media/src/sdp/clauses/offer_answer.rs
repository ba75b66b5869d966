//! RFC 3264, sections 5 to 8.

use super::*;

#[test]
fn rfc_3264_5_an_offer_is_a_whole_description() {
    let offer = text(offer_with_version(&local(), 78));
    let kinds: String = offer.lines().map(|line| line.chars().next().unwrap()).collect();
    assert!(kinds.starts_with("vosctma"), "{offer}");
    assert_eq!(lines(&offer, "o="), ["o=- 77 78 IN IP4 192.0.2.1"]);
    assert_eq!((lines(&offer, "s="), lines(&offer, "t=")), (vec!["s=-"], vec!["t=0 0"]));
    assert_eq!(offer.matches('\n').count(), offer.matches("\r\n").count());
}

#[test]
fn rfc_3264_5_1_an_offer_lists_what_it_would_receive_the_preferred_first() {
    let ours = LocalDescription { codecs: vec![Codec::Opus, Codec::Pcma], ..local() };
    let offered = text(offer(&ours));
    assert_eq!(lines(&offered, "m="), ["m=audio 20000 RTP/AVP 96 8 103 101 102"]);
    for number in ["96 opus/48000/2", "8 PCMA/8000", "101 telephone-event/8000", "102 telephone-event/48000"]
    {
        assert_eq!(lines(&offered, &format!("a=rtpmap:{number}")).len(), 1, "{offered}");
    }
    assert_eq!((lines(&offered, "a=sendrecv").len(), lines(&offered, "a=ptime:20").len()), (1, 1));
    // It comes under the numbers of our offer, and leaves under those of the answer.
    let answer = described("m=audio 4000 RTP/AVP 107\na=rtpmap:107 opus/48000/2\n");
    let found = accept_answer(&ours, &answer).unwrap();
    assert_eq!(found.payload_type, 107);
    assert_eq!(found.received.get(96), Some(Format::Audio(Codec::Opus)));
}

#[test]
fn rfc_3264_6_each_medium_is_answered_in_its_place() {
    for (media, answered_with) in [
        (vec!["audio 4000 RTP/AVP 0"], vec!["audio 20000 RTP/AVP 0"]),
        (
            vec!["video 5000 RTP/AVP 96 97", "audio 4000 RTP/AVP 8", "application 9 UDP/BFCP *"],
            vec!["video 0 RTP/AVP 96 97", "audio 20000 RTP/AVP 8", "application 0 UDP/BFCP *"],
        ),
        // What is offered as refused stays refused, and one sound is enough.
        (
            vec!["audio 0 RTP/AVP 0", "audio 4000 RTP/AVP 0", "audio 4002 RTP/AVP 8"],
            vec!["audio 0 RTP/AVP 0", "audio 20000 RTP/AVP 0", "audio 0 RTP/AVP 8"],
        ),
        (
            vec!["image 5000 udptl t38", "audio 4000 RTP/AVP 0"],
            vec!["image 0 udptl t38", "audio 20000 RTP/AVP 0"],
        ),
    ] {
        let offer: String = media.iter().map(|medium| format!("m={medium}\n")).collect();
        let (_, answer) = answered(&local(), &offer);
        let expected: Vec<String> = answered_with.iter().map(|medium| format!("m={medium}")).collect();
        assert_eq!(lines(&answer, "m="), expected, "{offer}");
    }
}

#[test]
fn rfc_3264_6_the_time_of_the_answer_is_that_of_the_offer() {
    for (time, expected) in [
        ("t=0 0\n", "t=0 0"),
        ("t=2873397496 2873404696\n", "t=2873397496 2873404696"),
        ("t=3034423619 0\nr=604800 3600 0 90000\nt=1 2\n", "t=3034423619 0"),
        // What cannot be read is not said again.
        ("", "t=0 0"),
        ("t=now\n", "t=0 0"),
        ("t=0 123456789012345678901\n", "t=0 0"),
    ] {
        let offer = format!("v=0\no=x 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\n{time}{AUDIO}");
        let (_, answer) = answer(&local(), offer.as_bytes()).unwrap();
        assert_eq!(lines(&text(answer), "t="), [expected], "{time}");
    }
}

#[test]
fn rfc_3264_6_1_the_direction_of_an_answer_fits_the_offer() {
    for (offered, answered_with, ours) in [
        ("", "a=sendrecv", Direction::SendRecv),
        ("a=sendrecv\n", "a=sendrecv", Direction::SendRecv),
        ("a=sendonly\n", "a=recvonly", Direction::RecvOnly),
        ("a=recvonly\n", "a=sendonly", Direction::SendOnly),
        ("a=inactive\n", "a=inactive", Direction::Inactive),
    ] {
        let (found, answer) = answered(&local(), &format!("{AUDIO}{offered}"));
        assert_eq!(found.direction, ours, "{offered}");
        assert_eq!(lines(&answer, answered_with).len(), 1, "{answer}");
    }
}

#[test]
fn rfc_3264_6_1_the_formats_of_an_answer_are_those_of_the_offer_under_its_numbers_and_in_its_order() {
    for (offered, answered_with) in [
        ("RTP/AVP 18 8 0", "RTP/AVP 8"),
        ("RTP/AVPF 0 8", "RTP/AVPF 0"),
        ("RTP/AVP 97 0\na=rtpmap:97 opus/48000/2", "RTP/AVP 97"),
        ("RTP/AVP 0 99\na=rtpmap:99 telephone-event/8000", "RTP/AVP 0 99"),
        // Of no use here: not offered in what can be taken, or no number at all.
        ("RTP/AVP 0 99\na=rtpmap:99 telephone-event2/8000", "RTP/AVP 0"),
        ("RTP/AVP 200 x 0", "RTP/AVP 0"),
    ] {
        let (_, answer) = answered(&local(), &format!("m=audio 4000 {offered}\n"));
        assert_eq!(lines(&answer, "m="), [format!("m=audio 20000 {answered_with}")], "{offered}");
    }
    assert_eq!(refused(&described("m=audio 4000 RTP/AVP 18 4\n")), (488, Some(305)), "nothing in common");
}

#[test]
fn rfc_3264_6_1_the_packet_time_asked_for_is_sent_and_ours_is_told() {
    let (found, answer) = answered(&local(), &format!("{AUDIO}a=ptime:40\n"));
    assert_eq!((found.ptime_ms, lines(&answer, "a=ptime:20").len()), (40, 1));
}

#[test]
fn rfc_3264_6_2_a_multicast_stream_is_refused() {
    for address in ["IP4 233.252.0.1/127", "IP6 ff0e::1", "IP4 255.255.255.255"] {
        let offer = described(&format!("{AUDIO}c=IN {address}\n"));
        assert_eq!(refused(&offer), (488, Some(301)), "{address}");
    }
}

#[test]
fn rfc_3264_7_an_answer_says_what_is_sent_where_and_under_which_number() {
    for (answer, expected) in [
        ("m=audio 4000 RTP/AVP 8\n", Ok((Codec::Pcma, 8, Direction::SendRecv))),
        // More than one: the first counts.
        ("m=audio 4000 RTP/AVP 8 0\n", Ok((Codec::Pcma, 8, Direction::SendRecv))),
        ("m=audio 4000 RTP/AVP 0\na=recvonly\n", Ok((Codec::Pcmu, 0, Direction::SendOnly))),
        ("m=audio 4000 RTP/AVP 0\na=inactive\n", Ok((Codec::Pcmu, 0, Direction::Inactive))),
        ("m=audio 0 RTP/AVP 0\n", Err(SdpError::NoAudio)),
        ("", Err(SdpError::NoAudio)),
        ("m=audio 4000 RTP/AVP 18\n", Err(SdpError::NoCommonCodec)),
    ] {
        let found = accept_answer(&local(), &described(answer));
        let found = found.map(|found| {
            assert_eq!(found.remote.to_string(), "198.51.100.7:4000");
            (found.codec, found.payload_type, found.direction)
        });
        assert_eq!(found, expected, "{answer}");
    }
}

#[test]
fn rfc_3264_8_a_changed_description_differs_in_its_version_alone_and_an_unchanged_one_is_answered_again() {
    let (first, second) = (text(offer_with_version(&local(), 77)), text(offer_with_version(&local(), 78)));
    assert_eq!(first.replace("o=- 77 77 ", "o=- 77 78 "), second);
    let again = described(AUDIO);
    assert_eq!(answer_with_version(&local(), &again, 79), answer_with_version(&local(), &again, 79));
}

#[test]
fn rfc_3264_8_an_offer_within_a_session_keeps_the_places_of_the_media() {
    let first = "m=video 5000 RTP/AVP 96\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 8\n";
    let (_, before) = answered(&local(), first);
    let again = text(offer_again(&local(), 78, before.as_bytes()));
    assert_eq!(
        lines(&again, "m="),
        ["m=video 0 RTP/AVP 96", "m=audio 20000 RTP/AVP 0 8 96 103 101 102", "m=audio 0 RTP/AVP 8"]
    );
    assert_eq!(lines(&again, "o="), ["o=- 77 78 IN IP4 192.0.2.1"]);
    // Without one before it is an offer like the first.
    assert_eq!(offer_again(&local(), 78, b""), offer_with_version(&local(), 78));
    assert_eq!(offer_again(&local(), 78, &offer(&local())), offer_with_version(&local(), 78));
}

#[test]
fn rfc_3264_8_1_a_medium_added_later_is_refused_alone() {
    let (found, answer) = answered(&local(), &format!("{AUDIO}m=video 5000 RTP/AVP 96\n"));
    assert_eq!(found.codec, Codec::Pcmu);
    assert_eq!(lines(&answer, "m="), ["m=audio 20000 RTP/AVP 0", "m=video 0 RTP/AVP 96"]);
}

#[test]
fn rfc_3264_8_2_a_session_whose_sound_is_removed_is_refused() {
    let offer = described("m=audio 0 RTP/AVP 0\nm=video 5000 RTP/AVP 96\n");
    assert_eq!(refused(&offer), (488, Some(304)));
}

#[test]
fn rfc_3264_8_3_1_address_port_and_transport_may_change() {
    let (found, answer) = answered(&local(), "m=audio 4100 RTP/AVPF 0\nc=IN IP4 203.0.113.4\n");
    assert_eq!(found.remote.to_string(), "203.0.113.4:4100");
    assert_eq!(lines(&answer, "m="), ["m=audio 20000 RTP/AVPF 0"]);
}

#[test]
fn rfc_3264_8_3_2_a_number_keeps_its_meaning_for_the_whole_session() {
    let (_, before) = answered(
        &local(),
        "m=audio 4000 RTP/AVP 101 103\na=rtpmap:101 opus/48000/2\na=rtpmap:103 telephone-event/48000\n",
    );
    let again = text(offer_again(&local(), 78, before.as_bytes()));
    // 101 was Opus and 103 its keys: keys in the other clock and redundancy would need these numbers.
    assert_eq!(lines(&again, "m="), ["m=audio 20000 RTP/AVP 0 8 101 103"]);
    assert_eq!(lines(&again, "a=rtpmap:101"), ["a=rtpmap:101 opus/48000/2"]);
    assert_eq!(lines(&again, "a=rtpmap:103"), ["a=rtpmap:103 telephone-event/48000"]);
    // Redundancy is of an Opus in the list.
    let (_, before) = answered(&local(), "m=audio 4000 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\n");
    let again = text(offer_again(&local(), 78, before.as_bytes()));
    assert_eq!(lines(&again, "m="), ["m=audio 20000 RTP/AVP 0 8 96 102"]);
}

#[test]
fn rfc_3264_8_3_2_another_codec_is_taken_from_a_later_offer() {
    assert_eq!(answered(&local(), "m=audio 4000 RTP/AVP 8\n").0.codec, Codec::Pcma);
    assert_eq!(answered(&local(), AUDIO).0.codec, Codec::Pcmu);
}

#[test]
fn rfc_3264_8_4_hold_stops_what_we_send_and_nothing_else() {
    for (hold, answered_with, direction) in [
        ("a=sendonly\n", "a=recvonly", Direction::RecvOnly),
        ("a=inactive\n", "a=inactive", Direction::Inactive),
        // The hold of RFC 2543.
        ("c=IN IP4 0.0.0.0\n", "a=recvonly", Direction::RecvOnly),
        ("c=IN IP4 0.0.0.0\na=sendonly\n", "a=recvonly", Direction::RecvOnly),
        ("c=IN IP4 0.0.0.0\na=inactive\n", "a=inactive", Direction::Inactive),
        ("c=IN IP4 0.0.0.0\na=recvonly\n", "a=inactive", Direction::Inactive),
        ("c=IN IP6 ::\n", "a=recvonly", Direction::RecvOnly),
        ("a=sendrecv\n", "a=sendrecv", Direction::SendRecv),
    ] {
        let (found, answer) = answered(&local(), &format!("{AUDIO}{hold}"));
        assert_eq!((found.direction, lines(&answer, answered_with).len()), (direction, 1), "{hold}");
        assert_eq!(lines(&answer, "m="), ["m=audio 20000 RTP/AVP 0"], "{hold}");
    }
}
