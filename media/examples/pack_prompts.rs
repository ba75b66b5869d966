//! Packs spoken prompts: `pack_prompts FROM TO` encodes every `FROM/LANGUAGE-NAME.wav` (48 kHz, mono, 16 bit) as
//! `TO/LANGUAGE/NAME.opus`, an Ogg Opus file (RFC 7845) that any player plays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool run by hand")]

use media::prompt::wav;
use opusic_c::{Application, Bitrate, Channels, Encoder, SampleRate, Signal};
use std::path::Path;

const FRAME: usize = 960;
const BITRATE: u32 = 16_000;
const SERIAL: u32 = 1;

fn main() {
    let mut folders = std::env::args().skip(1);
    let (from, to) = (folders.next().expect("FROM"), folders.next().expect("TO"));
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(&from).expect("FROM is a folder") {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some((language, name)) = stem.split_once('-') else { continue };
        let wav = wav::parse(&std::fs::read(&path).unwrap()).expect("a wav file");
        assert_eq!(wav.rate, 48_000, "{stem}");
        let packed = pack(&wav.samples);
        (files, bytes) = (files + 1, bytes + packed.len());
        std::fs::write(Path::new(&to).join(language).join(format!("{name}.opus")), packed).unwrap();
    }
    println!("{files} prompts, {bytes} bytes");
}

fn pack(samples: &[i16]) -> Vec<u8> {
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Value(BITRATE)).unwrap();
    encoder.set_complexity(10).unwrap();
    encoder.set_signal(Signal::Voice).unwrap();
    let skip = u16::try_from(encoder.get_look_ahead().unwrap()).unwrap();
    let mut file = Vec::new();
    page(&mut file, 2, 0, 0, &[head(skip)]);
    page(&mut file, 0, 0, 1, &[b"OpusTags\x09\0\0\0Partyline\0\0\0\0".to_vec()]);
    let mut padded = samples.to_vec();
    padded.resize(samples.len() + usize::from(skip), 0);
    let packets: Vec<Vec<u8>> = padded
        .chunks(FRAME)
        .map(|chunk| {
            let mut frame: Vec<u16> = chunk.iter().map(|sample| sample.cast_unsigned()).collect();
            frame.resize(FRAME, 0);
            let mut packet = vec![0; 1275];
            let length = encoder.encode_to_slice(&frame, &mut packet).unwrap();
            packet.truncate(length);
            packet
        })
        .collect();
    let whole = u64::try_from(samples.len()).unwrap() + u64::from(skip);
    let pages: Vec<_> = packets.chunks(50).collect();
    for (number, chunk) in pages.iter().enumerate() {
        let last = number + 1 == pages.len();
        let end = u64::try_from((number * 50 + chunk.len()) * FRAME).unwrap();
        let number = u32::try_from(number).unwrap() + 2;
        page(&mut file, if last { 4 } else { 0 }, end.min(whole), number, chunk);
    }
    file
}

/// The identification header, RFC 7845 section 5.1.
fn head(skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(skip.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// One page, RFC 3533 section 6.
fn page(file: &mut Vec<u8>, kind: u8, granule: u64, number: u32, packets: &[Vec<u8>]) {
    let lacing: Vec<u8> = packets
        .iter()
        .flat_map(|packet| {
            let full = std::iter::repeat_n(255, packet.len() / 255);
            full.chain([u8::try_from(packet.len() % 255).unwrap()])
        })
        .collect();
    let mut page = b"OggS\0".to_vec();
    page.push(kind);
    page.extend(granule.to_le_bytes());
    page.extend(SERIAL.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(lacing.len()).unwrap());
    page.extend(lacing);
    packets.iter().for_each(|packet| page.extend(packet));
    let checksum = page.iter().fold(0_u32, |mut crc, byte| {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = (crc << 1) ^ if crc & 0x8000_0000 == 0 { 0 } else { 0x04c1_1db7 };
        }
        crc
    });
    page.splice(22..26, checksum.to_le_bytes());
    file.extend(page);
}
