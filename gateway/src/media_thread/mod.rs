//! A media thread: one pure [`Worker`], its sockets, and the absolute schedule of its steps.
//!
//! The rest of the process reaches it by a bounded queue and a waker only. Nothing here waits but the poll itself.
//!
//! A phone's port is not polled: it is read when its room is about to mix, once in 20 ms, and until then its packets
//! wait in the kernel, which notes when they came. That leaves two system calls for each phone and tick, bounds what
//! a flood on one port can cost, and delays nothing.

mod load;
mod pages;
mod ports;
mod timer;

pub use crate::metrics::ThreadMetrics;
use load::{Gauges, ThreadLoad};

use crate::ports::PortPair;
use crate::udp::{self, BATCH, Batch, Clocks};
use load::Timekeeper;
use media::dtls::Identity;
use media::sdp::RtcpPort;
use media::worker::{
    Command, DuePhone, Event, LegId, Port, RoomId, STEP, TravellingLeg, Worker, WorkerConfig,
};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use ports::{PhonePorts, RtcpPorts};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use timer::Timer;
use tokio::sync::mpsc;

/// Further behind than this, steps are skipped instead of played in a burst.
const LATE_LIMIT: Duration = Duration::from_millis(100);
/// How long the port of an ended call stays bound, so that its stray packets reach no other call.
const DRAIN: Duration = Duration::from_secs(5);
/// Commands waiting for the thread; it empties the queue at least once a tick.
const QUEUE: usize = 8192;
/// Calls that read the browsers' port before something else gets its turn.
const BROWSER_BURST: usize = 16;
/// Calls that read a phone's RTCP port when something has come.
const RTCP_BURST: usize = 4;
/// Sockets told to be ready in one look.
const READY: usize = 64;
/// Calls that read a phone's port in one tick: more than its jitter buffer holds. What a flood brings beyond that
/// stays in the kernel's buffer, and is lost there.
const PHONE_BURST: usize = 10;
/// Legs opened between two looks at where memory comes from; an area holds more.
const LEGS_PER_AREA: u64 = 256;
/// Steps made up for before the browsers' port gets its turn.
const STEP_BURST: u32 = 4;

const WAKER: Token = Token(usize::MAX);
const WEBRTC: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);

/// What the focus task tells a media thread.
#[expect(
    clippy::large_enum_variant,
    reason = "the queue is made once, and a box for each command would be no gain"
)]
pub enum Input {
    /// Hand to the worker.
    Command(Command),
    /// The bound ports of a phone leg, sent before the leg itself.
    Open(LegId, PortPair),
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
pub struct Arrival {
    leg: LegId,
    room: RoomId,
    ports: PortPair,
    media: TravellingLeg,
}

/// The focus task's end of a media thread.
#[derive(Clone)]
pub struct MediaHandle {
    queue: SyncSender<Input>,
    waker: Arc<Waker>,
    gauges: Arc<Gauges>,
    /// Address of this thread's port for browsers.
    pub webrtc: SocketAddr,
}

impl MediaHandle {
    /// Queues an input without waiting.
    ///
    /// # Errors
    /// When the queue is full or the thread has ended.
    pub fn send(&self, input: Input) -> io::Result<()> {
        // A leg on its way counts from the moment it is announced: its end may overtake it.
        let opens = matches!(input, Input::Open(..) | Input::Command(Command::ExpectLeg { .. }));
        let closes = matches!(input, Input::Close(_) | Input::HandOver { .. });
        self.queue
            .try_send(input)
            .map_err(|_| io::Error::other("the media thread does not take commands"))?;
        if opens {
            self.gauges.opened();
        } else if closes {
            self.gauges.closed();
        }
        self.waker.wake()
    }

    /// Whether the thread takes one more leg and still begins every tick in time (it may be busy for
    /// `limit_percent` of the time).
    #[must_use]
    pub fn accepts(&self, limit_percent: u8) -> bool {
        self.gauges.accepts(limit_percent)
    }

