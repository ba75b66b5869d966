//! The called side: does its steps to one INVITE, then stays in the dialog. Callers come here, too, once they are answered.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rsip::{Method, Request};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::agent::Agent;
use super::call::{Call, CallCommand, CallState, Dialog, EndedBy, Script};
use super::digest::Challenge;
use super::endpoint::Incoming;
use super::message::{self, NameAddr};
use super::sdp::{Description, Direction};
use super::steps::{Answer, KeyWay, Step};
use crate::rtp_leg::KeyPress;
use crate::shared::token;

/// After this nobody comes back to a transaction (RFC 3261, 64*T1).
const FORGOTTEN: Duration = Duration::from_secs(64);

/// A call in the hands of its task.
pub(super) struct Task {
    pub(super) agent: Arc<Agent>,
    pub(super) call: Arc<Call>,
    pub(super) inbox: mpsc::UnboundedReceiver<Incoming>,
    pub(super) commands: mpsc::UnboundedReceiver<CallCommand>,
    pub(super) script: Script,
    pub(super) tag: String,
}

/// Where it is: before the answer with the INVITE at hand, or in the dialog.
enum Stage {
    Ringing(Box<Incoming>),
    Talking(Box<Talk>),
}

struct Talk {
    dialog: Dialog,
    description: Description,
    /// The session timer, and when it runs out unless it is refreshed.
    timer: Option<(Duration, Instant)>,
    /// The next re-INVITE is refused with 491.
    glare: bool,
}

struct Player {
    task: Task,
    stage: Stage,
    crosses_cancel: bool,
    contact: Option<String>,
}

/// Runs an incoming call to its end.
pub(super) async fn run(task: Task, invite: Incoming) {
    let steps = task.script.as_steps();
    let contact = task.script.contact.clone();
    let mut player = Player { task, stage: Stage::Ringing(Box::new(invite)), crosses_cancel: false, contact };
    match steps.first() {
        // Not a word; the caller's transaction has to notice.
        Some(Step::Silence) if steps.len() == 1 => return player.say_nothing().await,
        Some(Step::Silence | Step::Provisional(_) | Step::Early | Step::Progress(_)) => {}
        _ => player.respond(100, None, &[]).await,
    }
    player.play(steps).await;
}

impl Task {
    /// Stays in a dialog that is answered until either side hangs up; the script's keys count from here.
    pub(super) async fn stay(self, dialog: Dialog, description: Description) {
        let steps = self.script.after_the_answer();
        let talk = Talk { dialog, description, timer: None, glare: false };
        let stage = Stage::Talking(Box::new(talk));
        let contact = self.script.contact.clone();
        Player { task: self, stage, crosses_cancel: false, contact }.play(steps).await;
    }

    /// The To tag of a forking callee's second phone.
    fn fork_tag(&self) -> String {
        format!("{}-fork", self.tag)
    }

    fn is_for_fork(&self, incoming: &Incoming) -> bool {
        let to = message::value(&incoming.request.headers, "To").unwrap_or_default();
        NameAddr::parse(&to).tag == Some(self.fork_tag())
    }

    fn over(&self, by: EndedBy) -> ControlFlow<()> {
        self.call.enter(CallState::Ended(by));
        ControlFlow::Break(())
    }
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

impl Player {
    async fn play(&mut self, steps: Vec<Step>) {
        for step in steps {
            if self.step(step).await.is_break() {
                return;
            }
        }
        while self.wait(None).await.is_continue() {}
    }

