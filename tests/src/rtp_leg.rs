//! An RTP endpoint as a phone has it: sends its voice every 20 ms on an absolute schedule, hears what comes back,
//! presses and receives RFC 4733 keys. Loopback needs no jitter buffer: a packet is heard when it arrives.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtp::header::Header;
use rtp::packet::Packet;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use webrtc_util::marshal::{Marshal, Unmarshal};

use crate::ear::Ear;
use crate::g711::Codec;
use crate::shared::{lock, unique_number};
use crate::tone::{Generator, SPEAKING_DBFS};
use crate::voice::Voice;

/// Samples per second of every codec here.
pub const RATE: u32 = 8_000;
/// Samples of one packet of 20 ms.
const FRAME: usize = 160;
const PTIME: Duration = Duration::from_millis(20);

/// Where and how the other side wants its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Address of its RTP socket.
    pub address: SocketAddr,
    /// Codec we send.
    pub codec: Codec,
    /// Payload type of telephone-event, when agreed.
    pub telephone_event: Option<u8>,
}

/// How a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// Whether the first packet has the marker bit (some gateways forget it).
    pub marker: bool,
    /// How long the key is held.
    pub held: Duration,
    /// Heard as a pair of tones (ITU-T Q.23) instead of sent as an event.
    pub in_band: bool,
}

impl KeyPress {
    /// A key held for 100 ms, with the marker.
    pub const fn new(digit: char) -> Self {
        Self { digit, marker: true, held: Duration::from_millis(100), in_band: false }
    }

    /// Its two tones.
    fn tones(self) -> Option<[u32; 2]> {
        const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
        let found = KEYS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(self.digit)?)));
        found.map(|(row, column)| [[697, 770, 852, 941][row], [1_209, 1_336, 1_477, 1_633][column]])
    }

    /// The event code of RFC 4733 section 3.2.
    pub fn event(self) -> Option<u8> {
        match self.digit {
            digit @ '0'..='9' => Some(digit as u8 - b'0'),
            '*' => Some(10),
            '#' => Some(11),
            digit @ 'A'..='D' => Some(digit as u8 - b'A' + 12),
            _ => None,
        }
    }
}

/// What passed through a leg.
#[derive(Debug, Default)]
pub struct Counters {
    /// RTP packets sent.
    pub sent: AtomicU64,
    /// RTP packets received.
    pub received: AtomicU64,
    /// Datagrams that are not RTP of an agreed type.
    pub odd: AtomicU64,
    /// Sequence number, timestamp and SSRC of the last packet sent.
    pub last: Mutex<(u16, u32, u32)>,
    /// Keys heard as telephone events: the timestamp each began with, and its digit.
    pub keys: Mutex<Vec<(u32, char)>>,
}

/// An RTP endpoint; stops when dropped.
#[derive(Debug)]
pub struct RtpLeg {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    /// What it says.
    pub voice: Voice,
    /// What it hears.
    pub ear: Ear,
    /// Packet counters.
    pub counters: Arc<Counters>,
    remote: Arc<Mutex<Option<Remote>>>,
    keys: mpsc::UnboundedSender<KeyPress>,
    tasks: Vec<JoinHandle<()>>,
}

