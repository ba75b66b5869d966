//! The one reader of SIP messages: a single pass over the bytes, bounded by [`Limits`], tolerant where
//! RFC 3261 and RFC 4475 allow it, and never silent about why a message was refused.
//!
//! Read without complaint: any byte values in header values and bodies, folding, compact names, white space
//! before the colon, a missing Content-Length, bytes after the body, empty lines before the start line.
//! Refused: bare CR or LF, NUL outside an escape, a second value of a single-value field, a Content-Length that
//! promises more than there is, and whatever makes Via, From, To, Call-ID or CSeq unreadable.

use bytes::Bytes;

use super::essential::Essential;
use super::field::HeaderName;
use super::header::HeaderError;
use super::headers::{HeaderValue, Headers};
use super::limits::Limits;
use super::uri::{Uri, UriError};
use super::{Message, Method, Received, Request, Response};

/// A refused datagram: why, and what to answer. The fault is always the sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ReadError {
    /// What is wrong.
    pub kind: ReadErrorKind,
    /// What to answer.
    pub answer: Answer,
}

/// What to answer a refused datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: a response, an ACK, a keep-alive, or nobody to answer to.
    Drop,
    /// A response built from the fields that could be read.
    Reject(Box<Rejection>),
}

/// The response that a malformed request deserves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// 400, 414, 505 or 513.
    pub status: u16,
    /// Via, From, To, Call-ID and CSeq as far as they were found, each as received.
    pub headers: Headers,
}

/// What makes a datagram unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadErrorKind {
    /// Only line ends: a keep-alive (RFC 5626 section 3.5.1).
    #[error("datagram is empty")]
    Empty,
    /// [`Limits::message_bytes`] exceeded.
    #[error("message is longer than the limit")]
    TooLong,
    /// [`Limits::start_line_bytes`] exceeded.
    #[error("start line is longer than the limit")]
    StartLineTooLong,
    /// Neither `METHOD URI SIP/2.0` nor `SIP/2.0 CODE REASON`.
    #[error("start line is malformed")]
    StartLine,
    /// A SIP version other than 2.0.
    #[error("SIP version is not 2.0")]
    Version,
    /// The Request-URI cannot be read.
    #[error("Request-URI: {0}")]
    RequestUri(#[from] UriError),
    /// A CR without LF, or an LF without CR.
    #[error("bare CR or LF in the header section")]
    BareLineEnd,
    /// A NUL byte outside a quoted pair.
    #[error("NUL in the header section")]
    Nul,
    /// No empty line after the header fields.
    #[error("header section does not end")]
    Unfinished,
    /// A line without a colon, or a name that is no token.
    #[error("header field line is malformed")]
    HeaderLine,
    /// [`Limits::header_count`], [`Limits::header_bytes`] or [`Limits::via_count`] exceeded.
    #[error("too many or too long header fields")]
    HeaderLimit,
    /// A second value of a field that has only one.
    #[error("{0} stands twice")]
    Duplicate(&'static str),
    /// Content-Length is no number, or promises more bytes than there are.
    #[error("Content-Length is wrong")]
    ContentLength,
    /// One of the fields every message must have is missing or malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The method of CSeq is not that of the request line.
    #[error("CSeq: method differs from the request's")]
    CSeqMethod,
}

impl ReadErrorKind {
    fn status(&self) -> u16 {
        match self {
            Self::TooLong => 513,
            Self::StartLineTooLong => 414,
            Self::Version => 505,
            Self::Empty
            | Self::StartLine
            | Self::RequestUri(_)
            | Self::BareLineEnd
            | Self::Nul
            | Self::Unfinished
            | Self::HeaderLine
            | Self::HeaderLimit
            | Self::Duplicate(_)
            | Self::ContentLength
            | Self::Header(_)
            | Self::CSeqMethod => 400,
        }
    }
}

/// Reads one datagram.
///
/// # Errors
/// [`ReadError`] says what is wrong and carries the answer, ready but for its To tag.
pub fn read(datagram: &Bytes, limits: &Limits) -> Result<Received<Message>, ReadError> {
    let mut draft = Draft::default();
    draft.read(datagram, limits).map_err(|kind| {
        let answer = draft.answer(&kind);
        ReadError { kind, answer }
    })
}

/// Reads one message that was cut out of a stream (TCP, TLS): there Content-Length is what says where it ends, and a message
/// without one has no end that both sides agree on (RFC 3261 section 18.3).
///
/// # Errors
/// As [`read`].
pub fn read_from_stream(message: &Bytes, limits: &Limits) -> Result<Received<Message>, ReadError> {
    let mut draft = Draft { from_stream: true, ..Draft::default() };
    draft.read(message, limits).map_err(|kind| {
        let answer = draft.answer(&kind);
        ReadError { kind, answer }
    })
}

/// The Content-Length of a header section, which a message in a stream must have (RFC 3261 section 18.3). The
/// rules are those of [`read`], so that both see the same message.
pub(crate) fn declared_length(section: &Bytes) -> Result<usize, ReadErrorKind> {
    let mut lines = Lines::new(section, section.len());
    lines.next_line()?;
    let mut length = None;
    loop {
        let line = lines.next_field(section.len())?;
        if line.is_empty() {
            return length.ok_or(ReadErrorKind::ContentLength);
        }
        // Another line may be malformed: that is for the reader to say, and the stream goes on.
        if let Ok((HeaderName::ContentLength, value)) = split_field(&line) {
            note_length(&mut length, value)?;
        }
    }
}

fn split_field(line: &Bytes) -> Result<(HeaderName, &[u8]), ReadErrorKind> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(ReadErrorKind::HeaderLine)?;
    let name = line.get(..colon).and_then(|name| std::str::from_utf8(name).ok());
    let name = name.and_then(|name| HeaderName::parse(name.trim_end_matches([' ', '\t'])));
    let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
    Ok((name.ok_or(ReadErrorKind::HeaderLine)?, value))
}