    async fn step(&mut self, step: Step) -> ControlFlow<()> {
        match step {
            Step::Silence => GO_ON,
            Step::Provisional(status) => {
                self.respond(status, None, &[]).await;
                self.task.call.enter(CallState::Ringing);
                GO_ON
            }
            Step::Early => self.progress().await,
            Step::Progress(hz) => {
                self.task.call.leg.voice.set(hz);
                self.progress().await
            }
            Step::Wait(time) => self.wait(Some(Instant::now() + time)).await,
            Step::Challenge { stale } => self.challenge(stale).await,
            Step::Refuse(status, retry_after) => self.refuse(status, retry_after).await,
            Step::Redirect(number) => {
                self.contact = Some(number);
                self.refuse(302, None).await
            }
            Step::CrossCancel => {
                self.crosses_cancel = true;
                GO_ON
            }
            Step::Answer(answer) => self.answer(&answer).await,
            Step::Say(hz) => {
                self.task.call.leg.voice.set(hz);
                GO_ON
            }
            Step::Press(key, way) => self.press(key, way).await,
            Step::Direction(direction) => self.offer(direction).await,
            Step::Glare => {
                if let Stage::Talking(talk) = &mut self.stage {
                    talk.glare = true;
                }
                GO_ON
            }
            Step::HangUp => self.hang_up().await,
            Step::Die => self.die().await,
        }
    }

    /// Answers the INVITE at hand; nothing once it has its final answer.
    async fn respond(&self, status: u16, body: Option<&str>, extra: &[(&str, String)]) {
        if let Stage::Ringing(invite) = &self.stage {
            self.respond_to(&self.task.tag, invite, status, body, extra).await;
        }
    }

    async fn respond_to(
        &self,
        tag: &str,
        incoming: &Incoming,
        status: u16,
        body: Option<&str>,
        extra: &[(&str, String)],
    ) {
        let user = self.contact.as_deref().unwrap_or(&self.task.call.facts.request_user);
        let mut headers = vec![("Contact", self.task.agent.contact(user))];
        headers.extend(extra.iter().cloned());
        let response = message::response(&incoming.request, incoming.source, status, tag, &headers, body);
        self.task.agent.endpoint.respond(incoming, &response).await;
    }

    async fn say_nothing(&mut self) {
        let _ = tokio::time::timeout(FORGOTTEN, self.wait(None)).await;
        if !self.task.call.is_over() {
            self.task.call.enter(CallState::Ended(EndedBy::NoResponse));
        }
    }

    /// Waits until then, or for ever; meanwhile serves what comes. Answered by hand, it waits no longer.
    async fn wait(&mut self, until: Option<Instant>) -> ControlFlow<()> {
        let until = until.unwrap_or_else(|| Instant::now() + Duration::from_secs(24 * 3_600));
        loop {
            let timer = match &self.stage {
                Stage::Talking(talk) => talk.timer.map(|(_, at)| at),
                Stage::Ringing(_) => None,
            };
            tokio::select! {
                () = tokio::time::sleep_until(timer.map_or(until, |at| at.min(until))) => {
                    match timer.filter(|at| *at < until) {
                        Some(_) => return self.hang_up().await,
                        None => return GO_ON,
                    }
                }
                command = self.task.commands.recv() => match command {
                    Some(CallCommand::Answer) => return self.answer(&Answer::default()).await,
                    Some(CallCommand::Direction(direction)) => self.offer(direction).await?,
                    Some(CallCommand::HangUp) | None => return self.hang_up().await,
                },
                request = self.task.inbox.recv() => {
                    let Some(request) = request else { return ControlFlow::Break(()) };
                    self.serve(&request).await?;
                }
            }
        }
    }

    async fn serve(&mut self, request: &Incoming) -> ControlFlow<()> {
        if matches!(self.stage, Stage::Talking(_)) {
            return self.serve_in_dialog(request).await;
        }
        match request.request.method {
            Method::Cancel => {
                self.respond_to(&self.task.tag, request, 200, None, &[]).await;
                if self.crosses_cancel {
                    return self.answer(&Answer::default()).await;
                }
                self.respond(487, None, &[]).await;
                self.task.over(EndedBy::Cancelled)
            }
            Method::PRack | Method::Update | Method::Info => {
                self.respond_to(&self.task.tag, request, 200, None, &[]).await;
                GO_ON
            }
            _ => GO_ON,
        }
    }

    async fn progress(&self) -> ControlFlow<()> {
        let description = self.describe(&Answer::default());
        self.respond(183, description.map(|description| description.write()).as_deref(), &[]).await;
        self.task.call.enter(CallState::Ringing);
        GO_ON
    }

