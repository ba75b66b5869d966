//! How the services reach the running meetings: requests to the focus task, answered once.

use crate::focus_task::Request;
use crate::metrics::Metrics;
use async_trait::async_trait;
use conference::ids::{CallId, MeetingId};
use conference::live::focus::{
    Command, MeetingSnapshot, PersonSpec, Refusal, RefusalKind, Reply, Wire, WirePeer,
};
use conference::live::ladder::Rung;
use conference::live::leg_record::LegMedia;
use conference::services::provision::{DeviceSrtp, ProvisionedDevice, ProvisionedTrunk};
use conference::services::trunks::TrunkState;
use conference::services::{Live, Provision, WebrtcAnswer};
use conference::vocabulary::Cause;
use conference::vocabulary::trunk::TrunkSrtp;
use media::sdp::SrtpPolicy;
use media::webrtc::{AcceptedPeer, PeerConfig, PeerError, accept_offer};
use sip_core::ua::{self, AddressOfRecord, BindingInfo, TrunkId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Video slots every browser gets (the page offers as many receiving m-lines).
const VIDEO_SLOTS: u8 = 8;

/// The services' end of the focus task.
#[derive(Clone)]
pub(crate) struct LiveHandle {
    requests: mpsc::Sender<Request>,
    /// The browsers' port of each media thread, as browsers are told it.
    webrtc: Vec<SocketAddr>,
    digest_sha256: bool,
    metrics: Arc<Metrics>,
}

impl LiveHandle {
    /// `webrtc` holds the browsers' port of each media thread; `digest_sha256` says whether devices may be challenged
    /// with it.
    pub(crate) fn new(
        requests: mpsc::Sender<Request>,
        webrtc: Vec<SocketAddr>,
        digest_sha256: bool,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { requests, webrtc, digest_sha256, metrics }
    }

    /// Sends a request and waits for its answer; `None` when the focus task has ended.
    pub(crate) async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.requests.send(request(sender)).await.ok()?;
        answer.await.ok()
    }

    /// Lets the focus task read SIP.
    pub(crate) async fn listen(&self) {
        if self.requests.send(Request::Listen).await.is_err() {
            tracing::error!("the focus task ended before it listened");
        }
    }

    async fn accept(&self, meeting: &MeetingId, offer: String) -> Result<AcceptedPeer, Refusal> {
        let shard = self.ask(|answer| Request::Shard(meeting.clone(), answer)).await.unwrap_or(0);
        let local = *self.webrtc.get(shard).ok_or_else(stopping)?;
        let config = PeerConfig { local, video_slots: VIDEO_SLOTS };
        // Reading an offer takes milliseconds: it must run where no tick runs, and block no async task.
        let accepted =
            tokio::task::spawn_blocking(move || accept_offer(Instant::now(), &offer, &config)).await;
        match accepted {
            Ok(Ok(peer)) => Ok(peer),
            Ok(Err(error)) => Err(bad_offer(&error)),
            Err(_) => Err(internal("the offer could not be processed")),
        }
    }

    async fn tell(&self, command: Command) {
        if let Err(refusal) = self.command(command).await {
            tracing::warn!(?refusal, "the meetings refused a provisioning");
        }
    }

    async fn user_agent(&self, command: ua::Command) {
        if self.requests.send(Request::UserAgent(command)).await.is_err() {
            tracing::debug!("provisioning while the gateway stops");
        }
    }
}

fn internal(detail: &str) -> Refusal {
    Refusal::call(RefusalKind::Overload, Cause::Internal).detail(detail)
}

fn bad_offer(error: &PeerError) -> Refusal {
    Refusal::new(RefusalKind::Invalid, format!("the offer cannot be answered: {error}"))
        .field("sdp")
        .mend("send the offer of a browser with the m-lines of docs/API.md")
}

fn stopping() -> Refusal {
    internal("the gateway is stopping")
}

#[async_trait]
impl Live for LiveHandle {
    async fn command(&self, command: Command) -> Result<Reply, Refusal> {
        self.ask(|answer| Request::Command(command, answer)).await.unwrap_or_else(|| Err(stopping()))
    }

    async fn join_webrtc(
        &self,
        meeting: MeetingId,
        person: PersonSpec,
        offer_sdp: String,
    ) -> Result<WebrtcAnswer, Refusal> {
        let peer = self.accept(&meeting, offer_sdp).await?;
        let answer_sdp = peer.answer_sdp.clone();
        let join = Box::new((Command::JoinWebrtc { meeting, person }, peer));
        match self.ask(|answer| Request::Join(join, answer)).await {
            Some(Ok(Reply::Leg(leg))) => Ok(WebrtcAnswer { leg, answer_sdp }),
            Some(Ok(_)) => Err(internal("a join was answered with something else")),
            Some(Err(refusal)) => Err(refusal),
            None => Err(stopping()),
        }
    }

