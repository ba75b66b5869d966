//! A fake of the running part and a seeded database, for tests.
#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "tests stop at the first surprise"
)]

use super::outbox::{Carrier, Channel, Letter, OutboxConfig, Outcome, Parcel};
use super::webhooks::WebhookGuard;
use super::{Clock, Entropy, EventHub, Live, Parts, Provision, Services, ServicesConfig, WebrtcAnswer};
use crate::ids::{MeetingId, PersonId};
use crate::live::focus::{Command, MeetingSnapshot, PersonSpec, PersonView, Refusal, RefusalKind, Reply};
use crate::live::leg_record::LegMedia;
use crate::live::snapshot::{CallView, MeetingView};
use crate::store::secrets::LinkKey;
use crate::store::seed::Seed;
use crate::store::{Image, Store, Vault};
use crate::vocabulary::{CallState, LegKind, MeetingState, UnixMillis};
use async_trait::async_trait;
use media::worker::LegId;
use sip_core::ua::{AddressOfRecord, BindingInfo};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// The people of mission.md section 0, as seed data.
pub const SEED: &str = r#"
[[tenant]]
name = "acme"
domain = "acme.test"
phone_address_domain = "collaborate.center"
country = "US"
area_code = "202"
user = [
  { login = "hana", password = "hana-demo", first = "Hana", last = "Hale", extension = "100", mail = "hana@acme.test", caller_id = "+12025550100", device = [{ name = "100a", password = "100a-secret-demo" }] },
  { login = "pia", password = "pia-demo", first = "Pia", last = "Paz", extension = "101", mail = "pia@acme.test", caller_id = "+12025550101", device = [{ name = "101a", password = "101a-secret-demo" }] },
  { login = "ari", password = "ari-demo", first = "Ari", last = "Arlo", extension = "102", mail = "ari@acme.test", caller_id = "+12025550102", phones = ["+12025550142"], device = [{ name = "102a", password = "102a-secret-demo" }] },
  { login = "uma", password = "uma-demo", first = "Uma", last = "Ural", extension = "103", mail = "uma@acme.test", phones = ["+12025550143"], device = [{ name = "103a", password = "103a-secret-demo" }, { name = "103b", kind = "softphone", password = "103b-secret-demo" }] },
  { login = "sam", password = "sam-demo", first = "Sam", extension = "110", role = "session_admin" },
  { login = "tia", password = "tia-demo", first = "Tia", extension = "111", role = "tenant_admin" },
  { login = "gus", password = "gus-demo", first = "Gus", role = "guest" },
]
trunk = [{ name = "carrier", host = "carrier.test", peer = "127.0.0.1:5070", user = "acme", password = "trunk-secret-demo" }]

[[tenant]]
name = "zeta"
domain = "zeta.test"
user = [{ login = "zed", password = "zed-demo", first = "Zed", extension = "100", mail = "zed@zeta.test" }]
"#;

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct TestClock(AtomicU64);

impl TestClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

/// Bytes that look random, and are never the same twice within a process.
#[derive(Debug, Default)]
pub struct TestEntropy;

static BLOCKS: AtomicU64 = AtomicU64::new(0);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        use sha2::Digest as _;
        for chunk in bytes.chunks_mut(32) {
            let block = sha2::Sha256::digest(BLOCKS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}

/// What the fake has been told, and what it pretends.
#[derive(Debug, Default)]
pub struct FakeState {
    /// Every command, in order.
    pub commands: Vec<Command>,
    /// Every provision, in order.
    pub provisions: Vec<Provision>,
    /// The devices that are registered.
    pub registered: BTreeSet<AddressOfRecord>,
    /// What the next dial is refused with.
    pub refuse_dial: Option<Refusal>,
    meetings: BTreeMap<MeetingId, MeetingSnapshot>,
    legs: u64,
}

/// A running part that dials nobody.
#[derive(Debug, Default)]
pub struct FakeLive(Mutex<FakeState>);

impl FakeLive {
    /// What it has been told.
    pub fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().expect("no test panics while it holds the lock")
    }

    /// Registers a device, such as `103a`, of the domain `acme.test`.
    pub fn register(&self, device: &str) {
        self.state().registered.insert(aor(device));
    }

    /// Ends a device's registration.
    pub fn unregister(&self, device: &str) {
        self.state().registered.remove(&aor(device));
    }

    /// Puts a person in the meeting, or takes them out.
    pub fn set_present(&self, meeting: &MeetingId, person: &PersonId, present: bool) {
        let mut state = self.state();
        let people =
            state.meetings.get_mut(meeting).into_iter().flat_map(|meeting| meeting.people.iter_mut());
        for row in people.filter(|row| row.id == *person) {
            row.present = present;
            row.leg_kind = present.then_some(LegKind::Webrtc);
        }
    }

    /// Brings every call of the meeting to a state.
    pub fn set_calls(&self, meeting: &MeetingId, call_state: CallState) {
        let mut state = self.state();
        let calls = state.meetings.get_mut(meeting).into_iter().flat_map(|meeting| meeting.calls.iter_mut());
        calls.for_each(|call| call.state = call_state);
    }

    /// How many calls it was asked to dial.
    pub fn dials(&self) -> usize {
        self.state().commands.iter().filter(|command| matches!(command, Command::Dial(_))).count()
    }
}

