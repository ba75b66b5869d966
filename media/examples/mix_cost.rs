//! What a mix tick costs by shape of the room: `cargo run --release -p media --example mix_cost`.
//!
//! Phones only; decoding, mixing, encoding and packets are in it, sockets are not.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::codec::Codec;
use media::rtp::RtpPacket;
use media::sample::{NARROW_FRAME, TICK};
use media::sdp::Negotiated;
use media::tone::Oscillator;
use media::worker::{Command, LegId, LegPlan, RoomId, Worker, WorkerConfig};

/// Rooms, legs per room, talkers per room.
const SHAPES: [(u64, u64, u64); 4] = [(100, 3, 3), (10, 20, 2), (1, 100, 3), (1, 300, 3)];
const TICKS: u16 = 500;

fn main() {
    println!("rooms  legs/room  talking  us/tick  encodes/tick  CPU-ms per leg-second");
    for (rooms, legs, talkers) in SHAPES {
        let (elapsed, encodes) = measure(rooms, legs, talkers);
        let per_tick = elapsed.as_secs_f64() * 1e6 / f64::from(TICKS);
        let seconds = TICK.as_secs_f64() * f64::from(TICKS);
        let leg_seconds = seconds * f64::from(u32::try_from(rooms * legs).unwrap_or(u32::MAX));
        let cost = elapsed.as_secs_f64() * 1e3 / leg_seconds;
        let encodes = encodes / u64::from(TICKS);
        println!("{rooms:5}  {legs:9}  {talkers:7}  {per_tick:7.0}  {encodes:12}  {cost:.3}");
    }
}

/// Runs rooms of one shape; returns the time spent in the worker and how much was encoded.
fn measure(rooms: u64, legs: u64, talkers: u64) -> (Duration, u64) {
    let mut now = clock();
    let mut worker = Worker::new(WorkerConfig::default(), [0; 32]);
    for leg in 0..rooms * legs {
        add_phone(&mut worker, now, LegId(leg), RoomId(leg / legs));
    }
    let mut tone = Oscillator::new(440, 8_000);
    let mut spent = Duration::ZERO;
    for number in 0..TICKS {
        now += TICK;
        let mut frame = [0; NARROW_FRAME];
        frame.iter_mut().for_each(|sample| *sample = tone.next_sample());
        let [speech, silence] = [frame, [0; NARROW_FRAME]].map(|samples| datagram(number, &samples));
        let begin = clock();
        for leg in 0..rooms * legs {
            let said = if leg % legs < talkers { &speech } else { &silence };
            worker.handle_sip_datagram(now, LegId(leg), address(leg), said);
        }
        worker.handle_tick(now);
        while worker.poll_transmit().is_some() {}
        while worker.poll_event().is_some() {}
        spent += clock().saturating_duration_since(begin);
    }
    (spent, worker.load().encodes)
}

fn add_phone(worker: &mut Worker, now: Instant, leg: LegId, room: RoomId) {
    let negotiated =
        Negotiated { telephone_event: Some(101), ..Negotiated::new(address(leg.0), Codec::Pcmu) };
    let plan = LegPlan { send_audio: true, receive_audio: true, ..LegPlan::default() };
    worker.handle_command(now, Command::AddSipLeg { leg, room });
    worker.handle_command(now, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
    worker.handle_command(now, Command::SetPlan { leg, plan });
}

fn address(leg: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], u16::try_from(10_000 + leg).unwrap_or(u16::MAX)))
}

fn datagram(number: u16, samples: &[i16; NARROW_FRAME]) -> [u8; 172] {
    let mut payload = [0; NARROW_FRAME];
    Codec::Pcmu.encode(samples, &mut payload);
    let packet = RtpPacket {
        marker: false,
        payload_type: 0,
        sequence_number: number,
        timestamp: u32::from(number) * 160,
        ssrc: 1,
        payload: &payload,
    };
    let mut datagram = [0; 172];
    let _ = packet.write(&mut datagram);
    datagram
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn clock() -> Instant {
    Instant::now()
}
