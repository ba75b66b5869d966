//! A bounded reader for Ogg Opus files with one channel (RFC 7845), the form our own recordings are compiled in.

use opusic_c::{Channels, SampleRate};

use crate::codec::opus::MAX_PACKET_SAMPLES;
use crate::sample::Rate;

/// Why a file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OggError {
    /// Not an Ogg file, or it ends inside a page.
    #[error("not a complete Ogg file")]
    NotOgg,
    /// It holds no Opus stream with one channel.
    #[error("the Ogg file holds no Opus stream with one channel")]
    NotOpus,
    /// Longer than [`MAX_SECONDS`].
    #[error("the recording is longer than a minute")]
    TooLong,
    /// libopus does not read it.
    #[error("an Opus packet is damaged")]
    Damaged,
}

/// The longest recording read.
pub const MAX_SECONDS: usize = 60;

/// The packets of one file.
#[derive(Debug)]
pub struct OpusStream {
    packets: Vec<Vec<u8>>,
    /// Samples at 48 kHz to be cut off at the beginning.
    skip: usize,
    /// Samples at 48 kHz that are left then.
    length: usize,
}

impl OpusStream {
    /// Reads a file.
    ///
    /// # Errors
    /// When the file is damaged or not of this kind.
    pub fn parse(mut file: &[u8]) -> Result<Self, OggError> {
        let (mut packets, mut end) = (Vec::new(), 0);
        let mut packet = Vec::new();
        while !file.is_empty() {
            let page = Page::take(&mut file)?;
            end = page.granule;
            let mut body = page.body;
            for &lacing in page.lacing {
                let (segment, rest) = body.split_at_checked(usize::from(lacing)).ok_or(OggError::NotOgg)?;
                body = rest;
                packet.extend_from_slice(segment);
                if lacing < 255 {
                    packets.push(std::mem::take(&mut packet));
                }
            }
        }
        let mut packets = packets.into_iter();
        let skip = skip_of(&packets.next().ok_or(OggError::NotOpus)?)?;
        packets.next().filter(|tags| tags.starts_with(b"OpusTags")).ok_or(OggError::NotOpus)?;
        let length = usize::try_from(end).unwrap_or(usize::MAX).saturating_sub(skip);
        if length > MAX_SECONDS * 48_000 {
            return Err(OggError::TooLong);
        }
        Ok(Self { packets: packets.collect(), skip, length })
    }

    /// The samples at one rate.
    ///
    /// # Errors
    /// When libopus does not read a packet, or cannot allocate.
    pub fn decode(&self, rate: Rate) -> Result<Vec<i16>, OggError> {
        let (hz, per_sample) = match rate {
            Rate::Narrow => (SampleRate::Hz8000, 6),
            Rate::Full => (SampleRate::Hz48000, 1),
        };
        let mut decoder = opusic_c::Decoder::new(Channels::Mono, hz).map_err(|_| OggError::Damaged)?;
        let mut frame = vec![0_u16; MAX_PACKET_SAMPLES];
        let (skip, length) = (self.skip / per_sample, self.length / per_sample);
        let mut samples = Vec::with_capacity(skip + length);
        for packet in &self.packets {
            let made = decoder.decode_to_slice(packet, &mut frame, false).map_err(|_| OggError::Damaged)?;
            samples.extend(frame.iter().take(made).map(|sample| sample.cast_signed()));
            if samples.len() >= skip + length {
                break;
            }
        }
        samples.truncate(skip + length);
        samples.drain(..skip.min(samples.len()));
        Ok(samples)
    }
}

/// The samples to be cut off, from the identification header (RFC 7845 section 5.1).
fn skip_of(head: &[u8]) -> Result<usize, OggError> {
    match head {
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', 1, 1, low, high, ..] => {
            Ok(usize::from(u16::from_le_bytes([*low, *high])))
        }
        _ => Err(OggError::NotOpus),
    }
}

/// One page (RFC 3533 section 6). Its checksum is not looked at: the files are ours.
struct Page<'a> {
    granule: u64,
    lacing: &'a [u8],
    body: &'a [u8],
}

impl<'a> Page<'a> {
    fn take(file: &mut &'a [u8]) -> Result<Self, OggError> {
        let (head, rest) = file.split_first_chunk::<27>().ok_or(OggError::NotOgg)?;
        let [b'O', b'g', b'g', b'S', 0, _kind, granule @ .., segments] = head else {
            return Err(OggError::NotOgg);
        };
        let (granule, _) = granule.split_first_chunk::<8>().ok_or(OggError::NotOgg)?;
        let (lacing, rest) = rest.split_at_checked(usize::from(*segments)).ok_or(OggError::NotOgg)?;
        let size = lacing.iter().map(|&lacing| usize::from(lacing)).sum();
        let (body, rest) = rest.split_at_checked(size).ok_or(OggError::NotOgg)?;
        *file = rest;
        Ok(Self { granule: u64::from_le_bytes(*granule), lacing, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Language, PromptId};
    use proptest::prelude::*;

    #[test]
    fn a_file_cut_anywhere_is_an_error_or_shorter_and_never_a_panic() {
        let whole = PromptId::Goodbye.file(Language::English).unwrap();
        assert!(OpusStream::parse(whole).is_ok());
        for end in 0..whole.len() {
            if let Ok(stream) = OpusStream::parse(&whole[..end]) {
                assert!(stream.length < 48_000);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_but_never_panic(at in 0_usize..2_000, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut file = PromptId::Goodbye.file(Language::English).unwrap().to_vec();
            let at = at.min(file.len());
            let end = (at + bytes.len()).min(file.len());
            file.splice(at..end, bytes);
            if let Ok(stream) = OpusStream::parse(&file) {
                let _ = stream.decode(Rate::Narrow);
            }
        }
    }
}
