//! One room for browsers, driven as a gateway drives it: everybody sees and hears everybody else.
//!
//! `cargo run -p media --example browser_room -- 127.0.0.1:8443 127.0.0.1:8080`: the first address is the UDP port
//! all browsers share, the second answers `POST /offer`. A third argument `tone` plays 440 Hz to everybody.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, reason = "a driver")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use media::webrtc::{AcceptedPeer, PeerConfig, accept_offer};
use media::worker::{Command, Event, LegId, LegPlan, RoomId, Source, Worker, WorkerConfig};

const TICK: Duration = Duration::from_millis(20);
const EVERYTHING: LegPlan =
    LegPlan { send_audio: true, receive_audio: true, send_video: true, receive_video: true };

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let media: SocketAddr = arguments.next().ok_or("the first argument is a UDP address")?.parse()?;
    let listener = TcpListener::bind(arguments.next().ok_or("the second argument is an HTTP address")?)?;
    let tone = arguments.next().is_some();
    let (sender, receiver) = channel();
    std::thread::spawn(move || drive(UdpSocket::bind(media)?, &receiver, tone));
    for stream in listener.incoming() {
        if let Err(error) = answer(stream?, media, &sender) {
            println!("{error}");
        }
    }
    Ok(())
}

/// Answers one HTTP request; a body is an offer.
fn answer(
    mut stream: TcpStream,
    local: SocketAddr,
    room: &Sender<AcceptedPeer>,
) -> Result<(), Box<dyn Error>> {
    let body = read_body(&mut stream)?;
    let mut reply = "<!doctype html><title>Room</title>".to_owned();
    if !body.is_empty() {
        let begin = Instant::now();
        let accepted = accept_offer(begin, &body, &PeerConfig { local, video_slots: 8 })?;
        println!("answered {} bytes in {:?}", body.len(), begin.elapsed());
        reply.clone_from(&accepted.answer_sdp);
        room.send(accepted)?;
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{reply}",
        reply.len()
    )?;
    Ok(())
}

fn read_body(stream: &mut TcpStream) -> Result<String, Box<dyn Error>> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut buffer)?;
        text.push_str(std::str::from_utf8(buffer.get(..length).unwrap_or_default())?);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length_of =
                |line: &str| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
            let wanted: usize = head.lines().find_map(length_of).unwrap_or(0);
            if length == 0 || body.len() >= wanted {
                return Ok(body.to_owned());
            }
        }
    }
}

/// The media thread: the only owner of the socket and the worker.
fn drive(socket: UdpSocket, joining: &Receiver<AcceptedPeer>, tone: bool) -> std::io::Result<()> {
    let mut worker = Worker::new(WorkerConfig::default(), [7; 32]);
    let mut next_leg = 1;
    let mut next_tick = Instant::now();
    let mut buffer = [0; 2048];
    loop {
        for accepted in joining.try_iter() {
            join(&mut worker, LegId(next_leg), accepted, tone);
            next_leg += 1;
        }
        let now = Instant::now();
        if next_tick <= now {
            next_tick += TICK;
            worker.handle_tick(now);
        }
        if worker.poll_timeout().is_some_and(|at| at <= now) {
            worker.handle_timeout(now);
        }
        while let Some(transmit) = worker.poll_transmit() {
            socket.send_to(transmit.payload, transmit.destination)?;
        }
        while let Some(event) = worker.poll_event() {
            handle_event(&mut worker, now, &event);
        }
        let deadline = worker.poll_timeout().map_or(next_tick, |at| at.min(next_tick));
        let wait = deadline.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            worker.handle_webrtc_datagram(Instant::now(), source, buffer.get(..length).unwrap_or_default());
        }
    }
}

fn join(worker: &mut Worker, leg: LegId, accepted: AcceptedPeer, tone: bool) {
    let (now, room) = (Instant::now(), RoomId(1));
    let AcceptedPeer { peer, ufrag, video_slots, .. } = accepted;
    worker.handle_command(now, Command::AddWebrtcLeg { leg, room, peer, ufrag, video_slots });
    worker.handle_command(now, Command::SetPlan { leg, plan: EVERYTHING });
    if tone {
        worker.handle_command(now, Command::Play { leg, source: Source::Tone { hz: 440 }, repeat: true });
    }
}

fn handle_event(worker: &mut Worker, now: Instant, event: &Event) {
    if !matches!(event, Event::Levels { .. }) {
        println!("{event:?}");
    }
    if let Event::WebrtcClosed { leg } = *event {
        worker.handle_command(now, Command::RemoveLeg { leg });
    }
}
