//! The calling side: INVITE, digest when asked, ACK, CANCEL; then the dialog of `incoming`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rsip::{Method, Request, Response};
use tokio::sync::mpsc;

use super::agent::Agent;
use super::call::{Call, CallCommand, CallFacts, CallState, Dialog, EndedBy, Outcome, Script};
use super::digest::{Challenge, Credentials};
use super::endpoint::Incoming;
use super::incoming::Task;
use super::message::{self, NameAddr, RequestParts};
use super::sdp::Description;
use crate::error::{LabError, LabResult};
use crate::rtp_leg::RtpLeg;
use crate::shared::token;

/// What to call and as whom.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The Request-URI and To.
    pub uri: String,
    /// Where the INVITE goes.
    pub destination: SocketAddr,
    /// From without a tag.
    pub from: String,
    /// P-Asserted-Identity.
    pub asserted: Option<String>,
    /// Identity (RFC 8224).
    pub identity: Option<String>,
    /// For a challenge.
    pub credentials: Option<Credentials>,
    /// Voice, keys, codecs and own hang-up; provisional and outcome are not used.
    pub script: Script,
}

struct Caller {
    agent: Arc<Agent>,
    call: Arc<Call>,
    outgoing: Outgoing,
    parts: RequestParts,
    description: Description,
    tag: String,
}

enum Tried {
    Answered(Box<Response>),
    Challenged(Box<Response>),
    Over(EndedBy),
}

/// Starts an outgoing call.
///
/// # Errors
/// When no RTP port can be bound or the URI is none.
pub(super) async fn start(agent: &Arc<Agent>, outgoing: Outgoing) -> LabResult<Arc<Call>> {
    let local = agent.endpoint.local();
    let leg = RtpLeg::bind(local.ip(), outgoing.script.voice.clone())
        .await
        .map_err(LabError::io("binding an RTP port"))?;
    let description = Description::new(leg.local(), &outgoing.script.codecs);
    let tag = token();
    let mut headers = vec![("Contact".to_owned(), agent.contact(NameAddr::parse(&outgoing.from).user()))];
    headers.extend(outgoing.asserted.clone().map(|asserted| ("P-Asserted-Identity".to_owned(), asserted)));
    headers.extend(outgoing.identity.clone().map(|identity| ("Identity".to_owned(), identity)));
    let parts = RequestParts {
        method: Method::Invite,
        uri: outgoing.uri.clone(),
        from: format!("{};tag={tag}", outgoing.from),
        to: format!("<{}>", outgoing.uri),
        call_id: format!("{}@lab", token()),
        cseq: 1,
        headers,
        body: Some(description.write()),
    };
    let invite = message::request(local, &parts).map_err(LabError::other("building an INVITE"))?;
    let facts = CallFacts::read(&invite, false, outgoing.destination, Instant::now());
    let (call, commands) = Call::new(facts, leg);
    let call = Arc::new(call);
    let inbox = agent.route(&call);
    let caller =
        Caller { agent: Arc::clone(agent), call: Arc::clone(&call), outgoing, parts, description, tag };
    tokio::spawn(caller.run(invite, inbox, commands));
    Ok(call)
}

impl Caller {
    async fn run(
        mut self,
        mut invite: Request,
        inbox: mpsc::UnboundedReceiver<Incoming>,
        mut commands: mpsc::UnboundedReceiver<CallCommand>,
    ) {
        let mut challenged = false;
        loop {
            match self.attempt(&invite, &mut commands).await {
                Tried::Answered(answer) => return self.talk(&answer, inbox, commands).await,
                Tried::Challenged(answer) if !challenged => {
                    challenged = true;
                    match self.authenticated(&answer) {
                        Some(again) => invite = again,
                        None => return self.over(EndedBy::Refused(answer.status_code.code())),
                    }
                }
                Tried::Challenged(answer) => return self.over(EndedBy::Refused(answer.status_code.code())),
                Tried::Over(by) => return self.over(by),
            }
        }
    }