fn aor(device: &str) -> AddressOfRecord {
    AddressOfRecord { user: device.to_owned(), domain: "acme.test".to_owned() }
}

impl FakeState {
    fn put_person(&mut self, meeting: &MeetingId, spec: &PersonSpec) {
        let Some(meeting) = self.meetings.get_mut(meeting) else { return };
        let present = meeting.people.iter().any(|row| row.id == spec.person && row.present);
        meeting.people.retain(|row| row.id != spec.person);
        meeting.people.push(PersonView {
            id: spec.person.clone(),
            user: spec.user.clone(),
            display_name: spec.display_name.clone(),
            role: spec.role,
            access: spec.access,
            present,
            leg_kind: present.then_some(LegKind::Webrtc),
            ..PersonView::default()
        });
    }

    fn person(&mut self, meeting: &MeetingId, person: &PersonId) -> Result<&mut PersonView, Refusal> {
        let meeting = self.meetings.get_mut(meeting);
        let row = meeting.and_then(|meeting| meeting.people.iter_mut().find(|row| row.id == *person));
        row.ok_or_else(|| Refusal::not_found("person", "no such person"))
    }

    fn handle(&mut self, command: &Command) -> Result<Reply, Refusal> {
        match command {
            Command::PutPerson { meeting, person } => self.put_person(meeting, person),
            Command::SetRole { meeting, person, role } => self.person(meeting, person)?.role = *role,
            Command::SetAccess { meeting, person, access } => self.person(meeting, person)?.access = *access,
            Command::Leave { meeting, person } => self.person(meeting, person)?.present = false,
            Command::Remove { meeting, person } => self.person(meeting, person)?.present = false,
            Command::SetMuted { meeting, person, muted, .. } => {
                self.person(meeting, person)?.muted_by_host = *muted;
            }
            Command::Dial(spec) => self.dial(spec)?,
            Command::EndCall { call } => {
                let mut calls = self.meetings.values_mut().flat_map(|meeting| meeting.calls.iter_mut());
                let call = calls.find(|row| row.call == *call);
                call.ok_or_else(|| Refusal::not_found("call", "no such call"))?.state = CallState::Cancelled;
            }
            Command::EndMeeting { meeting } => {
                let people = self.meetings.get_mut(meeting).into_iter().flat_map(|m| m.people.iter_mut());
                people.for_each(|row| row.present = false);
            }
            _ => {}
        }
        Ok(Reply::Done)
    }

    fn dial(&mut self, spec: &crate::live::focus::DialSpec) -> Result<(), Refusal> {
        if let Some(refusal) = self.refuse_dial.take() {
            return Err(refusal);
        }
        self.put_person(&spec.meeting, &spec.person);
        let meeting = self.meetings.get_mut(&spec.meeting);
        let meeting = meeting.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "no such meeting"))?;
        meeting.calls.push(CallView {
            evidence: None,
            call: spec.call.clone(),
            id: spec.call.clone(),
            person: spec.person.person.clone(),
            state: CallState::Queued,
            cause: None,
            sip_code: None,
            words: String::new(),
            next: crate::live::call::story::next_step(CallState::Queued, None, false),
            early_media: false,
            purpose: spec.extra.purpose,
            rang_at: None,
            carrier_words: None,
            target: String::new(),
            display_name: spec.person.display_name.clone(),
            role: spec.person.role,
            number: None,
            at: UnixMillis(0),
        });
        Ok(())
    }
}

