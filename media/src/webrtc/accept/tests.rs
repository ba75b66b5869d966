use super::*;

const CHROMIUM: &str = include_str!("../testdata/chromium_offer.sdp");

fn config() -> PeerConfig {
    PeerConfig { local: "127.0.0.1:8443".parse().unwrap(), video_slots: 8 }
}

/// The answer's block of the m-line `index`.
fn section(answer: &str, index: usize) -> String {
    answer.split("\r\nm=").nth(index + 1).unwrap().to_owned()
}

#[test]
fn a_chromium_offer_is_answered_at_once_and_in_full() {
    let accepted = accept_offer(Instant::now(), CHROMIUM, &config()).unwrap();
    let answer = &accepted.answer_sdp;
    assert_eq!(accepted.video_slots, 8);
    assert!(answer.contains("a=ice-lite\r\n"));
    assert!(answer.contains(" 127.0.0.1 8443 typ host"));
    assert!(answer.contains(&format!("a=ice-ufrag:{}\r\n", accepted.ufrag)));
    assert_eq!(answer.matches("\r\nm=").count(), 11);
}

#[test]
fn publishers_get_no_rtx_and_slots_get_it() {
    let accepted = accept_offer(Instant::now(), CHROMIUM, &config()).unwrap();
    let camera = section(&accepted.answer_sdp, 1);
    assert!(camera.starts_with("video 9 UDP/TLS/RTP/SAVPF 96\r\n"), "{camera}");
    assert!(camera.contains("a=recvonly") && !camera.contains("rtx"));
    for index in 3..11 {
        let slot = section(&accepted.answer_sdp, index);
        assert!(slot.starts_with("video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"), "{slot}");
        assert!(slot.contains("a=sendonly") && slot.contains("a=ssrc-group:FID"), "{slot}");
        assert!(slot.contains("a=rtcp-fb:96 nack pli"), "{slot}");
    }
}

#[test]
fn audio_is_opus_with_levels_from_the_microphone() {
    let accepted = accept_offer(Instant::now(), CHROMIUM, &config()).unwrap();
    let microphone = section(&accepted.answer_sdp, 0);
    assert!(microphone.starts_with("audio 9 UDP/TLS/RTP/SAVPF 111\r\n"), "{microphone}");
    assert!(microphone.contains("ssrc-audio-level") && microphone.contains("a=recvonly"), "{microphone}");
    assert!(section(&accepted.answer_sdp, 2).contains("a=sendonly"));
}

#[test]
fn a_foreign_offer_is_refused_with_a_reason() {
    let error = accept_offer(Instant::now(), "v=0\r\n", &config()).unwrap_err();
    assert!(matches!(error, PeerError::Unacceptable(_)), "{error}");
}
