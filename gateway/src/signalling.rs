//! The sockets of SIP: what comes in by any of them, what goes out, and the name servers.
//!
//! The focus task owns a [`Signalling`]. UDP sockets are read there, without a queue in between. Each connection has a task of
//! its own that cuts its stream into messages; what it has goes through one bounded queue, and a connection whose messages
//! nobody takes is not read on. What is sent to a connection waits in a short queue; a peer that does not read is cut off.

pub(crate) mod dns;
mod seats;
mod stream;
mod tcp;
pub(crate) mod tls;
mod udp;
mod ws;

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use seats::Seats;
use sip_core::flow::{FlowId, Transport};
use sip_core::locate::{Answer, LookupFailed, Question};
use sip_core::message::Limits;
use sip_core::ua::{Connect, FlowOpened, Transmit};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) use udp::UdpListener;

/// Messages of all connections that wait for the focus task.
const ARRIVALS: usize = 4_096;
/// Messages that wait for one connection's peer to read.
const QUEUE: usize = 512;
/// How long a handshake (TLS, WebSocket) may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long it may take until a connection of ours stands: a trunk that does not answer is left within four seconds.
const CONNECT: Duration = Duration::from_millis(3_500);

/// What has come.
pub(crate) enum Arrival {
    /// A datagram; its bytes are in the buffer.
    Datagram {
        /// The listener it came to.
        local: SocketAddr,
        /// Where it came from.
        source: SocketAddr,
        /// Its length.
        length: usize,
    },
    /// A connection stands; what is to be sent on it goes into the queue.
    Opened(FlowOpened, Option<mpsc::Sender<Bytes>>),
    /// A message on a connection.
    Message(FlowOpened, Bytes),
    /// A connection is gone, or could not be made.
    Closed(FlowId),
    /// What the name servers said.
    Answer(Question, Result<Answer, LookupFailed>),
}

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// From one address (of IPv6: from its first 64 bits).
    pub(crate) per_address: usize,
    /// In all.
    pub(crate) total: usize,
}

/// What every connection task knows.
pub(crate) struct Shared {
    arrivals: mpsc::Sender<Arrival>,
    limits: Limits,
    seats: Seats,
    last: AtomicU64,
    client: tls::Client,
}

impl Shared {
    fn next_flow(&self) -> FlowId {
        FlowId::Incoming(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A listener for connections, bound and not yet read.
pub(crate) struct StreamListener {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) socket: std::net::TcpListener,
    /// Of TLS and WSS.
    pub(crate) server: Option<tls::Server>,
}

/// All sockets of SIP.
pub(crate) struct Signalling {
    udp: Vec<UdpListener>,
    waiting: Vec<StreamListener>,
    next: usize,
    turn: bool,
    arrivals: mpsc::Receiver<Arrival>,
    flows: BTreeMap<FlowId, mpsc::Sender<Bytes>>,
    shared: Arc<Shared>,
    resolver: Option<TokioResolver>,
}

impl Signalling {
    /// Takes the bound listeners over. Connections are accepted from [`Self::listen`] on.
    pub(crate) fn new(
        udp: Vec<UdpListener>,
        streams: Vec<StreamListener>,
        client: tls::Client,
        resolver: Option<TokioResolver>,
        (limits, connections): (Limits, ConnectionLimits),
    ) -> Self {
        let (sender, arrivals) = mpsc::channel(ARRIVALS);
        let seats = Seats::new(connections);
        let shared = Arc::new(Shared { arrivals: sender, limits, seats, last: AtomicU64::new(0), client });
        Self {
            udp,
            waiting: streams,
            next: 0,
            turn: false,
            arrivals,
            flows: BTreeMap::new(),
            shared,
            resolver,
        }
    }

    /// Accepts connections from now on.
    pub(crate) fn listen(&mut self) {
        for listener in self.waiting.drain(..) {
            let local = listener.local;
            if let Err(error) = tcp::listen(listener, self.shared.clone()) {
                tracing::error!(%error, %local, "a SIP listener cannot be used");
            }
        }
    }

    /// Waits for what comes next. May be dropped and called again without loss.
    pub(crate) async fn receive(&mut self, datagrams: bool, buffer: &mut [u8]) -> Arrival {
        // Each kind is looked at first every other time, so that a flood of one does not shut out the other.
        self.turn = !self.turn;
        let (udp, arrivals, next, turn) = (&self.udp, &mut self.arrivals, &mut self.next, self.turn);
        std::future::poll_fn(move |context| {
            if datagrams
                && turn
                && let Poll::Ready(arrival) = udp::poll(udp, next, context, buffer)
            {
                return Poll::Ready(arrival);
            }
            if let Poll::Ready(Some(arrival)) = arrivals.poll_recv(context) {
                return Poll::Ready(arrival);
            }
            if datagrams && !turn { udp::poll(udp, next, context, buffer) } else { Poll::Pending }
        })
        .await
    }

    /// A datagram that has come meanwhile, if there is one.
    pub(crate) fn another(&self, buffer: &mut [u8]) -> Option<Arrival> {
        udp::another(&self.udp, buffer)
    }

    /// Takes note of what has come, before the user agent hears of it.
    pub(crate) fn note(&mut self, arrival: &mut Arrival) {
        match arrival {
            Arrival::Opened(opened, queue) => {
                if let Some(queue) = queue.take() {
                    self.flows.insert(opened.flow, queue);
                }
            }
            Arrival::Closed(flow) => drop(self.flows.remove(flow)),
            Arrival::Datagram { .. } | Arrival::Message(..) | Arrival::Answer(..) => {}
        }
    }

    /// Sends a message. What cannot be sent is lost; timers and [`Arrival::Closed`] deal with it.
    pub(crate) fn send(&mut self, transmit: &Transmit) {
        let hop = &transmit.destination;
        let Some(flow) = hop.flow else {
            udp::send(&self.udp, hop, &transmit.payload);
            return;
        };
        let sent = self.flows.get(&flow).map(|queue| queue.try_send(transmit.payload.clone()));
        if let Some(Err(_)) = sent {
            // Without its queue the connection's task ends.
            tracing::debug!(remote = %hop.remote, "a SIP connection whose peer does not read is closed");
            self.flows.remove(&flow);
        }
    }

    /// Makes a connection; what is sent meanwhile waits for it.
    pub(crate) fn connect(&mut self, connect: Connect) {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        self.flows.insert(connect.flow, queue);
        tokio::spawn(tcp::connect(connect, outgoing, self.shared.clone()));
    }

    /// Asks the name servers.
    pub(crate) fn resolve(&self, question: Question) {
        let (resolver, arrivals) = (self.resolver.clone(), self.shared.arrivals.clone());
        tokio::spawn(async move {
            let answer = dns::answer(resolver.as_ref(), &question).await;
            // The receiver is gone only when the gateway stops.
            let _ = arrivals.send(Arrival::Answer(question, answer)).await;
        });
    }

    /// Resolves once every UDP socket can be written; until then sending would look as if its buffer were full.
    pub(crate) async fn writable(&self) -> std::io::Result<()> {
        for listener in &self.udp {
            listener.socket.writable().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
