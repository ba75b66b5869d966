//! Header values and messages on top of `rsip`, which leaves most headers as text.

use std::net::SocketAddr;

use rsip::headers::{Header, Headers};
use rsip::{Method, Request, Response, StatusCode, Uri, Version};

use crate::shared::token;

/// Compact forms of RFC 3261 section 7.3.3 (`rsip` does not know them).
const COMPACT: [(&str, &str); 8] = [
    ("via", "v"),
    ("from", "f"),
    ("to", "t"),
    ("call-id", "i"),
    ("contact", "m"),
    ("content-type", "c"),
    ("content-length", "l"),
    ("supported", "k"),
];

/// All values of the header `name`, in order.
pub fn values(headers: &Headers, name: &str) -> Vec<String> {
    let wanted = name.to_ascii_lowercase();
    let compact = COMPACT.iter().find(|(long, _)| *long == wanted).map(|(_, short)| *short);
    headers
        .iter()
        .filter_map(|header| {
            let line = header.to_string();
            let (key, value) = line.split_once(':')?;
            let key = key.trim().to_ascii_lowercase();
            (key == wanted || compact == Some(key.as_str())).then(|| value.trim().to_owned())
        })
        .collect()
}

/// The first value of the header `name`.
pub fn value(headers: &Headers, name: &str) -> Option<String> {
    values(headers, name).into_iter().next()
}

/// The `CSeq` number and method.
pub fn cseq(headers: &Headers) -> Option<(u32, String)> {
    let text = value(headers, "CSeq")?;
    let (number, method) = text.split_once(' ')?;
    Some((number.parse().ok()?, method.trim().to_owned()))
}

/// The `branch` of the topmost Via.
pub fn branch(headers: &Headers) -> Option<String> {
    parameter(&value(headers, "Via")?, "branch")
}

/// The value of `;name=value` in a header value.
pub fn parameter(text: &str, name: &str) -> Option<String> {
    text.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// `"Display" <sip:user@host>;tag=x` in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameAddr {
    /// Display name without quotes, empty when absent.
    pub display: String,
    /// The URI with its own parameters.
    pub uri: String,
    /// The `tag` of From and To.
    pub tag: Option<String>,
}

impl NameAddr {
    /// Reads a From, To, Contact or P-Asserted-Identity value.
    pub fn parse(text: &str) -> Self {
        match (text.find('<'), text.rfind('>')) {
            (Some(open), Some(close)) if open < close => {
                let display = text[..open].trim().trim_matches('"').replace("\\\"", "\"");
                let tag = parameter(&text[close..], "tag");
                Self { display, uri: text[open + 1..close].to_owned(), tag }
            }
            // Without angle brackets every parameter belongs to the header.
            _ => {
                let uri = text.split(';').next().unwrap_or_default().trim().to_owned();
                Self { display: String::new(), uri, tag: parameter(text, "tag") }
            }
        }
    }

    /// The part before `@`, as written, without scheme.
    pub fn user(&self) -> &str {
        let rest = self.uri.split_once(':').map_or(self.uri.as_str(), |(_, rest)| rest);
        rest.split_once('@').map_or("", |(user, _)| user)
    }

    /// The part after `@` without parameters.
    pub fn host(&self) -> &str {
        let rest = self.uri.split_once(':').map_or(self.uri.as_str(), |(_, rest)| rest);
        let host = rest.split_once('@').map_or(rest, |(_, host)| host);
        host.split(';').next().unwrap_or_default()
    }
}

/// What a request outside and inside a dialog needs.
#[derive(Debug, Clone)]
pub struct RequestParts {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: String,
    /// Value of From, with its tag.
    pub from: String,
    /// Value of To, with a tag inside a dialog.
    pub to: String,
    /// The Call-ID.
    pub call_id: String,
    /// The CSeq number.
    pub cseq: u32,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// SDP, unless Content-Type is among the headers.
    pub body: Option<String>,
}

/// Builds a request sent from `local` with a fresh branch.
///
/// # Errors
/// When the Request-URI is none.
pub fn request(local: SocketAddr, parts: &RequestParts) -> Result<Request, rsip::Error> {
    let mut headers = Headers::default();
    let mut add = |name: &str, text: String| headers.push(Header::Other(name.to_owned(), text));
    add("Via", format!("SIP/2.0/UDP {local};rport;branch=z9hG4bK{}", token()));
    add("Max-Forwards", "70".to_owned());
    add("From", parts.from.clone());
    add("To", parts.to.clone());
    add("Call-ID", parts.call_id.clone());
    add("CSeq", format!("{} {}", parts.cseq, parts.method));
    for (name, text) in &parts.headers {
        add(name, text.clone());
    }
    let body = finish(&mut headers, parts.body.as_deref());
    Ok(Request {
        method: parts.method,
        uri: Uri::try_from(parts.uri.as_str())?,
        version: Version::V2,
        headers,
        body,
    })
}

