//! What is read from, and taken out of, the answer the implementation made.

/// Our user fragment (RFC 8839 section 5.4).
pub(super) fn local_ufrag(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

/// Takes rtx (RFC 4588) out of the m-line `mid`.
///
/// The implementation never learns that a publisher's loss was repaired by rtx and would ask on and on; a browser
/// that was not answered with rtx resends on the stream itself, which it does learn. It negotiates codecs per kind
/// and not per m-line, so this cannot be said to it and is done to the text.
pub(super) fn without_rtx(answer: &str, mid: &str) -> String {
    let mut reduced = String::with_capacity(answer.len());
    for (index, block) in answer.split("\r\nm=").enumerate() {
        if index > 0 {
            reduced.push_str("\r\nm=");
        }
        if has_mid(block, mid) {
            push_without_rtx(block, &mut reduced);
        } else {
            reduced.push_str(block);
        }
    }
    reduced
}

fn has_mid(block: &str, mid: &str) -> bool {
    block.lines().any(|line| line.strip_prefix("a=mid:") == Some(mid))
}

fn push_without_rtx(block: &str, reduced: &mut String) {
    let rtx: Vec<_> = block
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(" rtx/"))
        .map(|(payload_type, _)| payload_type)
        .collect();
    for (index, line) in block.split_inclusive("\r\n").enumerate() {
        if index == 0 {
            let formats = line.trim_end().split(' ').filter(|format| !rtx.contains(format));
            reduced.push_str(&formats.collect::<Vec<_>>().join(" "));
            reduced.push_str(line.strip_prefix(line.trim_end()).unwrap_or_default());
        } else if !describes(line, &rtx) {
            reduced.push_str(line);
        }
    }
}

/// Whether `line` is about one of `payload_types`.
fn describes(line: &str, payload_types: &[&str]) -> bool {
    ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"].iter().any(|prefix| {
        let subject = line.strip_prefix(prefix).and_then(|value| value.split(' ').next());
        subject.is_some_and(|payload_type| payload_types.contains(&payload_type))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &str = "video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:MID\r\na=rtpmap:96 VP8/90000\r\n\
        a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=sendonly";

    #[test]
    fn rtx_leaves_the_named_m_line_alone() {
        let (camera, slot) = (SECTION.replace("MID", "1"), SECTION.replace("MID", "10"));
        let answer = format!("v=0\r\na=ice-lite\r\nm={camera}\r\nm={slot}\r\n");
        let reduced = without_rtx(&answer, "1");
        let expected = "video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=sendonly";
        assert_eq!(reduced, format!("v=0\r\na=ice-lite\r\nm={expected}\r\nm={slot}\r\n"));
        assert_eq!(without_rtx(&answer, "2"), answer);
    }

    #[test]
    fn finds_the_ufrag() {
        assert_eq!(local_ufrag("v=0\r\na=ice-ufrag:abc\r\n"), Some("abc"));
        assert_eq!(local_ufrag("v=0\r\n"), None);
    }
}
