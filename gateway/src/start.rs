//! Start and stop: puts the parts together in order, and takes them apart in the reverse order.

use crate::config::{CodecName, Config, Encryption};
use crate::edge::{self, OsEntropy, WallClock};
use crate::error::StartError;
use crate::focus_task::{FocusTask, Request};
use crate::hep::Hep;
use crate::housekeeping;
use crate::http_server::{self, Reloader, Security};
use crate::identity;
use crate::keeper;
use crate::limits;
use crate::live::LiveHandle;
use crate::media_thread::{self, MediaHandle, MediaThreadConfig};
use crate::metrics::Metrics;
use crate::oidc::Https;
use crate::outbox::{self, Outbox};
use crate::ports::RtpPorts;
use crate::recorder;
use crate::signalling::{ConnectionLimits, Signalling, StreamListener, UdpListener, dns, tls};
use crate::sockets::Sockets;
use crate::speech::{self, Speaker};
use crate::transfers;
use crate::webhook_sender::{SystemResolver, WebhookCarrier};
use crate::wire_log::WireLog;
use axum_server::Handle;
use conference::live::emergency;
use conference::live::focus::{Command, Focus, FocusConfig};
use conference::live::number::{self, Home};
use conference::services::oidc::{Oidc, OidcConfig};
use conference::services::{EventHub, Parts, Services, ServicesConfig};
use conference::store::records::RecordWriter;
use conference::store::secrets::LinkKey;
use conference::store::{Store, Vault};
use media::dtls::Identity;
use media::sdp::{Codec, SrtpPolicy};
use media::worker::WorkerConfig;
use sd_notify::NotifyState;
use sip_core::message::Limits;
use sip_core::registrar::RegistrarConfig;
use sip_core::transaction::TimerValues;
use sip_core::ua::{IpNetwork, Listener, Transport, UserAgent, UserAgentConfig};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Requests waiting for the focus task.
const REQUESTS: usize = 1024;
/// Media events waiting for the focus task.
const MEDIA_EVENTS: usize = 8192;
/// Records waiting for the database.
const RECORDS: usize = 65_536;
/// How long a stop waits for BYEs to be answered before it goes on without.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often a draining gateway looks whether everybody has left.
const DRAIN_POLL: Duration = Duration::from_millis(250);
/// How long a stop waits for requests in flight.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
/// A [`StartError`] when it cannot start: nothing is left running then.
pub async fn run(config: Config, data: &Path) -> Result<(), StartError> {
    let mut stop = StopSignal::new()?;
    let mut reload = signal(SignalKind::hangup())?;
    limits::check(&config)?;
    let security = Security::new(&config, data).await?;
    let reloader = security.reloader();
    let sockets = Sockets::bind(&config)?;
    let data = open_store(&config, data).await?;
    warm_up();
    let mut gateway = Gateway::start(&config, sockets, data, security).await?;
    announce(&config)?;
    let outcome = loop {
        tokio::select! {
            () = stop.wait() => break Ok(()),
            part = gateway.broken() => break Err(StartError::Broken(part)),
            _ = reload.recv() => reread(reloader.as_ref(), &gateway.certificates).await,
        }
    };
    if outcome.is_ok() {
        tokio::select! {
            () = gateway.drain(Duration::from_secs(config.shutdown.drain_s)) => {}
            () = stop.wait() => tracing::info!("told twice: the meetings that still run are ended"),
        }
    }
    tell_system(&[NotifyState::Stopping]);
    tracing::info!("stopping: calls are hung up, trunks de-registered");
    gateway.stop().await;
    outcome
}

/// SIGHUP: reads again what may change while calls run.
async fn reread(certificate: Option<&Reloader>, signalling: &[tls::Server]) {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell_system(&[NotifyState::Reloading, now]);
    }
    crate::logging::reread();
    for server in signalling {
        match server.reload() {
            Ok(()) => tracing::info!("the certificate of a SIP listener was read again"),
            Err(error) => tracing::error!(%error, "the certificate of a SIP listener stays the one it was"),
        }
    }
    match certificate {
        None if !signalling.is_empty() => {}
        None => tracing::info!("asked to reload: there is no certificate file to read again"),
        Some(certificate) => match certificate.reload().await {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(%error, "the certificate stays the one it was"),
        },
    }
    tell_system(&[NotifyState::Ready]);
}

/// Reads the numbering plans of the world once, which takes tenths of a second: no Host's first CALL shall wait for it.
fn warm_up() {
    let home = Home { country: "US", area_code: None };
    let known = number::normalise("+12025550100", &home).is_ok();
    let emergency = emergency::might_reach("+12025550100");
    tracing::debug!(known, emergency, "numbering plans are loaded");
}

