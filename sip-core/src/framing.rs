//! Messages out of a stream (TCP, TLS), RFC 3261 section 18.3, with the keep-alives of RFC 5626 section 3.5.1.
//!
//! One [`Framer`] per connection: [`Framer::push`] what was read, then take [`Framer::next`] until there is
//! nothing, and close the connection at [`Framer::deadline`] or after an error. What a length promises is never
//! reserved; what is held is what has come, and not more than one message and one read.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use crate::message::{Limits, ReadErrorKind, declared_length};

/// What came out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole message, for the reader.
    Message(Bytes),
    /// Two line ends: the peer wants one back, to know that the connection lives.
    Ping,
    /// One line end between messages: the answer to a ping, or nothing.
    Pong,
}

/// The stream cannot be followed any further: answer, and close the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FramingError {
    /// What is wrong.
    pub kind: ReadErrorKind,
    /// The start of the message at fault; the reader makes the answer out of it, if there is one to make.
    pub message: Bytes,
}

/// Cuts one connection's stream into messages.
#[derive(Debug)]
pub struct Framer {
    message_bytes: usize,
    message_time: Duration,
    buffer: BytesMut,
    /// How far the end of the header section has been looked for.
    searched: usize,
    /// Length of header section and body, once the first is complete.
    wanted: Option<usize>,
    /// When the message that is not complete began to come.
    began: Option<Instant>,
    broken: bool,
}

impl Framer {
    /// An empty stream.
    pub fn new(limits: &Limits) -> Self {
        Self {
            message_bytes: limits.message_bytes,
            message_time: limits.message_time,
            buffer: BytesMut::new(),
            searched: 0,
            wanted: None,
            began: None,
            broken: false,
        }
    }

