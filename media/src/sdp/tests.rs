use super::*;
use proptest::prelude::*;

fn local() -> LocalDescription {
    LocalDescription::new("192.0.2.1:20000".parse().unwrap(), 77, vec![Codec::Pcmu, Codec::Pcma])
}

const HEAD: &str = "v=0\r\no=x 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n";

fn described(media: &str) -> Vec<u8> {
    format!("{HEAD}{media}").into_bytes()
}

fn negotiated(media: &str) -> Result<Negotiated, SdpError> {
    answer(&local(), &described(media)).map(|(negotiated, _)| negotiated)
}

#[test]
fn d20_the_offer_lists_g711_and_telephone_events() {
    let text = String::from_utf8(offer(&local())).unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 77 77 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n\
         a=rtcp-xr:voip-metrics\r\n"
    );
}

#[test]
fn d20_offers_and_what_they_agree_on() {
    type Row = (&'static str, Codec, u8, Option<u8>, u16, Direction);
    let table: [Row; 10] = [
        ("m=audio 4000 RTP/AVP 0", Codec::Pcmu, 0, None, 20, Direction::SendRecv),
        ("m=audio 4000 RTP/AVP 8 0", Codec::Pcma, 8, None, 20, Direction::SendRecv),
        ("m=audio 4000 RTP/AVP 18 9 0\na=rtpmap:18 G729/8000", Codec::Pcmu, 0, None, 20, Direction::SendRecv),
        (
            "m=audio 4000 RTP/AVP 97 96\na=rtpmap:97 PCMA/8000\na=rtpmap:96 telephone-event/8000\na=ptime:30",
            Codec::Pcma,
            97,
            Some(96),
            30,
            Direction::SendRecv,
        ),
        (
            "m=audio 4000 RTP/AVP 0 101 102\na=rtpmap:101 telephone-event/48000\na=rtpmap:102 TELEPHONE-EVENT/8000",
            Codec::Pcmu,
            0,
            Some(102),
            20,
            Direction::SendRecv,
        ),
        // A static number mapped to something else is what the map says.
        ("m=audio 4000 RTP/AVP 0 8\na=rtpmap:0 PCMU/16000", Codec::Pcma, 8, None, 20, Direction::SendRecv),
        ("m=audio 4000 RTP/AVP 0\na=sendonly", Codec::Pcmu, 0, None, 20, Direction::RecvOnly),
        ("a=inactive\nm=audio 4000 RTP/AVP 0", Codec::Pcmu, 0, None, 20, Direction::Inactive),
        ("a=inactive\nm=audio 4000 RTP/AVPF 0\na=recvonly", Codec::Pcmu, 0, None, 20, Direction::SendOnly),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0", Codec::Pcmu, 0, None, 20, Direction::RecvOnly),
    ];
    for (media, codec, payload_type, telephone_event, ptime_ms, direction) in table {
        let found = negotiated(media).unwrap();
        let agreed =
            (found.codec, found.payload_type, found.telephone_event, found.ptime_ms, found.direction);
        assert_eq!(agreed, (codec, payload_type, telephone_event, ptime_ms, direction), "{media}");
        assert_eq!((found.rtcp, found.voip_metrics), (RtcpPort::Apart(4_001), false), "{media}");
    }
}

#[test]
fn d20_offers_that_are_refused_and_how() {
    let table = [
        ("m=audio 4000 RTP/AVP 18\na=rtpmap:18 G729/8000", 488, Some(305)),
        ("m=audio 0 RTP/AVP 0", 488, Some(304)),
        ("m=video 4000 RTP/AVP 96", 488, Some(304)),
        ("", 488, Some(304)),
        ("m=audio 4000 RTP/SAVP 0", 488, Some(302)),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 phone.example", 488, Some(301)),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 239.1.2.3/127", 488, Some(301)),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP6 198.51.100.7", 488, Some(301)),
        ("m=audio 70000 RTP/AVP 0", 400, None),
        ("m=audio 4000 RTP/AVP", 400, None),
        ("m=audio", 400, None),
        ("m=audio 4000 RTP/AVP 0\nnonsense", 400, None),
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0", 400, None),
        ("c=IN", 400, None),
    ];
    for (media, status, warning) in table {
        let error = negotiated(media).unwrap_err();
        assert_eq!((error.status(), error.warning().map(|w| w.code)), (status, warning), "{media}: {error}");
    }
}