/// The one line on standard output, for whoever waits for it.
#[expect(clippy::print_stdout, reason = "the ready line is the program's output")]
fn announce(config: &Config) -> Result<(), StartError> {
    tell_system(&[NotifyState::Ready]);
    let (sip, api) = (config.sip.listen, config.base_url());
    println!("partyline ready sip={sip} api={api} pid={}", std::process::id());
    Ok(std::io::stdout().flush()?)
}

/// Tells systemd, where it started us (`Type=notify-reload`), how far we are.
fn tell_system(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// SIGTERM and SIGINT, caught from the start on: whoever waits for the ready line may send one right behind it.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What lies in the data folder.
struct Data {
    store: Store,
    links: LinkKey,
    vault: Vault,
}

/// Makes the data folder if it is missing, and says where the database is.
pub(crate) fn database_url(config: &Config, data: &Path) -> Result<String, StartError> {
    let unusable = |source| StartError::DataFolder { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(unusable)?;
    Ok(match config.store.url.strip_prefix("sqlite:") {
        Some(file) if file != ":memory:" => format!("sqlite:{}", data.join(file).display()),
        _ => config.store.url.clone(),
    })
}

async fn open_store(config: &Config, data: &Path) -> Result<Data, StartError> {
    let url = database_url(config, data)?;
    let store = Store::open(&url).await?;
    let links = LinkKey::load_or_create(&data.join("links.key"), &OsEntropy)?;
    config.seed.apply(&store, &OsEntropy, &links, edge::wall()).await?;
    let vault = Vault::load_or_create(&data.join("secrets.key"), Arc::new(OsEntropy))?;
    Ok(Data { store, links, vault })
}

/// The running parts, in the order they are stopped.
struct Gateway {
    api: tokio::task::JoinHandle<()>,
    stop_api: Handle<SocketAddr>,
    live: LiveHandle,
    focus: tokio::task::JoinHandle<()>,
    media: Vec<JoinHandle<()>>,
    media_ended: mpsc::UnboundedReceiver<usize>,
    recorder: tokio::task::JoinHandle<()>,
    outbox: Outbox,
    store: Store,
    /// Of the SIP listeners.
    certificates: Vec<tls::Server>,
}

impl Gateway {
    async fn start(
        config: &Config,
        sockets: Sockets,
        data: Data,
        security: Security,
    ) -> Result<Self, StartError> {
        let folder = config.speech.prompts.as_ref().map(|folder| config.beside(folder));
        let prompts = speech::load_prompts(folder.as_deref()).map_err(StartError::Prompts)?;
        let events = EventHub::new(edge::wall());
        let store = data.store.clone();
        let (media_sender, media_events) = mpsc::channel(MEDIA_EVENTS);
        let (ended, media_ended) = mpsc::unbounded_channel();
        let metrics = Arc::<Metrics>::default();
        let identity = Arc::new(Identity::generate()?);
        let (handles, media) =
            start_media(config, sockets.webrtc, &media_sender, &ended, &metrics, &identity)?;
        let (request_sender, requests) = mpsc::channel(REQUESTS);
        let (transfers, asked_transfers) = mpsc::channel(transfers::WAITING);
        let (records, record_queue) = mpsc::channel(RECORDS);
        let recorder = tokio::spawn(recorder::run(RecordWriter::new(store.clone()), record_queue));
        let told = |handle: &MediaHandle| SocketAddr::new(config.webrtc_advertised(), handle.webrtc.port());
        let webrtc = handles.iter().map(told).collect();
        let live = LiveHandle::new(request_sender, webrtc, config.sip.digest_sha256, Arc::clone(&metrics));
        let signalling = signalling(config, sockets.udp, sockets.streams)?;
        let desk = identity_desk(config)?;
        let hep = config.hep.as_ref().map(|hep| Hep::new(hep.server, hep.capture_id)).transpose()?;
        let certificates = signalling.certificates();
        let task = FocusTask {
            identity: desk,
            wire: WireLog::new(hep),
            focus: Focus::new(focus_config(config, &identity), edge::seed()?),
            user_agent: UserAgent::new(user_agent_config(config), edge::seed()?),
            signalling,
            media: handles,
            busy_limit_percent: config.media.busy_limit_percent,
            ports: RtpPorts::new(config.rtp_address(), config.rtp_advertised(), config.media.rtp_ports),
            events: events.clone(),
            metrics,
            records,
            transfers,
            requests,
            media_events,
            peers: BTreeMap::new(),
            speech: Speaker::new(prompts, &config.speech.voice),
            threads: BTreeMap::new(),
            listening: false,
        };
        let focus = tokio::spawn(task.run());
        let services = services(config, data, live.clone(), events).await?;
        live.listen().await;
        services.resume_multi_invites().await.map_err(StartError::services)?;
        // It ends by itself when the services are gone.
        tokio::spawn(keeper::run(Arc::downgrade(&services)));
        tokio::spawn(transfers::run(Arc::downgrade(&services), live.clone(), asked_transfers));
        let outbox = Outbox::start(config, &services)?;
        let stop_api = Handle::new();
        tokio::spawn(housekeeping::run(Arc::clone(&services)));
        tokio::spawn(housekeeping::remind(Arc::clone(&services)));
        let app = api::router(services);
        let api = tokio::spawn(http_server::serve(sockets.api, app, security, stop_api.clone()));
        Ok(Self { api, stop_api, live, focus, media, media_ended, recorder, outbox, store, certificates })
    }

    /// Waits until a part ends that must not end, and names it. Running on without it would leave a process that
    /// looks alive and serves nobody.
    async fn broken(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.focus => "the focus task",
            _ = self.media_ended.recv() => "a media thread",
            _ = &mut self.recorder => "the recorder",
            _ = &mut self.api => "the HTTP server",
        }
    }

    /// Lets running meetings go on until they are over or the time is up; no other begins meanwhile.
    async fn drain(&self, limit: Duration) {
        if limit.is_zero() {
            return;
        }
        let _ = self.live.ask(|answer| Request::Command(Command::Drain, answer)).await;
        let empty = async {
            while self.live.ask(Request::Legs).await.is_some_and(|legs| legs > 0) {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        tracing::info!(?limit, "draining: running meetings may go on");
        if tokio::time::timeout(limit, empty).await.is_err() {
            tracing::info!("the time to drain is up");
        }
    }

    async fn stop(self) {
        // The order matters: no new work, then goodbye to everybody, then the last records, then the database.
        self.stop_api.graceful_shutdown(Some(LAST_REQUESTS));
        if !join("the HTTP server", self.api, 2 * LAST_REQUESTS).await {
            tracing::info!("requests were still running when the time to stop was up");
        }
        if tokio::time::timeout(GOODBYE, self.live.ask(Request::Shutdown)).await.is_err() {
            tracing::warn!("not every BYE was answered before the time to stop was up");
        }
        drop(self.live);
        self.focus.abort();
        join("the focus task", self.focus, GOODBYE).await;
        for thread in self.media {
            // It ends within a tick: whoever gave it orders has gone.
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
        if !join("the recorder", self.recorder, GOODBYE).await {
            tracing::error!("the database was away: the last records are lost");
        }
        self.outbox.stop().await;
        self.store.close().await;
    }
}

/// Who signs and checks callers' numbers.
fn identity_desk(config: &Config) -> Result<identity::Desk, StartError> {
    let fetcher = || WebhookCarrier::new(outbox::guard(config), Arc::new(SystemResolver)).ok();
    identity::Desk::new(config, fetcher).map_err(StartError::Stir)
}

/// Waits for a task to end, for a limited time; says whether it did.
async fn join(name: &str, task: tokio::task::JoinHandle<()>, limit: Duration) -> bool {
    if task.is_finished() {
        return true;
    }
    match tokio::time::timeout(limit, task).await {
        Ok(Err(error)) if error.is_panic() => tracing::error!("{name} had panicked"),
        Ok(_) => {}
        Err(_) => return false,
    }
    true
}

fn start_media(
    config: &Config,
    sockets: Vec<UdpSocket>,
    events: &mpsc::Sender<media::worker::Event>,
    ended: &mpsc::UnboundedSender<usize>,
    metrics: &Metrics,
    identity: &Arc<Identity>,
) -> Result<(Vec<MediaHandle>, Vec<JoinHandle<()>>), StartError> {
    let (mut handles, mut threads) = (Vec::new(), Vec::new());
    for (index, webrtc) in sockets.into_iter().enumerate() {
        let thread = MediaThreadConfig {
            index,
            webrtc,
            core: config.media.cores.get(index).copied(),
            identity: Some(Arc::clone(identity)),
            worker: WorkerConfig { even_loudness: config.media.even_loudness, ..WorkerConfig::default() },
            seed: edge::seed()?,
            metrics: metrics.thread(),
        };
        let (handle, join) = media_thread::start(thread, events.clone(), ended.clone())?;
        handles.push(handle);
        threads.push(join);
    }
    Ok((handles, threads))
}

fn focus_config(config: &Config, identity: &Identity) -> FocusConfig {
    let codecs = config.media.codecs.iter().map(|name| match name {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
        CodecName::G722 => Codec::G722,
        CodecName::Opus => Codec::Opus,
    });
    let srtp = match config.media.srtp {
        Encryption::Off => SrtpPolicy::Off,
        Encryption::Prefer => SrtpPolicy::Prefer,
        Encryption::Require => SrtpPolicy::Require,
    };
    let dtls = Some(identity.fingerprint());
    FocusConfig { codecs: codecs.collect(), srtp, dtls, ..FocusConfig::default() }
}

fn user_agent_config(config: &Config) -> UserAgentConfig {
    let advertised = config.sip.advertised.clone().unwrap_or_else(|| config.sip.listen.to_string());
    let domains = config.seed.tenants.iter().map(|tenant| tenant.domain.clone()).collect();
    let networks =
        |list: &[String]| list.iter().filter_map(|network| network.parse::<IpNetwork>().ok()).collect();
    let (local, public) = (config.sip.listen, config.sip.public);
    let first = Listener { transport: Transport::Udp, local, advertised, public };
    let others = config.sip.listeners.iter().map(|listener| Listener {
        transport: listener.transport(),
        local: listener.listen,
        advertised: listener.advertised(),
        public: listener.public,
    });
    UserAgentConfig {
        listeners: std::iter::once(first).chain(others).collect(),
        domains,
        product: concat!("Partyline/", env!("CARGO_PKG_VERSION")).to_owned(),
        timers: TimerValues::default(),
        limits: Limits::default(),
        registrar: RegistrarConfig::default(),
        trusted_peers: networks(&config.sip.trusted_peers),
        edges: networks(&config.sip.edges),
    }
}

/// The sockets of SIP, with what stands between them and the messages.
fn signalling(
    config: &Config,
    udp: Vec<(UdpSocket, SocketAddr)>,
    streams: Vec<std::net::TcpListener>,
) -> Result<Signalling, StartError> {
    let mut datagrams = Vec::new();
    for (socket, local) in udp {
        datagrams.push(UdpListener { socket: tokio::net::UdpSocket::from_std(socket)?, local });
    }
    let described = config.sip.listeners.iter().filter(|listener| listener.transport() != Transport::Udp);
    let mut listeners = Vec::new();
    for (described, socket) in described.zip(streams) {
        let server = match (&described.certificate, &described.key) {
            (Some(certificate), Some(key)) => {
                let (path, key) = (config.beside(certificate), config.beside(key));
                let loaded = tls::Server::load(&path, &key);
                Some(loaded.map_err(|source| StartError::Certificate { path, source })?)
            }
            _ => None,
        };
        let (transport, local) = (described.transport(), described.listen);
        listeners.push(StreamListener { transport, local, socket, server });
    }
    let roots = config.sip.tls_roots.as_ref().map(|file| config.beside(file));
    let client = tls::Client::load(roots.as_deref())
        .map_err(|source| StartError::Certificate { path: roots.unwrap_or_default(), source })?;
    let resolver = dns::resolver(&config.sip.name_servers)
        .inspect_err(|error| tracing::warn!(%error, "no name servers: trunks must be given by address"));
    let connections =
        ConnectionLimits { per_address: config.sip.connections_per_address, total: config.sip.connections };
    Ok(Signalling::new(datagrams, listeners, client, resolver.ok(), (Limits::default(), connections)))
}

async fn services(
    config: &Config,
    data: Data,
    live: LiveHandle,
    events: EventHub,
) -> Result<Arc<Services>, StartError> {
    let Data { store, links, vault } = data;
    let parts = Parts {
        store,
        live: Arc::new(live),
        events,
        clock: Arc::new(WallClock),
        entropy: Arc::new(OsEntropy),
        links,
        vault,
        trunk_passwords: config.seed.trunk_passwords(),
        config: ServicesConfig {
            base_url: config.base_url(),
            ring_timeout: config.ring_timeout(),
            metrics_from: config.api.metrics_from.iter().filter_map(|network| network.parse().ok()).collect(),
            sip_server: config.sip.advertised.clone().unwrap_or_else(|| config.sip.listen.to_string()),
            outbox: outbox::config(config),
            webhooks: outbox::guard(config),
            calendar_replies: config.mail.as_ref().and_then(|mail| mail.calendar_replies.clone()),
            ..ServicesConfig::default()
        },
    };
    let services = Services::new(parts).await.map_err(StartError::services)?;
    if let Some(oidc) = &config.oidc {
        let transport = Https::new().map_err(StartError::services)?;
        let config = OidcConfig {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: oidc.client_secret.clone(),
            tenant: oidc.tenant.clone(),
        };
        services.set_oidc(Oidc::new(config, Arc::new(transport)));
    }
    services.provision_all().await.map_err(StartError::services)?;
    Ok(Arc::new(services))
}
