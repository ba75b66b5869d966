//! All transactions of a user agent: matching, timers, and the cap on their number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::client_invite::ClientInviteTransaction;
use super::client_non_invite::ClientNonInviteTransaction;
use super::server_invite::ServerInviteTransaction;
use super::server_non_invite::ServerNonInviteTransaction;
use super::{Outbox, State, TimerValues, TransactionId, TransactionKey, TransactionOutput, Transmit};
use crate::deadlines::Deadlines;
use crate::flow::{FlowId, Hop};
use crate::message::header::{CSeq, Via};
use crate::message::{Essential, Message, Method, Received, Request, Response, write};

#[derive(Debug)]
enum Transaction {
    InviteClient(ClientInviteTransaction),
    OtherClient(ClientNonInviteTransaction),
    InviteServer(ServerInviteTransaction),
    OtherServer(ServerNonInviteTransaction),
}

#[derive(Debug)]
struct Entry {
    transaction: Transaction,
    key: TransactionKey,
    /// CSeq number of the request of a client transaction.
    cseq: Option<u32>,
    /// Where the answers of a server transaction go.
    source: Option<Hop>,
}

/// Every transaction alive.
#[derive(Debug)]
pub struct TransactionLayer {
    values: TimerValues,
    limit: usize,
    last_id: u64,
    entries: BTreeMap<TransactionId, Entry>,
    clients: BTreeMap<TransactionKey, TransactionId>,
    servers: BTreeMap<TransactionKey, TransactionId>,
    deadlines: Deadlines<TransactionId>,
    /// Client transactions by the connection they went out on.
    flows: BTreeSet<(FlowId, TransactionId)>,
    out: Outbox,
}

