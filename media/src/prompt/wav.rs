//! A bounded reader for the one kind of wav file prompts come as: RIFF, linear PCM, mono, 16 bit.

/// Longest recording accepted, in samples (60 s at 48 kHz).
pub const MAX_SAMPLES: usize = 60 * 48_000;

/// A recording as it lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Why a wav file cannot be used; each names the field and the mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Not a RIFF/WAVE file, or it ends inside a chunk.
    #[error("not a complete RIFF/WAVE file")]
    NotWave,
    /// Format, channels or bits differ.
    #[error(
        "the wav file must be linear PCM, 1 channel, 16 bit; convert it with `sox in.wav -c 1 -b 16 out.wav`"
    )]
    Format,
    /// The rate is not one of ours.
    #[error("the wav file's rate is {0} Hz; use 8000, 16000 or 48000")]
    Rate(u32),
    /// There is no sound in it.
    #[error("the wav file holds no samples")]
    Empty,
    /// Longer than [`MAX_SAMPLES`].
    #[error("the wav file is longer than a minute at 48 kHz")]
    TooLong,
}

/// Reads a wav file.
///
/// # Errors
/// Names what is wrong with the file.
pub fn parse(file: &[u8]) -> Result<Wav, WavError> {
    let mut reader = Reader(file);
    if reader.take(4)? != b"RIFF" {
        return Err(WavError::NotWave);
    }
    reader.take(4)?; // size of the rest: the chunks say it again
    if reader.take(4)? != b"WAVE" {
        return Err(WavError::NotWave);
    }
    let mut rate = None;
    loop {
        let id = reader.take(4)?;
        let size = usize::try_from(reader.number()?).map_err(|_| WavError::NotWave)?;
        let body = reader.take(size)?;
        match id {
            b"fmt " => rate = Some(format(body)?),
            b"data" => return samples(rate.ok_or(WavError::NotWave)?, body),
            _ => {}
        }
        if size % 2 == 1 {
            reader.take(1)?; // chunks are padded to even length
        }
    }
}

fn format(body: &[u8]) -> Result<u32, WavError> {
    let mut reader = Reader(body);
    let (format, channels) = (reader.short()?, reader.short()?);
    let rate = reader.number()?;
    reader.take(6)?; // bytes per second and block size follow from the rest
    if (format, channels, reader.short()?) != (1, 1, 16) {
        return Err(WavError::Format);
    }
    if !matches!(rate, 8_000 | 16_000 | 48_000) {
        return Err(WavError::Rate(rate));
    }
    Ok(rate)
}

fn samples(rate: u32, body: &[u8]) -> Result<Wav, WavError> {
    let (pairs, _odd_byte) = body.as_chunks::<2>();
    if pairs.is_empty() {
        return Err(WavError::Empty);
    }
    if pairs.len() > MAX_SAMPLES {
        return Err(WavError::TooLong);
    }
    Ok(Wav { rate, samples: pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect() })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WavError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WavError::NotWave)?;
        self.0 = rest;
        Ok(taken)
    }

    fn short(&mut self) -> Result<u16, WavError> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(WavError::NotWave)?;
        self.0 = rest;
        Ok(u16::from_le_bytes(bytes))
    }

    fn number(&mut self) -> Result<u32, WavError> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(WavError::NotWave)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend([0; 6]);
        file.extend(bits.to_le_bytes());
        file.extend(b"data");
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn reads_samples_and_skips_other_chunks() {
        let wav = parse(&file(1, 16_000, 16, &[1, 0, 0xFF, 0xFF, 7])).unwrap();
        assert_eq!(wav, Wav { rate: 16_000, samples: vec![1, -1] });
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(parse(b"OggS"), Err(WavError::NotWave));
        assert_eq!(parse(&file(2, 16_000, 16, &[0, 0])), Err(WavError::Format));
        assert_eq!(parse(&file(1, 16_000, 8, &[0, 0])), Err(WavError::Format));
        assert_eq!(parse(&file(1, 44_100, 16, &[0, 0])), Err(WavError::Rate(44_100)));
        assert_eq!(parse(&file(1, 8_000, 16, &[])), Err(WavError::Empty));
        let whole = file(1, 8_000, 16, &[0, 0]);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_but_never_panic(
            tail in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..80,
        ) {
            let mut bytes = file(1, 8_000, 16, &[1, 2, 3, 4]);
            bytes.truncate(cut);
            bytes.extend(tail);
            let _ = parse(&bytes);
        }
    }
}
