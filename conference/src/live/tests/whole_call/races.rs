//! Random orders of answer, cancel, BYE and the meeting's end, on two trunks, message by message: nobody is rung twice for one
//! press, and every leg that ever rang or was answered is released (mission rows D37 and D38, reliability F9).

use super::gateway::{Gateway, Packet, SIP};
use crate::live::call::{DialSpec, DialTarget};
use crate::live::focus::Command;
use crate::live::tests::harness::{meeting_id, person, spec, to_number};
use crate::vocabulary::{MeetingKind, Role};
use proptest::prelude::*;
use sip_core::ua::{Command as SipCommand, Trunk, TrunkId};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CARRIERS: [&str; 2] = ["198.51.100.5:5060", "198.51.100.6:5060"];
const CALLS: usize = 3;
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.5\r\ns=-\r\nc=IN IP4 198.51.100.5\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

#[derive(Clone, Debug)]
enum Step {
    /// CALL for one of the numbers; nothing if that was done already.
    Dial(usize),
    /// A carrier answers one of its INVITEs.
    Answer {
        leg: usize,
        status: u16,
        phone: char,
    },
    /// A callee who has answered hangs up, or wants to hold.
    Bye(usize),
    Hold(usize),
    /// A carrier reads what has come, and answers it as RFC 3261 says.
    Read(usize),
    Cancel(usize),
    HostLeaves,
    EndMeeting,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let leg = 0..2 * CALLS;
    let status = prop_oneof![
        4 => prop::sample::select(vec![100, 180, 183, 180]),
        4 => Just(200),
        2 => prop::sample::select(vec![302, 404, 408, 486, 500, 503, 603]),
    ];
    let phone = prop::sample::select(vec!['a', 'a', 'b']);
    prop_oneof![
        3 => (0..CALLS).prop_map(Step::Dial),
        8 => (leg.clone(), status, phone).prop_map(|(leg, status, phone)| Step::Answer { leg, status, phone }),
        2 => leg.clone().prop_map(Step::Bye),
        1 => leg.prop_map(Step::Hold),
        4 => (0..CARRIERS.len()).prop_map(Step::Read),
        2 => (0..CALLS).prop_map(Step::Cancel),
        1 => Just(Step::HostLeaves),
        1 => Just(Step::EndMeeting),
        4 => prop::sample::select(vec![1_u64, 20, 300, 3_900, 4_100, 31_000, 46_000]).prop_map(Step::Pass),
    ]
}

/// One INVITE at a carrier.
struct Leg {
    carrier: usize,
    invite: String,
    call_number: String,
    since: Instant,
    spoke: bool,
    rang: bool,
    /// The final answer; none while it is open.
    refused: bool,
    /// Phones that have answered: their To tags.
    answered: BTreeSet<char>,
    acknowledged: BTreeSet<char>,
    /// Those hung up, from whichever side.
    released: BTreeSet<char>,
    requests: u32,
}