    /// How busy the thread was in the last second.
    #[must_use]
    pub fn load(&self) -> ThreadLoad {
        self.gauges.read()
    }
}

/// What a media thread is started with.
pub struct MediaThreadConfig {
    /// Number of the thread, for its name.
    pub index: usize,
    /// The port for all browsers of this thread.
    pub webrtc: std::net::UdpSocket,
    /// Core to pin the thread to.
    pub core: Option<usize>,
    /// The certificate that phones are shown which agree on keys by DTLS.
    pub identity: Option<Arc<Identity>>,
    /// Settings of the worker.
    pub worker: WorkerConfig,
    /// Seed of the worker's randomness (SSRCs, first sequence numbers).
    pub seed: [u8; 32],
    /// What the thread counts.
    pub metrics: Arc<ThreadMetrics>,
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
pub fn start(
    config: MediaThreadConfig,
    events: mpsc::Sender<Event>,
    ended: mpsc::UnboundedSender<usize>,
) -> io::Result<(MediaHandle, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (queue, inputs) = sync_channel(QUEUE);
    let address = config.webrtc.local_addr()?;
    config.webrtc.set_nonblocking(true)?;
    udp::stamp(&config.webrtc)?;
    let webrtc = config.webrtc;
    poll.registry().register(&mut SourceFd(&webrtc.as_raw_fd()), WEBRTC, Interest::READABLE)?;
    let timer = Timer::new()?;
    poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
    let gauges = Arc::new(Gauges::default());
    let told = Arc::clone(&gauges);
    let (core, worker, seed, metrics) = (config.core, config.worker, config.seed, config.metrics);
    let identity = config.identity;
    let farewell = Farewell(ended, config.index);
    let thread = std::thread::Builder::new().name(format!("media-{}", config.index)).spawn(move || {
        let _farewell = farewell;
        pin(core);
        let now = Instant::now();
        let mut worker = Worker::new(worker, seed);
        if let Some(identity) = identity {
            worker.set_identity(identity);
        }
        let mut thread = MediaThread {
            worker,
            poll,
            timer,
            webrtc,
            webrtc_waits: false,
            phones: PhonePorts::default(),
            rtcp: RtcpPorts::default(),
            reporting: Vec::with_capacity(READY),
            due: Vec::with_capacity(1024),
            batch: Batch::new(),
            draining: VecDeque::new(),
            opened: 0,
            inputs,
            events,
            next_step: now + STEP,
            time: Timekeeper::new(now),
            gauges: told,
            metrics,
            running: true,
        };
        thread.run();
    })?;
    Ok((MediaHandle { queue, waker, gauges, webrtc: address }, thread))
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
    timer: Timer,
    webrtc: std::net::UdpSocket,
    /// The browsers' port may have more to read. Readiness is edge-triggered: it is not told again.
    webrtc_waits: bool,
    phones: PhonePorts,
    rtcp: RtcpPorts,
    /// The phones whose RTCP ports have something to read; kept for its memory.
    reporting: Vec<LegId>,
    /// The phones whose ports are read in this step; kept for its memory.
    due: Vec<DuePhone>,
    batch: Batch,
    draining: VecDeque<(Instant, std::net::UdpSocket)>,
    /// Phones' ports opened so far.
    opened: u64,
    inputs: Receiver<Input>,
    events: mpsc::Sender<Event>,
    next_step: Instant,
    time: Timekeeper,
    gauges: Arc<Gauges>,
    metrics: Arc<ThreadMetrics>,
    running: bool,
}

impl MediaThread {
    fn run(&mut self) {
        let mut ready = Events::with_capacity(READY);
        while self.running {
            if let Err(error) = self.wait(&mut ready)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the media thread cannot poll its sockets");
                return;
            }
            let woke = Instant::now();
            self.webrtc_waits |= ready.iter().any(|event| event.token() == WEBRTC);
            self.reporting.clear();
            let legs = ready.iter().map(|event| event.token()).filter(|token| *token < TIMER);
            self.reporting.extend(legs.filter_map(|Token(leg)| u64::try_from(leg).ok().map(LegId)));
            self.take_inputs();
            self.read_browsers();
            self.read_reports();
            self.keep_time();
            self.flush();
            self.report();
            self.account(woke);
        }
    }

