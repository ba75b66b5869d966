use super::*;
use proptest::prelude::*;

/// What Chromium 156 offers for the m-lines browsers must send, without codec preferences: 46 kB.
const CHROMIUM: &str = include_str!("../testdata/chromium_offer.sdp");

fn read(offer: &str) -> Result<ReducedOffer, PeerError> {
    ReducedOffer::read(offer, 8)
}

fn refusal(offer: &str) -> String {
    read(offer).unwrap_err().to_string()
}

#[test]
fn a_chromium_offer_keeps_its_m_lines_and_loses_its_bulk() {
    let reduced = read(CHROMIUM).unwrap();
    assert!(CHROMIUM.len() > 40_000 && reduced.sdp.len() < 8_000, "{} bytes", reduced.sdp.len());
    let mids: Vec<_> = reduced.sections.iter().map(|s| s.mid.as_str()).collect();
    assert_eq!(mids, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert_eq!(reduced.receive_slots(MediaKind::Audio), 1);
    assert_eq!(reduced.receive_slots(MediaKind::Video), 8);
    assert_eq!(reduced.audio_level_extension(), Some(1));
    assert_eq!(reduced.published_ssrc(MediaKind::Audio), Some(197_995_203));
    assert_eq!(reduced.published_ssrc(MediaKind::Video), Some(3_710_894_857));
}

#[test]
fn only_opus_vp8_and_its_rtx_remain() {
    let reduced = read(CHROMIUM).unwrap();
    let media: Vec<_> = reduced.sdp.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(media[0], "m=audio 9 UDP/TLS/RTP/SAVPF 111");
    assert_eq!(media[1], "m=video 9 UDP/TLS/RTP/SAVPF 96 97");
    assert!(media[3..].iter().all(|line| *line == "m=video 9 UDP/TLS/RTP/SAVPF 96 97"));
    for line in reduced.sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")) {
        assert!(["111 opus/48000/2", "96 VP8/90000", "97 rtx/90000"].contains(&line), "{line}");
    }
}

#[test]
fn the_publisher_keeps_one_ssrc() {
    let reduced = read(CHROMIUM).unwrap();
    assert!(!reduced.sdp.contains("ssrc-group"));
    assert!(!reduced.sdp.contains("1020492227"), "the rtx SSRC is gone");
}

#[test]
fn other_payload_types_and_line_ends_are_followed() {
    let offer = CHROMIUM.replace("\r\n", "\n").replace("a=rtpmap:96 VP8", "a=rtpmap:120 VP8");
    let offer = offer
        .replace("a=rtpmap:97 rtx", "a=rtpmap:121 rtx")
        .replace("a=fmtp:97 apt=96", "a=fmtp:121 apt=120");
    let reduced = read(&offer).unwrap();
    assert!(reduced.sdp.contains("m=video 9 UDP/TLS/RTP/SAVPF 120 121\r\n"));
}

#[test]
fn refusals_name_the_m_line_and_the_mend() {
    assert!(refusal("hello").contains("v=0"));
    assert!(refusal("v=0\r\n").contains("no m-line"));
    assert!(
        refusal(&CHROMIUM.replace("VP8/90000", "VP7/90000")).contains("m-line 1 does not offer VP8/90000")
    );
    assert!(
        refusal(&CHROMIUM.replacen("a=sendonly", "a=sendrecv", 1)).contains("m-line 0 is neither sendonly")
    );
    assert!(refusal(&CHROMIUM.replacen("a=mid:1\r\n", "", 1)).contains("m-line 1 has no a=mid"));
    assert!(refusal(&CHROMIUM.replacen("a=mid:1\r\n", "a=mid:0\r\n", 1)).contains("same a=mid"));
    assert!(refusal(&CHROMIUM.replace("a=ssrc", "a=xsrc")).contains("names no a=ssrc"));
    assert!(refusal(&CHROMIUM.replacen("m=audio", "m=application", 1)).contains("neither audio nor video"));
    let text = ReducedOffer::read(CHROMIUM, 4).unwrap_err().to_string();
    assert!(text.contains("at most 4 recvonly video"), "{text}");
    assert!(refusal(&format!("v=0{}", "x".repeat(300_000))).contains("longer than"));
    assert!(refusal(&format!("{CHROMIUM}{}", "m=video 9 RTP 96\r\n".repeat(40))).contains("m-line"));
}

proptest! {
    #[test]
    fn never_panics_on_text(text in "(v=0|m=audio|m=video|a=mid:|a=ssrc:|[ -~]|\r\n){0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn never_panics_on_a_damaged_offer(at in 0usize..46_000, garbage in "[ -~\r\n]{0,40}") {
        let mut damaged = CHROMIUM.to_owned();
        damaged.truncate(at);
        damaged.push_str(&garbage);
        let _ = read(&damaged);
    }
}
