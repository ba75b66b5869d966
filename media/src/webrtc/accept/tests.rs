use super::*;
use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Lines of a good offer lost, doubled or exchanged: an answer or a reason, never a panic.
    #[test]
    fn damaged_offers_are_answered_or_refused(changes in proptest::collection::vec((0usize..400, 0usize..400), 1..6)) {
        let mut lines: Vec<_> = CHROMIUM.lines().filter(|line| !line.contains("H264")).collect();
        for (from, to) in changes {
            let (from, to) = (from % lines.len(), to % lines.len());
            match (from + to) % 3 {
                0 => { lines.remove(from); }
                1 => lines.insert(to, lines[from]),
                _ => lines.swap(from, to),
            }
        }
        let _ = accept_offer(Instant::now(), &(lines.join("\r\n") + "\r\n"), &config());
    }

    #[test]
    fn strange_values_are_answered_or_refused(value in "[ -~]{0,24}", which in 0usize..8) {
        let key = ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "fmtp", "rtcp-fb", "group", "extmap"][which];
        let line = |line: &str| match line.split_once(':') {
            Some((name, _)) if name == format!("a={key}") => format!("{name}:{value}"),
            _ => line.to_owned(),
        };
        let lines: Vec<_> = CHROMIUM.lines().map(line).collect();
        let _ = accept_offer(Instant::now(), &(lines.join("\r\n") + "\r\n"), &config());
    }
}
