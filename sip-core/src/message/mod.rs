//! SIP messages: one tolerant, bounded, single-pass reader, lazily typed headers, and a writer that never
//! emits what the reader would not read.
//!
//! A message is a start line, an ordered list of header fields kept as received, and a body of bytes. Typed
//! views ([`header`]) are made on demand; the few fields every layer needs are read once, by the reader, into
//! [`Essential`], so that authentication and routing never see two readings of the same bytes.

mod body;
mod essential;
mod field;
pub mod header;
mod headers;
mod limits;
mod method;
mod params;
mod reader;
#[cfg(feature = "rsip")]
mod rsip;
mod status;
mod text;
mod uri;
mod writer;

#[cfg(feature = "rsip")]
pub use self::rsip::ConversionError;
pub use body::{UnreadableBody, session_description};
pub use essential::Essential;
pub use field::HeaderName;
pub use header::{HeaderError, TypedHeader};
pub use headers::{HeaderValue, Headers};
pub use limits::Limits;
pub use method::Method;
pub use params::{Param, Params};
pub(crate) use reader::declared_length;
pub use reader::{Answer, ReadError, ReadErrorKind, Rejection, read, read_from_stream};
pub use status::reason_phrase;
pub(crate) use uri::parse_host_port;
pub use uri::{Host, SipUri, TelUri, Uri, UriError};
pub use writer::write;

use bytes::Bytes;

/// A SIP message, RFC 3261 section 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request, section 7.1.
    Request(Request),
    /// A response, section 7.2.
    Response(Response),
}

/// A request, RFC 3261 section 7.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method of the request line.
    pub method: Method,
    /// The Request-URI, escapes kept as received.
    pub uri: Uri,
    /// All header fields but Content-Length, which belongs to reader and writer.
    pub headers: Headers,
    /// The body, cut to Content-Length.
    pub body: Bytes,
}

/// A response, RFC 3261 section 7.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase, made readable if it was not UTF-8.
    pub reason: String,
    /// All header fields but Content-Length.
    pub headers: Headers,
    /// The body, cut to Content-Length.
    pub body: Bytes,
}

/// What the reader hands out: the message, and the header fields that every layer needs already read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<M> {
    /// The message as received.
    pub message: M,
    /// Via, From, To, Call-ID and CSeq of that message.
    pub essential: Essential,
}

impl Request {
    /// A request with no header fields and no body yet.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::default(), body: Bytes::new() }
    }
}

impl Response {
    /// A response with the usual reason phrase and no header fields yet.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: reason_phrase(status).to_owned(),
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// Whether this ends its transaction (status 200 and up).
    pub fn is_final(&self) -> bool {
        self.status >= 200
    }
}