impl TransactionLayer {
    /// No transactions yet; at most `limit` server transactions will be taken on.
    pub fn new(values: TimerValues, limit: usize) -> Self {
        Self {
            values,
            limit,
            last_id: 0,
            entries: BTreeMap::new(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            deadlines: Deadlines::new(),
            flows: BTreeSet::new(),
            out: Outbox::default(),
        }
    }

    /// Sends a request in a new client transaction. Its topmost Via must carry a fresh branch (for a CANCEL:
    /// that of its INVITE). ACK has no transaction; it goes by [`Self::transmit`].
    pub fn send_request(&mut self, now: Instant, request: Request, destination: Hop) -> TransactionId {
        let id = self.new_id();
        let branch = request.headers.typed_list::<Via>().ok().and_then(|list| list.first().map(Via::branch));
        let method = request.method.clone();
        let cseq = request.headers.typed::<CSeq>().ok().flatten().map(|cseq| cseq.number);
        let key = TransactionKey { branch: branch.unwrap_or_default(), sent_by: String::new(), method };
        let (values, out) = (&self.values, &mut self.out);
        let transaction = if request.method == Method::Invite {
            let started = ClientInviteTransaction::start(now, id, values, request, destination, out);
            Transaction::InviteClient(started)
        } else {
            let started = ClientNonInviteTransaction::start(now, id, values, request, destination, out);
            Transaction::OtherClient(started)
        };
        self.clients.insert(key.clone(), id);
        self.entries.insert(id, Entry { transaction, key, cseq, source: None });
        if let Some(flow) = destination.flow {
            self.flows.insert((flow, id));
        }
        self.settle(id);
        id
    }

    /// Sends the CANCEL of an INVITE; `None` if that has got its final response.
    pub fn cancel(&mut self, now: Instant, invite: TransactionId) -> Option<TransactionId> {
        let Transaction::InviteClient(transaction) = &self.entries.get(&invite)?.transaction else {
            return None;
        };
        if transaction.state() != State::Proceeding {
            return None;
        }
        let (request, destination) = (transaction.cancel(), transaction.destination());
        Some(self.send_request(now, request, destination))
    }

    /// Ends a client transaction whose final response nobody waits for any more.
    pub fn abandon(&mut self, id: TransactionId) {
        match self.entries.get_mut(&id).map(|entry| &mut entry.transaction) {
            Some(Transaction::InviteClient(transaction)) => transaction.terminate(&mut self.out),
            Some(Transaction::OtherClient(transaction)) => transaction.terminate(&mut self.out),
            Some(Transaction::InviteServer(_) | Transaction::OtherServer(_)) | None => {}
        }
        self.settle(id);
    }

    /// Repeats an INVITE no more, though its answers still count.
    pub fn stop_repeating(&mut self, id: TransactionId) {
        if let Some(Transaction::InviteClient(transaction)) =
            self.entries.get_mut(&id).map(|entry| &mut entry.transaction)
        {
            transaction.stop_repeating();
        }
        self.settle(id);
    }

    /// Waits for the final response to an INVITE no longer than for the first one.
    pub fn bound(&mut self, id: TransactionId) {
        if let Some(Transaction::InviteClient(transaction)) =
            self.entries.get_mut(&id).map(|entry| &mut entry.transaction)
        {
            transaction.bound();
        }
    }

    /// Whether a client transaction has heard nothing yet.
    pub fn is_unanswered(&self, id: TransactionId) -> bool {
        match self.entries.get(&id).map(|entry| &entry.transaction) {
            Some(Transaction::InviteClient(transaction)) => transaction.state() == State::Calling,
            Some(Transaction::OtherClient(transaction)) => transaction.state() == State::Trying,
            Some(Transaction::InviteServer(_) | Transaction::OtherServer(_)) | None => false,
        }
    }

    /// A connection is gone, or could not be made: tells the client transactions that wait on it.
    pub fn handle_flow_gone(&mut self, flow: FlowId) {
        let first = TransactionId(0);
        let on_it = self.flows.range((flow, first)..).take_while(|(other, _)| *other == flow);
        let ids: Vec<TransactionId> = on_it.map(|(_, id)| *id).collect();
        for id in ids {
            match self.entries.get_mut(&id).map(|entry| &mut entry.transaction) {
                Some(Transaction::InviteClient(transaction)) => {
                    transaction.handle_transport_failure(&mut self.out);
                }
                Some(Transaction::OtherClient(transaction)) => {
                    transaction.handle_transport_failure(&mut self.out);
                }
                Some(Transaction::InviteServer(_) | Transaction::OtherServer(_)) | None => {}
            }
            self.settle(id);
        }
    }

    /// Takes a response; `false` if no transaction waits for it.
    pub fn handle_response(&mut self, now: Instant, response: Received<Response>) -> bool {
        let key = TransactionKey::of_response(&response.essential);
        let Some(id) = self.clients.get(&key).copied() else { return false };
        let number = response.essential.cseq.number;
        if self.entries.get(&id).and_then(|entry| entry.cseq).is_some_and(|cseq| cseq != number) {
            return false;
        }
        let (values, out) = (&self.values, &mut self.out);
        match self.entries.get_mut(&id).map(|entry| &mut entry.transaction) {
            Some(Transaction::InviteClient(transaction)) => {
                transaction.handle_response(now, values, response, out)
            }
            Some(Transaction::OtherClient(transaction)) => {
                transaction.handle_response(now, values, response, out);
            }
            Some(Transaction::InviteServer(_) | Transaction::OtherServer(_)) | None => return false,
        }
        self.settle(id);
        true
    }

    /// Takes a retransmission, or the ACK of a non-2xx. `false` means that the request is new: the user may
    /// answer it without state, or take it on with [`Self::accept_request`]. An ACK for a 2xx is `false`, too.
    pub fn handle_request(&mut self, now: Instant, request: &Received<Request>) -> bool {
        let key = TransactionKey::of_request(&request.essential);
        let Some(id) = self.servers.get(&key).copied() else { return false };
        let (values, out) = (&self.values, &mut self.out);
        let absorbed = match self.entries.get_mut(&id).map(|entry| &mut entry.transaction) {
            Some(Transaction::InviteServer(transaction)) if request.message.method == Method::Ack => {
                transaction.handle_ack(now, values)
            }
            Some(Transaction::InviteServer(transaction)) => {
                transaction.handle_retransmission(out);
                true
            }
            Some(Transaction::OtherServer(transaction)) => {
                transaction.handle_retransmission(out);
                true
            }
            Some(Transaction::InviteClient(_) | Transaction::OtherClient(_)) | None => false,
        };
        self.settle(id);
        absorbed
    }

    /// Takes a new request on; `None` if there are too many transactions already. What ends or answers a call
    /// (CANCEL, BYE, PRACK) is always taken: there can be no more of it than there are calls.
    pub fn accept_request(&mut self, request: &Received<Request>, source: Hop) -> Option<TransactionId> {
        let in_dialog = request.essential.to.tag().is_some();
        let method = &request.message.method;
        let exempt =
            *method == Method::Cancel || (in_dialog && [Method::Bye, Method::Prack].contains(method));
        if !exempt && self.entries.len() >= self.limit {
            return None;
        }
        let id = self.new_id();
        let transaction = if request.message.method == Method::Invite {
            Transaction::InviteServer(ServerInviteTransaction::new(id))
        } else {
            Transaction::OtherServer(ServerNonInviteTransaction::new(id))
        };
        let key = TransactionKey::of_request(&request.essential);
        self.servers.insert(key.clone(), id);
        self.entries.insert(
            id,
            Entry { transaction, key, cseq: None, source: Some(source.for_answer(&request.essential.via)) },
        );
        Some(id)
    }

    /// The INVITE transaction a CANCEL is about (RFC 3261 section 9.2).
    pub fn cancelled(&self, cancel: &Essential) -> Option<TransactionId> {
        self.servers.get(&TransactionKey::of_cancelled(cancel)).copied()
    }

    /// Answers a received request. The 2xx of an INVITE comes back, for the user must repeat it until ACK.
    pub fn respond(&mut self, now: Instant, id: TransactionId, response: Response) -> Option<Transmit> {
        let entry = self.entries.get_mut(&id)?;
        let status = response.status;
        let transmit = Transmit { destination: entry.source?, payload: write(&Message::Response(response)) };
        let (values, out) = (&self.values, &mut self.out);
        match &mut entry.transaction {
            Transaction::InviteServer(transaction) => {
                transaction.respond(now, values, status, transmit.clone(), out);
            }
            Transaction::OtherServer(transaction) => {
                transaction.respond(now, values, status, transmit.clone(), out);
            }
            Transaction::InviteClient(_) | Transaction::OtherClient(_) => return None,
        }
        self.settle(id);
        Some(transmit)
    }

    /// Sends something outside any transaction: an ACK for a 2xx, a stateless response.
    pub fn transmit(&mut self, transmit: &Transmit) {
        self.out.transmit(transmit);
    }

    /// Lets every timer fire that has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.take_due(now) {
            let (values, out) = (&self.values, &mut self.out);
            match self.entries.get_mut(&id).map(|entry| &mut entry.transaction) {
                Some(Transaction::InviteClient(transaction)) => transaction.handle_timeout(now, out),
                Some(Transaction::OtherClient(transaction)) => transaction.handle_timeout(now, values, out),
                Some(Transaction::InviteServer(transaction)) => transaction.handle_timeout(now, values, out),
                Some(Transaction::OtherServer(transaction)) => transaction.handle_timeout(now, out),
                None => {}
            }
            self.settle(id);
        }
    }

    /// The next output, oldest first.
    pub fn poll_output(&mut self) -> Option<TransactionOutput> {
        self.out.pop()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// How many transactions are alive.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is alive.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn new_id(&mut self) -> TransactionId {
        self.last_id += 1;
        TransactionId(self.last_id)
    }

    /// After any input: notes the next deadline, or forgets a transaction that has ended.
    fn settle(&mut self, id: TransactionId) {
        let Some(entry) = self.entries.get(&id) else { return };
        let (state, next, client) = match &entry.transaction {
            Transaction::InviteClient(transaction) => {
                (transaction.state(), transaction.next_timeout(), Some(transaction.destination()))
            }
            Transaction::OtherClient(transaction) => {
                (transaction.state(), transaction.next_timeout(), Some(transaction.destination()))
            }
            Transaction::InviteServer(transaction) => (transaction.state(), transaction.next_timeout(), None),
            Transaction::OtherServer(transaction) => (transaction.state(), transaction.next_timeout(), None),
        };
        self.deadlines.set(&id, next);
        if state == State::Terminated {
            if let Some(flow) = client.and_then(|hop| hop.flow) {
                self.flows.remove(&(flow, id));
            }
            let index = if client.is_some() { &mut self.clients } else { &mut self.servers };
            index.remove(&entry.key);
            self.entries.remove(&id);
        }
    }
}
