//! Connections and name servers as the focus task sees them, over loopback.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sip_core::flow::Hop;
use sip_core::locate::{Record, RecordKind};
use std::path::PathBuf;
use tokio::net::UdpSocket;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("partyline-signalling-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An authority's file, and a server that shows a certificate of it for this name.
fn certified(folder: &Folder, name: &str) -> (PathBuf, tls::Server) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let roots =
        folder.write("roots.pem", &authority.self_signed(&authority_key).expect("a certificate").pem());
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = certificate.signed_by(&key, &issuer).expect("a certificate");
    let certificate = folder.write("cert.pem", &certificate.pem());
    let key = folder.write("key.pem", &key.serialize_pem());
    (roots, tls::Server::load(&certificate, &key).expect("a server"))
}

fn listener(transport: Transport, server: Option<tls::Server>) -> StreamListener {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("non-blocking");
    let local = socket.local_addr().expect("an address");
    StreamListener { transport, local, socket, server }
}

fn signalling(streams: Vec<StreamListener>, roots: Option<&PathBuf>) -> Signalling {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = tls::Client::load(roots.map(PathBuf::as_path)).expect("roots");
    let connections = ConnectionLimits { per_address: 10, total: 10 };
    let mut signalling = Signalling::new(Vec::new(), streams, client, None, (Limits::default(), connections));
    signalling.listen();
    signalling
}

async fn next(signalling: &mut Signalling) -> Arrival {
    let arrival = tokio::time::timeout(Duration::from_secs(10), signalling.receive(true, &mut [])).await;
    let mut arrival = arrival.expect("something comes");
    signalling.note(&mut arrival);
    arrival
}

fn connect_to(remote: SocketAddr, identity: &str) -> (Connect, Hop) {
    let (flow, transport, local) = (FlowId::Outgoing(1), Transport::Tls, remote);
    let connect = Connect { flow, transport, local, remote, identity: Some(identity.to_owned()) };
    (connect, Hop { transport, local, remote, flow: Some(flow) })
}

const OPTIONS: &str = "OPTIONS sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn rfc_5922_the_certificate_must_bear_the_domain_that_was_asked_for() {
    let folder = Folder::new("identity");
    let (roots, server) = certified(&folder, "carrier.test");
    let listener = listener(Transport::Tls, Some(server));
    let remote = listener.local;
    let mut carrier = signalling(vec![listener], Some(&roots));
    let mut ours = signalling(Vec::new(), Some(&roots));
    let (connect, hop) = connect_to(remote, "carrier.test");
    ours.connect(connect);
    // What is sent before the connection stands waits for it.
    ours.send(&Transmit { destination: hop, payload: Bytes::from_static(OPTIONS.as_bytes()) });
    assert!(matches!(next(&mut ours).await, Arrival::Opened(..)));
    let Arrival::Opened(opened, _) = next(&mut carrier).await else { panic!("a connection") };
    let Arrival::Message(from, message) = next(&mut carrier).await else { panic!("a message") };
    assert_eq!((from, message.as_ref()), (opened, OPTIONS.as_bytes()));
    // The way back is the same connection.
    let back =
        Hop { transport: Transport::Tls, local: remote, remote: opened.remote, flow: Some(opened.flow) };
    carrier.send(&Transmit { destination: back, payload: Bytes::from_static(OPTIONS.as_bytes()) });
    assert!(matches!(next(&mut ours).await, Arrival::Message(..)));
    // Another domain, and an authority nobody believes.
    let (connect, _) = connect_to(remote, "evil.test");
    ours.connect(connect);
    assert!(matches!(next(&mut ours).await, Arrival::Closed(FlowId::Outgoing(1))));
    let other = Folder::new("other");
    let (stranger, _) = certified(&other, "carrier.test");
    let mut doubting = signalling(Vec::new(), Some(&stranger));
    let (connect, _) = connect_to(remote, "carrier.test");
    doubting.connect(connect);
    assert!(matches!(next(&mut doubting).await, Arrival::Closed(_)));
}

