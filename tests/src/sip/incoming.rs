//! The called side: plays a [`Script`] to one INVITE, then stays in the dialog.

use std::sync::Arc;
use std::time::Duration;

use rsip::{Method, Request};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::agent::Agent;
use super::call::{Call, CallCommand, CallState, Dialog, EndedBy, Outcome, Script};
use super::endpoint::Incoming;
use super::message::{self, NameAddr};
use super::sdp::{Description, Direction};
use crate::rtp_leg::KeyPress;
use crate::shared::token;

/// A call in the hands of its task.
pub(super) struct Task {
    pub(super) agent: Arc<Agent>,
    pub(super) call: Arc<Call>,
    pub(super) inbox: mpsc::UnboundedReceiver<Incoming>,
    pub(super) commands: mpsc::UnboundedReceiver<CallCommand>,
    pub(super) script: Script,
    pub(super) tag: String,
}

enum Rung {
    Out,
    /// A CANCEL came, and the answer crossed it.
    Crossed,
    Over,
}

/// Runs an incoming call to its end.
pub(super) async fn run(mut task: Task, invite: Incoming) {
    if task.script.outcome == Outcome::Dead {
        // Not a word; the caller's transaction has to notice.
        return task.wait_for_cancel(&invite).await;
    }
    match task.script.early.then(|| task.describe(&invite)).flatten() {
        Some(early) => task.respond(&invite, 183, Some(&early.write())).await,
        None => task.respond(&invite, task.script.provisional.unwrap_or(100), None).await,
    }
    if task.script.provisional.is_some() {
        task.call.enter(CallState::Ringing);
    }
    let after = match task.script.outcome {
        Outcome::Answer(after) | Outcome::Refuse(after, _) => Some(after),
        Outcome::Ring | Outcome::Dead => None,
    };
    match task.ring(&invite, after).await {
        Rung::Out => {}
        Rung::Crossed => return task.answer(&invite).await,
        Rung::Over => return,
    }
    match task.script.outcome {
        Outcome::Refuse(_, status) => {
            task.respond(&invite, status, None).await;
            task.call.enter(CallState::Ended(EndedBy::Refused(status)));
        }
        Outcome::Answer(_) | Outcome::Ring | Outcome::Dead => task.answer(&invite).await,
    }
}

impl Task {
    async fn respond(&self, incoming: &Incoming, status: u16, body: Option<&str>) {
        self.respond_as(&self.tag, incoming, status, body).await;
    }

    async fn respond_as(&self, tag: &str, incoming: &Incoming, status: u16, body: Option<&str>) {
        let user = self.script.contact.as_deref().unwrap_or(&self.call.facts.request_user);
        let contact = ("Contact", self.agent.contact(user));
        let response = message::response(&incoming.request, incoming.source, status, tag, &[contact], body);
        self.agent.endpoint.respond(incoming, &response).await;
    }

    /// The To tag of a forking callee's second phone.
    fn fork_tag(&self) -> String {
        format!("{}-fork", self.tag)
    }

    fn is_for_fork(&self, incoming: &Incoming) -> bool {
        let to = message::value(&incoming.request.headers, "To").unwrap_or_default();
        NameAddr::parse(&to).tag == Some(self.fork_tag())
    }

    async fn wait_for_cancel(&mut self, invite: &Incoming) {
        let _ = tokio::time::timeout(Duration::from_secs(64), self.ring(invite, None)).await;
        if !self.call.is_over() {
            self.call.enter(CallState::Ended(EndedBy::NoResponse));
        }
    }