    /// Sleeps until the next step with something to do, the next WebRTC timer, or a reason in between.
    fn wait(&mut self, ready: &mut Events) -> io::Result<()> {
        let step = self.next_step + STEP * self.worker.idle_steps();
        let deadline = self.worker.poll_timeout().map_or(step, |timer| timer.min(step));
        let left = deadline.saturating_duration_since(Instant::now());
        if self.webrtc_waits || left.is_zero() {
            return self.poll.poll(ready, Some(Duration::ZERO));
        }
        self.timer.set(left)?;
        self.poll.poll(ready, None)
    }

    fn take_inputs(&mut self) {
        loop {
            match self.inputs.try_recv() {
                Ok(Input::Command(command)) => self.command(command),
                Ok(Input::Open(leg, ports)) => self.open(leg, ports),
                Ok(Input::Close(leg)) => self.close(leg),
                Ok(Input::HandOver { leg, room, target }) => self.hand_over(leg, room, &target),
                Ok(Input::Arrive(arrival)) => self.arrive(*arrival),
                // Whoever gave the orders has gone without a word: nobody is left to serve.
                Ok(Input::Stop) | Err(TryRecvError::Disconnected) => return self.running = false,
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn command(&mut self, command: Command) {
        if let Command::SetSipRemote { leg, negotiated, .. } = &command
            && !matches!(negotiated.rtcp, RtcpPort::Apart(_))
        {
            drop(self.rtcp.remove(*leg, self.poll.registry()));
        }
        self.worker.handle_command(Instant::now(), command);
    }

    fn open(&mut self, leg: LegId, ports: PortPair) {
        let PortPair { rtp: socket, rtcp } = ports;
        self.open_rtcp(leg, rtcp);
        if let Err(error) = socket.set_nonblocking(true).and_then(|()| udp::stamp(&socket)) {
            tracing::error!(%error, leg.id = leg.0, "the leg's port cannot be read");
            return;
        }
        // Without it sending costs a little more, which is no reason to refuse a leg.
        let _ = udp::send_whole(&socket);
        self.opened += 1;
        if self.opened % LEGS_PER_AREA == 1 {
            pages::prefer_large();
        }
        self.phones.insert(leg, socket);
    }

    fn open_rtcp(&mut self, leg: LegId, socket: Option<std::net::UdpSocket>) {
        let Some(socket) = socket else { return };
        let opened = udp::stamp(&socket).and_then(|()| self.rtcp.insert(leg, socket, self.poll.registry()));
        if let Err(error) = opened {
            tracing::warn!(%error, leg.id = leg.0, "the leg's RTCP port cannot be read");
        }
    }

    fn close(&mut self, leg: LegId) {
        let rtcp = self.rtcp.remove(leg, self.poll.registry());
        let sockets = [self.phones.remove(leg), rtcp];
        self.drain(sockets.into_iter().flatten());
    }

    fn drain(&mut self, sockets: impl IntoIterator<Item = std::net::UdpSocket>) {
        let until = Instant::now() + DRAIN;
        self.draining.extend(sockets.into_iter().map(|socket| (until, socket)));
    }

    fn hand_over(&mut self, leg: LegId, room: RoomId, target: &MediaHandle) {
        let Some(media) = self.worker.take_leg(leg) else { return };
        let Some(rtp) = self.phones.remove(leg) else { return };
        let ports = PortPair { rtp, rtcp: self.rtcp.remove(leg, self.poll.registry()) };
        let arrival = Arrival { leg, room, ports, media };
        if let Err(error) = target.send(Input::Arrive(Box::new(arrival))) {
            tracing::error!(%error, leg.id = leg.0, "a leg is lost on its way to another media thread");
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { leg, room, ports: PortPair { rtp, rtcp }, media } = arrival;
        if self.worker.put_leg(Instant::now(), room, media) {
            // Its port is not polled: what came in between is read with the room's next step.
            self.phones.insert(leg, rtp);
            self.open_rtcp(leg, rtcp);
        } else {
            // The caller has hung up meanwhile.
            self.drain([Some(rtp), rtcp].into_iter().flatten());
        }
    }

    /// Reads the browsers' port until it is empty or a step is due: a flood delays no mix.
    fn read_browsers(&mut self) {
        for _ in 0..BROWSER_BURST {
            if !self.webrtc_waits || Instant::now() >= self.next_step {
                return;
            }
            match self.batch.receive(&self.webrtc, &Clocks::read()) {
                Ok(count) => {
                    for (arrival, source, payload) in self.batch.datagrams(count) {
                        self.worker.handle_webrtc_datagram(arrival, source, payload);
                    }
                    self.flush();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.webrtc_waits = false,
                // An ICMP refusal of something sent earlier: there may be more behind it.
                Err(_) => {}
            }
        }
    }

    /// Reads the RTCP ports that have something: a report comes once in five seconds, so what is more than a burst
    /// stays where it is until something new comes.
    fn read_reports(&mut self) {
        while let Some(leg) = self.reporting.pop() {
            let Some(socket) = self.rtcp.get(leg) else { continue };
            for _ in 0..RTCP_BURST {
                match self.batch.receive(socket, &Clocks::read()) {
                    Ok(count) => {
                        for (arrival, source, payload) in self.batch.datagrams(count) {
                            self.worker.handle_rtcp_datagram(arrival, leg, source, payload);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An ICMP refusal of a report of ours.
                    Err(_) => {}
                }
            }
        }
    }

    /// Runs due timers and the steps of the absolute schedule.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.worker.poll_timeout().is_some_and(|timer| timer <= now) {
            self.worker.handle_timeout(now);
            self.flush();
        }
        let mut burst = STEP_BURST;
        while burst > 0 {
            let clocks = Clocks::read();
            let late = clocks.now().saturating_duration_since(self.next_step);
            if clocks.now() < self.next_step {
                break;
            }
            let busy = self.worker.idle_steps() == 0;
            if busy {
                self.time.late(late);
                self.metrics.late.observe(late);
                burst -= 1;
            }
            self.step(&clocks);
            if busy {
                self.metrics.tick.observe(clocks.now().elapsed());
                self.metrics.load(&self.worker.load());
            }
            self.next_step += STEP;
            if late > LATE_LIMIT {
                self.next_step = clocks.now() + STEP;
            }
        }
        while self.draining.front().is_some_and(|(until, _)| *until <= now) {
            self.draining.pop_front();
        }
    }

    /// Reads the phones whose voices are due, mixes, and sends.
    fn step(&mut self, clocks: &Clocks) {
        self.due.clear();
        self.worker.due_phones(&mut self.due);
        for phone in &self.due {
            if let Some(socket) = self.phones.get(phone.leg) {
                Self::read_phone(&mut self.worker, &mut self.batch, socket, phone, clocks);
            }
        }
        self.worker.handle_step(clocks.now());
        self.flush();
    }

    fn read_phone(
        worker: &mut Worker,
        batch: &mut Batch,
        socket: &std::net::UdpSocket,
        phone: &DuePhone,
        clocks: &Clocks,
    ) {
        for _ in 0..PHONE_BURST {
            match batch.receive(socket, clocks) {
                Ok(count) => {
                    for (arrival, source, payload) in batch.datagrams(count) {
                        worker.handle_due_datagram(arrival, phone, source, payload);
                    }
                    if count < BATCH {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP refusal of something sent earlier: there may be more behind it.
                Err(_) => {}
            }
        }
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.worker.poll_transmit() {
            let socket = match transmit.from {
                Port::Sip(leg) => self.phones.get(leg),
                Port::SipRtcp(leg) => self.rtcp.get(leg),
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

    fn account(&mut self, woke: Instant) {
        let now = Instant::now();
        let (rooms, legs) = self.worker.size();
        self.time.worked(now, now.saturating_duration_since(woke), &self.gauges, rooms, legs);
    }
}
