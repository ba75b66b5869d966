//! Speech from a phone through the mixer to a phone, over networks that lose packets, on a virtual clock: makes the
//! recordings that `./dev bench quality` scores.
//!
//! `cargo run --release -p media --example speech_quality -- FOLDER`: reads `NAME.RATE.raw` (linear PCM, 16 bit, mono,
//! little endian; 8000, 16000 and 48000 Hz) and writes, for each codec and network, what the listener heard to
//! `NAME.CODEC.NETWORK.out`, at the codec's own rate.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use media::codec::{Codec, g722, opus};
use media::rtp::RtpPacket;
use media::sdp::{Negotiated, OpusSettings};
use media::worker::{Command, LegId, LegPlan, Port, RoomId, STEP, Worker, WorkerConfig};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What happens to the talker's packets, and to the room.
struct Network {
    name: &'static str,
    /// In thousandths.
    loss: u32,
    /// The latest a packet may come, in milliseconds.
    jitter: u32,
    /// Others join and leave twice a second.
    guests: bool,
}

const NETWORKS: [Network; 6] = [
    Network { name: "clean", loss: 0, jitter: 0, guests: false },
    Network { name: "loss3", loss: 30, jitter: 0, guests: false },
    Network { name: "loss10", loss: 100, jitter: 0, guests: false },
    Network { name: "jitter20", loss: 0, jitter: 20, guests: false },
    Network { name: "loss3jitter20", loss: 30, jitter: 20, guests: false },
    Network { name: "guests", loss: 0, jitter: 0, guests: true },
];
const CODECS: [(Codec, bool, &str); 4] = [
    (Codec::Pcmu, false, "pcmu"),
    (Codec::G722, false, "g722"),
    (Codec::Opus, false, "opus"),
    (Codec::Opus, true, "opusvoice"),
];
const ROOM: RoomId = RoomId(1);
const ALL: LegPlan =
    LegPlan { send_audio: true, receive_audio: true, send_video: false, receive_video: false };
const TALKER: LegId = LegId(1);
const LISTENER: LegId = LegId(2);
/// Silence before the speech, in which the buffer learns the network.
const LEAD_MS: usize = 4_000;
/// And after it, so that its end is heard.
const TAIL_MS: usize = 500;

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).ok_or("name the folder of the recordings")?;
    let mut names: Vec<String> = std::fs::read_dir(&folder)?
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".8000.raw").map(str::to_owned)
        })
        .collect();
    names.sort();
    for name in names {
        for (codec, voice, label) in CODECS {
            for network in &NETWORKS {
                let spoken = read(&Path::new(&folder).join(format!("{name}.{}.raw", hz(codec))))?;
                let heard = Call::new(codec, voice)?.run(&spoken, network)?;
                let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                let file = format!("{name}.{label}.{}.out", network.name);
                std::fs::write(Path::new(&folder).join(&file), bytes)?;
                println!("{file}");
            }
        }
    }
    Ok(())
}

const fn hz(codec: Codec) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma => 8_000,
        Codec::G722 => 16_000,
        Codec::Opus => 48_000,
    }
}

fn read(file: &Path) -> Outcome<Vec<i16>> {
    let bytes = std::fs::read(file)?;
    let (pairs, _) = bytes.as_chunks::<2>();
    Ok(pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect())
}

/// One codec on both ends.
struct Call {
    codec: Codec,
    worker: Worker,
    start: Instant,
    encoders: (g722::Encoder, opus::Encoder),
    decoders: (g722::Decoder, opus::Decoder),
    random: u32,
    heard: Vec<i16>,
}

impl Call {
    fn new(codec: Codec, voice: bool) -> Outcome<Self> {
        let settings = OpusSettings { voice, ..OpusSettings::default() };
        let mut call = Self {
            codec,
            worker: Worker::new(WorkerConfig::default(), [9; 32]),
            start: clock(),
            encoders: (g722::Encoder::default(), opus::Encoder::new(settings)?),
            decoders: (g722::Decoder::default(), opus::Decoder::new()?),
            random: 1,
            heard: Vec::new(),
        };
        for (leg, codec) in [(TALKER, codec), (LISTENER, codec), (LegId(3), Codec::Pcmu)] {
            call.join(call.start, leg, codec, settings);
        }
        Ok(call)
    }

    fn join(&mut self, now: Instant, leg: LegId, codec: Codec, opus: OpusSettings) {
        let negotiated = Negotiated { opus, ..Negotiated::new(address(leg), codec) };
        for command in [
            Command::AddSipLeg { leg, room: ROOM },
            Command::SetSipRemote { leg, negotiated, symmetric_from: None },
            Command::SetPlan { leg, plan: ALL },
        ] {
            self.worker.handle_command(now, command);
        }
    }