impl RtpLeg {
    /// Binds a free port on `ip` and begins to listen; it sends once [`connect`](Self::connect) told it where to.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn bind(ip: IpAddr, voice: Voice) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind((ip, 0)).await?);
        let local = socket.local_addr()?;
        let (keys, pressed) = mpsc::unbounded_channel();
        let ear = Ear::new(RATE);
        let counters = Arc::new(Counters::default());
        let remote = Arc::new(Mutex::new(None));
        let sender = Sender {
            socket: Arc::clone(&socket),
            remote: Arc::clone(&remote),
            voice: voice.clone(),
            pressed,
            counters: Arc::clone(&counters),
            sequence_number: unique_number() as u16,
            timestamp: unique_number() as u32,
            ssrc: unique_number() as u32,
        };
        let tasks = vec![
            tokio::spawn(sender.run()),
            tokio::spawn(receive(Arc::clone(&socket), ear.clone(), Arc::clone(&counters))),
        ];
        Ok(Self { socket, local, voice, ear, counters, remote, keys, tasks })
    }

    /// The address to offer.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends to `remote` from now on.
    pub fn connect(&self, remote: Remote) {
        *lock(&self.remote) = Some(remote);
    }

    /// Stops sending (hold); still listens.
    pub fn disconnect(&self) {
        *lock(&self.remote) = None;
    }

    /// Presses a key; ignored when telephone-event was not agreed.
    pub fn press(&self, key: KeyPress) {
        // The receiver lives as long as the leg.
        let _ = self.keys.send(key);
    }

    /// Where it sends to, once that is known.
    pub fn remote(&self) -> Option<Remote> {
        *lock(&self.remote)
    }

    /// Sends raw bytes to the remote, for hostile tests.
    ///
    /// # Errors
    /// When the socket refuses.
    pub async fn send_raw(&self, payload: &[u8]) -> io::Result<()> {
        let remote = *lock(&self.remote);
        match remote {
            Some(remote) => self.socket.send_to(payload, remote.address).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

impl RtpLeg {
    /// The keys heard so far as telephone events.
    pub fn keys_heard(&self) -> String {
        lock(&self.counters.keys).iter().map(|(_, digit)| *digit).collect()
    }
}

impl Drop for RtpLeg {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct Sender {
    socket: Arc<UdpSocket>,
    remote: Arc<Mutex<Option<Remote>>>,
    voice: Voice,
    pressed: mpsc::UnboundedReceiver<KeyPress>,
    counters: Arc<Counters>,
    sequence_number: u16,
    timestamp: u32,
    ssrc: u32,
}

/// A key on its way: what is left to send of it.
struct KeyInFlight {
    event: u8,
    marker: bool,
    started: u32,
    duration: u16,
    held: u16,
    ends_sent: u8,
}

/// A key that is heard, and for how many frames more.
struct TonesInFlight {
    generators: [Generator; 2],
    frames: u32,
}

impl TonesInFlight {
    fn new(tones: [u32; 2], held: Duration) -> Self {
        let frames = held.as_millis().div_ceil(PTIME.as_millis()) as u32;
        Self { generators: tones.map(|hz| Generator::new(hz, SPEAKING_DBFS)), frames }
    }

    fn fill(&mut self, frame: &mut [i16]) {
        self.frames -= 1;
        for sample in frame {
            *sample = self.generators.iter_mut().map(|tone| tone.next_sample(RATE)).sum();
        }
    }
}

impl Sender {
    async fn run(mut self) {
        let mut next = tokio::time::Instant::now();
        let mut key: Option<KeyInFlight> = None;
        let mut tones: Option<TonesInFlight> = None;
        let mut first = true;
        loop {
            tokio::time::sleep_until(next).await;
            let remote = *lock(&self.remote);
            if let Some(remote) = remote {
                let mut frame = [0i16; FRAME];
                self.voice.fill(next.into_std(), RATE, &mut frame);
                self.take_key(remote, &mut key, &mut tones);
                tones = tones.take().filter(|tones| tones.frames > 0);
                if let Some(tones) = &mut tones {
                    tones.fill(&mut frame);
                }
                match (&mut key, remote.telephone_event) {
                    (Some(flight), Some(payload_type)) => {
                        self.send_key(remote, payload_type, flight).await;
                        if flight.ends_sent == 3 {
                            key = None;
                        }
                    }
                    _ => {
                        let payload: Vec<u8> =
                            frame.iter().map(|sample| remote.codec.encode(*sample)).collect();
                        self.send(remote, remote.codec.payload_type(), first, self.timestamp, payload.into())
                            .await;
                        first = false;
                    }
                }
            }
            self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
            next += PTIME;
        }
    }

    fn take_key(&mut self, remote: Remote, key: &mut Option<KeyInFlight>, tones: &mut Option<TonesInFlight>) {
        if key.is_some() || tones.is_some() {
            return;
        }
        let Ok(press) = self.pressed.try_recv() else { return };
        if press.in_band {
            *tones = press.tones().map(|tones| TonesInFlight::new(tones, press.held));
        }
        if press.in_band || remote.telephone_event.is_none() {
            return;
        }
        *key = press.event().map(|event| KeyInFlight {
            event,
            marker: press.marker,
            started: self.timestamp,
            duration: 0,
            held: (press.held.as_millis() as u64 * u64::from(RATE) / 1000) as u16,
            ends_sent: 0,
        });
    }

    /// One event packet of RFC 4733 section 2.5: same timestamp, growing duration, the end three times.
    async fn send_key(&mut self, remote: Remote, payload_type: u8, flight: &mut KeyInFlight) {
        flight.duration = (flight.duration + FRAME as u16).min(flight.held);
        let ended = flight.duration >= flight.held;
        let marker = flight.marker && flight.duration == FRAME as u16 && flight.ends_sent == 0;
        let [high, low] = flight.duration.to_be_bytes();
        let payload = vec![flight.event, if ended { 0x8a } else { 0x0a }, high, low];
        for _ in 0..if ended { 3 } else { 1 } {
            self.send(remote, payload_type, marker, flight.started, payload.clone().into()).await;
            flight.ends_sent += u8::from(ended);
        }
    }

    async fn send(&mut self, remote: Remote, payload_type: u8, marker: bool, timestamp: u32, payload: Bytes) {
        let header = Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence_number,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        *lock(&self.counters.last) = (self.sequence_number, timestamp, self.ssrc);
        self.sequence_number = self.sequence_number.wrapping_add(1);
        if let Ok(datagram) = (Packet { header, payload }).marshal() {
            // A closed port on the far side shows as an error on loopback; a phone keeps talking.
            let _ = self.socket.send_to(&datagram, remote.address).await;
            self.counters.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn receive(socket: Arc<UdpSocket>, ear: Ear, counters: Arc<Counters>) {
    let mut buffer = vec![0u8; 2048];
    loop {
        let Ok((length, _)) = socket.recv_from(&mut buffer).await else {
            // The answer to a packet sent to a closed port.
            continue;
        };
        let at = Instant::now();
        let packet = Packet::unmarshal(&mut BytesMut::from(&buffer[..length]));
        let decoded = packet.ok().and_then(|packet| {
            let codec = Codec::from_payload_type(packet.header.payload_type)?;
            Some(packet.payload.iter().map(|byte| codec.decode(*byte)).collect::<Vec<i16>>())
        });
        match decoded {
            Some(samples) => {
                counters.received.fetch_add(1, Ordering::Relaxed);
                ear.hear(at, &samples);
            }
            None => {
                counters.odd.fetch_add(1, Ordering::Relaxed);
                note_key(&buffer[..length], &counters);
            }
        }
    }
}

/// RFC 4733: four bytes, of which the first is the key; all packets of one key carry the same timestamp.
fn note_key(datagram: &[u8], counters: &Counters) {
    let Ok(packet) = Packet::unmarshal(&mut BytesMut::from(datagram)) else { return };
    let digit = packet.payload.first().and_then(|event| "0123456789*#ABCD".chars().nth(usize::from(*event)));
    let (Some(digit), 4) = (digit, packet.payload.len()) else { return };
    let mut keys = lock(&counters.keys);
    if keys.last().is_none_or(|(timestamp, _)| *timestamp != packet.header.timestamp) {
        keys.push((packet.header.timestamp, digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{HANA, UMA};

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn listen_raw(socket: &UdpSocket) -> Packet {
        let mut buffer = [0u8; 2048];
        let received = tokio::time::timeout(Duration::from_secs(2), socket.recv(&mut buffer)).await;
        let length = received.unwrap().unwrap();
        Packet::unmarshal(&mut BytesMut::from(&buffer[..length])).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_legs_hear_each_other_with_both_laws() {
        let a = RtpLeg::bind(LOOPBACK, Voice::steady(HANA)).await.unwrap();
        let b = RtpLeg::bind(LOOPBACK, Voice::steady(UMA)).await.unwrap();
        let start = Instant::now();
        a.connect(Remote { address: b.local(), codec: Codec::Pcma, telephone_event: None });
        b.connect(Remote { address: a.local(), codec: Codec::Pcmu, telephone_event: None });
        let second = Duration::from_secs(2);
        assert!(a.ear.wait_for(UMA, start, second).await.is_some());
        assert!(b.ear.wait_for(HANA, start, second).await.is_some());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!((a.ear.heard_since(start)[0].level_dbfs + 15.0).abs() < 1.0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn packets_follow_rfc_3550_at_20_ms() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let leg = RtpLeg::bind(LOOPBACK, Voice::steady(HANA)).await.unwrap();
        leg.connect(Remote {
            address: socket.local_addr().unwrap(),
            codec: Codec::Pcmu,
            telephone_event: None,
        });
        let first = listen_raw(&socket).await;
        let start = Instant::now();
        assert!(first.header.marker);
        for number in 1..=50u16 {
            let packet = listen_raw(&socket).await;
            assert_eq!(packet.header.sequence_number, first.header.sequence_number.wrapping_add(number));
            let ticks = packet.header.timestamp.wrapping_sub(first.header.timestamp);
            assert_eq!(ticks, u32::from(number) * 160);
            assert_eq!((packet.payload.len(), packet.header.payload_type), (160, 0));
            assert!(!packet.header.marker);
        }
        let elapsed = start.elapsed().as_millis();
        assert!((900..1_300).contains(&elapsed), "50 packets took {elapsed} ms");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_follow_rfc_4733_with_and_without_marker() {
        for marker in [true, false] {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let leg = RtpLeg::bind(LOOPBACK, Voice::silent()).await.unwrap();
            let remote = Remote {
                address: socket.local_addr().unwrap(),
                codec: Codec::Pcmu,
                telephone_event: Some(101),
            };
            leg.connect(remote);
            leg.press(KeyPress { marker, ..KeyPress::new('1') });
            let mut events = Vec::new();
            while events.iter().filter(|packet: &&Packet| packet.payload[1] & 0x80 != 0).count() < 3 {
                let packet = listen_raw(&socket).await;
                if packet.header.payload_type == 101 {
                    events.push(packet);
                }
            }
            assert_eq!(events[0].header.marker, marker);
            assert!(events[1..].iter().all(|packet| !packet.header.marker));
            assert!(events.iter().all(|packet| packet.header.timestamp == events[0].header.timestamp));
            assert!(events.iter().all(|packet| packet.payload[0] == 1));
            let durations: Vec<u16> = events
                .iter()
                .map(|packet| u16::from_be_bytes([packet.payload[2], packet.payload[3]]))
                .collect();
            assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        }
    }
}
