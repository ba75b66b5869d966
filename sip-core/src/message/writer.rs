//! Writes messages. What is written here, the reader reads back as the same message.

use bytes::{BufMut, Bytes, BytesMut};

use super::{HeaderName, Headers, Message};

/// Writes a message with its Content-Length.
///
/// Header values and URIs cannot hold a line end ([`super::HeaderValue`], [`super::Uri::parse`]); the reason
/// phrase is freed of them here.
pub fn write(message: &Message) -> Bytes {
    let (headers, body) = match message {
        Message::Request(request) => (&request.headers, &request.body),
        Message::Response(response) => (&response.headers, &response.body),
    };
    let mut out = BytesMut::with_capacity(512 + body.len());
    match message {
        Message::Request(request) => {
            let uri: String = request.uri.to_string().chars().filter(|c| *c > ' ' && *c != '\x7f').collect();
            out.put_slice(format!("{} {uri} SIP/2.0\r\n", request.method).as_bytes());
        }
        Message::Response(response) => {
            let reason = response.reason.replace(['\r', '\n', '\0'], " ");
            out.put_slice(format!("SIP/2.0 {:03} {}\r\n", response.status, reason.trim()).as_bytes());
        }
    }
    write_headers(headers, &mut out);
    out.put_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.put_slice(body);
    out.freeze()
}

fn write_headers(headers: &Headers, out: &mut BytesMut) {
    for (name, value) in headers.iter() {
        if *name == HeaderName::ContentLength {
            continue;
        }
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
}
