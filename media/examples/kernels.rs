//! The innermost work, for counting its instructions: `./dev bench instructions`.
//!
//! `kernels NAME COUNT` does one thing so many times, and nothing else; with a count of 0 only what comes before.
#![expect(clippy::print_stderr, reason = "a report for people")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use media::codec::{Codec, g722};
use media::jitter::{Arrival, JitterBuffer, JitterConfig, Playout};
use media::mixer::{Mixer, Rates, Voice};
use media::rtp::RtpPacket;
use media::sample::{NARROW_FRAME, Rate, TICK};
use media::srtp::{MasterKey, Sealer, Suite};

type Work = fn(u32);

const KERNELS: [(&str, Work); 6] =
    [("mix", mix), ("jitter", jitter), ("parse", parse), ("ulaw", ulaw), ("g722", wideband), ("seal", seal)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let found = arguments.first().and_then(|name| KERNELS.iter().find(|(known, _)| known == name));
    let count = arguments.get(1).and_then(|count| count.parse().ok());
    if let (Some((_, work)), Some(count)) = (found, count) {
        work(count);
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: kernels mix|jitter|parse|ulaw|g722|seal COUNT");
    ExitCode::FAILURE
}

/// A tick of a room of three phones who all talk.
fn mix(count: u32) {
    let mut mixer = Mixer::default();
    let mut voices = [1_i16, 2, 3].map(|level| {
        let mut voice = Voice::new(Rate::Narrow);
        voice.frame_mut().fill(level * 1_000);
        voice
    });
    let mut heard = [0; NARROW_FRAME];
    for _ in 0..count {
        mixer.begin(Rates { narrow: true, full: false });
        voices.iter_mut().for_each(|voice| mixer.add(black_box(voice)));
        for voice in &voices {
            mixer.mix(Rate::Narrow, Some(voice), None, &mut heard);
            black_box(&heard);
        }
    }
}

/// A packet in, a tick out.
fn jitter(count: u32) {
    let mut buffer = JitterBuffer::new(JitterConfig { clock_hz: 8_000, max_payload: 480 });
    let payload = [0x55; NARROW_FRAME];
    let mut now = clock();
    let mut played = 0_u32;
    for (number, sequence_number) in (0..count).zip((0..=u16::MAX).cycle()) {
        now += TICK;
        let packet = Arrival {
            ssrc: 1,
            sequence_number,
            timestamp: number.wrapping_mul(160),
            tag: 0,
            duration: 160,
            payload: black_box(&payload),
        };
        buffer.push(now, &packet);
        buffer.begin_tick(now);
        played += u32::from(matches!(buffer.pull(now), Playout::Packet { .. }));
    }
    black_box(played);
}

fn datagram() -> [u8; 182] {
    let packet = RtpPacket {
        marker: false,
        payload_type: 0,
        sequence_number: 1,
        timestamp: 160,
        ssrc: 7,
        payload: &[0x55; NARROW_FRAME],
    };
    let mut datagram = [0; 182];
    let _ = packet.write(&mut datagram);
    datagram
}

/// A packet read and written again.
fn parse(count: u32) {
    let datagram = datagram();
    let mut copy = [0; 172];
    for _ in 0..count {
        if let Ok(packet) = RtpPacket::parse(black_box(&datagram[..172])) {
            black_box(packet.write(&mut copy));
        }
    }
}

/// A tick decoded and encoded.
fn ulaw(count: u32) {
    let (mut payload, mut samples) = ([0x55; NARROW_FRAME], [0; NARROW_FRAME]);
    for _ in 0..count {
        Codec::Pcmu.decode(black_box(&payload), &mut samples);
        Codec::Pcmu.encode(black_box(&samples), &mut payload);
    }
}

/// A tick encoded and decoded.
fn wideband(count: u32) {
    let (mut encoder, mut decoder) = (g722::Encoder::default(), g722::Decoder::default());
    let (mut samples, mut payload) = ([0_i16; 320], [0; NARROW_FRAME]);
    for (sample, level) in samples.iter_mut().zip((0..4_000).step_by(37).cycle()) {
        *sample = level;
    }
    for _ in 0..count {
        encoder.encode(black_box(&samples), &mut payload);
        decoder.decode(black_box(&payload), &mut samples);
    }
}

/// A packet sealed with AES_CM_128_HMAC_SHA1_80.
fn seal(count: u32) {
    let suite = Suite::AesCm128HmacSha1_80;
    let (key, salt) = suite.lengths();
    let Some(key) = MasterKey::new(suite, &vec![1; key + salt]) else { return };
    let mut sealer = Sealer::new(suite, &key);
    for number in 0..count {
        let mut datagram = datagram();
        let [_, _, high, low] = number.to_be_bytes();
        [datagram[2], datagram[3]] = [high, low];
        black_box(sealer.seal_rtp(&mut datagram, 172));
    }
}

#[expect(clippy::disallowed_methods, reason = "the only way to make one")]
fn clock() -> Instant {
    Instant::now()
}