struct World {
    now: Instant,
    gateway: Gateway,
    legs: Vec<Leg>,
    unread: [Vec<String>; 2],
    read_at: [Instant; 2],
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn to_tag(text: &str) -> Option<char> {
    header(text, "To").split_once(";tag=").and_then(|(_, tag)| tag.chars().next())
}

fn answer_to(request: &str, status: u16, tag: Option<char>, carrier: usize) -> String {
    let mut text = format!("SIP/2.0 {status} Answer\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let tag = match tag {
            Some(tag) if name == "To" && to_tag(request).is_none() => format!(";tag={tag}"),
            _ => String::new(),
        };
        text += &format!("{name}: {}{tag}\r\n", header(request, name));
    }
    let with_body = (status == 200 || status == 183) && header(request, "CSeq").ends_with("INVITE");
    let body = if with_body { SDP } else { "" };
    let contact = format!("Contact: <sip:x@{}>\r\n", CARRIERS[carrier]);
    let kind = if with_body { "Content-Type: application/sdp\r\n" } else { "" };
    format!("{text}{contact}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn dial_spec(number: usize) -> DialSpec {
    let e164 = format!("+1202555017{number}");
    let trunks = vec![TrunkId(1), TrunkId(2)];
    DialSpec {
        target: DialTarget::Number { e164: e164.clone(), trunks },
        ..to_number(&format!("c{number}"), &format!("guest{number}"), &e164)
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let (legs, unread) = (Vec::new(), [Vec::new(), Vec::new()]);
        let mut world = Self { now, gateway: Gateway::new(now), legs, unread, read_at: [now; 2] };
        for (number, carrier) in (1..).zip(CARRIERS) {
            let peer: SocketAddr = carrier.parse().unwrap();
            let trunk = Trunk::new(TrunkId(number), peer, "carrier.test");
            world.gateway.provision(now, SipCommand::PutTrunk(Box::new(trunk)));
        }
        world.command(Command::PutMeeting(spec(MeetingKind::Conference)));
        world.command(Command::JoinWebrtc { meeting: meeting_id(), person: person("hana", Role::Host) });
        world
    }

    fn command(&mut self, command: Command) {
        // Much of what happens in a random order is refused, rightly.
        let _ = self.gateway.command(self.now, command);
        self.collect();
    }

    /// Takes what the gateway has sent: an INVITE that is new begins a leg, all else waits until it is read.
    fn collect(&mut self) {
        while let Some((_, to, payload)) = self.gateway.outbox.pop_front() {
            let Some(carrier) = CARRIERS.iter().position(|carrier| to.to_string() == *carrier) else {
                continue;
            };
            let text = String::from_utf8(payload).unwrap();
            let begins = text.starts_with("INVITE ") && to_tag(&text).is_none();
            if !begins {
                self.unread[carrier].push(text);
            } else if !self.legs.iter().any(|leg| leg.invite == text) {
                self.ring_once(carrier, text);
            }
        }
    }

    fn ring_once(&mut self, carrier: usize, invite: String) {
        let call_number = header(&invite, "To").to_owned();
        for other in self.legs.iter().filter(|leg| leg.call_number == call_number) {
            assert!(
                !other.rang && other.answered.is_empty(),
                "rung a second time:\n{}\n{invite}",
                other.invite
            );
            assert_ne!(other.carrier, carrier, "the same carrier is asked again:\n{invite}");
        }
        let (answered, acknowledged, released) = Default::default();
        let (since, spoke, rang, refused, requests) = (self.now, false, false, false, 0);
        self.legs.push(Leg {
            carrier,
            invite,
            call_number,
            since,
            spoke,
            rang,
            refused,
            answered,
            acknowledged,
            released,
            requests,
        });
    }

    fn send(&mut self, carrier: usize, text: String) {
        let packet: Packet = (CARRIERS[carrier].parse().unwrap(), SIP.parse().unwrap(), text.into_bytes());
        self.gateway.datagram(self.now, &packet);
        self.collect();
    }

    fn answer(&mut self, number: usize, status: u16, phone: char) {
        let Some(leg) = self.legs.get_mut(number) else { return };
        // A proxy lets several 200s through, and nothing else after the first.
        let over = leg.refused || (!leg.answered.is_empty() && status != 200);
        // After 64*T1 without a word both sides have forgotten the INVITE (RFC 3261 section 17.1.1.2); so long after the
        // first 200 no further one is waited for (section 13.2.2.4).
        let waited_for = !leg.spoke || !leg.answered.is_empty();
        let forgotten = waited_for && self.now.duration_since(leg.since) > Duration::from_secs(31);
        if over || forgotten || leg.answered.contains(&phone) {
            return;
        }
        leg.spoke = true;
        leg.rang |= (180..200).contains(&status);
        leg.refused |= status >= 300;
        if status == 200 {
            leg.since = if leg.answered.is_empty() { self.now } else { leg.since };
            leg.answered.insert(phone);
        }
        let tag = (status > 100).then_some(phone);
        let (carrier, text) = (leg.carrier, answer_to(&leg.invite, status, tag, leg.carrier));
        self.send(carrier, text);
    }

    /// A request of a callee inside the dialog, once the dialog is acknowledged.
    fn request(&mut self, number: usize, method: &str) {
        let Some(leg) = self.legs.get_mut(number) else { return };
        let Some(&tag) = leg.acknowledged.iter().find(|tag| !leg.released.contains(tag)) else { return };
        if method == "BYE" {
            leg.released.insert(tag);
        }
        leg.requests += 1;
        let (carrier, from) = (leg.carrier, header(&leg.invite, "From"));
        let body = if method == "INVITE" { SDP } else { "" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:x@{SIP} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{number}x{}\r\nMax-Forwards: 70\r\n\
             From: {};tag={tag}\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:x@{}>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            CARRIERS[carrier],
            leg.requests,
            header(&leg.invite, "To"),
            header(&leg.invite, "Call-ID"),
            leg.requests,
            CARRIERS[carrier],
            body.len(),
        );
        self.send(carrier, text);
    }

    fn read(&mut self, carrier: usize) {
        self.read_at[carrier] = self.now;
        for text in std::mem::take(&mut self.unread[carrier]) {
            let method = text.split(' ').next().unwrap_or_default();
            let call_id = header(&text, "Call-ID").to_owned();
            let found = self
                .legs
                .iter_mut()
                .find(|leg| leg.carrier == carrier && header(&leg.invite, "Call-ID") == call_id);
            let Some(leg) = found else { continue };
            match (method, to_tag(&text)) {
                // The ACK of a refusal belongs to its transaction.
                ("ACK", Some(tag)) if leg.answered.contains(&tag) => drop(leg.acknowledged.insert(tag)),
                ("CANCEL", _) => {
                    let open = !leg.refused && leg.answered.is_empty();
                    leg.refused |= open;
                    let refusal = open.then(|| answer_to(&leg.invite, 487, Some('a'), carrier));
                    self.send(carrier, answer_to(&text, 200, Some('a'), carrier));
                    if let Some(refusal) = refusal {
                        self.send(carrier, refusal);
                    }
                }
                ("BYE", Some(tag)) => {
                    leg.released.insert(tag);
                    self.send(carrier, answer_to(&text, 200, Some(tag), carrier));
                }
                ("INVITE", Some(tag)) => self.send(carrier, answer_to(&text, 200, Some(tag), carrier)),
                _ => {}
            }
        }
        self.repeat_answers(carrier);
    }

    /// A phone that has not seen the ACK says its 200 again.
    fn repeat_answers(&mut self, carrier: usize) {
        let legs = self.legs.iter().filter(|leg| leg.carrier == carrier);
        let again = legs.flat_map(|leg| {
            let unheard = leg.answered.difference(&leg.acknowledged);
            unheard.map(|tag| answer_to(&leg.invite, 200, Some(*tag), carrier))
        });
        again.collect::<Vec<_>>().into_iter().for_each(|text| self.send(carrier, text));
    }

    fn pass(&mut self, time: Duration) {
        let (end, step) = (self.now + time, Duration::from_secs(5));
        while self.now < end {
            // Nothing is on its way for longer than transactions live.
            for carrier in 0..CARRIERS.len() {
                if self.now.duration_since(self.read_at[carrier]) > step * 4 {
                    self.read(carrier);
                }
            }
            self.pass_to(end.min(self.now + step));
        }
    }

    fn pass_to(&mut self, end: Instant) {
        while let Some(at) = self.gateway.wake.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.gateway.timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Dial(number) => self.command(Command::Dial(Box::new(dial_spec(number)))),
            Step::Answer { leg, status, phone } => self.answer(leg, status, phone),
            Step::Bye(leg) => self.request(leg, "BYE"),
            Step::Hold(leg) => self.request(leg, "INVITE"),
            Step::Read(carrier) => self.read(carrier),
            Step::Cancel(number) => self.command(Command::EndCall { call: dial_spec(number).call }),
            Step::HostLeaves => {
                let person = person("hana", Role::Host).person;
                self.command(Command::Leave { meeting: meeting_id(), person });
            }
            Step::EndMeeting => self.command(Command::EndMeeting { meeting: meeting_id() }),
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
        }
    }

    /// The meeting ends, everybody reads and answers what they have got, and time passes.
    fn finish(&mut self) {
        self.command(Command::EndMeeting { meeting: meeting_id() });
        for _ in 0..140 {
            (0..CARRIERS.len()).for_each(|carrier| self.read(carrier));
            self.pass(Duration::from_millis(500));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f9_d38_no_order_of_answer_cancel_bye_and_end_rings_twice_or_leaves_a_leg(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        world.play(&Step::Dial(0));
        steps.iter().for_each(|step| world.play(step));
        world.finish();
        for leg in &world.legs {
            let invite = &leg.invite;
            prop_assert_eq!(&leg.answered, &leg.acknowledged, "each answer gets its ACK:\n{}", invite);
            prop_assert_eq!(&leg.answered, &leg.released, "each answer gets its BYE:\n{}", invite);
            let rings = leg.rang && leg.answered.is_empty() && !leg.refused;
            prop_assert!(!rings, "still ringing:\n{invite}");
        }
        let (focus, agent) = (world.gateway.focus.counts(), world.gateway.ua.counts());
        prop_assert!(world.gateway.is_idle(), "{focus:?} {agent:?}");
    }
}
