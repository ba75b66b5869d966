//! The one task that owns the meetings and the SIP user agent: feeds them, and carries out what they decide.

use crate::edge;
use crate::identity::Desk;
use crate::media_thread::{Input, MediaHandle};
use crate::metrics::{Metrics, Now};
use crate::ports::RtpPorts;
use crate::signalling::{Arrival, Signalling};
use crate::speech::{Ready, Speaker};
use crate::story;
use crate::wire_log::{Passing, WireLog};
use conference::ids::{CallId, MeetingId};
use conference::live::event::Record;
use conference::live::focus::{
    self, Effect, Focus, MeetingSnapshot, Refusal, RefusalKind, Reply, TransferRequest, Utterance,
};
use conference::live::ladder::Rung;
use conference::live::leg_record::LegMedia;
use conference::services::EventHub;
use conference::services::trunks::{TrunkAnswer, TrunkHealth, TrunkState};
use media::webrtc::AcceptedPeer;
use media::worker::{self, LegId, PlayingId, RoomId};
use sip_core::ua::{
    self, AddressOfRecord, BindingInfo, FlowInput, Transport, TrunkId, TrunkStatus, UserAgent,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long a stop goes on answering after the last call is over: a carrier may challenge the BYE or the
/// de-registration, or have missed it.
const LINGER: Duration = Duration::from_millis(500);
/// So many more datagrams are read in one turn.
const TOGETHER: usize = 31;
/// Largest SIP datagram read.
const DATAGRAM: usize = 65_535;

/// What the rest of the process asks of the focus task.
pub(crate) enum Request {
    /// A decision of the meeting logic.
    Command(focus::Command, oneshot::Sender<Result<Reply, Refusal>>),
    /// A browser joins: the command is a `JoinWebrtc`, the peer is ready.
    Join(Box<(focus::Command, AcceptedPeer)>, oneshot::Sender<Result<Reply, Refusal>>),
    /// The state of a meeting for a late joiner.
    Snapshot(MeetingId, oneshot::Sender<Option<MeetingSnapshot>>),
    /// How the media of its legs is.
    Media(MeetingId, oneshot::Sender<Option<Vec<LegMedia>>>),
    /// The media thread a meeting lives on.
    Shard(MeetingId, oneshot::Sender<usize>),
    /// The registered contacts of a device.
    Bindings(Vec<AddressOfRecord>, oneshot::Sender<Vec<Vec<BindingInfo>>>),
    /// The SIP messages of a call.
    Ladder(CallId, oneshot::Sender<Vec<Rung>>),
    /// How a trunk is.
    TrunkStatus(TrunkId, oneshot::Sender<Option<TrunkState>>),
    /// A device or trunk was added, changed or removed.
    UserAgent(ua::Command),
    /// What is so at this moment, for the metrics.
    Metrics(oneshot::Sender<Now>),
    /// Everything in the database is known: read SIP from now on.
    Listen,
    /// How many legs there are.
    Legs(oneshot::Sender<usize>),
    /// Say goodbye to everybody; answered when nothing is left or the time is up.
    Shutdown(oneshot::Sender<()>),
}

/// Everything the focus task owns.
pub(crate) struct FocusTask {
    /// The meetings.
    pub(crate) focus: Focus,
    /// The SIP user agent.
    pub(crate) user_agent: UserAgent,
    /// The SIP sockets.
    pub(crate) signalling: Signalling,
    /// Media threads, by index.
    pub(crate) media: Vec<MediaHandle>,
    /// How busy a media thread may be, in percent, and still take legs.
    pub(crate) busy_limit_percent: u8,
    /// Ports of phone legs.
    pub(crate) ports: RtpPorts,
    /// Public events go here.
    pub(crate) events: EventHub,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Records go here, in order.
    pub(crate) records: mpsc::Sender<Record>,
    /// Transfers of phones, to be judged.
    pub(crate) transfers: mpsc::Sender<TransferRequest>,
    /// Requests from API and start-up.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Events of all media threads.
    pub(crate) media_events: mpsc::Receiver<worker::Event>,
    /// Which media thread holds the port of each phone leg.
    pub(crate) threads: BTreeMap<LegId, RoomId>,
    /// Whether SIP is read. Not before the devices are known, or phones that come back after a restart would be refused.
    pub(crate) listening: bool,
    /// Peers accepted by the signalling threads, until the focus attaches them.
    pub(crate) peers: BTreeMap<LegId, AcceptedPeer>,
    /// Turns words into sound.
    pub(crate) speech: Speaker,
    /// Signs and checks callers' numbers.
    pub(crate) identity: Desk,
    /// Notes SIP messages as they pass.
    pub(crate) wire: WireLog,
}

impl FocusTask {
    /// Runs until a shutdown request has been served.
    pub(crate) async fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM];
        let mut goodbye: Option<oneshot::Sender<()>> = None;
        let mut linger = None;
        // Until the first readiness is reported, sending would look as if the socket's buffer were full.
        if let Err(error) = self.signalling.writable().await {
            tracing::error!(%error, "the SIP socket cannot be written");
        }
        loop {
            let deadline = [self.settle(), self.wire.deadline()].into_iter().flatten().min();
            if goodbye.is_some() && linger.is_none() && self.user_agent.counts().sessions == 0 {
                linger = Some(Instant::now() + LINGER);
            }
            tokio::select! {
                arrival = self.signalling.receive(self.listening, &mut buffer) => {
                    self.receive(arrival, &buffer);
                    self.receive_more(&mut buffer);
                }
                request = self.requests.recv() => match request {
                    Some(Request::Shutdown(done)) => { self.shut_down(); goodbye = Some(done); }
                    Some(request) => self.serve(request),
                    None => break,
                },
                event = self.media_events.recv() => match event {
                    Some(event) => self.focus.handle_media(Instant::now(), edge::wall(), event),
                    None => break,
                },
                Some(prepared) = self.speech.next() => {
                    if let Some(ready) = self.speech.take(prepared) {
                        self.play(ready);
                    }
                }
                Some(brought) = self.identity.next() => {
                    if let Some(event) = self.identity.judge(brought, edge::wall()) {
                        self.metrics.signalling(&event);
                        self.focus.handle_sip(Instant::now(), edge::wall(), event);
                    }
                }
                () = until(deadline) => self.tick(),
                () = until(linger) => break,
            }
        }
        self.focus.close_records();
        self.drain_focus();
        while let Some(record) = self.wire.due(None, edge::wall()) {
            self.write_down(record);
        }
        for thread in &self.media {
            // A thread that has ended already needs no telling.
            let _ = thread.send(Input::Stop);
        }
        if let Some(done) = goodbye {
            let _ = done.send(());
        }
    }

    fn receive(&mut self, mut arrival: Arrival, buffer: &[u8]) {
        self.signalling.note(&mut arrival);
        if let Some(passing) = passing(&arrival, buffer) {
            self.wire.note(edge::wall(), &passing);
        }
        let (now, agent) = (Instant::now(), &mut self.user_agent);
        match arrival {
            Arrival::Datagram { local, source, length } => {
                let payload = buffer.get(..length).unwrap_or_default();
                agent.handle_message(
                    now,
                    FlowInput { transport: Transport::Udp, local, source, flow: None, payload },
                );
            }
            Arrival::Message(flow, payload) => agent.handle_message(
                now,
                FlowInput {
                    transport: flow.transport,
                    local: flow.local,
                    source: flow.remote,
                    flow: Some(flow.flow),
                    payload: &payload,
                },
            ),
            Arrival::Opened(opened, _) => agent.handle_flow_opened(now, opened),
            Arrival::Closed(flow) => agent.handle_flow_closed(now, flow),
            Arrival::Answer(question, answer) => agent.handle_answer(now, &question, answer),
        }
    }

    /// What has come with it: a turn for each datagram would cost more than reading it.
    fn receive_more(&mut self, buffer: &mut [u8]) {
        for _ in 0..if self.listening { TOGETHER } else { 0 } {
            let Some(arrival) = self.signalling.another(buffer) else { return };
            self.receive(arrival, buffer);
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.user_agent.handle_timeout(now);
        self.focus.handle_timeout(now, edge::wall());
        while let Some(record) = self.wire.due(Some(now), edge::wall()) {
            self.write_down(record);
        }
    }

    fn shut_down(&mut self) {
        let now = Instant::now();
        if let Err(refusal) = self.focus.handle_command(now, edge::wall(), focus::Command::Shutdown) {
            tracing::warn!(?refusal, "the meetings did not shut down");
        }
        self.settle();
        self.user_agent.handle_command(now, ua::Command::Shutdown);
    }

    /// A requester that has gone away needs no answer.
    fn serve(&mut self, request: Request) {
        let now = Instant::now();
        match request {
            Request::Command(command, answer) => {
                let _ = answer.send(self.focus.handle_command(now, edge::wall(), command));
            }
            Request::Join(join, answer) => {
                let (command, peer) = *join;
                if let Err(refusal) = self.check_load(&command) {
                    let _ = answer.send(Err(refusal));
                    return;
                }
                let result = self.focus.handle_command(now, edge::wall(), command);
                if let Ok(Reply::Leg(leg)) = &result {
                    self.peers.insert(*leg, peer);
                }
                let _ = answer.send(result);
            }
            Request::Snapshot(meeting, answer) => {
                let _ = answer.send(self.focus.snapshot(&meeting));
            }
            Request::Media(meeting, answer) => {
                let _ = answer.send(self.focus.figures(&meeting));
            }
            Request::Shard(meeting, answer) => {
                let _ = answer.send(self.focus.room(&meeting).map_or(0, |room| self.shard(room)));
            }
            Request::Bindings(devices, answer) => {
                let _ = answer.send(devices.iter().map(|device| self.user_agent.bindings(device)).collect());
            }
            Request::Ladder(call, answer) => {
                let _ = answer.send(self.wire.of(&call));
            }
            Request::Legs(answer) => {
                let _ = answer.send(self.focus.counts().legs);
            }
            Request::TrunkStatus(trunk, answer) => {
                let status = self.user_agent.trunk_status(now, trunk);
                let _ = answer.send(status.map(|status| trunk_state(now, &status)));
            }
            Request::UserAgent(mut command) => {
                self.identity.sign(&mut command, edge::wall(), edge::nonce);
                self.user_agent.handle_command(now, command);
            }
            Request::Metrics(answer) => {
                let _ = answer.send(self.now());
            }
            Request::Listen => {
                self.listening = true;
                self.signalling.listen();
            }
            Request::Shutdown(_) => {}
        }
    }

    fn now(&self) -> Now {
        Now {
            meetings: self.focus.counts(),
            signalling: self.user_agent.counts(),
            records_waiting: self.records.max_capacity().saturating_sub(self.records.capacity()),
            media_events_waiting: self.media_events.len(),
        }
    }

    /// Carries out all that is decided; gives the next deadline.
    fn settle(&mut self) -> Option<Instant> {
        loop {
            let meetings = self.drain_focus();
            let (signalling, idle) = self.drain_user_agent();
            if idle {
                return [meetings, signalling].into_iter().flatten().min();
            }
        }
    }

    fn drain_focus(&mut self) -> Option<Instant> {
        loop {
            match self.focus.poll_output() {
                focus::Output::Effect(effect) => self.carry_out(effect),
                focus::Output::Timeout(deadline) => return deadline,
            }
        }
    }

    /// The second value says whether the user agent had no event for the meetings.
    fn drain_user_agent(&mut self) -> (Option<Instant>, bool) {
        let mut idle = true;
        loop {
            match self.user_agent.poll_output() {
                ua::Output::Transmit(transmit) => {
                    let hop = &transmit.destination;
                    let (transport, local, remote) = (hop.transport, hop.local, hop.remote);
                    let passing =
                        Passing { sent: true, transport, local, remote, payload: &transmit.payload };
                    self.wire.note(edge::wall(), &passing);
                    self.signalling.send(&transmit);
                }
                ua::Output::Connect(connect) => self.signalling.connect(connect),
                ua::Output::Resolve(question) => self.signalling.resolve(question),
                ua::Output::Event(event) => {
                    idle = false;
                    let Some(event) = self.identity.take(event, edge::wall()) else { continue };
                    self.metrics.signalling(&event);
                    self.focus.handle_sip(Instant::now(), edge::wall(), event);
                }
                ua::Output::Timeout(deadline) => return (deadline, idle),
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Sip(mut command) => {
                self.identity.sign(&mut command, edge::wall(), edge::nonce);
                self.wire.command(&command);
                self.user_agent.handle_command(Instant::now(), command);
            }
            Effect::OpenPort { leg, room } => self.open_port(leg, room),
            Effect::ClosePort { leg } => self.close_port(leg),
            Effect::Media { room, command } => {
                if matches!(command, worker::Command::StopPlaying { .. } | worker::Command::RemoveLeg { .. })
                {
                    self.speech.forget(command.leg());
                }
                self.tell(room, Input::Command(command));
            }
            Effect::Speak { leg, room, utterance, playing } => self.speak((leg, room, playing), utterance),
            Effect::MoveLeg { leg, from, to } => self.move_leg(leg, from, to),
            Effect::AttachPeer { leg, room } => self.attach_peer(leg, room),
            Effect::Transfer(request) => self.transfer(*request),
            Effect::Publish(event) => drop(self.events.publish(event)),
            Effect::Record(record) => {
                self.metrics.record(&record);
                story::tell(&record);
                self.wire.record(Instant::now(), &record);
                self.write_down(record);
            }
        }
    }

    fn transfer(&mut self, request: TransferRequest) {
        if let Err(full) = self.transfers.try_send(request) {
            let refer = full.into_inner().refer;
            let answer = Err((503, "too many transfers at once".to_owned()));
            self.user_agent.handle_command(Instant::now(), ua::Command::AnswerRefer { refer, answer });
        }
    }

    fn write_down(&self, record: Record) {
        if self.records.try_send(record).is_err() {
            self.metrics.record_lost();
            tracing::error!("the database is too far behind: a record is lost");
        }
    }

    fn speak(&mut self, (leg, room, playing): (LegId, RoomId, PlayingId), utterance: Utterance) {
        match self.speech.say((leg, room, playing), utterance) {
            Some(ready) => self.play(ready),
            // What was being said is over, whenever the next words are ready.
            None => self.tell(room, Input::Command(worker::Command::StopPlaying { leg })),
        }
    }

    fn play(&self, ready: Ready) {
        let Ready { leg, room, playing, source, repeat } = ready;
        self.tell(room, Input::Command(worker::Command::Play { leg, source, repeat, playing }));
    }

    /// A phone goes on in another room, with its port, and perhaps on another media thread.
    fn move_leg(&mut self, leg: LegId, from: RoomId, to: RoomId) {
        self.speech.moved(leg, to);
        if let Some(room) = self.threads.get_mut(&leg) {
            *room = to;
        }
        if self.shard(from) == self.shard(to) {
            return self.tell(to, Input::Command(worker::Command::MoveLeg { leg, room: to }));
        }
        let Some(target) = self.thread(to).cloned() else { return };
        self.tell(to, Input::Command(worker::Command::ExpectLeg { leg }));
        self.tell(from, Input::HandOver { leg, room: to, target });
    }

    fn open_port(&mut self, leg: LegId, room: RoomId) {
        if !self.takes_legs(room) {
            tracing::warn!(room.id = room.0, "a leg is refused: its media thread is at its limit");
            let refused = Err("the media thread is at its limit".to_owned());
            return self.focus.handle_port(Instant::now(), edge::wall(), leg, refused);
        }
        let result = self.ports.bind().and_then(|(ports, address)| {
            self.thread(room).map_or_else(
                || Err(std::io::Error::other("no media thread")),
                |thread| thread.send(Input::Open(leg, ports)),
            )?;
            Ok(address)
        });
        if result.is_ok() {
            self.threads.insert(leg, room);
        }
        let result = result.map_err(|error| error.to_string());
        self.focus.handle_port(Instant::now(), edge::wall(), leg, result);
    }

    /// Whether one more leg in this room leaves the ticks of its thread in time.
    fn takes_legs(&self, room: RoomId) -> bool {
        self.thread(room).is_none_or(|thread| thread.accepts(self.busy_limit_percent))
    }

    /// A browser is refused before anything is decided about it.
    fn check_load(&self, command: &focus::Command) -> Result<(), Refusal> {
        let focus::Command::JoinWebrtc { meeting, .. } = command else { return Ok(()) };
        match self.focus.room(meeting) {
            Some(room) if !self.takes_legs(room) => {
                Err(Refusal::new(RefusalKind::Overload, "the server is at its limit").mend("Try again later"))
            }
            _ => Ok(()),
        }
    }

    fn close_port(&mut self, leg: LegId) {
        if let Some(room) = self.threads.remove(&leg) {
            self.tell(room, Input::Close(leg));
        }
    }

    fn attach_peer(&mut self, leg: LegId, room: RoomId) {
        let Some(AcceptedPeer { peer, ufrag, video_slots, .. }) = self.peers.remove(&leg) else { return };
        self.tell(
            room,
            Input::Command(worker::Command::AddWebrtcLeg { leg, room, peer, ufrag, video_slots }),
        );
    }

    fn tell(&self, room: RoomId, input: Input) {
        let sent = self.thread(room).map(|thread| thread.send(input));
        if let Some(Err(error)) = sent {
            tracing::error!(%error, room.id = room.0, "a media thread does not keep up");
        }
    }

    fn shard(&self, room: RoomId) -> usize {
        let threads = u64::try_from(self.media.len()).unwrap_or(1).max(1);
        usize::try_from(room.0 % threads).unwrap_or(0)
    }

    fn thread(&self, room: RoomId) -> Option<&MediaHandle> {
        self.media.get(self.shard(room))
    }
}

/// The message in what has come, if it is one.
fn passing<'a>(arrival: &'a Arrival, buffer: &'a [u8]) -> Option<Passing<'a>> {
    match arrival {
        Arrival::Datagram { local, source, length } => {
            let payload = buffer.get(..*length)?;
            Some(Passing { sent: false, transport: Transport::Udp, local: *local, remote: *source, payload })
        }
        Arrival::Message(flow, payload) => {
            let (transport, local, remote) = (flow.transport, flow.local, flow.remote);
            Some(Passing { sent: false, transport, local, remote, payload })
        }
        Arrival::Opened(..) | Arrival::Closed(_) | Arrival::Answer(..) => None,
    }
}

/// A trunk's state in the words of the API.
fn trunk_state(now: Instant, status: &TrunkStatus) -> TrunkState {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let last_answer = status.last_answer.map(|answer| TrunkAnswer {
        status: answer.status,
        latency_ms: millis(answer.after),
        age_ms: millis(now.saturating_duration_since(answer.at)),
    });
    let state = match (status.answering, status.registered) {
        (Some(false), _) | (_, Some(false)) => TrunkHealth::Down,
        (Some(true), _) | (None, Some(true)) => TrunkHealth::Up,
        (None, None) => TrunkHealth::Unknown,
    };
    let addresses = status.addresses.iter().map(|target| format!("{} {}", target.transport, target.address));
    TrunkState {
        state,
        registered: status.registered,
        answering: status.answering,
        last_answer,
        calls_in: status.incoming,
        calls_out: status.outgoing,
        addresses: addresses.collect(),
        retry_after_s: status.not_before.map(|at| at.saturating_duration_since(now).as_secs()),
    }
}

/// Sleeps until the deadline, for ever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