fn note_length(noted: &mut Option<usize>, value: &[u8]) -> Result<(), ReadErrorKind> {
    if noted.is_some() {
        return Err(ReadErrorKind::Duplicate("Content-Length"));
    }
    let length = std::str::from_utf8(value).ok().and_then(super::text::saturating_u32);
    let length = length.and_then(|length| usize::try_from(length).ok());
    *noted = Some(length.ok_or(ReadErrorKind::ContentLength)?);
    Ok(())
}

enum StartLine {
    Request(Method, Uri),
    Response(u16, String),
}

/// What has been read so far; on an error it is what the answer is made from.
#[derive(Default)]
struct Draft {
    /// A request that expects an answer: not a response, not an ACK.
    answerable: bool,
    /// Whether a message without Content-Length has no end.
    from_stream: bool,
    headers: Headers,
    content_length: Option<usize>,
}

impl Draft {
    fn read(&mut self, datagram: &Bytes, limits: &Limits) -> Result<Received<Message>, ReadErrorKind> {
        let mut lines = Lines::new(datagram, limits.message_bytes);
        lines.skip_empty();
        if lines.at_end() {
            return Err(ReadErrorKind::Empty);
        }
        let line = lines.next_line()?;
        let text = String::from_utf8_lossy(&line);
        self.answerable = !text.starts_with("SIP/") && !text.starts_with("ACK ");
        let start = if line.len() > limits.start_line_bytes {
            Err(ReadErrorKind::StartLineTooLong)
        } else {
            read_start_line(&text)
        };
        // The header fields are read even after a bad start line: the answer needs them.
        self.read_headers(&mut lines, limits)?;
        let start = start?;
        if datagram.len() > limits.message_bytes {
            return Err(ReadErrorKind::TooLong);
        }
        let essential = Essential::read(&self.headers)?;
        if essential.via_count > limits.via_count {
            return Err(ReadErrorKind::HeaderLimit);
        }
        let body = self.cut_body(lines.rest())?;
        self.finish(start, essential, body)
    }

    fn finish(
        &mut self,
        start: StartLine,
        essential: Essential,
        body: Bytes,
    ) -> Result<Received<Message>, ReadErrorKind> {
        let message = match start {
            StartLine::Request(method, uri) => {
                if essential.cseq.method != method {
                    return Err(ReadErrorKind::CSeqMethod);
                }
                Message::Request(Request { method, uri, headers: std::mem::take(&mut self.headers), body })
            }
            StartLine::Response(status, reason) => Message::Response(Response {
                status,
                reason,
                headers: std::mem::take(&mut self.headers),
                body,
            }),
        };
        Ok(Received { message, essential })
    }

    fn read_headers(&mut self, lines: &mut Lines<'_>, limits: &Limits) -> Result<(), ReadErrorKind> {
        loop {
            let line = lines.next_field(limits.header_bytes)?;
            if line.is_empty() {
                return Ok(());
            }
            if self.headers.len() >= limits.header_count {
                return Err(ReadErrorKind::HeaderLimit);
            }
            self.read_header(&line)?;
        }
    }

    fn read_header(&mut self, line: &Bytes) -> Result<(), ReadErrorKind> {
        let (name, value) = split_field(line)?;
        if name == HeaderName::ContentLength {
            return note_length(&mut self.content_length, value);
        }
        if name.is_single() && self.headers.first(&name).is_some() {
            return Err(ReadErrorKind::Duplicate(duplicate_name(&name)));
        }
        self.headers.push_value(name, HeaderValue::checked(line.slice_ref(value)));
        Ok(())
    }

    fn cut_body(&self, rest: Bytes) -> Result<Bytes, ReadErrorKind> {
        match self.content_length {
            Some(length) if length > rest.len() => Err(ReadErrorKind::ContentLength),
            Some(length) => Ok(rest.slice(..length)),
            None if self.from_stream => Err(ReadErrorKind::ContentLength),
            // RFC 3261 section 18.3: over UDP the body reaches to the end of the datagram.
            None => Ok(rest),
        }
    }

