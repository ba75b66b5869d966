//! Listeners, connections, and which way a message takes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use super::UserAgent;
use super::api::{Event, FlowInput, FlowOpened, SessionId};
use super::session::SessionState;
use crate::flow::{FlowId, Hop, Listener, Transport};
use crate::message::{Host, Uri};

/// What an outgoing connection leads to: connections that agree in all of it are one.
type Goal = (Transport, SocketAddr, Option<String>);

/// A connection to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Its name; what is to be sent on it comes right behind.
    pub flow: FlowId,
    /// What it speaks.
    pub transport: Transport,
    /// The listener whose transport it uses.
    pub local: SocketAddr,
    /// The address to connect to.
    pub remote: SocketAddr,
    /// TLS: whose certificate is expected (RFC 5922 section 7.1): the domain that was asked for, never a name that DNS made
    /// of it.
    pub identity: Option<String>,
}

/// Every connection that lives, or is being made.
#[derive(Debug, Default)]
pub(super) struct Flows {
    last: u64,
    incoming: BTreeSet<FlowId>,
    outgoing: BTreeMap<FlowId, Goal>,
    by_goal: BTreeMap<Goal, FlowId>,
    /// Outgoing connections that nothing has been sent on: nobody has been told to make them.
    untold: BTreeSet<FlowId>,
}

impl Flows {
    /// The connection that leads there; if there is none, the name of one that is made when something is sent.
    fn to(&mut self, goal: Goal) -> FlowId {
        if let Some(flow) = self.by_goal.get(&goal) {
            return *flow;
        }
        self.last += 1;
        let flow = FlowId::Outgoing(self.last);
        self.outgoing.insert(flow, goal.clone());
        self.by_goal.insert(goal, flow);
        self.untold.insert(flow);
        flow
    }

    /// What the driver must do before it can send on this connection.
    pub(super) fn connect(&mut self, flow: FlowId, local: SocketAddr) -> Option<Connect> {
        if !self.untold.remove(&flow) {
            return None;
        }
        let (transport, remote, identity) = self.outgoing.get(&flow)?.clone();
        Some(Connect { flow, transport, local, remote, identity })
    }

    /// How many connections stand or are being made.
    pub(super) fn len(&self) -> usize {
        self.incoming.len() + self.outgoing.len() - self.untold.len()
    }

    fn remove(&mut self, flow: FlowId) -> Option<Goal> {
        self.incoming.remove(&flow);
        self.untold.remove(&flow);
        let goal = self.outgoing.remove(&flow)?;
        self.by_goal.remove(&goal);
        Some(goal)
    }
}

impl UserAgent {
    /// Takes a message from a connection, or a datagram of any listener.
    pub fn handle_message(&mut self, now: Instant, input: FlowInput<'_>) {
        let FlowInput { transport, local, source, flow, payload } = input;
        if let Some(flow @ FlowId::Incoming(_)) = flow {
            self.flows.incoming.insert(flow);
        }
        self.take(now, Hop { transport, local, remote: source, flow }, payload);
    }

    /// A connection stands: one that has come in, or one that [`Connect`] asked for.
    pub fn handle_flow_opened(&mut self, _now: Instant, opened: FlowOpened) {
        if let FlowId::Incoming(_) = opened.flow {
            self.flows.incoming.insert(opened.flow);
        }
    }

    /// A connection is gone, or the one that [`Connect`] asked for could not be made. What waits for its first answer there
    /// fails at once; devices that registered by it cannot be reached until they do so again (RFC 5626 section 5.3).
    pub fn handle_flow_closed(&mut self, now: Instant, flow: FlowId) {
        let goal = self.flows.remove(flow);
        for device in self.registrar.flow_gone(flow) {
            self.emit(Event::Unreachable { device });
        }
        self.reroute(now, flow, goal.as_ref());
        self.transactions.handle_flow_gone(flow);
        self.drain_transactions(now);
    }

    /// Finds another way for the sessions that used a connection.
    fn reroute(&mut self, now: Instant, flow: FlowId, goal: Option<&Goal>) {
        let on_it = self.sessions.iter().filter(|(_, session)| session.destination.flow == Some(flow));
        let sessions: Vec<SessionId> = on_it.map(|(id, _)| *id).collect();
        for id in sessions {
            let way = match goal {
                Some((transport, remote, identity)) => self.hop_to(*transport, *remote, identity.as_deref()),
                None => self.way_back(now, id),
            };
            if let (Some(way), Some(session)) = (way, self.sessions.get_mut(&id)) {
                session.destination = way;
            }
        }
    }

    /// Another way to the peer of a session whose connection it had opened itself: to its trunk, or by TCP to its Contact if
    /// that names the very host it came from. Nobody can make us connect elsewhere.
    fn way_back(&mut self, now: Instant, id: SessionId) -> Option<Hop> {
        let session = self.sessions.get(&id)?;
        let old = session.destination;
        if let Some(trunk) = session.trunk {
            return self.trunk_hops(now, trunk).into_iter().next();
        }
        let SessionState::Established(established) = &session.state else { return None };
        let Uri::Sip(target) = established.dialog.remote_target() else { return None };
        let Host::Address(address) = target.host else { return None };
        let same = address.to_canonical() == old.remote.ip().to_canonical();
        let port = target.port.unwrap_or_else(|| Transport::Tcp.default_port());
        (same && old.transport == Transport::Tcp)
            .then(|| self.hop_to(Transport::Tcp, SocketAddr::new(address, port), None))
            .flatten()
    }

    /// The way to an address; a connection is made when something is sent. `None` if we do not speak that transport.
    pub(super) fn hop_to(
        &mut self,
        transport: Transport,
        remote: SocketAddr,
        identity: Option<&str>,
    ) -> Option<Hop> {
        let local = self.listener_for(transport, remote)?.local;
        let flow = match transport {
            Transport::Udp => None,
            Transport::Tcp => Some(self.flows.to((transport, remote, None))),
            Transport::Tls | Transport::Wss => {
                Some(self.flows.to((transport, remote, identity.map(str::to_ascii_lowercase))))
            }
            // A WebSocket client would have nobody to serve (RFC 7118 section 3).
            Transport::Ws => return None,
        };
        Some(Hop { transport, local, remote, flow })
    }

    /// Our listener for a transport and a kind of address. For a connection of ours one of another transport will do:
    /// answers come back on the connection.
    pub(super) fn listener_for(&self, transport: Transport, remote: SocketAddr) -> Option<&Listener> {
        let listeners = &self.config.listeners;
        let family = |listener: &&Listener| listener.local.is_ipv4() == remote.is_ipv4();
        let same = || listeners.iter().filter(|listener| listener.transport == transport);
        let other = || listeners.iter().filter(|_| transport.is_reliable());
        same()
            .find(family)
            .or_else(|| same().next())
            .or_else(|| other().find(family))
            .or_else(|| other().next())
    }

    /// The listener a message came to, or leaves by.
    pub(super) fn listener(&self, hop: &Hop) -> Option<&Listener> {
        let of = |listener: &&Listener| listener.local == hop.local && listener.transport == hop.transport;
        let listeners = &self.config.listeners;
        listeners.iter().find(of).or_else(|| self.listener_for(hop.transport, hop.remote))
    }

    /// `host:port` of ours as the peer at this hop shall see it.
    pub(super) fn advertised(&self, hop: &Hop) -> &str {
        self.listener(hop).map_or("invalid.invalid", |listener| &listener.advertised)
    }

    /// Whether strangers may send this way.
    pub(super) fn is_public(&self, hop: &Hop) -> bool {
        self.listener(hop).is_some_and(|listener| listener.public)
    }
}
