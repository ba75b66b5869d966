//! Conversions from and to the messages of the crate [`rsip`](::rsip) (feature `rsip`), for programs that speak its types.
//!
//! Both ways go through the wire: what this crate writes has long header names, one line for each field and a right
//! Content-Length, which is what `rsip` reads; what `rsip` writes is read by our own reader, with its limits. What one side
//! cannot say is an error, never a guess.

use bytes::Bytes;

use super::{Limits, Message, ReadErrorKind, Request, Response, read, reason_phrase, write};

/// Why a message has no counterpart in the other crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// `rsip` does not read it: no `tel:` URI, no header bytes but UTF-8, no method but those it knows.
    #[error("rsip does not read this message: {0}")]
    Theirs(String),
    /// What `rsip` holds is no SIP message to us.
    #[error("this is no SIP message: {0}")]
    Ours(#[from] ReadErrorKind),
    /// A request where a response is wanted, or the other way round.
    #[error("the message is of the other kind")]
    Kind,
}

impl TryFrom<&Message> for ::rsip::SipMessage {
    type Error = ConversionError;

    fn try_from(message: &Message) -> Result<Self, Self::Error> {
        Self::try_from(write(message)).map_err(|error| ConversionError::Theirs(error.to_string()))
    }
}

impl TryFrom<&Request> for ::rsip::Request {
    type Error = ConversionError;

    fn try_from(request: &Request) -> Result<Self, Self::Error> {
        match ::rsip::SipMessage::try_from(&Message::Request(request.clone()))? {
            ::rsip::SipMessage::Request(request) => Ok(request),
            ::rsip::SipMessage::Response(_) => Err(ConversionError::Kind),
        }
    }
}

impl TryFrom<&Response> for ::rsip::Response {
    type Error = ConversionError;

    fn try_from(response: &Response) -> Result<Self, Self::Error> {
        match ::rsip::SipMessage::try_from(&Message::Response(response.clone()))? {
            ::rsip::SipMessage::Response(response) => Ok(response),
            ::rsip::SipMessage::Request(_) => Err(ConversionError::Kind),
        }
    }
}

impl TryFrom<::rsip::SipMessage> for Message {
    type Error = ConversionError;

    fn try_from(message: ::rsip::SipMessage) -> Result<Self, Self::Error> {
        let read = |bytes: Vec<u8>| read(&Bytes::from(bytes), &Limits::default()).map_err(|error| error.kind);
        match message {
            ::rsip::SipMessage::Request(request) => Ok(read(Vec::from(request))?.message),
            ::rsip::SipMessage::Response(response) => {
                // It writes names of its own (`BusyHere`) for the codes it knows.
                let named = if let ::rsip::StatusCode::Other(_, reason) = &response.status_code {
                    reason.clone()
                } else {
                    reason_phrase(response.status_code.code()).to_owned()
                };
                let mut message = read(Vec::from(response))?.message;
                if let Self::Response(response) = &mut message {
                    response.reason = named;
                }
                Ok(message)
            }
        }
    }
}

impl TryFrom<::rsip::Request> for Request {
    type Error = ConversionError;

    fn try_from(request: ::rsip::Request) -> Result<Self, Self::Error> {
        match Message::try_from(::rsip::SipMessage::Request(request))? {
            Message::Request(request) => Ok(request),
            Message::Response(_) => Err(ConversionError::Kind),
        }
    }
}

impl TryFrom<::rsip::Response> for Response {
    type Error = ConversionError;

    fn try_from(response: ::rsip::Response) -> Result<Self, Self::Error> {
        match Message::try_from(::rsip::SipMessage::Response(response))? {
            Message::Response(response) => Ok(response),
            Message::Request(_) => Err(ConversionError::Kind),
        }
    }
}