    /// RFC 3261 section 8.2.6.2. The Via may be malformed itself: the answer goes to where the request came
    /// from; but without any Via this is hardly SIP.
    fn answer(&self, kind: &ReadErrorKind) -> Answer {
        if !self.answerable || self.headers.first(&HeaderName::Via).is_none() {
            return Answer::Drop;
        }
        let mut headers = Headers::default();
        for (name, value) in self.headers.iter() {
            let echoed =
                [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq].contains(name);
            if *name == HeaderName::Via || echoed {
                headers.push_value(name.clone(), value.clone());
            }
        }
        Answer::Reject(Box::new(Rejection { status: kind.status(), headers }))
    }
}

fn duplicate_name(name: &HeaderName) -> &'static str {
    let named = [
        (HeaderName::From, "From"),
        (HeaderName::To, "To"),
        (HeaderName::CallId, "Call-ID"),
        (HeaderName::CSeq, "CSeq"),
        (HeaderName::MaxForwards, "Max-Forwards"),
        (HeaderName::ContentType, "Content-Type"),
        (HeaderName::Expires, "Expires"),
    ];
    named.iter().find(|(other, _)| other == name).map_or("a single-value header field", |(_, text)| text)
}

fn read_start_line(line: &str) -> Result<StartLine, ReadErrorKind> {
    // White space at the end of the line is harmless (RFC 4475 section 3.1.2.9 leaves it to us).
    let line = line.trim_end_matches([' ', '\t']);
    if line.starts_with("SIP/") {
        let (version, rest) = line.split_once(' ').ok_or(ReadErrorKind::StartLine)?;
        check_version(version)?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let three_digits = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        let status = code.parse().ok().filter(|status| three_digits && (100..700).contains(status));
        // A host reads these words, and a database keeps them: NUL has no place in either.
        let reason = reason.replace(['\r', '\n', '\0'], " ").trim().to_owned();
        return Ok(StartLine::Response(status.ok_or(ReadErrorKind::StartLine)?, reason));
    }
    let (method, rest) = line.split_once(' ').ok_or(ReadErrorKind::StartLine)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(ReadErrorKind::StartLine)?;
    let method = Method::parse(method).ok_or(ReadErrorKind::StartLine)?;
    check_version(version)?;
    Ok(StartLine::Request(method, Uri::parse(uri)?))
}

fn check_version(text: &str) -> Result<(), ReadErrorKind> {
    // RFC 3261 section 7.1: the version is compared without case.
    match text.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("SIP/") && text.get(4..) == Some("2.0") => Ok(()),
        Some(prefix) if prefix.eq_ignore_ascii_case("SIP/") => Err(ReadErrorKind::Version),
        Some(_) | None => Err(ReadErrorKind::StartLine),
    }
}

/// Walks over the lines of the header section, each byte once.
struct Lines<'a> {
    datagram: &'a Bytes,
    at: usize,
    end: usize,
}

impl<'a> Lines<'a> {
    fn new(datagram: &'a Bytes, limit: usize) -> Self {
        Self { datagram, at: 0, end: datagram.len().min(limit) }
    }

    fn peek(&self) -> Option<u8> {
        self.datagram.get(self.at).copied().filter(|_| self.at < self.end)
    }

    fn at_end(&self) -> bool {
        self.at >= self.end
    }

    /// RFC 3261 section 7.5: empty lines before the start line are ignored.
    fn skip_empty(&mut self) {
        while self.datagram.get(self.at..self.end).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            self.at += 2;
        }
    }

    fn rest(&self) -> Bytes {
        self.datagram.slice(self.at.min(self.datagram.len())..)
    }

    /// The next line without its CRLF.
    fn next_line(&mut self) -> Result<Bytes, ReadErrorKind> {
        let rest = self.datagram.get(self.at..self.end).unwrap_or_default();
        let mut previous = 0;
        for (offset, byte) in rest.iter().copied().enumerate() {
            match byte {
                b'\n' if previous == b'\r' => {
                    let line = self.datagram.slice(self.at..self.at + offset - 1);
                    self.at += offset + 1;
                    return Ok(line);
                }
                b'\n' => return Err(ReadErrorKind::BareLineEnd),
                _ if previous == b'\r' => return Err(ReadErrorKind::BareLineEnd),
                // Legal only as a quoted pair (RFC 4475 section 3.1.1.2).
                0 if previous != b'\\' => return Err(ReadErrorKind::Nul),
                _ => previous = byte,
            }
        }
        Err(ReadErrorKind::Unfinished)
    }

    /// The next header field with its continuation lines joined by one space each (RFC 3261 section 7.3.1).
    fn next_field(&mut self, limit: usize) -> Result<Bytes, ReadErrorKind> {
        let line = self.next_line()?;
        let mut joined: Option<Vec<u8>> = None;
        while !line.is_empty() && matches!(self.peek(), Some(b' ' | b'\t')) {
            let continuation = self.next_line()?;
            let buffer = joined.get_or_insert_with(|| line.to_vec());
            buffer.push(b' ');
            buffer.extend_from_slice(continuation.trim_ascii());
            if buffer.len() > limit {
                return Err(ReadErrorKind::HeaderLimit);
            }
        }
        if line.len() > limit {
            return Err(ReadErrorKind::HeaderLimit);
        }
        Ok(joined.map_or(line, Bytes::from))
    }
}
