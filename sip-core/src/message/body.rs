//! Bodies: where the session description is (RFC 3261 section 7.4, RFC 5621, multipart by RFC 2046
//! section 5.1).

use bytes::Bytes;

use super::field::HeaderName;
use super::headers::Headers;
use super::params::Params;

/// How deep multipart bodies may stand in one another.
const DEEPEST: usize = 4;
/// How many parts of one multipart body are looked at.
const MOST_PARTS: usize = 16;
/// Longest boundary (RFC 2046 section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// A body that is no session description, or a part of it that must be understood and is not (415).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("body is no session description")]
pub struct UnreadableBody;

/// The session description of a message: its whole body, or the part of a multipart body that is one. Empty if
/// there is none. A body without Content-Type is taken for one.
///
/// # Errors
/// [`UnreadableBody`] if the body must be understood and cannot be.
pub fn session_description(headers: &Headers, body: &Bytes) -> Result<Bytes, UnreadableBody> {
    let text = |name: &HeaderName| headers.first(name).map(|value| value.text().into_owned());
    let meta = Meta {
        kind: text(&HeaderName::ContentType),
        encoding: text(&HeaderName::ContentEncoding),
        disposition: text(&HeaderName::ContentDisposition),
    };
    Ok(find(&meta, body, DEEPEST, true)?.unwrap_or_default())
}

/// What is said about a body or a part of one.
#[derive(Default)]
struct Meta {
    kind: Option<String>,
    encoding: Option<String>,
    disposition: Option<String>,
}

impl Meta {
    /// The Content-Type without its parameters, in lower case, and the parameters.
    fn kind(&self) -> (String, Params) {
        let text = self.kind.as_deref().unwrap_or("application/sdp");
        let (kind, params) = text.split_once(';').unwrap_or((text, ""));
        (kind.trim().to_ascii_lowercase(), Params::parse(params).unwrap_or_default())
    }

    fn is_encoded(&self) -> bool {
        self.encoding.as_deref().is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"))
    }

    /// `handling` of Content-Disposition, `default` where nothing is said.
    fn is_required(&self, default: bool) -> bool {
        let params = self.disposition.as_deref().and_then(|text| text.split_once(';')).map(|it| it.1);
        let handling = params.and_then(Params::parse).and_then(|params| params.get("handling"));
        handling.map_or(default, |handling| handling.eq_ignore_ascii_case("required"))
    }
}

/// `required`: whether a body that says nothing about its handling must be understood. RFC 5621 says so of
/// every part, but gateways put their own parts beside the description without a word and do not mean it.
fn find(meta: &Meta, body: &Bytes, depth: usize, required: bool) -> Result<Option<Bytes>, UnreadableBody> {
    let (kind, params) = meta.kind();
    if body.is_empty() {
        return Ok(None);
    }
    if kind == "application/sdp" && !meta.is_encoded() {
        return Ok(Some(body.clone()));
    }
    let boundary = params.get("boundary").filter(|it| (1..=LONGEST_BOUNDARY).contains(&it.len()));
    let parts = boundary.filter(|_| kind.starts_with("multipart/") && !meta.is_encoded() && depth > 0);
    let Some(boundary) = parts else {
        return if meta.is_required(required) { Err(UnreadableBody) } else { Ok(None) };
    };
    let mut found = None;
    for part in split(body, &boundary) {
        let (meta, content) = read_part(&part);
        let description = find(&meta, &content, depth - 1, false)?;
        // RFC 2046 section 5.1.4: of alternatives the last one that is understood is the best.
        if kind == "multipart/alternative" || found.is_none() {
            found = description.or(found);
        }
    }
    Ok(found)
}

