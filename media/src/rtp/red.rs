//! Redundant audio (RFC 2198): a packet that carries earlier ones too.

/// Most earlier packets looked at in one.
const MAX_REDUNDANT: usize = 8;
/// Longest earlier packet that can be carried: its length has ten bits.
const MAX_BLOCK: usize = 1_023;
/// Furthest back one can lie, in units of the clock: 14 bits.
const MAX_OFFSET: u32 = 0x3FFF;

/// One packet within a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedBlock<'a> {
    /// What it carries.
    pub payload_type: u8,
    /// How much earlier than the packet's timestamp it was sampled; 0 for the primary one.
    pub offset: u32,
    /// Payload.
    pub payload: &'a [u8],
}

/// The payload of a redundant packet, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Red<'a> {
    blocks: [Option<RedBlock<'a>>; MAX_REDUNDANT],
    /// What the packet is about.
    pub primary: RedBlock<'a>,
}

impl<'a> Red<'a> {
    /// Reads a payload; `None` when its lengths do not fit or it carries more than eight earlier packets.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut headers = payload;
        let mut found = [None; MAX_REDUNDANT];
        let mut count = 0;
        let primary = loop {
            let (&first, rest) = headers.split_first()?;
            if first & 0x80 == 0 {
                headers = rest;
                break first & 0x7F;
            }
            let (&[kind, o0, ol, l1], rest) = headers.split_first_chunk::<4>()?;
            let offset = u32::from(o0) << 6 | u32::from(ol >> 2);
            let length = usize::from(ol & 3) << 8 | usize::from(l1);
            *found.get_mut(count)? = Some((kind & 0x7F, offset, length));
            count += 1;
            headers = rest;
        };
        let mut data = headers;
        let mut blocks = [None; MAX_REDUNDANT];
        for (block, (payload_type, offset, length)) in blocks.iter_mut().zip(found.into_iter().flatten()) {
            let (payload, rest) = data.split_at_checked(length)?;
            *block = Some(RedBlock { payload_type, offset, payload });
            data = rest;
        }
        Some(Self { blocks, primary: RedBlock { payload_type: primary, offset: 0, payload: data } })
    }

    /// The earlier packets, the oldest first as a rule.
    pub fn redundant(&self) -> impl Iterator<Item = RedBlock<'a>> {
        self.blocks.into_iter().flatten()
    }
}

/// Writes a redundant payload of at most one earlier packet; `None` when it does not fit.
pub fn write(earlier: Option<RedBlock<'_>>, primary: RedBlock<'_>, out: &mut [u8]) -> Option<usize> {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    if let Some(RedBlock { payload_type, offset, payload }) = earlier {
        if payload.len() > MAX_BLOCK || offset > MAX_OFFSET {
            return None;
        }
        let length = u32::try_from(payload.len()).ok()?;
        let [_, a, b, c] = (offset << 10 | length).to_be_bytes();
        put(&[0x80 | payload_type, a, b, c])?;
    }
    put(&[primary.payload_type & 0x7F])?;
    if let Some(earlier) = earlier {
        put(earlier.payload)?;
    }
    put(primary.payload)?;
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn block(payload_type: u8, offset: u32, payload: &[u8]) -> RedBlock<'_> {
        RedBlock { payload_type, offset, payload }
    }

    #[test]
    fn a_packet_of_two_is_laid_out_as_drawn() {
        let mut out = [0; 16];
        let length = write(Some(block(111, 960, &[1, 2, 3])), block(111, 0, &[4, 5]), &mut out).unwrap();
        // F=1, type 111; 960 in 14 bits and 3 in ten; F=0, type 111; both payloads.
        assert_eq!(out[..length], [0x80 | 111, 0x0F, 0x00, 3, 111, 1, 2, 3, 4, 5]);
        let red = Red::parse(&out[..length]).unwrap();
        assert_eq!(red.primary, block(111, 0, &[4, 5]));
        assert_eq!(red.redundant().collect::<Vec<_>>(), [block(111, 960, &[1, 2, 3])]);
    }

    #[test]
    fn what_does_not_fit_is_not_written_or_read() {
        assert_eq!(write(Some(block(1, MAX_OFFSET + 1, &[])), block(1, 0, &[]), &mut [0; 9]), None);
        assert_eq!(write(Some(block(1, 0, &[0; 1_024])), block(1, 0, &[]), &mut [0; 2_000]), None);
        assert_eq!(write(None, block(1, 0, &[7; 9]), &mut [0; 9]), None);
        assert_eq!(Red::parse(&[]), None);
        assert_eq!(Red::parse(&[0x80 | 111, 0, 0, 3, 111, 1, 2]), None, "one byte is missing");
        assert_eq!(Red::parse(&[0x80 | 111, 0, 0]), None);
        assert_eq!(Red::parse(&[0x80; 9 * 4]), None, "no primary");
        let nine: Vec<u8> = [0x81, 0, 0, 0].repeat(9).into_iter().chain([1]).collect();
        assert_eq!(Red::parse(&nine), None, "bounded");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(red) = Red::parse(&bytes) {
                let length: usize = red.redundant().map(|block| block.payload.len()).sum();
                prop_assert!(length + red.primary.payload.len() < bytes.len());
            }
        }
    }
}
