//! A carrier by TLS, a phone and a carrier by IPv6, a web phone by WSS: each in a meeting, heard and hearing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::carrier::{self, Carrier, CarrierConfig};
use partyline_tests::ear::Ear;
use partyline_tests::error::{LabError, LabResult};
use partyline_tests::g711::Codec;
use partyline_tests::gateway::TempFolder;
use partyline_tests::phone::{Phone, PhoneConfig};
use partyline_tests::rtp_leg::RtpLeg;
use partyline_tests::sip::agent::Outgoing;
use partyline_tests::sip::call::Script;
use partyline_tests::sip::sdp::Description;
use partyline_tests::stage::{Room, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use partyline_tests::ws_phone::{WsPhone, header};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage_with};
use crate::transports::{certificates, with_listener};

const HERE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn free_port() -> SocketAddr {
    TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap()
}

/// Certificate and key of [`certificates`], and the authority they belong to.
struct Keys {
    folder: TempFolder,
    lines: String,
    authority: std::path::PathBuf,
}

impl Keys {
    fn new() -> Self {
        let folder = TempFolder::new().unwrap();
        let (lines, authority) = certificates(&folder);
        Self { folder, lines, authority }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_file(self.folder.path().join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.folder.path().join("key.pem")).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()))
    }

    async fn connect(&self, server: SocketAddr) -> LabResult<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.authority).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(server).await.map_err(LabError::io("connecting"))?;
        let name = ServerName::try_from("acme.test").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        connected.map_err(LabError::io("encrypting"))
    }
}

/// A server that speaks TLS in front of the lab's carrier, which speaks UDP: its port, and how many have connected.
async fn tls_front(acceptor: TlsAcceptor, behind: SocketAddr) -> (u16, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicU64::new(0));
    let connections = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.fetch_add(1, Ordering::Relaxed);
            // A connection that is not wanted ends here.
            tokio::spawn(
                async move { pass_on(acceptor.accept(stream).await?, socket_to(behind).await?).await },
            );
        }
    });
    (port, count)
}

/// The other way round: what the carrier sends to this address goes to `server` by TLS.
async fn tls_towards(keys: &Keys, server: SocketAddr, carrier: SocketAddr) -> LabResult<SocketAddr> {
    let (stream, socket) = (keys.connect(server).await?, socket_to(carrier).await);
    let socket = socket.map_err(LabError::io("binding"))?;
    let address = socket.local_addr().map_err(LabError::io("binding"))?;
    tokio::spawn(pass_on(stream, socket));
    Ok(address)
}

async fn socket_to(peer: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((peer.ip(), 0)).await?;
    socket.connect(peer).await.map(|()| socket)
}

/// Messages of a stream become datagrams, and datagrams the bytes of the stream.
async fn pass_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, socket: UdpSocket) -> std::io::Result<()> {
    let (mut pending, mut datagram) = (Vec::new(), vec![0; 65_536]);
    loop {
        tokio::select! {
            length = stream.read_buf(&mut pending) => {
                if length? == 0 {
                    return Ok(());
                }
                while let Some(length) = whole(&pending) {
                    let message: Vec<u8> = pending.drain(..length).collect();
                    socket.send(&message).await?;
                }
            }
            length = socket.recv(&mut datagram) => stream.write_all(&datagram[..length?]).await?,
        }
    }
}

/// How long the first message is, once it is there.
fn whole(pending: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(pending);
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head].lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let length = head + length.unwrap_or(0);
    (length <= pending.len()).then_some(length)
}

async fn ask(api: &Api, method: &str, path: &str, body: Option<Value>) -> LabResult<Value> {
    api.send(method, path, &[], body).await?.read(path)
}

/// The meeting hears `tone`, and whoever makes it hears Hana.
async fn both_hear(room: &Room, tone: u32, ear: &Ear, who: &str) {
    let since = Instant::now();
    assert!(room.host.ear().wait_for(tone, since, LONG).await.is_some(), "Hana hears {who}");
    assert!(ear.wait_for(tone::HANA, since, LONG).await.is_some(), "{who} hears Hana");
}

/// Calls the carrier's person who presses 1, and hangs up once both have heard each other.
async fn call_carrier(room: &Room, carrier: &Carrier, who: &str) -> LabResult<()> {
    let call = call_and_join(room, CallTarget::number(carrier::PRESSES_ONE, "presenter")).await?;
    let theirs = carrier.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
    both_hear(room, tone::OUTSIDE, theirs.ear(), who).await;
    room.api.end_call(&call).await?;
    theirs.wait_ended(LONG).await?;
    Ok(())
}

async fn carrier_here() -> LabResult<Carrier> {
    Carrier::start(CarrierConfig::new(SocketAddr::new(HERE, 0))).await
}