#[tokio::test]
async fn a_certificate_read_again_is_shown_to_the_next_who_connects() {
    let folder = Folder::new("reload");
    let (_, server) = certified(&folder, "carrier.test");
    let listener = listener(Transport::Tls, Some(server));
    let remote = listener.local;
    let mut carrier = signalling(Vec::new(), None);
    carrier.waiting.push(listener);
    let [shown] = carrier.certificates().try_into().map_err(|_| "one certificate").expect("one listener");
    carrier.listen();
    // Another authority, another certificate, in the same files.
    let (roots, _) = certified(&folder, "carrier.test");
    let mut ours = signalling(Vec::new(), Some(&roots));
    let (connect, _) = connect_to(remote, "carrier.test");
    ours.connect(connect);
    assert!(matches!(next(&mut ours).await, Arrival::Closed(_)), "the old one, as yet");
    shown.reload().expect("the new one is read");
    let (connect, _) = connect_to(remote, "carrier.test");
    ours.connect(connect);
    assert!(matches!(next(&mut ours).await, Arrival::Opened(..)));
    // What cannot be read changes nothing.
    folder.write("key.pem", "no key");
    assert!(shown.reload().is_err());
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_told_of() {
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut ours = signalling(Vec::new(), None);
    let (connect, _) = connect_to(closed, "carrier.test");
    ours.connect(Connect { transport: Transport::Tcp, ..connect });
    assert!(matches!(next(&mut ours).await, Arrival::Closed(_)));
}

/// A name server that answers by name: two SRV records, one address, nothing, or not at all.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let local = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            if let Some(reply) = reply_to(&buffer[..length]) {
                socket.send_to(&reply, peer).await.expect("sent");
            }
        }
    });
    local
}

fn reply_to(query: &[u8]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let encoded = |name: &str| {
        let labels = name
            .split('.')
            .flat_map(|label| [&[u8::try_from(label.len()).expect("short")], label.as_bytes()].concat());
        labels.chain([0]).collect::<Vec<u8>>()
    };
    let srv =
        |priority: u8, target: &str| [&[0, priority, 0, 5, 0x13, 0xc4], encoded(target).as_slice()].concat();
    let data: Vec<Vec<u8>> = match (labels.join(".").as_str(), kind) {
        ("slow.test", _) => return None,
        ("_sip._udp.carrier.test", 33) => vec![srv(1, "a.test"), srv(2, "b.test")],
        ("a.test", 1) => vec![vec![192, 0, 2, 7]],
        _ => Vec::new(),
    };
    let status = if data.is_empty() { 3 } else { 0 };
    let count = u8::try_from(data.len()).expect("few");
    let mut reply = [&query[..2], &[0x81, 0x80 | status, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for data in data {
        let length = u16::try_from(data.len()).expect("short").to_be_bytes();
        reply.extend(
            [&[0xc0, 12], &kind.to_be_bytes()[..], &[0, 1, 0, 0, 0, 60], &length[..], &data].concat(),
        );
    }
    Some(reply)
}

#[tokio::test]
async fn f13_name_servers_are_asked_and_their_silence_is_an_answer_too() {
    let resolver = dns::resolver(&[name_server().await]).expect("a resolver");
    let ask = async |name: &str, kind: RecordKind| {
        dns::answer(Some(&resolver), &Question { name: name.to_owned(), kind }).await
    };
    let found = ask("_sip._udp.carrier.test", RecordKind::Srv).await.expect("an answer");
    let targets: Vec<String> = found
        .records
        .iter()
        .map(|record| match record {
            Record::Srv { priority, weight, port, target } => format!("{priority} {weight} {port} {target}"),
            Record::Naptr { .. } | Record::Address(_) => panic!("{record:?}"),
        })
        .collect();
    assert_eq!(targets, ["1 5 5060 a.test.", "2 5 5060 b.test."]);
    assert!((1..=60).contains(&found.ttl.as_secs()), "{:?}", found.ttl);
    let found = ask("a.test", RecordKind::A).await.expect("an answer");
    assert_eq!(found.records, [Record::Address("192.0.2.7".parse().expect("an address"))]);
    let none = ask("nowhere.test", RecordKind::Naptr).await.expect("no records are an answer");
    assert!(none.records.is_empty());
    assert_eq!(
        dns::answer(None, &Question { name: "a.test".to_owned(), kind: RecordKind::A }).await,
        Err(LookupFailed)
    );
    // Nothing waits for this one but its own task.
    let began = std::time::Instant::now();
    assert_eq!(ask("slow.test", RecordKind::A).await, Err(LookupFailed));
    assert!(began.elapsed() < Duration::from_secs(21));
}