#[test]
fn d20_rtcp_goes_where_the_phone_says() {
    for (lines, rtcp, answered) in [
        ("", RtcpPort::Apart(4001), false),
        ("a=rtcp-mux\r\n", RtcpPort::Muxed, true),
        ("a=rtcp:4007\r\n", RtcpPort::Apart(4007), false),
        ("a=rtcp:4001 IN IP4 203.0.113.9\r\na=rtcp-mux\r\n", RtcpPort::Muxed, true),
        ("a=rtcp:4009 IN IP4 203.0.113.9\r\n", RtcpPort::Apart(4009), false),
        ("a=rtcp:0\r\n", RtcpPort::Apart(4001), false),
        ("a=rtcp:x\r\n", RtcpPort::Apart(4001), false),
        ("b=RS:0\r\nb=RR:0\r\n", RtcpPort::None, false),
        ("b=RS:0\r\nb=RR:800\r\n", RtcpPort::Apart(4001), false),
        ("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n", RtcpPort::None, false),
    ] {
        let offer = described(&format!("m=audio 4000 RTP/AVP 0\r\n{lines}"));
        let (negotiated, answer) = answer(&local(), &offer).unwrap();
        assert_eq!(negotiated.rtcp, rtcp, "{lines}");
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.contains("a=rtcp-mux"), answered, "{lines}");
        let is_apart = matches!(rtcp, RtcpPort::Apart(_));
        assert_eq!(answer.contains("a=rtcp:20001\r\n"), is_apart, "{lines}");
    }
}

#[test]
fn d20_metrics_are_told_to_who_asks_for_them() {
    for (before, lines, wanted) in [
        ("", "a=rtcp-xr:rcvr-rtt=all:10000 voip-metrics\r\n", true),
        ("a=rtcp-xr:voip-metrics\r\n", "", true),
        ("", "a=rtcp-xr:stat-summary=loss\r\n", false),
        ("", "a=rtcp-xr\r\n", false),
        ("", "", false),
    ] {
        let offer = described(&format!("{before}m=audio 4000 RTP/AVP 0\r\n{lines}"));
        let (negotiated, answer) = answer(&local(), &offer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(negotiated.voip_metrics, wanted, "{before}{lines}");
        assert_eq!(answer.contains("a=rtcp-xr:voip-metrics\r\n"), wanted, "{before}{lines}");
    }
}

#[test]
fn d20_g729_only_is_refused_with_488() {
    let error = negotiated("m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n").unwrap_err();
    assert_eq!((error.clone(), error.status()), (SdpError::NoCommonCodec, 488));
    assert_eq!(error.warning().unwrap().code, 305);
    assert!(error.to_string().contains("PCMU"), "the mend is named");
}

#[test]
fn d20_the_answer_takes_one_codec_and_refuses_other_media() {
    let offer = described(
        "m=video 5000 RTP/AVP 96 97\r\na=rtpmap:96 H264/90000\r\nm=audio 4000 RTP/AVP 8 0 96\r\n\
         a=rtpmap:96 telephone-event/8000\r\na=sendonly\r\nm=audio 4002 RTP/AVP 0\r\n",
    );
    let (_, bytes) = answer_with_version(&local(), &offer, 78).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "v=0\r\no=- 77 78 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=video 0 RTP/AVP 96 97\r\nm=audio 20000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=ptime:20\r\na=recvonly\r\na=rtcp:20001\r\n\
         m=audio 0 RTP/AVP 0\r\n"
    );
}