    /// Takes what was read. Everything after an error is thrown away.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if self.broken || bytes.is_empty() {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        self.began.get_or_insert(now);
    }

    /// The next frame, if it is complete.
    ///
    /// # Errors
    /// [`FramingError`] if nobody can say where this message ends: a missing, double or wrong Content-Length,
    /// a bare line end, more than the limit.
    pub fn next(&mut self, now: Instant) -> Result<Option<Frame>, FramingError> {
        if self.wanted.is_none() && self.searched == 0 {
            if let Some(frame) = self.take_line_ends() {
                self.restart(now);
                return Ok(Some(frame));
            }
            if self.waits_for_line_end() {
                return Ok(None);
            }
        }
        let total = match self.wanted {
            Some(total) => total,
            None => match self.measure()? {
                Some(total) => *self.wanted.insert(total),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < total {
            return Ok(None);
        }
        let message = self.buffer.split_to(total).freeze();
        self.restart(now);
        Ok(Some(Frame::Message(message)))
    }

    /// When the connection is to be closed because a message takes too long to come, however its bytes trickle.
    pub fn deadline(&self) -> Option<Instant> {
        self.began.map(|began| began + self.message_time)
    }

    /// How many bytes are held.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn take_line_ends(&mut self) -> Option<Frame> {
        let (frame, length) = match self.buffer.get(..3) {
            Some(b"\r\n\r") => match self.buffer.get(3) {
                Some(b'\n') => (Frame::Ping, 4),
                Some(_) => (Frame::Pong, 2),
                None => return None,
            },
            Some([b'\r', b'\n', _]) => (Frame::Pong, 2),
            Some(_) | None => return None,
        };
        self.buffer.advance(length);
        Some(frame)
    }

    /// What is here may become a line end or a ping; neither keeps anybody waiting.
    fn waits_for_line_end(&mut self) -> bool {
        let waits =
            self.buffer.is_empty() || (self.buffer.len() < 4 && b"\r\n\r\n".starts_with(&self.buffer));
        if waits {
            self.began = None;
        }
        waits
    }

    /// The length of the message, as soon as its header section is complete.
    fn measure(&mut self) -> Result<Option<usize>, FramingError> {
        let held = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(at) = held.windows(4).position(|window| window == b"\r\n\r\n") else {
            self.searched = self.buffer.len().saturating_sub(3);
            return if self.buffer.len() > self.message_bytes {
                self.fail(ReadErrorKind::TooLong)
            } else {
                Ok(None)
            };
        };
        let section = self.searched + at + 4;
        let head = Bytes::copy_from_slice(self.buffer.get(..section).unwrap_or_default());
        match declared_length(&head) {
            Ok(length) => match section.checked_add(length).filter(|total| *total <= self.message_bytes) {
                Some(total) => Ok(Some(total)),
                None => self.fail(ReadErrorKind::TooLong),
            },
            Err(kind) => self.fail(kind),
        }
    }

    fn fail<T>(&mut self, kind: ReadErrorKind) -> Result<T, FramingError> {
        self.broken = true;
        self.began = None;
        let mut held = std::mem::take(&mut self.buffer);
        held.truncate(self.message_bytes.saturating_add(1));
        Err(FramingError { kind, message: held.freeze() })
    }

    fn restart(&mut self, now: Instant) {
        self.searched = 0;
        self.wanted = None;
        self.began = if self.buffer.is_empty() { None } else { Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: &str, body: &str) -> String {
        format!("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n{length}\r\nX: y\r\n\r\n{body}")
    }

    fn frames(chunks: &[&[u8]]) -> Result<Vec<Frame>, FramingError> {
        let (now, mut framer) = (Instant::now(), Framer::new(&Limits::default()));
        let mut all = Vec::new();
        for chunk in chunks {
            framer.push(now, chunk);
            while let Some(frame) = framer.next(now)? {
                all.push(frame);
            }
        }
        assert!(framer.is_empty(), "{framer:?}");
        assert_eq!(framer.deadline(), None);
        Ok(all)
    }

    #[test]
    fn every_legal_spelling_of_the_length_is_understood() {
        for length in [
            "Content-Length: 3",
            "content-LENGTH:3",
            "l: 3",
            "L \t: 0003",
            "Content-Length:\r\n 3",
            "Content-Length :\r\n\t \r\n 3 ",
            "Subject: l: 9\r\n l: 8\r\nContent-Length: 3",
        ] {
            let text = message(length, "abc");
            assert_eq!(
                frames(&[text.as_bytes(), text.as_bytes()]).unwrap(),
                [Frame::Message(Bytes::from(text.clone())), Frame::Message(Bytes::from(text.clone()))],
                "{length}"
            );
        }
    }

    #[test]
    fn a_length_that_cannot_be_trusted_ends_the_connection() {
        for (length, kind) in [
            ("X-Length: 3", ReadErrorKind::ContentLength),
            ("Content-Length: 3\r\nl: 3", ReadErrorKind::Duplicate("Content-Length")),
            ("Content-Length: -3", ReadErrorKind::ContentLength),
            ("Content-Length: 3, 3", ReadErrorKind::ContentLength),
            ("Content-Length: +3", ReadErrorKind::ContentLength),
            ("Content-Length:", ReadErrorKind::ContentLength),
            ("Content-Length: 99999999999999999999", ReadErrorKind::TooLong),
            ("Content-Length: 3\nX: y", ReadErrorKind::BareLineEnd),
        ] {
            let text = message(length, "abc");
            let error = frames(&[text.as_bytes()]).unwrap_err();
            assert_eq!((error.kind, error.message), (kind, Bytes::from(text.clone())), "{length}");
        }
    }

    #[test]
    fn keep_alives_stand_between_messages() {
        let text = message("l: 0", "");
        let stream = format!("\r\n\r\n{text}\r\n{text}\r\n\r\n");
        let message = Frame::Message(Bytes::from(text));
        assert_eq!(
            frames(&[stream.as_bytes()]).unwrap(),
            [Frame::Ping, message.clone(), Frame::Pong, message, Frame::Ping]
        );
    }

    #[test]
    fn p6_a_message_that_trickles_has_a_deadline_and_quiet_has_none() {
        let (now, mut framer) = (Instant::now(), Framer::new(&Limits::default()));
        let text = message("l: 5", "hello");
        for (second, byte) in text.bytes().enumerate().take(40) {
            framer.push(now + Duration::from_secs(second as u64), &[byte]);
            assert_eq!(framer.next(now), Ok(None));
            assert_eq!(framer.deadline(), Some(now + Limits::default().message_time));
        }
        framer.push(now, &text.as_bytes()[40..]);
        while framer.next(now).unwrap().is_some() {}
        framer.push(now, b"\r\n");
        assert_eq!((framer.next(now), framer.deadline()), (Ok(None), None));
    }

    #[test]
    fn p6_a_lying_length_reserves_nothing_and_no_section_grows_without_end() {
        let limits = Limits { message_bytes: 1_000, ..Limits::default() };
        let (now, mut framer) = (Instant::now(), Framer::new(&limits));
        framer.push(now, message("l: 900", "").as_bytes());
        assert_eq!(framer.next(now), Ok(None));
        assert!(framer.buffer.capacity() < 500);
        let mut framer = Framer::new(&limits);
        let mut result = Ok(None);
        for _ in 0..300 {
            framer.push(now, b"X: yyy\r\n");
            result = result.and_then(|_: Option<Frame>| framer.next(now));
        }
        assert_eq!(result.unwrap_err().kind, ReadErrorKind::TooLong);
        assert!(framer.is_empty());
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut_the_frames_are_the_same(
            bodies in prop::collection::vec("[a-z\r\n]{0,30}", 1..6),
            cuts in prop::collection::vec(1_usize..40, 1..60),
        ) {
            let stream: String = bodies.iter().map(|body| message(&format!("l: {}", body.len()), body)).collect();
            let whole = frames(&[stream.as_bytes()]).unwrap();
            prop_assert_eq!(whole.len(), bodies.len());
            let (mut rest, mut chunks) = (stream.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames(&chunks).unwrap(), whole);
        }

        #[test]
        fn no_stream_is_too_odd(chunks in prop::collection::vec("(\r\n|\r|\n|l: [0-9]{0,3}|:| |OPTIONS|\\PC){0,20}", 0..20)) {
            let limits = Limits { message_bytes: 200, ..Limits::default() };
            let (now, mut framer) = (Instant::now(), Framer::new(&limits));
            for chunk in chunks {
                framer.push(now, chunk.as_bytes());
                while let Ok(Some(_)) = framer.next(now) {}
                prop_assert!(framer.len() <= 200);
            }
        }
    }
}
