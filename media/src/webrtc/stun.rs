//! A reader for just as much of STUN (RFC 8489) as demultiplexing needs.

/// Length of the fixed header (RFC 8489 section 5).
const HEADER_LEN: usize = 20;
/// The value that tells STUN from everything else on the port (RFC 8489 section 5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Message type: Binding request.
const BINDING_REQUEST: u16 = 0x0001;
/// Message type: Binding success response.
const BINDING_SUCCESS: u16 = 0x0101;
/// Attribute type: USERNAME (RFC 8489 section 14.3).
const USERNAME: u16 = 0x0006;
/// Attributes looked at before USERNAME is given up; browsers send it first.
const MAX_ATTRIBUTES: usize = 16;

/// A STUN message seen from outside: nothing in it has been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StunMessage<'a> {
    message_type: u16,
    attributes: &'a [u8],
}

impl<'a> StunMessage<'a> {
    /// Reads the header; `None` when `datagram` is not a whole STUN message.
    #[must_use]
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER_LEN)?;
        let message_type = read_u16(header, 0)?;
        let length = usize::from(read_u16(header, 2)?);
        let is_stun = message_type & 0xC000 == 0
            && header.get(4..8) == Some(&MAGIC_COOKIE)
            && length == attributes.len()
            && length.is_multiple_of(4);
        is_stun.then_some(Self { message_type, attributes })
    }

    /// Whether this is a connectivity check.
    #[must_use]
    pub(super) fn is_binding_request(&self) -> bool {
        self.message_type == BINDING_REQUEST
    }

    /// Whether this is the answer to a connectivity check that was accepted.
    #[must_use]
    pub(super) fn is_binding_success(&self) -> bool {
        self.message_type == BINDING_SUCCESS
    }

    /// The receiver's user fragment: what stands before the colon in USERNAME (RFC 8445 section 7.2.2).
    #[must_use]
    pub(super) fn receiver_ufrag(&self) -> Option<&'a str> {
        let mut rest = self.attributes;
        for _ in 0..MAX_ATTRIBUTES {
            let kind = read_u16(rest, 0)?;
            let length = usize::from(read_u16(rest, 2)?);
            let value = rest.get(4..4 + length)?;
            if kind == USERNAME {
                let username = std::str::from_utf8(value).ok()?;
                return username.split_once(':').map(|(receiver, _)| receiver);
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
        None
    }
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Builds a message of `message_type` with an unrelated attribute and, if given, a USERNAME.
    pub(crate) fn stun(message_type: u16, username: Option<&str>) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        if let Some(username) = username {
            attributes.extend(USERNAME.to_be_bytes());
            attributes.extend(u16::try_from(username.len()).unwrap().to_be_bytes());
            attributes.extend(username.as_bytes());
            attributes.resize(attributes.len().next_multiple_of(4), 0);
        }
        let mut message = message_type.to_be_bytes().to_vec();
        message.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        message.extend(MAGIC_COOKIE);
        message.extend([7; 12]);
        message.extend(attributes);
        message
    }

    #[test]
    fn reads_the_ufrag_before_the_colon() {
        let datagram = stun(BINDING_REQUEST, Some("ours:theirs"));
        let message = StunMessage::parse(&datagram).unwrap();
        assert!(message.is_binding_request());
        assert_eq!(message.receiver_ufrag(), Some("ours"));
    }

    #[test]
    fn a_message_without_username_has_no_ufrag() {
        let datagram = stun(BINDING_SUCCESS, None);
        let message = StunMessage::parse(&datagram).unwrap();
        assert!(message.is_binding_success());
        assert_eq!(message.receiver_ufrag(), None);
    }

    #[test]
    fn what_is_not_stun_is_refused() {
        let good = stun(BINDING_REQUEST, Some("a:b"));
        for cut in 0..good.len() {
            assert_eq!(StunMessage::parse(&good[..cut]), None, "cut at {cut}");
        }
        let mut wrong_cookie = good.clone();
        wrong_cookie[5] ^= 1;
        assert_eq!(StunMessage::parse(&wrong_cookie), None);
        let mut rtp = good;
        rtp[0] = 0x80;
        assert_eq!(StunMessage::parse(&rtp), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut whole = stun(BINDING_REQUEST, None);
            whole.extend(&bytes);
            let length = u16::try_from(whole.len() - HEADER_LEN).unwrap();
            whole[2..4].copy_from_slice(&length.to_be_bytes());
            for datagram in [&bytes, &whole] {
                if let Some(message) = StunMessage::parse(datagram) {
                    let _ = message.receiver_ufrag();
                }
            }
        }
    }
}
