//! The VP8 payload descriptor (RFC 7741 section 4.2), as far as forwarding needs it.

/// Whether `payload` is the first packet of a VP8 key frame: the point where a receiver can begin to decode.
///
/// False for anything truncated or malformed.
#[must_use]
pub(super) fn starts_key_frame(payload: &[u8]) -> bool {
    descriptor_len(payload)
        .filter(|_| starts_first_partition(payload))
        .and_then(|length| payload.get(length))
        // RFC 7741 section 4.3: the P bit is zero in a key frame.
        .is_some_and(|frame_tag| frame_tag & 0x01 == 0)
}

/// S bit set and partition index zero: the payload begins with the frame header.
fn starts_first_partition(payload: &[u8]) -> bool {
    payload.first().is_some_and(|octet| octet & 0x10 != 0 && octet & 0x07 == 0)
}

/// Length of the descriptor in front of the VP8 data.
fn descriptor_len(payload: &[u8]) -> Option<usize> {
    let first = payload.first()?;
    if first & 0x80 == 0 {
        return Some(1);
    }
    let extension = payload.get(1)?;
    let mut length = 2;
    if extension & 0x80 != 0 {
        let two_octet_picture_id = payload.get(length)? & 0x80 != 0;
        length += if two_octet_picture_id { 2 } else { 1 };
    }
    if extension & 0x40 != 0 {
        length += 1;
    }
    if extension & 0x30 != 0 {
        length += 1;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: u8 = 0x10;
    const DELTA: u8 = 0x11;

    #[test]
    fn tells_key_frames_from_delta_frames_in_every_descriptor_form() {
        let descriptors: [&[u8]; 6] = [
            &[0x10],
            &[0x90, 0x80, 0x7F],
            &[0x90, 0x80, 0x80, 0x01],
            &[0x90, 0xE0, 0x80, 0x01, 0x05, 0x20],
            &[0x90, 0x10, 0x01],
            &[0x90, 0x40, 0x05],
        ];
        for descriptor in descriptors {
            assert!(starts_key_frame(&[descriptor, &[KEY, 0, 0]].concat()), "{descriptor:x?}");
            assert!(!starts_key_frame(&[descriptor, &[DELTA, 0, 0]].concat()), "{descriptor:x?}");
            assert!(!starts_key_frame(descriptor), "{descriptor:x?} without data");
        }
    }

    #[test]
    fn later_packets_and_partitions_do_not_start_a_frame() {
        assert!(!starts_key_frame(&[0x00, KEY]));
        assert!(!starts_key_frame(&[0x11, KEY]));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = starts_key_frame(&bytes);
        }
    }
}
