//! One UDP socket: sends requests and matches their answers, answers retransmitted requests from memory, repeats what
//! RFC 3261 section 17 wants repeated. Timers are those of loopback; the state is forgotten after half a minute.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rsip::headers::Header;
use rsip::{Method, Request, Response, SipMessage};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::message;
use crate::shared::lock;

/// First interval between repetitions.
const T1: Duration = Duration::from_millis(500);
/// Longest interval between repetitions.
const T2: Duration = Duration::from_secs(4);
/// How long a transaction is repeated or remembered.
const LIFETIME: Duration = Duration::from_secs(32);

/// A request that arrived for the first time.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The request.
    pub request: Request,
    /// Who sent it.
    pub source: SocketAddr,
    /// When it arrived.
    pub at: Instant,
}

/// Call-ID, CSeq number: names an INVITE transaction for its ACK.
type InviteKey = (String, u32);

struct Answered {
    bytes: Vec<u8>,
    destination: SocketAddr,
    since: Instant,
}

/// A UDP socket with the transactions behind it.
pub struct Endpoint {
    socket: UdpSocket,
    local: SocketAddr,
    waiting: Mutex<BTreeMap<String, mpsc::UnboundedSender<Response>>>,
    answered: Mutex<BTreeMap<String, Option<Answered>>>,
    unacknowledged: Mutex<BTreeMap<InviteKey, JoinHandle<()>>>,
    /// Requests of this method that arrived, repetitions included.
    datagrams: Mutex<BTreeMap<String, u64>>,
}

impl Endpoint {
    /// Binds `address` and begins to listen; new requests come out of the receiver.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<(Arc<Self>, mpsc::UnboundedReceiver<Incoming>)> {
        let socket = UdpSocket::bind(address).await?;
        let local = socket.local_addr()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let endpoint = Arc::new(Self {
            socket,
            local,
            waiting: Mutex::default(),
            answered: Mutex::default(),
            unacknowledged: Mutex::default(),
            datagrams: Mutex::default(),
        });
        tokio::spawn(receive(Arc::downgrade(&endpoint), sender));
        Ok((endpoint, receiver))
    }

    /// The bound address.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Datagrams received with a request of `method`, repetitions included.
    pub fn datagrams(&self, method: Method) -> u64 {
        lock(&self.datagrams).get(&method.to_string()).copied().unwrap_or(0)
    }

    /// Sends `request` and repeats it until answered; every distinct answer comes out of the receiver, which closes
    /// when the transaction gives up. ACKs to refusals are sent here, ACKs to 2xx are the caller's.
    pub fn send_request(
        self: &Arc<Self>,
        request: Request,
        to: SocketAddr,
    ) -> mpsc::UnboundedReceiver<Response> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let key = client_key(&request.headers, &request.method.to_string());
        let (from_wire, answers) = mpsc::unbounded_channel();
        lock(&self.waiting).insert(key.clone(), from_wire);
        let endpoint = Arc::clone(self);
        tokio::spawn(async move {
            endpoint.run_client(&request, to, answers, &sender).await;
            lock(&endpoint.waiting).remove(&key);
        });
        receiver
    }

    async fn run_client(
        &self,
        request: &Request,
        to: SocketAddr,
        mut answers: mpsc::UnboundedReceiver<Response>,
        user: &mpsc::UnboundedSender<Response>,
    ) {
        let bytes = request.to_string().into_bytes();
        let give_up = tokio::time::Instant::now() + LIFETIME;
        let mut interval = T1;
        let mut provisional = false;
        let mut finished = false;
        let invite = request.method == Method::Invite;
        self.send(&bytes, to).await;
        loop {
            let waiting = finished || (invite && provisional);
            let wait = if waiting { LIFETIME } else { interval };
            let answer = tokio::time::timeout(wait, answers.recv()).await;
            match answer {
                Ok(Some(answer)) if answer.status_code.code() < 200 => {
                    provisional = true;
                    // Nobody may be listening any more; the transaction goes on.
                    let _ = user.send(answer);
                }
                Ok(Some(answer)) => {
                    if invite && answer.status_code.code() >= 300 {
                        self.send(&acknowledge_refusal(request, &answer), to).await;
                    }
                    // Repeated refusals are only acknowledged; every 2xx goes up, each needs its ACK.
                    if !finished || answer.status_code.code() < 300 {
                        let _ = user.send(answer);
                    }
                    finished = true;
                    if !invite {
                        return;
                    }
                }
                Ok(None) => return,
                Err(_) if waiting || tokio::time::Instant::now() >= give_up => return,
                Err(_) => {
                    self.send(&bytes, to).await;
                    interval = if invite { interval * 2 } else { (interval * 2).min(T2) };
                }
            }
        }
    }

    /// Sends a response, remembers it for repetitions, and repeats a final answer to INVITE until its ACK.
    pub async fn respond(self: &Arc<Self>, incoming: &Incoming, response: &Response) {
        let bytes = response.to_string().into_bytes();
        let method = incoming.request.method.to_string();
        let key = server_key(&incoming.request.headers, &method, incoming.source);
        let answered = Answered { bytes: bytes.clone(), destination: incoming.source, since: Instant::now() };
        lock(&self.answered).insert(key, Some(answered));
        // First of all: the ACK may be quicker than whatever is done after sending.
        if incoming.request.method == Method::Invite && response.status_code.code() >= 200 {
            self.repeat_until_acknowledged(incoming, bytes.clone());
        }
        self.send(&bytes, incoming.source).await;
    }

    fn repeat_until_acknowledged(self: &Arc<Self>, incoming: &Incoming, bytes: Vec<u8>) {
        let Some(key) = invite_key(&incoming.request.headers) else { return };
        let weak = Arc::downgrade(self);
        let destination = incoming.source;
        let task = tokio::spawn(async move {
            let mut interval = T1;
            let started = Instant::now();
            while started.elapsed() < LIFETIME {
                tokio::time::sleep(interval).await;
                let Some(endpoint) = weak.upgrade() else { return };
                endpoint.send(&bytes, destination).await;
                interval = (interval * 2).min(T2);
            }
        });
        if let Some(old) = lock(&self.unacknowledged).insert(key, task) {
            old.abort();
        }
    }

    /// Sends a message outside of any transaction (an ACK to a 2xx).
    pub async fn send_once(&self, request: &Request, to: SocketAddr) {
        self.send(&request.to_string().into_bytes(), to).await;
    }

    async fn send(&self, bytes: &[u8], to: SocketAddr) {
        // On loopback a refused datagram is a dead peer: the transaction's time-out tells.
        let _ = self.socket.send_to(bytes, to).await;
    }

    /// Sorts a datagram: an answer to us, a repetition, or something new.
    async fn arrived(&self, bytes: &[u8], source: SocketAddr) -> Option<Incoming> {
        match SipMessage::try_from(without_reference(bytes)).ok()? {
            SipMessage::Response(response) => {
                let (_, method) = message::cseq(&response.headers)?;
                let key = client_key(&response.headers, &method);
                let waiting = lock(&self.waiting).get(&key).cloned();
                if let Some(waiting) = waiting {
                    let _ = waiting.send(response);
                }
                None
            }
            SipMessage::Request(request) => {
                let method = request.method.to_string();
                *lock(&self.datagrams).entry(method.clone()).or_default() += 1;
                if request.method == Method::Ack {
                    let pending =
                        invite_key(&request.headers).and_then(|key| lock(&self.unacknowledged).remove(&key));
                    let first = pending.is_some();
                    if let Some(pending) = pending {
                        pending.abort();
                    }
                    return first.then(|| Incoming { request, source, at: Instant::now() });
                }
                let key = server_key(&request.headers, &method, source);
                if let Some((bytes, destination)) = self.remembered(&key)? {
                    self.send(&bytes, destination).await;
                    return None;
                }
                Some(Incoming { request, source, at: Instant::now() })
            }
        }
    }

    /// `None`: a repetition without an answer yet. `Some(None)`: new. `Some(Some(..))`: the answer to repeat.
    #[expect(clippy::option_option, reason = "three outcomes, used in one place")]
    fn remembered(&self, key: &str) -> Option<Option<(Vec<u8>, SocketAddr)>> {
        let mut answered = lock(&self.answered);
        answered.retain(|_, entry| entry.as_ref().is_none_or(|entry| entry.since.elapsed() < LIFETIME));
        match answered.get(key) {
            None => {
                answered.insert(key.to_owned(), None);
                Some(None)
            }
            Some(None) => None,
            Some(Some(entry)) => Some(Some((entry.bytes.clone(), entry.destination))),
        }
    }
}