    /// The answer to the offer at hand; connects the sound as well.
    fn describe(&self, answer: &Answer) -> Option<Description> {
        let Stage::Ringing(invite) = &self.stage else { return None };
        let offer = Description::parse(&String::from_utf8_lossy(&invite.request.body))?;
        let mut remote = offer.remote(&self.task.script.codecs)?;
        remote.codec = answer.codec.unwrap_or(remote.codec);
        let mut description = Description::new(self.task.call.leg.local(), &[remote.codec]);
        remote.telephone_event = remote.telephone_event.filter(|_| !answer.eventless);
        description.telephone_event = remote.telephone_event;
        description.direction = answer.direction;
        if let Some(address) = answer.address {
            description.address.set_ip(address);
        }
        if !answer.mute {
            self.task.call.leg.connect(remote);
        }
        Some(description)
    }

    async fn challenge(&mut self, stale: bool) -> ControlFlow<()> {
        let challenge = Challenge { stale, ..Challenge::fresh("carrier.test") };
        let nonce = format!("nonce=\"{}\"", challenge.nonce);
        self.respond(407, None, &[("Proxy-Authenticate", challenge.header())]).await;
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let request = tokio::time::timeout_at(deadline, self.task.inbox.recv()).await;
            let Ok(Some(request)) = request else { return self.task.over(EndedBy::Refused(407)) };
            let proof = message::value(&request.request.headers, "Proxy-Authorization").unwrap_or_default();
            if request.request.method == Method::Invite && proof.contains(&nonce) {
                self.stage = Stage::Ringing(Box::new(request));
                return GO_ON;
            }
        }
    }

    async fn refuse(&self, status: u16, retry_after: Option<u32>) -> ControlFlow<()> {
        if matches!(self.stage, Stage::Talking(_)) {
            return GO_ON;
        }
        let extra: Vec<_> = retry_after.map(|after| ("Retry-After", after.to_string())).into_iter().collect();
        self.respond(status, None, &extra).await;
        self.task.over(EndedBy::Refused(status))
    }

    async fn answer(&mut self, answer: &Answer) -> ControlFlow<()> {
        let Stage::Ringing(invite) = &self.stage else { return GO_ON };
        let Some(description) = self.describe(answer) else { return self.refuse(488, None).await };
        let body = (!answer.bare).then(|| description.write());
        let timer = answer.timer.map(|seconds| Duration::from_secs(seconds.into()));
        let extra = timer_headers(timer);
        self.respond(200, body.as_deref(), &extra).await;
        if answer.twice {
            self.respond_to(&self.task.fork_tag(), invite, 200, body.as_deref(), &extra).await;
        }
        self.task.call.enter(CallState::Answered);
        let Some(dialog) = self.dialog(&invite.request, invite.source) else {
            return ControlFlow::Break(());
        };
        let timer = timer.map(|time| (time, Instant::now() + time));
        self.stage = Stage::Talking(Box::new(Talk { dialog, description, timer, glare: false }));
        GO_ON
    }

    fn dialog(&self, invite: &Request, source: std::net::SocketAddr) -> Option<Dialog> {
        let to = message::value(&invite.headers, "To")?;
        let contact = NameAddr::parse(&message::value(&invite.headers, "Contact")?);
        Some(Dialog {
            call_id: self.task.call.facts.call_id.clone(),
            local: format!("{to};tag={}", self.task.tag),
            remote: message::value(&invite.headers, "From")?,
            target: contact.uri,
            destination: source,
            cseq: 0,
        })
    }

    /// Serves a request inside the dialog; breaks when it was the last.
    async fn serve_in_dialog(&mut self, incoming: &Incoming) -> ControlFlow<()> {
        let tag = self.task.tag.clone();
        match incoming.request.method {
            Method::Ack => {
                if self.task.call.state() == CallState::Answered {
                    self.task.call.enter(CallState::Confirmed);
                }
                GO_ON
            }
            Method::Bye if self.task.is_for_fork(incoming) => {
                self.respond_to(&tag, incoming, 200, None, &[]).await;
                self.task.call.end_fork();
                GO_ON
            }
            Method::Bye => {
                self.respond_to(&tag, incoming, 200, None, &[]).await;
                self.task.over(EndedBy::RemoteBye)
            }
            Method::Invite | Method::Update => {
                self.reoffered(incoming).await;
                GO_ON
            }
            _ => {
                self.respond_to(&tag, incoming, 200, None, &[]).await;
                GO_ON
            }
        }
    }

