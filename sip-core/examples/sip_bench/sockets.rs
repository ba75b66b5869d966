//! The same over UDP sockets on loopback: each side a thread with its socket, clocked by its own CPU time.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::ua::{Command, Datagram, Event, Output, SessionId, UserAgent};

use crate::Figure;
use crate::pair::{SDP, account, agent, invite, register};

/// CPU time of this thread: the first number of its `schedstat`, in nanoseconds.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0))
}

struct Side {
    agent: UserAgent,
    socket: UdpSocket,
    /// Calls of ours that are over.
    over: u64,
    registered: u64,
}

impl Side {
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => {
                    // Lost datagrams are repeated.
                    let _ = self.socket.send_to(&transmit.payload, transmit.destination.remote);
                }
                Output::Event(Event::Incoming(invite)) => {
                    let body = Bytes::from_static(SDP.as_bytes());
                    self.agent
                        .handle_command(Instant::now(), Command::Accept { session: invite.session, body });
                }
                Output::Event(Event::Answered { session, .. }) => {
                    self.agent.handle_command(Instant::now(), Command::HangUp { session });
                }
                Output::Event(Event::Ended { session: SessionId::Outgoing(_), .. }) => self.over += 1,
                Output::Event(Event::Registered(_)) => self.registered += 1,
                Output::Event(_) | Output::Connect(_) | Output::Resolve(_) => {}
                Output::Timeout(at) => return at,
            }
        }
    }

    fn turn(&mut self, buffer: &mut [u8]) {
        if let Ok((length, source)) = self.socket.recv_from(buffer) {
            self.agent.handle_datagram(Instant::now(), Datagram { source, payload: &buffer[..length] });
        }
        if self.drain().is_some_and(|at| at <= Instant::now()) {
            self.agent.handle_timeout(Instant::now());
            self.drain();
        }
    }
}

fn bind() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Runs a called side or registrar in a thread; the closure is the other side. CPU time of both, and what the thread counted.
fn against(mut side: Side, other: impl FnOnce() -> Duration) -> (Duration, Duration, u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let counted = Arc::new(AtomicU64::new(0));
    let (until, count) = (stop.clone(), counted.clone());
    let thread = std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        let begun = cpu_time();
        while !until.load(Ordering::Relaxed) {
            side.turn(&mut buffer);
        }
        count.store(side.registered, Ordering::Relaxed);
        cpu_time() - begun
    });
    let ours = other();
    stop.store(true, Ordering::Relaxed);
    let theirs = thread.join().unwrap();
    (ours, theirs, counted.load(Ordering::Relaxed))
}

fn calls(rounds: u32) -> Vec<Figure> {
    let count = 5_000 * u64::from(rounds);
    let ((caller, caller_at), (called, called_at)) = (bind(), bind());
    let side = Side { agent: agent(called_at, caller_at, 4), socket: called, over: 0, registered: 0 };
    let (ours, theirs, _) = against(side, || {
        let agent = agent(caller_at, called_at, 3);
        let mut side = Side { agent, socket: caller, over: 0, registered: 0 };
        let mut buffer = vec![0; 65_535];
        let begun = cpu_time();
        let mut made = 0;
        while side.over < count {
            // Sixteen at a time, so that neither side waits for the other's wake-up.
            while made < count && made - side.over < 16 {
                side.agent.handle_command(Instant::now(), invite(made));
                made += 1;
            }
            side.turn(&mut buffer);
        }
        cpu_time() - begun
    });
    let per = |cost: Duration| cost.as_secs_f64() * 1e6 / count as f64;
    vec![
        Figure::at_most("call over sockets, calling side", per(ours), "us CPU", 400.0),
        Figure::at_most("call over sockets, called side", per(theirs), "us CPU", 400.0),
    ]
}

fn registrations(rounds: u32) -> Vec<Figure> {
    let count = 5_000 * u64::from(rounds);
    let ((phone, phone_at), (registrar, registrar_at)) = (bind(), bind());
    let mut agent = agent(registrar_at, "192.0.2.250:5060".parse().unwrap(), 5);
    for number in 0..count {
        agent.handle_command(Instant::now(), Command::PutDevice(account(&format!("d{number}"))));
    }
    let side = Side { agent, socket: registrar, over: 0, registered: 0 };
    let (_, theirs, registered) = against(side, || {
        phone.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut buffer = vec![0; 65_535];
        for number in 0..count {
            let user = format!("d{number}");
            let mut challenge: Option<Vec<u8>> = None;
            for cseq in 1..=2 {
                let text = register(&user, cseq, phone_at, challenge.as_deref());
                phone.send_to(text.as_bytes(), registrar_at).unwrap();
                let length = phone.recv(&mut buffer).unwrap_or_default();
                challenge = Some(buffer[..length].to_vec());
            }
        }
        Duration::ZERO
    });
    assert!(registered + 1 >= count, "{registered} of {count} phones registered");
    let per = theirs.as_secs_f64() * 1e6 / count as f64;
    vec![Figure::at_most("registration over sockets", per, "us CPU", 100.0)]
}

pub(crate) fn measure(rounds: u32) -> Vec<Figure> {
    let mut figures = calls(rounds);
    figures.extend(registrations(rounds));
    figures
}