    async fn snapshot(&self, meeting: MeetingId) -> Option<MeetingSnapshot> {
        self.ask(|answer| Request::Snapshot(meeting, answer)).await.flatten()
    }

    async fn media(&self, meeting: MeetingId) -> Option<Vec<LegMedia>> {
        self.ask(|answer| Request::Media(meeting, answer)).await.flatten()
    }

    async fn bindings(&self, devices: Vec<AddressOfRecord>) -> Vec<Vec<BindingInfo>> {
        self.ask(|answer| Request::Bindings(devices, answer)).await.unwrap_or_default()
    }

    async fn metrics(&self) -> String {
        let now = self.ask(Request::Metrics).await.unwrap_or_default();
        self.metrics.render(now)
    }

    async fn ladder(&self, call: CallId) -> Vec<Rung> {
        self.ask(|answer| Request::Ladder(call, answer)).await.unwrap_or_default()
    }

    async fn trunk_state(&self, trunk: TrunkId) -> Option<TrunkState> {
        self.ask(|answer| Request::TrunkStatus(trunk, answer)).await.flatten()
    }

    async fn provision(&self, change: Provision) {
        match change {
            Provision::Meeting(spec) => self.tell(Command::PutMeeting(*spec)).await,
            Provision::Device(device) => {
                let ProvisionedDevice { mut account, user, tenant, display_name, srtp, codecs, voice } =
                    *device;
                // The user agent offers SHA-256 to a domain whose devices all have the hash.
                account.ha1_sha256 = account.ha1_sha256.filter(|_| self.digest_sha256);
                account.ha1_sha256_full = account.ha1_sha256_full.filter(|_| self.digest_sha256);
                let aor = account.aor.clone();
                self.user_agent(ua::Command::PutDevice(account)).await;
                let peer = WirePeer::Device(aor.clone());
                self.tell(Command::PutDevice { aor, user, tenant, display_name, role_hint: None }).await;
                let srtp = match srtp {
                    DeviceSrtp::Off => SrtpPolicy::Off,
                    DeviceSrtp::Optional => SrtpPolicy::Prefer,
                    DeviceSrtp::Required => SrtpPolicy::Require,
                };
                let wire = Wire::from_names(codecs.iter().map(String::as_str), srtp, voice);
                self.tell(Command::PutWire { peer, wire: Some(wire) }).await;
            }
            Provision::DeviceGone(device) => {
                self.user_agent(ua::Command::RemoveDevice(device.clone())).await;
                self.tell(Command::DropDevice { aor: device }).await;
            }
            Provision::Trunk(provisioned) => {
                let ProvisionedTrunk { trunk, probe, tenant, srtp, codecs, voice } = *provisioned;
                let id = trunk.id;
                self.user_agent(ua::Command::PutTrunk(Box::new(trunk))).await;
                self.user_agent(ua::Command::ProbeTrunk { trunk: id, every: probe }).await;
                self.tell(Command::PutTrunk { trunk: id, tenant }).await;
                let srtp = match srtp {
                    TrunkSrtp::Off => SrtpPolicy::Off,
                    TrunkSrtp::Optional => SrtpPolicy::Prefer,
                    TrunkSrtp::Required => SrtpPolicy::Require,
                };
                let wire = Wire::from_names(codecs.iter().map(String::as_str), srtp, voice);
                self.tell(Command::PutWire { peer: WirePeer::Trunk(id), wire: Some(wire) }).await;
            }
            Provision::DialIn { tenant, number } => {
                self.tell(Command::PutDialIn { number, tenant, language: None }).await;
            }
            Provision::NoDialIn(number) => self.tell(Command::DropDialIn { number }).await,
            Provision::Language(tenant, language) => {
                self.tell(Command::SetLanguage { tenant, language }).await
            }
            Provision::Blocked(tenant, e164, blocked) => {
                self.tell(Command::SetBlocked { tenant, e164, blocked }).await;
            }
            Provision::Dialling(tenant, rules) => self.tell(Command::PutDialling { tenant, rules }).await,
            Provision::NoDevice(aor) => {
                self.user_agent(ua::Command::RemoveDevice(aor.clone())).await;
                self.tell(Command::DropDevice { aor }).await;
            }
            Provision::TrunkGone(trunk) => self.user_agent(ua::Command::RemoveTrunk(trunk)).await,
            Provision::ProbeTrunk(trunk) => self.user_agent(ua::Command::ProbeNow(trunk)).await,
            Provision::Ban { address, duration } => {
                self.user_agent(ua::Command::Ban { address, duration }).await;
            }
            Provision::Binding(binding) => self.user_agent(ua::Command::RestoreBinding(binding)).await,
        }
    }
}