    fn chance(&mut self, permille: u32) -> bool {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.random >> 8) % 1_000 < permille
    }

    /// What the listener hears while this is said, a little before and a little after.
    fn run(mut self, spoken: &[i16], network: &Network) -> Outcome<Vec<i16>> {
        let per_ms = hz(self.codec) / 1_000;
        let mut said = vec![0; LEAD_MS * per_ms];
        said.extend_from_slice(spoken);
        said.resize((said.len() / (20 * per_ms) + TAIL_MS / 20) * 20 * per_ms, 0);
        // Arrival in milliseconds, and the datagram.
        let mut on_the_way: Vec<(usize, Vec<u8>)> = Vec::new();
        for (number, frame) in (0_u16..).zip(said.chunks(20 * per_ms)) {
            let datagram = self.datagram(number, frame)?;
            let begins = usize::from(number) * 20;
            let lost = begins >= LEAD_MS && self.chance(network.loss);
            let late = if network.jitter > 0 { self.random % (network.jitter + 1) } else { 0 };
            if !lost {
                on_the_way.push((begins + 27 + usize::try_from(late)?, datagram));
            }
        }
        on_the_way.sort_by_key(|(arrival, _)| *arrival);
        let mut on_the_way = on_the_way.into_iter().peekable();
        for ms in 0..said.len() / per_ms {
            let now = self.start + STEP * u32::try_from(ms)?;
            while let Some((_, datagram)) = on_the_way.next_if(|(arrival, _)| *arrival <= ms) {
                self.worker.handle_sip_datagram(now, TALKER, address(TALKER), &datagram);
            }
            if network.guests && ms % 250 == 0 {
                self.turn_the_guests(now, ms / 250);
            }
            self.worker.handle_step(now);
            self.listen()?;
        }
        Ok(self.heard)
    }

    /// Three guests come, one after the other, and go again.
    fn turn_the_guests(&mut self, now: Instant, turn: usize) {
        let guest = LegId(10 + u64::try_from(turn % 3).unwrap_or(0));
        if (turn / 3).is_multiple_of(2) {
            self.join(now, guest, Codec::Pcmu, OpusSettings::default());
        } else {
            self.worker.handle_command(now, Command::RemoveLeg { leg: guest });
        }
    }

    fn datagram(&mut self, number: u16, frame: &[i16]) -> Outcome<Vec<u8>> {
        let mut payload = vec![0; 160];
        match self.codec {
            Codec::Pcmu | Codec::Pcma => self.codec.encode(frame, &mut payload),
            Codec::G722 => self.encoders.0.encode(frame, &mut payload),
            Codec::Opus => {
                payload = vec![0; opus::MAX_PACKET];
                let length = self.encoders.1.encode(frame.try_into()?, &mut payload)?;
                payload.truncate(length);
            }
        }
        let packet = RtpPacket {
            marker: number == 0,
            payload_type: self.codec.payload_type(),
            sequence_number: number,
            timestamp: u32::from(number).wrapping_mul(self.codec.clock_hz() / 50),
            ssrc: 77,
            payload: &payload,
        };
        let mut datagram = vec![0; 12 + payload.len()];
        packet.write(&mut datagram).ok_or("no packet")?;
        Ok(datagram)
    }

    fn listen(&mut self) -> Outcome<()> {
        while let Some(transmit) = self.worker.poll_transmit() {
            if transmit.from != Port::Sip(LISTENER) {
                continue;
            }
            let Ok(packet) = RtpPacket::parse(transmit.payload) else { continue };
            if packet.payload_type != self.codec.payload_type() {
                continue; // a report
            }
            let mut samples = vec![0; hz(self.codec) / 50];
            match self.codec {
                Codec::Pcmu | Codec::Pcma => self.codec.decode(packet.payload, &mut samples),
                Codec::G722 => self.decoders.0.decode(packet.payload, &mut samples),
                Codec::Opus => samples = self.decoders.1.decode(packet.payload)?.to_vec(),
            }
            self.heard.extend(samples);
        }
        while self.worker.poll_event().is_some() {}
        Ok(())
    }
}

fn address(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], u16::try_from(4_000 + leg.0).unwrap_or(u16::MAX)))
}

/// Where the virtual clock begins.
#[expect(clippy::disallowed_methods, reason = "the only way to make one")]
fn clock() -> Instant {
    Instant::now()
}