#[test]
fn d20_an_encrypted_line_before_the_plain_one_is_refused_alone() {
    let offer = described(
        "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\nm=audio 4002 RTP/AVP 8\r\n",
    );
    let (negotiated, bytes) = answer(&local(), &offer).unwrap();
    assert_eq!((negotiated.remote.port(), negotiated.codec), (4002, Codec::Pcma));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("m=audio 0 RTP/SAVP 0\r\nm=audio 20000 RTP/AVP 8\r\n"), "{text}");
}

#[test]
fn d20_our_own_offer_and_answer_agree_with_each_other() {
    for address in ["192.0.2.1:20000", "[2001:db8::1]:20000"] {
        let caller = LocalDescription { address: address.parse().unwrap(), ..local() };
        let callee = LocalDescription { address: address.parse().unwrap(), ..local() };
        let (at_callee, answer) = answer(&callee, &offer(&caller)).unwrap();
        let at_caller = accept_answer(&caller, &answer).unwrap();
        assert_eq!(at_callee, at_caller);
        assert_eq!(at_caller.remote, caller.address);
        assert_eq!(at_caller.telephone_event, Some(101));
    }
}

#[test]
fn d20_an_answer_may_refuse_or_choose_what_was_not_offered() {
    assert_eq!(accept_answer(&local(), &described("m=audio 0 RTP/AVP 0")), Err(SdpError::NoAudio));
    let only_pcma = LocalDescription { codecs: vec![Codec::Pcma], ..local() };
    let answer = described("m=audio 4000 RTP/AVP 0");
    assert_eq!(accept_answer(&only_pcma, &answer), Err(SdpError::NoCommonCodec));
}

#[test]
fn unknown_lines_attributes_and_character_sets_are_ignored() {
    let mut bytes = described("m=audio 4000 RTP/AVP 0\na=crypto:1 x\na=x-unknown\nb=AS:64\ni=");
    bytes.extend([0xFF, 0xFE, b'\n']);
    assert!(answer(&local(), &bytes).is_ok());
}