/// The parts between the boundaries; what stands before the first and after the last one is no part.
fn split(body: &Bytes, boundary: &str) -> Vec<Bytes> {
    let delimiter = format!("--{boundary}");
    let (mut parts, mut from, mut start) = (Vec::new(), 0, None);
    while let Some(at) = position(body.get(from..).unwrap_or_default(), delimiter.as_bytes()) {
        let at = from + at;
        let after = at + delimiter.len();
        from = after;
        let begins_line = at == 0 || body.get(..at).is_some_and(|before| before.ends_with(b"\r\n"));
        let rest = body.get(after..).unwrap_or_default();
        let last = rest.starts_with(b"--");
        let line_end = position(rest, b"\r\n").filter(|end| rest.get(..*end).is_some_and(is_blank));
        if !begins_line || (!last && line_end.is_none()) {
            continue;
        }
        if let Some(start) = start {
            parts.push(body.slice(start..at.saturating_sub(2).max(start)));
        }
        let Some(end) = line_end.filter(|_| !last && parts.len() < MOST_PARTS) else { return parts };
        start = Some(after + end + 2);
        from = after + end;
    }
    // A last part without its closing boundary may have been cut off: it is not taken.
    parts
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Splits a part into what is said about it and its content. A part begins with an empty line if nothing is
/// said; then it is text (RFC 2046 section 5.1).
fn read_part(part: &Bytes) -> (Meta, Bytes) {
    let plain = || Meta { kind: Some("text/plain".to_owned()), ..Meta::default() };
    if part.starts_with(b"\r\n") {
        return (plain(), part.slice(2..));
    }
    let Some(end) = position(part, b"\r\n\r\n") else { return (plain(), Bytes::new()) };
    let fields = String::from_utf8_lossy(part.get(..end).unwrap_or_default()).into_owned();
    let unfolded = fields.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut meta = plain();
    for line in unfolded.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = Some(value.trim().to_owned());
        match HeaderName::parse(name.trim()) {
            Some(HeaderName::ContentType) => meta.kind = value,
            Some(HeaderName::ContentEncoding) => meta.encoding = value,
            Some(HeaderName::ContentDisposition) => meta.disposition = value,
            Some(_) | None => {}
        }
    }
    (meta, part.slice(end + 4..))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn described(kind: &str, body: &str) -> Result<Bytes, UnreadableBody> {
        let mut headers = Headers::default();
        for line in kind.split('\n').filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            headers.push(HeaderName::parse(name).unwrap(), value);
        }
        session_description(&headers, &Bytes::from(body.replace('\n', "\r\n")))
    }

    const MIXED: &str = "Content-Type: multipart/mixed;boundary=\"b 1\"";

    #[test]
    fn a_plain_body_is_found_and_a_strange_one_refused() {
        for (kind, body, expected) in [
            ("", "v=0", Ok("v=0")),
            ("", "", Ok("")),
            ("c: application/x", "", Ok("")),
            ("c: Application/SDP; charset=utf-8", "v=0", Ok("v=0")),
            ("c: application/sdp\ne: gzip", "v=0", Err(UnreadableBody)),
            ("c: application/sdp\ne: identity", "v=0", Ok("v=0")),
            ("c: application/x", "x", Err(UnreadableBody)),
            ("c: application/x\nContent-Disposition: render;handling=optional", "x", Ok("")),
            ("c: multipart/mixed", "x", Err(UnreadableBody)),
        ] {
            assert_eq!(described(kind, body), expected.map(Bytes::from), "{kind}");
        }
    }

    #[test]
    fn the_description_among_other_parts_is_found() {
        for (body, expected) in [
            (
                "--b 1\nContent-Type: application/isup\n\n\u{1}\u{2}\n--b 1\nc: application/sdp\n\nv=0\n\n--b 1--\n",
                "v=0\r\n",
            ),
            ("preamble --b 1\n--b 1  \nContent-Type:\n application/sdp\n\nv=1\n--b 1--epilogue", "v=1"),
            ("--b 1\n\njust text\n--b 1--", ""),
            ("--b 1\nc: application/sdp\n\nv=0\n--b 1\nc: application/sdp\n\nv=9\n--b 1--", "v=0"),
            (
                "--b 1\nc: multipart/alternative;boundary=x\n\n--x\nc: application/sdp\n\nold\n--x\nc: application/sdp\n\nnew\n--x--\n\n--b 1--",
                "new",
            ),
            ("--b 1\nc: application/sdp\n\nno end", ""),
            ("nothing here", ""),
        ] {
            assert_eq!(described(MIXED, body), Ok(Bytes::from_static(expected.as_bytes())), "{body}");
        }
    }

    #[test]
    fn a_part_that_must_be_understood_is_refused() {
        let body = "--b 1\nc: application/x\nContent-Disposition: x;handling=required\n\nx\n--b 1--";
        assert_eq!(described(MIXED, body), Err(UnreadableBody));
    }

    #[test]
    fn p3_depth_and_number_of_parts_are_bounded() {
        let mut body = "v=0".to_owned();
        for depth in 0..120 {
            let kind = if depth == 0 {
                "application/sdp".into()
            } else {
                format!("multipart/mixed;boundary=b{}", depth - 1)
            };
            body = format!("--b{depth}\nContent-Type: {kind}\n\n{body}\n--b{depth}--");
        }
        assert_eq!(described("c: multipart/mixed;boundary=b119", &body), Ok(Bytes::new()));
        let many = "--b 1\nc: text/plain\n\nx\n".repeat(1_000) + "--b 1\nc: application/sdp\n\nv=0\n--b 1--";
        assert_eq!(described(MIXED, &many), Ok(Bytes::new()));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(body in "(--b|\r\n|c: application/sdp|c: multipart/mixed;boundary=b|v=0|-| |\\PC){0,40}") {
            let mut headers = Headers::default();
            headers.push(HeaderName::ContentType, "multipart/mixed;boundary=b");
            let _ = session_description(&headers, &Bytes::from(body));
        }
    }
}