    async fn reoffered(&mut self, incoming: &Incoming) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if std::mem::take(&mut talk.glare) {
            return self.respond_to(&self.task.tag, incoming, 491, None, &[]).await;
        }
        if let Some((time, at)) = &mut talk.timer {
            *at = Instant::now() + *time;
        }
        let timer = timer_headers(talk.timer.map(|(time, _)| time));
        let offer = Description::parse(&String::from_utf8_lossy(&incoming.request.body));
        if let Some(remote) = offer.as_ref().and_then(|offer| offer.remote(&self.task.script.codecs)) {
            self.task.call.leg.connect(remote);
        }
        let offered = offer.is_some() || incoming.request.method == Method::Invite;
        talk.description.direction = mirrored(offer.map_or(Direction::SendRecv, |offer| offer.direction));
        let body = offered.then(|| talk.description.write());
        self.respond_to(&self.task.tag, incoming, 200, body.as_deref(), &timer).await;
    }

    async fn press(&mut self, key: KeyPress, way: KeyWay) -> ControlFlow<()> {
        match way {
            KeyWay::Sound => self.task.call.leg.press(key),
            KeyWay::Info => {
                let body = format!("Signal={}\r\nDuration={}\r\n", key.digit, key.held.as_millis());
                let kind = ("Content-Type".to_owned(), "application/dtmf-relay".to_owned());
                let _ = self.request(Method::Info, vec![kind], Some(body)).await;
            }
        }
        GO_ON
    }

    /// Sends a request inside the dialog and waits for its final answer.
    async fn request(
        &mut self,
        method: Method,
        headers: Vec<(String, String)>,
        body: Option<String>,
    ) -> Option<u16> {
        let Stage::Talking(talk) = &mut self.stage else { return None };
        let endpoint = &self.task.agent.endpoint;
        let request = talk.dialog.request(endpoint.local(), method, headers, body).ok()?;
        let mut answers = endpoint.send_request(request, talk.dialog.destination);
        while let Some(answer) = answers.recv().await {
            let status = answer.status_code.code();
            if status >= 200 {
                return Some(status);
            }
        }
        None
    }

    /// A re-INVITE with this direction.
    async fn offer(&mut self, direction: Direction) -> ControlFlow<()> {
        let Stage::Talking(talk) = &mut self.stage else { return GO_ON };
        talk.description.direction = direction;
        let body = talk.description.write();
        let contact = self.task.agent.contact(&token());
        let status = self.request(Method::Invite, vec![("Contact".to_owned(), contact)], Some(body)).await;
        let Stage::Talking(talk) = &mut self.stage else { return GO_ON };
        let endpoint = &self.task.agent.endpoint;
        if status.is_some_and(|status| status < 300)
            && let Ok(ack) = talk.dialog.request(endpoint.local(), Method::Ack, Vec::new(), None)
        {
            endpoint.send_once(&ack, talk.dialog.destination).await;
        }
        GO_ON
    }

    async fn hang_up(&mut self) -> ControlFlow<()> {
        if matches!(self.stage, Stage::Ringing(_)) {
            return self.refuse(603, None).await;
        }
        self.request(Method::Bye, Vec::new(), None).await;
        self.task.over(EndedBy::LocalBye)
    }

    /// Its inbox is read, so that nobody else answers for it.
    async fn die(&mut self) -> ControlFlow<()> {
        let _ = self.task.over(EndedBy::Died);
        let until = Instant::now() + FORGOTTEN;
        while let Ok(Some(_)) = tokio::time::timeout_at(until, self.task.inbox.recv()).await {}
        ControlFlow::Break(())
    }
}

/// RFC 4028 section 9: the caller refreshes.
fn timer_headers(timer: Option<Duration>) -> Vec<(&'static str, String)> {
    let Some(timer) = timer else { return Vec::new() };
    let expires = format!("{};refresher=uac", timer.as_secs());
    vec![("Session-Expires", expires), ("Require", "timer".to_owned())]
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