#[async_trait]
impl Live for FakeLive {
    async fn command(&self, command: Command) -> Result<Reply, Refusal> {
        let mut state = self.state();
        let reply = state.handle(&command);
        state.commands.push(command);
        reply
    }

    async fn join_webrtc(
        &self,
        meeting: MeetingId,
        person: PersonSpec,
        offer_sdp: String,
    ) -> Result<WebrtcAnswer, Refusal> {
        if !offer_sdp.starts_with("v=0") {
            return Err(Refusal::new(RefusalKind::Invalid, "the offer is not SDP").field("sdp"));
        }
        self.state().put_person(&meeting, &person);
        self.set_present(&meeting, &person.person, true);
        let mut state = self.state();
        state.legs += 1;
        let leg = LegId(state.legs);
        state.commands.push(Command::JoinWebrtc { meeting, person });
        Ok(WebrtcAnswer { leg, answer_sdp: "v=0\r\n".to_owned() })
    }

    async fn snapshot(&self, meeting: MeetingId) -> Option<MeetingSnapshot> {
        self.state().meetings.get(&meeting).cloned()
    }

    async fn media(&self, meeting: MeetingId) -> Option<Vec<LegMedia>> {
        let state = self.state();
        let people = state.meetings.get(&meeting)?.people.iter();
        let legs = people.filter_map(|person| {
            Some(LegMedia {
                person: person.id.clone(),
                display_name: person.display_name.clone(),
                leg_kind: person.leg_kind?,
                call: None,
                codec: Some("opus".to_owned()),
                started_at: UnixMillis(0),
                quality: None,
            })
        });
        Some(legs.collect())
    }

    async fn bindings(&self, devices: Vec<AddressOfRecord>) -> Vec<Vec<BindingInfo>> {
        let registered = self.state().registered.clone();
        let bindings = |device| registered.contains(&device).then(|| binding(device)).into_iter().collect();
        devices.into_iter().map(bindings).collect()
    }

    async fn provision(&self, change: Provision) {
        let mut state = self.state();
        if let Provision::Meeting(spec) = &change {
            state.meetings.entry(spec.meeting.clone()).or_insert_with(|| MeetingSnapshot {
                meeting: MeetingView {
                    id: spec.meeting.clone(),
                    number: spec.number.clone(),
                    title: spec.title.clone(),
                    kind: spec.kind,
                    state: MeetingState::Scheduled,
                    alias: spec.alias.clone(),
                    owner: spec.owner.clone(),
                    locked: spec.settings.locked,
                },
                people: Vec::new(),
                calls: Vec::new(),
                slots: BTreeMap::new(),
                active_speaker: None,
            });
        }
        if let Provision::DeviceGone(device) = &change {
            state.registered.remove(device);
        }
        state.provisions.push(change);
    }
}

/// When every bench begins.
const START: UnixMillis = UnixMillis(1_800_000_000_000);
const LINK_KEY: [u8; 32] = [7; 32];

async fn apply(store: &Store) {
    let seed: Seed = toml::from_str(SEED).expect("the seed is valid");
    let links = LinkKey::new(LINK_KEY);
    seed.apply(store, &TestEntropy, &links, START).await.expect("the seed fits the database");
}

/// Services on a database in memory with [`SEED`], and what they stand on.
pub struct Bench {
    /// The services.
    pub services: Arc<Services>,
    /// The fake of the running part.
    pub live: Arc<FakeLive>,
    /// The clock, at a fixed date.
    pub clock: Arc<TestClock>,
    /// The database.
    pub store: Store,
}

impl Bench {
    /// A bench on a fresh database.
    pub async fn new() -> Self {
        // Passwords are slow to hash on purpose: once per process is enough.
        static IMAGE: OnceCell<Image> = OnceCell::const_new();
        let image = IMAGE.get_or_init(|| async {
            let store = Store::scratch().await.expect("a database in a temporary folder");
            apply(&store).await;
            store.into_image().await.expect("the file can be read")
        });
        Self::build(Store::from_image(image.await).await.expect("the copy is a database")).await
    }