    /// Rings for `after`, or until cancelled or decided by hand.
    async fn ring(&mut self, invite: &Incoming, after: Option<Duration>) -> Rung {
        let until = Instant::now() + after.unwrap_or(Duration::from_secs(3600));
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Rung::Out,
                command = self.commands.recv() => match command {
                    Some(CallCommand::Answer) => return Rung::Out,
                    Some(CallCommand::HangUp) | None => {
                        self.respond(invite, 603, None).await;
                        self.call.enter(CallState::Ended(EndedBy::Refused(603)));
                        return Rung::Over;
                    }
                    Some(CallCommand::Direction(_)) => {}
                },
                request = self.inbox.recv() => {
                    let Some(request) = request else { return Rung::Over };
                    if request.request.method == Method::Cancel {
                        self.respond(&request, 200, None).await;
                        if self.script.crosses_cancel {
                            return Rung::Crossed;
                        }
                        self.respond(invite, 487, None).await;
                        self.call.enter(CallState::Ended(EndedBy::Cancelled));
                        return Rung::Over;
                    }
                }
            }
        }
    }

    /// The answer to the offer; the sound begins. `None` when they have no codec in common.
    fn describe(&self, invite: &Incoming) -> Option<Description> {
        let offer = Description::parse(&String::from_utf8_lossy(&invite.request.body))?;
        let remote = offer.remote(&self.script.codecs)?;
        let mut answer = Description::new(self.call.leg.local(), &[remote.codec]);
        answer.telephone_event = remote.telephone_event;
        self.call.leg.connect(remote);
        Some(answer)
    }

    async fn answer(self, invite: &Incoming) {
        let Some(answer) = self.describe(invite) else {
            self.respond(invite, 488, None).await;
            self.call.enter(CallState::Ended(EndedBy::Refused(488)));
            return;
        };
        self.respond(invite, 200, Some(&answer.write())).await;
        if self.script.forks {
            self.respond_as(&self.fork_tag(), invite, 200, Some(&answer.write())).await;
        }
        self.call.enter(CallState::Answered);
        let Some(dialog) = self.dialog(&invite.request, invite.source) else { return };
        self.stay(dialog, answer).await;
    }

    fn dialog(&self, invite: &Request, source: std::net::SocketAddr) -> Option<Dialog> {
        let to = message::value(&invite.headers, "To")?;
        let contact = NameAddr::parse(&message::value(&invite.headers, "Contact")?);
        Some(Dialog {
            call_id: self.call.facts.call_id.clone(),
            local: format!("{to};tag={}", self.tag),
            remote: message::value(&invite.headers, "From")?,
            target: contact.uri,
            destination: source,
            cseq: 0,
        })
    }

    /// Stays in the dialog until either side hangs up. Keys and the script's own hang-up count from here.
    pub(super) async fn stay(mut self, mut dialog: Dialog, mut description: Description) {
        let start = Instant::now();
        let mut keys = self.script.keys.clone();
        keys.sort_by_key(|(after, _)| *after);
        let mut keys = keys.into_iter().peekable();
        let far = Duration::from_secs(24 * 3600);
        loop {
            let key_at = start + keys.peek().map_or(far, |(after, _)| *after);
            let hang_up_at = start + self.script.hang_up_after.unwrap_or(far);
            tokio::select! {
                () = tokio::time::sleep_until(key_at) => self.press(keys.next()),
                () = tokio::time::sleep_until(hang_up_at) => return self.hang_up(dialog).await,
                command = self.commands.recv() => match command {
                    Some(CallCommand::HangUp) => return self.hang_up(dialog).await,
                    Some(CallCommand::Direction(direction)) => {
                        description.direction = direction;
                        self.reinvite(&mut dialog, &description).await;
                    }
                    Some(CallCommand::Answer) => {}
                    None => return,
                },
                request = self.inbox.recv() => {
                    let Some(request) = request else { return };
                    if self.in_dialog(&request, &mut description).await {
                        return;
                    }
                }
            }
        }
    }

    fn press(&self, key: Option<(Duration, KeyPress)>) {
        if let Some((_, key)) = key {
            self.call.leg.press(key);
        }
    }

    /// Serves a request inside the dialog; true when it was the last.
    async fn in_dialog(&self, incoming: &Incoming, description: &mut Description) -> bool {
        match incoming.request.method {
            Method::Ack => {
                if self.call.state() == CallState::Answered {
                    self.call.enter(CallState::Confirmed);
                }
                false
            }
            Method::Bye if self.is_for_fork(incoming) => {
                self.respond(incoming, 200, None).await;
                self.call.end_fork();
                false
            }
            Method::Bye => {
                self.respond(incoming, 200, None).await;
                self.call.enter(CallState::Ended(EndedBy::RemoteBye));
                true
            }
            Method::Invite => {
                let offer = Description::parse(&String::from_utf8_lossy(&incoming.request.body));
                if let Some(remote) = offer.as_ref().and_then(|offer| offer.remote(&self.script.codecs)) {
                    self.call.leg.connect(remote);
                }
                description.direction = mirrored(offer.map_or(Direction::SendRecv, |offer| offer.direction));
                self.respond(incoming, 200, Some(&description.write())).await;
                false
            }
            _ => {
                self.respond(incoming, 200, None).await;
                false
            }
        }
    }

    async fn hang_up(&self, mut dialog: Dialog) {
        let local = self.agent.endpoint.local();
        if let Ok(bye) = dialog.request(local, Method::Bye, Vec::new(), None) {
            let mut answers = self.agent.endpoint.send_request(bye, dialog.destination);
            while let Some(answer) = answers.recv().await {
                if answer.status_code.code() >= 200 {
                    break;
                }
            }
        }
        self.call.enter(CallState::Ended(EndedBy::LocalBye));
    }

    async fn reinvite(&self, dialog: &mut Dialog, description: &Description) {
        let local = self.agent.endpoint.local();
        let headers = vec![("Contact".to_owned(), self.agent.contact(&token()))];
        let Ok(invite) = dialog.request(local, Method::Invite, headers, Some(description.write())) else {
            return;
        };
        let mut answers = self.agent.endpoint.send_request(invite, dialog.destination);
        while let Some(answer) = answers.recv().await {
            if answer.status_code.code() < 200 {
                continue;
            }
            if answer.status_code.code() < 300
                && let Ok(ack) = dialog.request(local, Method::Ack, Vec::new(), None)
            {
                self.agent.endpoint.send_once(&ack, dialog.destination).await;
            }
            return;
        }
    }
}

/// The answer's direction to an offer's (RFC 3264 section 6.1).
const fn mirrored(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv => Direction::SendRecv,
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        Direction::Inactive => Direction::Inactive,
    }
}