#[test]
fn descriptions_without_bounds_are_refused() {
    let many = |line: &str, count: usize| described(&line.repeat(count));
    for (bytes, what) in [
        (many("a=x\n", 600), "lines"),
        (many("m=video 1 RTP/AVP 96\n", 17), "m= lines"),
        (vec![b'v'; 20_000], "bytes"),
        (described(&format!("m=audio 4000 RTP/AVP{}", " 0".repeat(65))), "formats"),
    ] {
        match answer(&local(), &bytes) {
            Err(SdpError::TooLarge { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = answer(&local(), &bytes);
        let _ = accept_answer(&local(), &bytes);
    }

    #[test]
    fn damaged_offers_are_answered_or_refused_but_never_panic(
        at in 0_usize..250, byte: u8, cut in 0_usize..300,
    ) {
        let mut bytes = offer(&local());
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        bytes.truncate(cut);
        if let Ok((_, answer)) = answer(&local(), &bytes) {
            prop_assert!(accept_answer(&local(), &answer).is_ok());
        }
    }
}

#[test]
fn d20_codecs_of_wide_band_are_offered_in_the_order_of_the_leg() {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma];
    let local = LocalDescription { codecs, ..local() };
    let text = String::from_utf8(offer(&local)).unwrap();
    for line in [
        "m=audio 20000 RTP/AVP 96 9 8 103 101 102",
        "a=rtpmap:103 red/48000/2",
        "a=fmtp:103 96/96",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:102 telephone-event/48000",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
    }
    // The answer gives Opus another number; what comes may have either (RFC 3264 section 5.1).
    let answer = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 107 110\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n\
        a=fmtp:107 maxaveragebitrate=20000;useinbandfec=1\r\na=maxptime:60\r\n";
    let found = accept_answer(&local, answer.as_bytes()).unwrap();
    assert_eq!((found.codec, found.payload_type), (Codec::Opus, 107));
    assert_eq!((found.telephone_event, found.telephone_event_hz), (Some(110), 48_000));
    assert_eq!((found.opus.bitrate, found.opus.fec), (20_000, true));
    let meaning = [96, 107, 9, 8, 101, 102, 110, 0].map(|number| found.received.get(number));
    let (audio, event) = (Format::Audio, Some(Format::TelephoneEvent));
    let opus = Some(audio(Codec::Opus));
    let expected =
        [opus, opus, Some(audio(Codec::G722)), Some(audio(Codec::Pcma)), event, event, event, None];
    assert_eq!(meaning, expected);
}

#[test]
fn d20_an_offer_of_opus_is_answered_under_its_own_numbers() {
    let local = LocalDescription { codecs: vec![Codec::Pcmu, Codec::Opus], ..local() };
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 116 0 101 97\r\na=rtpmap:116 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtpmap:97 telephone-event/48000\r\na=fmtp:116 usedtx=1;maxplaybackrate=16000\r\n";
    let (found, text) = answer(&local, offer.as_bytes()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("m=audio 20000 RTP/AVP 116 97\r\na=rtpmap:116 opus/48000/2\r\n"), "{text}");
    assert!(
        text.contains("a=rtpmap:97 telephone-event/48000\r\n"),
        "events in the clock of the codec: {text}"
    );
    assert_eq!((found.opus.dtx, found.opus.max_playback_hz), (true, 16_000));
    assert_eq!(
        found.received.get(0),
        Some(Format::Audio(Codec::Pcmu)),
        "a phone may fall back without a word"
    );
}

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn secured(srtp: SrtpPolicy) -> LocalDescription {
    LocalDescription { srtp, key_seed: KeySeed([9; 32]), ..local() }
}

fn secured_offer(media: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{media}").into_bytes()
}

#[test]
fn d22_the_policy_decides_whether_media_is_encrypted() {
    let crypto = format!("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    let savp = format!("m=audio 4000 RTP/SAVP 0\r\n{crypto}");
    let both = format!("m=audio 4000 RTP/AVP 0\r\n{crypto}"); // RFC 8643
    let plain = "m=audio 4000 RTP/AVP 0\r\n".to_owned();
    let two = format!("{plain}{savp}");
    use SrtpPolicy::{Off, Prefer, Require};
    // Encrypted or not, or refused with this Warning.
    for (policy, offer, expected) in [
        (Off, &savp, Err(302)),
        (Off, &both, Ok(false)),
        (Off, &plain, Ok(false)),
        (Off, &two, Ok(false)),
        (Prefer, &savp, Ok(true)),
        (Prefer, &both, Ok(true)),
        (Prefer, &plain, Ok(false)),
        (Prefer, &two, Ok(true)),
        (Require, &savp, Ok(true)),
        (Require, &both, Ok(true)),
        (Require, &plain, Err(302)),
        (Require, &two, Ok(true)),
    ] {
        let found = answer(&secured(policy), &secured_offer(offer));
        let outcome = found.as_ref().map(|(found, _)| found.srtp.is_some());
        let outcome = outcome.map_err(|error| error.warning().unwrap().code);
        assert_eq!(outcome, expected, "{policy:?} {offer}");
        if let Ok((found, text)) = found {
            let text = String::from_utf8(text).unwrap();
            assert_eq!(
                text.contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"),
                found.srtp.is_some(),
                "{text}"
            );
            assert!(!text.contains(KEY), "our own key, not theirs");
        }
    }
}

#[test]
fn d22_an_offer_of_ours_is_answered_with_keys_or_without() {
    for (policy, transport) in [(SrtpPolicy::Prefer, "RTP/AVP"), (SrtpPolicy::Require, "RTP/SAVP")] {
        let (ours, theirs) =
            (secured(policy), LocalDescription { key_seed: KeySeed([8; 32]), ..secured(SrtpPolicy::Prefer) });
        let offered = offer(&ours);
        assert!(
            String::from_utf8_lossy(&offered).contains(&format!("m=audio 20000 {transport} 0 8 101\r\n"))
        );
        let (at_theirs, answered) = answer(&theirs, &offered).unwrap();
        let at_ours = accept_answer(&ours, &answered).unwrap();
        let (a, b) = (at_ours.srtp.unwrap(), at_theirs.srtp.unwrap());
        assert_eq!((a.suite, a.local, a.remote), (b.suite, b.remote, b.local));
        assert_eq!(offer(&ours), offered, "keys stay the same");
    }
    let plain = secured_offer("m=audio 4000 RTP/AVP 0\r\n");
    assert_eq!(accept_answer(&secured(SrtpPolicy::Prefer), &plain).unwrap().srtp, None);
    assert_eq!(accept_answer(&secured(SrtpPolicy::Require), &plain), Err(SdpError::SrtpRequired));
    let strange = secured_offer(&format!(
        "m=audio 4000 RTP/SAVP 0\r\na=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    ));
    assert_eq!(
        accept_answer(&secured(SrtpPolicy::Require), &strange),
        Err(SdpError::SrtpRequired),
        "a tag we never gave"
    );
}

#[test]
fn d20_an_order_of_codecs_that_was_set_rules_our_answers_and_theirs_rules_theirs() {
    let address = "192.0.2.1:20000".parse().unwrap();
    let codecs = vec![Codec::G722, Codec::Pcma];
    let local = LocalDescription { ranked: true, ..LocalDescription::new(address, 1, codecs) };
    let text = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0 8 9\r\n";
    let (negotiated, written) = answer(&local, text.as_bytes()).unwrap();
    assert_eq!(negotiated.codec, Codec::G722, "liked best and in the offer");
    assert!(String::from_utf8(written).unwrap().contains("m=audio 20000 RTP/AVP 9\r\n"));
    assert!(!negotiated.received.has(Codec::Pcmu), "not in the set");
    let unranked = LocalDescription { ranked: false, ..local.clone() };
    assert_eq!(
        answer(&unranked, text.as_bytes()).unwrap().0.codec,
        Codec::Pcma,
        "the offer's order, if none is set"
    );
    let negotiated = accept_answer(&local, text.as_bytes()).unwrap();
    assert_eq!(negotiated.codec, Codec::Pcma, "the first of theirs that we have");
}

#[test]
fn d20_redundant_opus_is_agreed_on_where_it_is_offered() {
    let mut local = local();
    local.codecs = vec![Codec::Opus, Codec::Pcmu];
    let red = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\n";
    for (formats, lines, agreed) in [
        ("63 111", "a=fmtp:63 111/111\r\n", Some((63, true))),
        ("111 63", "a=fmtp:63 111/111\r\n", Some((63, false))),
        ("111 63", "", Some((63, false))),
        ("111 63", "a=fmtp:63 111/0\r\n", None),
        ("111 63", "a=fmtp:63 x\r\n", None),
        ("111", "", None),
        ("0 63", "a=fmtp:63 0/0\r\n", None),
    ] {
        let offer = described(&format!("m=audio 4000 RTP/AVP {formats}\r\n{red}{lines}"));
        let (negotiated, answer) = answer(&local, &offer).unwrap();
        let found = negotiated.redundancy.map(|red| (red.payload_type, red.preferred));
        assert_eq!(found, agreed, "{formats} {lines}");
        assert_eq!(negotiated.received.get(63), agreed.map(|_| Format::Redundant), "{formats} {lines}");
        let answer = String::from_utf8(answer).unwrap();
        let expected = agreed.map(|(_, preferred)| {
            let order = if preferred { "63 111" } else { "111 63" };
            format!("m=audio 20000 RTP/AVP {order}\r\n")
        });
        match expected {
            Some(line) => {
                assert!(answer.contains(&line) && answer.contains("a=fmtp:63 111/111\r\n"), "{answer}")
            }
            None => assert!(!answer.contains("red/"), "{answer}"),
        }
    }
    // What we offer, we take, also under the number the answer gives it.
    let ours = offer(&local);
    let (theirs, answer) = answer(&local, &ours).unwrap();
    assert_eq!(theirs.redundancy.unwrap().payload_type, REDUNDANT);
    let negotiated = accept_answer(&local, &answer).unwrap();
    assert_eq!(negotiated.redundancy, theirs.redundancy);
    assert_eq!(negotiated.received.get(REDUNDANT), Some(Format::Redundant));
}