    /// A bench on this database, seeded (again).
    pub async fn on(store: Store) -> Self {
        apply(&store).await;
        Self::build(store).await
    }

    async fn build(store: Store) -> Self {
        let seed: Seed = toml::from_str(SEED).expect("the seed is valid");
        let clock = Arc::new(TestClock(AtomicU64::new(START.0)));
        let entropy = Arc::new(TestEntropy);
        let links = LinkKey::new(LINK_KEY);
        let live = Arc::new(FakeLive::default());
        let parts = Parts {
            store: store.clone(),
            live: Arc::<FakeLive>::clone(&live),
            events: EventHub::new(clock.wall()),
            clock: Arc::<TestClock>::clone(&clock),
            vault: Vault::new(&[[9; 32]], Arc::<TestEntropy>::clone(&entropy) as Arc<dyn Entropy>),
            entropy,
            links,
            trunk_passwords: seed.trunk_passwords(),
            config: ServicesConfig {
                base_url: "https://meet.acme.test".to_owned(),
                outbox: OutboxConfig { mail: true, ..OutboxConfig::default() },
                webhooks: WebhookGuard {
                    allowed: "127.0.0.0/8".parse().into_iter().collect(),
                    plain_http: false,
                },
                calendar_replies: Some("replies@meet.acme.test".to_owned()),
                ..Default::default()
            },
        };
        let services = Arc::new(Services::new(parts).await.expect("services on a seeded database"));
        services.provision_all().await.expect("everything in the database is readable");
        Self { services, live, clock, store }
    }
}

/// A post office of tests: keeps what it is given and answers as it is told.
#[derive(Debug, Default)]
pub struct PostOffice {
    taken: Mutex<Vec<Parcel>>,
    answers: Mutex<VecDeque<Outcome>>,
}

impl PostOffice {
    /// Answers the next attempts like this; whatever comes after them is delivered.
    pub fn answer(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.answers.lock().expect("no test panics while it holds the lock").extend(outcomes);
    }

    /// Everything that was delivered.
    pub fn taken(&self) -> Vec<Parcel> {
        self.taken.lock().expect("no test panics while it holds the lock").clone()
    }

    /// The mails that were delivered.
    pub fn letters(&self) -> Vec<Letter> {
        let mails = self.taken().into_iter().filter_map(|parcel| match parcel {
            Parcel::Mail(letter) => Some(*letter),
            Parcel::Webhook(_) => None,
        });
        mails.collect()
    }
}

#[async_trait]
impl Carrier for PostOffice {
    async fn deliver(&self, parcel: Parcel) -> Outcome {
        let answer = self.answers.lock().expect("no test panics while it holds the lock").pop_front();
        let outcome = answer.unwrap_or(Outcome::Delivered);
        if outcome == Outcome::Delivered {
            self.taken.lock().expect("no test panics while it holds the lock").push(parcel);
        }
        outcome
    }
}

impl Bench {
    /// Has everything carried that is due at this moment.
    pub async fn carry(&self, channel: Channel, office: &Arc<PostOffice>) {
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let services = Arc::clone(&self.services);
        let carrier: Arc<dyn Carrier> = Arc::<PostOffice>::clone(office);
        let worker = tokio::spawn(services.run_outbox(channel, carrier, stopping));
        let word = match channel {
            Channel::Mail => "mail",
            Channel::Webhook => "webhook",
        };
        // The clock stands still: what failed is not due again before it is moved.
        while !self
            .store
            .due_parcels(word, self.clock.wall(), 1, 1)
            .await
            .expect("a readable outbox")
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = stop.send(true);
        worker.await.expect("the worker ends");
    }
}

/// How a device of the tests is registered.
pub(crate) fn binding(device: AddressOfRecord) -> BindingInfo {
    let now = Instant::now();
    BindingInfo {
        contact: format!("sip:{}@127.0.0.1:5090", device.user),
        device,
        source: ([127, 0, 0, 1], 5090).into(),
        transport: sip_core::ua::Transport::Udp,
        q: 1_000,
        reachable: true,
        instance: None,
        reg_id: None,
        path: Vec::new(),
        user_agent: "test phone".to_owned(),
        call_id: "1".to_owned(),
        cseq: 1,
        latency: None,
        last_seen: now,
        expires_at: now + Duration::from_secs(60),
    }
}