    fn over(&self, by: EndedBy) {
        self.call.enter(CallState::Ended(by));
    }

    async fn attempt(&self, invite: &Request, commands: &mut mpsc::UnboundedReceiver<CallCommand>) -> Tried {
        let mut answers = self.agent.endpoint.send_request(invite.clone(), self.outgoing.destination);
        let mut cancelled = false;
        loop {
            tokio::select! {
                answer = answers.recv() => {
                    let Some(answer) = answer else { return Tried::Over(EndedBy::NoResponse) };
                    match answer.status_code.code() {
                        100 => {}
                        101..=199 => self.call.enter(CallState::Ringing),
                        200..=299 => return Tried::Answered(Box::new(answer)),
                        401 | 407 => return Tried::Challenged(Box::new(answer)),
                        487 if cancelled => return Tried::Over(EndedBy::Cancelled),
                        status => return Tried::Over(EndedBy::Refused(status)),
                    }
                }
                command = commands.recv() => {
                    if matches!(command, Some(CallCommand::HangUp) | None) && !cancelled {
                        cancelled = true;
                        self.cancel(invite);
                    }
                }
            }
        }
    }

    /// The CANCEL of RFC 3261 section 9.1: the INVITE's Via, From, To, Call-ID and CSeq number.
    fn cancel(&self, invite: &Request) {
        let mut cancel = invite.clone();
        cancel.method = Method::Cancel;
        cancel.body = Vec::new();
        let mut headers = rsip::headers::Headers::default();
        for name in ["Via", "Max-Forwards", "From", "To", "Call-ID"] {
            let text = message::value(&invite.headers, name).unwrap_or_default();
            headers.push(rsip::Header::Other(name.to_owned(), text));
        }
        headers.push(rsip::Header::Other("CSeq".to_owned(), format!("{} CANCEL", self.parts.cseq)));
        headers.push(rsip::Header::Other("Content-Length".to_owned(), "0".to_owned()));
        cancel.headers = headers;
        drop(self.agent.endpoint.send_request(cancel, self.outgoing.destination));
    }

    fn authenticated(&mut self, answer: &Response) -> Option<Request> {
        let credentials = self.outgoing.credentials.as_ref()?;
        let (challenge, header) = match answer.status_code.code() {
            401 => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        let challenge = Challenge::parse(&message::value(&answer.headers, challenge)?)?;
        let value = challenge.answer(credentials, "INVITE", &self.parts.uri, 1);
        self.parts.cseq += 1;
        self.parts.headers.push((header.to_owned(), value));
        message::request(self.agent.endpoint.local(), &self.parts).ok()
    }

    async fn talk(
        self,
        answer: &Response,
        inbox: mpsc::UnboundedReceiver<Incoming>,
        commands: mpsc::UnboundedReceiver<CallCommand>,
    ) {
        let contact = message::value(&answer.headers, "Contact").map(|contact| NameAddr::parse(&contact).uri);
        let mut dialog = Dialog {
            call_id: self.parts.call_id.clone(),
            local: self.parts.from.clone(),
            remote: message::value(&answer.headers, "To").unwrap_or_else(|| self.parts.to.clone()),
            target: contact.unwrap_or_else(|| self.parts.uri.clone()),
            destination: self.outgoing.destination,
            cseq: self.parts.cseq,
        };
        self.call.enter(CallState::Answered);
        if let Ok(ack) = dialog.request(self.agent.endpoint.local(), Method::Ack, Vec::new(), None) {
            self.agent.endpoint.send_once(&ack, dialog.destination).await;
        }
        let described = Description::parse(&String::from_utf8_lossy(&answer.body));
        if let Some(remote) = described.and_then(|described| described.remote(&self.outgoing.script.codecs)) {
            self.call.leg.connect(remote);
        }
        self.call.enter(CallState::Confirmed);
        let script = Script { outcome: Outcome::Ring, ..self.outgoing.script };
        let task = Task { agent: self.agent, call: self.call, inbox, commands, script, tag: self.tag };
        task.stay(dialog, self.description).await;
    }
}
