//! A media thread: one pure [`Worker`], its sockets, and the absolute 20 ms schedule.
//!
//! The rest of the process reaches it by a bounded queue and a waker only. Nothing here waits but the poll itself.

use media::worker::{Command, Event, LegId, Port, Worker, WorkerConfig};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// One mix tick.
const TICK: Duration = Duration::from_millis(20);
/// Further behind than this, ticks are skipped instead of played in a burst.
const LATE_LIMIT: Duration = Duration::from_millis(100);
/// How long the port of an ended call stays bound, so that its stray packets reach no other call.
const DRAIN: Duration = Duration::from_secs(5);
/// Commands waiting for the thread; it empties the queue at least once a tick.
const QUEUE: usize = 8192;
/// Datagrams read from one socket before the others get their turn.
const BURST: usize = 64;
/// Larger than any datagram of this product's protocols on an Ethernet path.
const DATAGRAM: usize = 2048;

const WAKER: Token = Token(usize::MAX);
const WEBRTC: Token = Token(usize::MAX - 1);

/// What the focus task tells a media thread.
pub(crate) enum Input {
    /// Hand to the worker.
    Command(Command),
    /// The bound port of a phone leg, sent before the leg itself.
    Open(LegId, std::net::UdpSocket),
    /// The leg is gone: stop reading, keep the port bound for a while.
    Close(LegId),
    /// End the thread.
    Stop,
}

/// The focus task's end of a media thread.
#[derive(Clone)]
pub(crate) struct MediaHandle {
    queue: SyncSender<Input>,
    waker: Arc<Waker>,
    /// Address of this thread's port for browsers.
    pub(crate) webrtc: SocketAddr,
}

impl MediaHandle {
    /// Queues an input without waiting.
    ///
    /// # Errors
    /// When the queue is full or the thread has ended: the caller treats the leg as failed.
    pub(crate) fn send(&self, input: Input) -> io::Result<()> {
        self.queue
            .try_send(input)
            .map_err(|_| io::Error::other("the media thread does not take commands"))?;
        self.waker.wake()
    }
}

/// What a media thread is started with.
pub(crate) struct MediaThreadConfig {
    /// Number of the thread, for its name.
    pub(crate) index: usize,
    /// The port for all browsers of this thread.
    pub(crate) webrtc: std::net::UdpSocket,
    /// Core to pin the thread to.
    pub(crate) core: Option<usize>,
    /// Settings of the worker.
    pub(crate) worker: WorkerConfig,
    /// Seed of the worker's randomness (SSRCs, first sequence numbers).
    pub(crate) seed: [u8; 32],
}

/// Starts a media thread; its events arrive on `events`.
///
/// # Errors
/// When the system refuses the poll, the sockets or the thread.
pub(crate) fn start(
    config: MediaThreadConfig,
    events: mpsc::Sender<Event>,
) -> io::Result<(MediaHandle, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (queue, inputs) = sync_channel(QUEUE);
    let address = config.webrtc.local_addr()?;
    config.webrtc.set_nonblocking(true)?;
    let mut webrtc = UdpSocket::from_std(config.webrtc);
    poll.registry().register(&mut webrtc, WEBRTC, Interest::READABLE)?;
    let (core, worker, seed) = (config.core, config.worker, config.seed);
    let thread = std::thread::Builder::new().name(format!("media-{}", config.index)).spawn(move || {
        pin(core);
        let now = Instant::now();
        let mut thread = MediaThread {
            worker: Worker::new(worker, seed),
            poll,
            webrtc,
            legs: BTreeMap::new(),
            draining: VecDeque::new(),
            unread: Vec::with_capacity(64),
            inputs,
            events,
            next_tick: now + TICK,
            running: true,
        };
        thread.run();
    })?;
    Ok((MediaHandle { queue, waker, webrtc: address }, thread))
}

fn pin(core: Option<usize>) {
    let Some(id) = core else { return };
    if !core_affinity::set_for_current(core_affinity::CoreId { id }) {
        tracing::warn!(
            core = id,
            "media.cores names a core this machine does not give: the thread is not pinned"
        );
    }
}

struct MediaThread {
    worker: Worker,
    poll: Poll,
    webrtc: UdpSocket,
    legs: BTreeMap<LegId, UdpSocket>,
    draining: VecDeque<(Instant, UdpSocket)>,
    /// Sockets that still had datagrams when their turn ended (readiness is edge-triggered).
    unread: Vec<Token>,
    inputs: Receiver<Input>,
    events: mpsc::Sender<Event>,
    next_tick: Instant,
    running: bool,
}