async fn receive(endpoint: std::sync::Weak<Endpoint>, requests: mpsc::UnboundedSender<Incoming>) {
    let mut buffer = vec![0u8; 65_535];
    loop {
        let Some(endpoint) = endpoint.upgrade() else { return };
        // Wakes up now and then, so that a dropped endpoint closes its socket.
        let received =
            tokio::time::timeout(Duration::from_millis(200), endpoint.socket.recv_from(&mut buffer)).await;
        let Ok(Ok((length, source))) = received else { continue };
        if let Some(incoming) = endpoint.arrived(&buffer[..length], source).await
            && requests.send(incoming).is_err()
        {
            return;
        }
    }
}

/// `rsip` reads no IPv6 reference in a Request-URI, and the lab looks at its user part alone: any other host will do.
fn without_reference(bytes: &[u8]) -> Vec<u8> {
    let line = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len());
    let at = |bracket: u8| bytes[..line].iter().position(|byte| *byte == bracket);
    match (at(b'['), at(b']')) {
        (Some(from), Some(to)) if from < to => [&bytes[..from], b"reference", &bytes[to + 1..]].concat(),
        _ => bytes.to_vec(),
    }
}

fn client_key(headers: &rsip::headers::Headers, method: &str) -> String {
    format!("{} {method}", message::branch(headers).unwrap_or_default())
}

fn server_key(headers: &rsip::headers::Headers, method: &str, source: SocketAddr) -> String {
    format!("{} {method} {source}", message::branch(headers).unwrap_or_default())
}

fn invite_key(headers: &rsip::headers::Headers) -> Option<InviteKey> {
    Some((message::value(headers, "Call-ID")?, message::cseq(headers)?.0))
}

/// The ACK of RFC 3261 section 17.1.1.3: the INVITE's Request-URI, branch, From; To with the answer's tag.
fn acknowledge_refusal(invite: &Request, refusal: &Response) -> Vec<u8> {
    let mut ack = invite.clone();
    ack.method = Method::Ack;
    ack.body = Vec::new();
    let mut headers = rsip::headers::Headers::default();
    let mut add = |name: &str, text: Option<String>| {
        headers.push(Header::Other(name.to_owned(), text.unwrap_or_default()));
    };
    add("Via", message::value(&invite.headers, "Via"));
    add("Max-Forwards", Some("70".to_owned()));
    add("From", message::value(&invite.headers, "From"));
    add("To", message::value(&refusal.headers, "To"));
    add("Call-ID", message::value(&invite.headers, "Call-ID"));
    add("CSeq", message::cseq(&invite.headers).map(|(number, _)| format!("{number} ACK")));
    add("Content-Length", Some("0".to_owned()));
    ack.headers = headers;
    ack.to_string().into_bytes()
}
