//! A media thread: one pure [`Worker`], its sockets, and the absolute 20 ms schedule.
//!
//! The rest of the process reaches it by a bounded queue and a waker only. Nothing here waits but the poll itself.

use media::worker::{Command, Event, LegId, Port, RoomId, TravellingLeg, Worker, WorkerConfig};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
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
    /// The leg goes on in a room of another thread: take it and its port out, and send both there.
    HandOver {
        /// The leg.
        leg: LegId,
        /// Its new room.
        room: RoomId,
        /// The other thread.
        target: MediaHandle,
    },
    /// A leg from another thread.
    Arrive(Box<Arrival>),
    /// End the thread.
    Stop,
}

/// A leg on its way from one thread to another.
pub(crate) struct Arrival {
    leg: LegId,
    room: RoomId,
    socket: UdpSocket,
    media: TravellingLeg,
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
    /// When the queue is full or the thread has ended.
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

/// Tells, when the thread ends in whatever way, that it has ended.
struct Farewell(mpsc::UnboundedSender<usize>, usize);

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens any more when the process is stopping.
        let _ = self.0.send(self.1);
    }
}

/// Starts a media thread; its events arrive on `events`, and its number on `ended` when it is over.
///
/// # Errors
/// When the system refuses the poll, the sockets or the thread.
pub(crate) fn start(
    config: MediaThreadConfig,
    events: mpsc::Sender<Event>,
    ended: mpsc::UnboundedSender<usize>,
) -> io::Result<(MediaHandle, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (queue, inputs) = sync_channel(QUEUE);
    let address = config.webrtc.local_addr()?;
    config.webrtc.set_nonblocking(true)?;
    let mut webrtc = UdpSocket::from_std(config.webrtc);
    poll.registry().register(&mut webrtc, WEBRTC, Interest::READABLE)?;
    let (core, worker, seed) = (config.core, config.worker, config.seed);
    let farewell = Farewell(ended, config.index);
    let thread = std::thread::Builder::new().name(format!("media-{}", config.index)).spawn(move || {
        let _farewell = farewell;
        pin(core);
        let now = Instant::now();
        let mut thread = MediaThread {
            worker: Worker::new(worker, seed),
            poll,
            webrtc,
            webrtc_queued: false,
            legs: BTreeMap::new(),
            draining: VecDeque::new(),
            turns: VecDeque::with_capacity(1024),
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

/// The port of a phone leg.
struct LegSocket {
    socket: UdpSocket,
    queued: bool,
}

struct MediaThread {
    worker: Worker,
    poll: Poll,
    webrtc: UdpSocket,
    webrtc_queued: bool,
    legs: BTreeMap<LegId, LegSocket>,
    draining: VecDeque<(Instant, UdpSocket)>,
    /// Sockets with datagrams to read, in turn, each at most once. Readiness is edge-triggered: whoever's turn ends
    /// before the socket is empty queues up again.
    turns: VecDeque<Token>,
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
            for event in &ready {
                self.queue(event.token());
            }
            self.take_turns();
            self.keep_time();
            self.flush();
            self.report();
        }
    }

    /// Time until the next tick or WebRTC timer.
    fn wait(&mut self) -> Duration {
        if !self.turns.is_empty() {
            return Duration::ZERO;
        }
        let deadline = self.worker.poll_timeout().map_or(self.next_tick, |timer| timer.min(self.next_tick));
        deadline.saturating_duration_since(Instant::now())
    }

    fn take_inputs(&mut self) {
        loop {
            match self.inputs.try_recv() {
                Ok(Input::Command(command)) => self.worker.handle_command(Instant::now(), command),
                Ok(Input::Open(leg, socket)) => self.open(leg, socket),
                Ok(Input::Close(leg)) => self.close(leg),
                Ok(Input::HandOver { leg, room, target }) => self.hand_over(leg, room, &target),
                Ok(Input::Arrive(arrival)) => self.arrive(*arrival),
                // Whoever gave the orders has gone without a word: nobody is left to serve.
                Ok(Input::Stop) | Err(TryRecvError::Disconnected) => return self.running = false,
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn open(&mut self, leg: LegId, socket: std::net::UdpSocket) {
        let mut socket = UdpSocket::from_std(socket);
        match self.poll.registry().register(&mut socket, token(leg), Interest::READABLE) {
            Ok(()) => drop(self.legs.insert(leg, LegSocket { socket, queued: false })),
            Err(error) => tracing::error!(%error, leg.id = leg.0, "the leg's port cannot be polled"),
        }
    }

    fn close(&mut self, leg: LegId) {
        if let Some(LegSocket { mut socket, .. }) = self.legs.remove(&leg) {
            if let Err(error) = self.poll.registry().deregister(&mut socket) {
                tracing::debug!(%error, leg.id = leg.0, "the leg's port was not polled");
            }
            self.draining.push_back((Instant::now() + DRAIN, socket));
        }
    }

    fn hand_over(&mut self, leg: LegId, room: RoomId, target: &MediaHandle) {
        let Some(media) = self.worker.take_leg(leg) else { return };
        let Some(LegSocket { mut socket, .. }) = self.legs.remove(&leg) else { return };
        if let Err(error) = self.poll.registry().deregister(&mut socket) {
            tracing::debug!(%error, leg.id = leg.0, "the leg's port was not polled");
        }
        let arrival = Arrival { leg, room, socket, media };
        if let Err(error) = target.send(Input::Arrive(Box::new(arrival))) {
            tracing::error!(%error, leg.id = leg.0, "a leg is lost on its way to another media thread");
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { leg, room, mut socket, media } = arrival;
        if !self.worker.put_leg(Instant::now(), room, media) {
            // The caller has hung up meanwhile.
            self.draining.push_back((Instant::now() + DRAIN, socket));
            return;
        }
        match self.poll.registry().register(&mut socket, token(leg), Interest::READABLE) {
            Ok(()) => {
                self.legs.insert(leg, LegSocket { socket, queued: false });
                // What came in between is there already, and nothing announces it.
                self.queue(token(leg));
            }
            Err(error) => tracing::error!(%error, leg.id = leg.0, "the leg's port cannot be polled"),
        }
    }

    /// Gives a socket a turn, unless it waits for one already or is gone.
    fn queue(&mut self, token: Token) {
        let queued = match token {
            WAKER => return,
            WEBRTC => &mut self.webrtc_queued,
            Token(_) => match self.legs.get_mut(&leg(token)) {
                Some(leg) => &mut leg.queued,
                None => return,
            },
        };
        if !std::mem::replace(queued, true) {
            self.turns.push_back(token);
        }
    }

    /// One turn for each socket that waits for one, until a tick is due: a flood on one port delays neither the
    /// others nor the mix.
    fn take_turns(&mut self) {
        for _ in 0..self.turns.len() {
            if Instant::now() >= self.next_tick {
                return;
            }
            let Some(token) = self.turns.pop_front() else { return };
            match token {
                WEBRTC => self.webrtc_queued = false,
                Token(_) => {
                    if let Some(leg) = self.legs.get_mut(&leg(token)) {
                        leg.queued = false;
                    }
                }
            }
            if !self.read(token) {
                self.queue(token);
            }
            self.flush();
        }
    }

    /// Reads a burst; says whether the socket is empty now.
    fn read(&mut self, ready: Token) -> bool {
        let mut buffer = [0; DATAGRAM];
        for _ in 0..BURST {
            let received = match ready {
                WEBRTC => self.webrtc.recv_from(&mut buffer),
                Token(_) => match self.legs.get(&leg(ready)) {
                    Some(leg) => leg.socket.recv_from(&mut buffer),
                    None => return true,
                },
            };
            let (length, source) = match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // An ICMP refusal of something sent earlier: there may be more behind it.
                Err(_) => continue,
            };
            let Some(payload) = buffer.get(..length) else { continue };
            let now = Instant::now();
            if ready == WEBRTC {
                self.worker.handle_webrtc_datagram(now, source, payload);
            } else {
                self.worker.handle_sip_datagram(now, leg(ready), source, payload);
            }
        }
        false
    }

    /// Runs due timers and ticks on the absolute schedule.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.worker.poll_timeout().is_some_and(|timer| timer <= now) {
            self.worker.handle_timeout(now);
        }
        while self.next_tick <= now {
            self.worker.handle_tick(now);
            // Before the next one: the worker keeps room for the packets of one tick.
            self.flush();
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
                Port::Sip(leg) => self.legs.get(&leg).map(|leg| &leg.socket),
                Port::Webrtc => Some(&self.webrtc),
            };
            if let Some(socket) = socket {
                // A full socket buffer or an unreachable peer loses this packet, as any network may.
                let _ = socket.send_to(transmit.payload, transmit.destination);
            }
        }
    }

    /// Hands events to the focus task as far as it takes them; the rest waits in the worker, where levels give way
    /// to what must not be lost.
    fn report(&mut self) {
        while let Ok(permit) = self.events.try_reserve() {
            match self.worker.poll_event() {
                Some(event) => permit.send(event),
                None => return,
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