impl MediaThread {
    fn run(&mut self) {
        let mut ready = Events::with_capacity(1024);
        while self.running {
            let wait = self.wait();
            if let Err(error) = self.poll.poll(&mut ready, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the media thread cannot poll its sockets");
                return;
            }
            self.take_inputs();
            for token in std::mem::take(&mut self.unread) {
                self.read(token);
            }
            for event in &ready {
                self.read(event.token());
            }
            self.keep_time();
            self.flush();
        }
    }

    /// Time until the next tick or WebRTC timer.
    fn wait(&mut self) -> Duration {
        if !self.unread.is_empty() {
            return Duration::ZERO;
        }
        let deadline = self.worker.poll_timeout().map_or(self.next_tick, |timer| timer.min(self.next_tick));
        deadline.saturating_duration_since(Instant::now())
    }

    fn take_inputs(&mut self) {
        while let Ok(input) = self.inputs.try_recv() {
            match input {
                Input::Command(command) => self.worker.handle_command(Instant::now(), command),
                Input::Open(leg, socket) => self.open(leg, socket),
                Input::Close(leg) => self.close(leg),
                Input::Stop => self.running = false,
            }
        }
    }

    fn open(&mut self, leg: LegId, socket: std::net::UdpSocket) {
        let mut socket = UdpSocket::from_std(socket);
        match self.poll.registry().register(&mut socket, token(leg), Interest::READABLE) {
            Ok(()) => drop(self.legs.insert(leg, socket)),
            Err(error) => tracing::error!(%error, leg.id = leg.0, "the leg's port cannot be polled"),
        }
    }

    fn close(&mut self, leg: LegId) {
        if let Some(mut socket) = self.legs.remove(&leg) {
            if let Err(error) = self.poll.registry().deregister(&mut socket) {
                tracing::debug!(%error, leg.id = leg.0, "the leg's port was not polled");
            }
            self.draining.push_back((Instant::now() + DRAIN, socket));
        }
    }

    fn read(&mut self, ready: Token) {
        let mut buffer = [0; DATAGRAM];
        for _ in 0..BURST {
            let received = match ready {
                WAKER => return,
                WEBRTC => self.webrtc.recv_from(&mut buffer),
                Token(_) => match self.legs.get(&leg(ready)) {
                    Some(socket) => socket.recv_from(&mut buffer),
                    None => return,
                },
            };
            // Any error ends the turn: WouldBlock is the usual one, an ICMP refusal the other.
            let Ok((length, source)) = received else { return };
            let Some(payload) = buffer.get(..length) else { return };
            let now = Instant::now();
            if ready == WEBRTC {
                self.worker.handle_webrtc_datagram(now, source, payload);
            } else {
                self.worker.handle_sip_datagram(now, leg(ready), source, payload);
            }
        }
        self.unread.push(ready);
    }

    /// Runs due timers and ticks on the absolute schedule.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.worker.poll_timeout().is_some_and(|timer| timer <= now) {
            self.worker.handle_timeout(now);
        }
        while self.next_tick <= now {
            self.worker.handle_tick(now);
            self.next_tick += TICK;
            if now.saturating_duration_since(self.next_tick) > LATE_LIMIT {
                self.next_tick = now + TICK;
            }
        }
        while self.draining.front().is_some_and(|(until, _)| *until <= now) {
            self.draining.pop_front();
        }
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.worker.poll_transmit() {
            let socket = match transmit.from {
                Port::Sip(leg) => self.legs.get(&leg),
                Port::Webrtc => Some(&self.webrtc),
            };
            if let Some(socket) = socket {
                // A full socket buffer or an unreachable peer loses this packet, as any network may.
                let _ = socket.send_to(transmit.payload, transmit.destination);
            }
        }
        while let Some(event) = self.worker.poll_event() {
            // The focus task is far behind if this fails: levels and keys of this moment are lost, sound is not.
            if self.events.try_send(event).is_err() {
                tracing::warn!("the focus task does not keep up with media events");
            }
        }
    }
}

fn token(leg: LegId) -> Token {
    Token(usize::try_from(leg.0).unwrap_or(usize::MAX - 2))
}

fn leg(token: Token) -> LegId {
    LegId(u64::try_from(token.0).unwrap_or(u64::MAX))
}