async fn web_phone(room: &Room, keys: &Keys, server: SocketAddr) -> LabResult<()> {
    let stream = keys.connect(server).await?;
    let mut phone = WsPhone::over(stream, server, "sip", "103b", "acme.test").await?;
    phone.register("103b-secret-demo").await?;
    let leg = RtpLeg::bind(HERE, Voice::steady(tone::GUEST)).await.map_err(LabError::io("binding"))?;
    let id = room.api.user("uma").await?.id;
    let ticket = call_one(room, CallTarget::device(&id, "103b", "presenter")).await?;
    let invite = phone.receive().await?;
    assert!(header(&invite, "Via").is_some_and(|via| via.starts_with("SIP/2.0/WSS ")), "{invite}");
    let offer = invite.split_once("\r\n\r\n").and_then(|(_, body)| Description::parse(body));
    let remote = offer.as_ref().and_then(|offer| offer.remote(&[Codec::Pcmu]));
    leg.connect(remote.unwrap_or_else(|| panic!("{invite}")));
    phone.answer(&invite, &Description::new(leg.local(), &[Codec::Pcmu]).write()).await?;
    room.host.events.wait_call(&ticket.id, &["joined"], LONG).await?;
    both_hear(room, tone::GUEST, &leg.ear, "the web phone").await;
    room.api.end_call(&ticket.id).await?;
    let bye = phone.receive().await?;
    assert!(bye.starts_with("BYE "), "{bye}");
    phone.respond(&bye, "200 OK", "", "").await?;
    room.host.events.wait_call(&ticket.id, &["ended"], LONG).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_d22_rfc_5922_carriers_by_tls_and_ipv6_and_phones_by_wss_and_ipv6_talk_in_a_meeting() {
    let (udp, wss, keys) = (free_port(), free_port(), Keys::new());
    let tls = crate::transports::free_port();
    let change = |config: StageConfig| {
        let config = config.set("rtp_address", "\"::1\"")?;
        let config = config.set("tls_roots", &format!("\"{}\"", keys.authority.display()))?;
        let config = with_listener(config, "udp", udp, "public = true");
        let config = with_listener(config, "tls", tls, &keys.lines);
        Ok(with_listener(config, "wss", wss, &keys.lines))
    };
    on_stage_with(change, async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        web_phone(&room, &keys, wss).await?;
        // A phone by IPv6.
        let config = PhoneConfig {
            listen: SocketAddr::new(HERE, 0),
            ..PhoneConfig::new("103a", "103a-secret-demo", "acme.test", udp, tone::UMA)
        };
        let phone = Phone::start(config).await?;
        phone.register(300).await?;
        let id = room.api.user("uma").await?.id;
        let uma = call_and_join(&room, CallTarget::device(&id, "103a", "presenter")).await?;
        both_hear(&room, tone::UMA, phone.wait_incoming(0, LONG).await?.ear(), "the phone").await;
        room.api.end_call(&uma).await?;
        // A carrier by IPv6.
        let (admin, _) = stage.login("tia").await?;
        let trunk = ask(&admin, "GET", "/v1/trunks", None).await?["trunks"][0]["id"].clone();
        let path = format!("/v1/trunks/{trunk}");
        let carrier = carrier_here().await?;
        let peer = json!({ "peer": carrier.local().to_string(), "transport": "udp" });
        ask(&admin, "PATCH", &path, Some(peer)).await?;
        call_carrier(&room, &carrier, "the person by IPv6").await?;
        // A carrier by TLS: under a name that its certificate does not bear it is not spoken to.
        let carrier = carrier_here().await?;
        let (port, connections) = tls_front(keys.acceptor(), carrier.local()).await;
        let peer = |name: &str| Some(json!({ "peer": format!("{name}:{port}"), "transport": "tls" }));
        ask(&admin, "PATCH", &path, peer("other.localhost")).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::PRESSES_ONE, "presenter")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed", "ended"], LONG * 4).await?;
        assert_eq!((over.text("cause"), carrier.counts().invites), ("trunk_down", 0), "{}", over.data);
        assert!(connections.load(Ordering::Relaxed) > 0, "it was found, and its certificate refused");
        ask(&admin, "PATCH", &path, peer("localhost")).await?;
        let probe = format!("{path}/probe");
        let up = async || ask(&admin, "POST", &probe, None).await.is_ok_and(|it| it["state"] == "up");
        eventually("the trunk to be up", LONG * 3, up).await;
        call_carrier(&room, &carrier, "the person by TLS").await?;
        // And a call of the carrier's.
        let info = format!("/v1/meetings/{}/join-info", room.meeting.id);
        let info = ask(&room.api, "GET", &info, None).await?;
        let outgoing = Outgoing {
            uri: format!("sip:{}.{}@acme.test", room.meeting.number, info["guest_pin"].as_str().unwrap()),
            destination: tls_towards(&keys, tls, carrier.local()).await?,
            from: "<sip:+12025550110@carrier.test>".to_owned(),
            asserted: None,
            identity: None,
            credentials: None,
            script: Script::answer(Duration::ZERO, Voice::steady(tone::BYSTANDER)),
        };
        let call = carrier.agent.call(outgoing).await?;
        call.wait_confirmed(LONG).await?;
        both_hear(&room, tone::BYSTANDER, call.ear(), "the caller by TLS").await;
        room.api.end_meeting(&room.meeting.id).await?;
        call.wait_ended(LONG).await.map(|_| ())
    })
    .await;
}