/// Builds a response to `request`; `tag` goes into To unless it has one.
pub fn response(
    request: &Request,
    source: SocketAddr,
    status: u16,
    tag: &str,
    extra: &[(&str, String)],
    body: Option<&str>,
) -> Response {
    let mut headers = Headers::default();
    for (index, via) in values(&request.headers, "Via").into_iter().enumerate() {
        let via = if index == 0 { fill_rport(&via, source) } else { via };
        headers.push(Header::Other("Via".to_owned(), via));
    }
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let Some(mut text) = value(&request.headers, name) else { continue };
        if name == "To" && status > 100 && NameAddr::parse(&text).tag.is_none() {
            text = format!("{text};tag={tag}");
        }
        headers.push(Header::Other(name.to_owned(), text));
    }
    for (name, text) in extra {
        headers.push(Header::Other((*name).to_owned(), text.clone()));
    }
    let body = finish(&mut headers, body);
    Response { status_code: StatusCode::from(status), version: Version::V2, headers, body }
}

fn finish(headers: &mut Headers, body: Option<&str>) -> Vec<u8> {
    if body.is_some() && value(headers, "Content-Type").is_none() {
        headers.push(Header::Other("Content-Type".to_owned(), "application/sdp".to_owned()));
    }
    let body = body.unwrap_or_default().as_bytes().to_vec();
    headers.push(Header::Other("Content-Length".to_owned(), body.len().to_string()));
    body
}

/// RFC 3581 section 4: the server writes down where the request came from.
fn fill_rport(via: &str, source: SocketAddr) -> String {
    let filled: Vec<String> = via
        .split(';')
        .map(|part| match part.trim() {
            "rport" => format!("rport={};received={}", source.port(), source.ip()),
            other => other.to_owned(),
        })
        .collect();
    filled.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_addr_in_all_its_forms() {
        let full = NameAddr::parse("\"Hana Host\" <sip:+12025550100@acme.test;user=phone>;tag=abc");
        assert_eq!(full.display, "Hana Host");
        assert_eq!(full.user(), "+12025550100");
        assert_eq!(full.host(), "acme.test");
        assert_eq!(full.tag.as_deref(), Some("abc"));
        let bare = NameAddr::parse("sip:103a@acme.test:5060;tag=x");
        assert_eq!((bare.user(), bare.host()), ("103a", "acme.test:5060"));
        assert_eq!(bare.tag.as_deref(), Some("x"));
        assert_eq!(NameAddr::parse("<sip:127.0.0.1:5070>").user(), "");
    }

    #[test]
    fn a_request_is_read_back_by_rsip() {
        let parts = RequestParts {
            method: Method::Invite,
            uri: "sip:+12025550177@127.0.0.1:5070".to_owned(),
            from: "\"Hana\" <sip:+12025550100@acme.test>;tag=1".to_owned(),
            to: "<sip:+12025550177@127.0.0.1:5070>".to_owned(),
            call_id: "call-1".to_owned(),
            cseq: 7,
            headers: vec![("P-Asserted-Identity".to_owned(), "<sip:+12025550100@acme.test>".to_owned())],
            body: Some("v=0\r\n".to_owned()),
        };
        let built = request("127.0.0.1:5060".parse().unwrap(), &parts).unwrap();
        let read = Request::try_from(built.to_string().into_bytes()).unwrap();
        assert_eq!(cseq(&read.headers), Some((7, "INVITE".to_owned())));
        assert_eq!(value(&read.headers, "p-asserted-identity").unwrap(), "<sip:+12025550100@acme.test>");
        assert_eq!(read.body, b"v=0\r\n");
        let answer = response(&read, "127.0.0.1:5060".parse().unwrap(), 486, "t", &[], None);
        let answer = Response::try_from(answer.to_string().into_bytes()).unwrap();
        assert_eq!(answer.status_code.code(), 486);
        assert_eq!(NameAddr::parse(&value(&answer.headers, "To").unwrap()).tag.as_deref(), Some("t"));
        assert!(value(&answer.headers, "Via").unwrap().contains("rport=5060;received=127.0.0.1"));
        assert_eq!(branch(&answer.headers), branch(&read.headers));
    }
}
