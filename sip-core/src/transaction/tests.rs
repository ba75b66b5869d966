//! Every transition of RFC 3261 figures 5 to 8 and of RFC 6026, on a virtual clock.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::message::{Essential, Limits, Message, Method, Request, read};

const MS: Duration = Duration::from_millis(1);
const ID: TransactionId = TransactionId(1);

fn values() -> TimerValues {
    TimerValues::default()
}

fn peer() -> Hop {
    Hop::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap())
}

fn headers(method: &str, status_side: bool) -> String {
    let tag = if status_side { ";tag=b" } else { "" };
    format!(
        "Via: SIP/2.0/UDP h:5060;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>{tag}\r\n\
         Call-ID: c\r\nCSeq: 1 {method}\r\nRoute: <sip:p;lr>\r\n\r\n"
    )
}

fn received(text: String) -> Received<Message> {
    read(&Bytes::from(text), &Limits::default()).unwrap()
}

fn request(method: &str) -> Request {
    let Message::Request(request) =
        received(format!("{method} sip:b@h SIP/2.0\r\n{}", headers(method, false))).message
    else {
        panic!()
    };
    request
}

fn response(status: u16, method: &str) -> Received<Response> {
    let received = received(format!("SIP/2.0 {status} x\r\n{}", headers(method, true)));
    let Message::Response(message) = received.message else { panic!() };
    Received { message, essential: received.essential }
}

/// What came out, in short: `>METHOD` or `>status` for datagrams, `+status` for responses passed up.
fn outputs(out: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| out.pop())
        .map(|output| match output {
            TransactionOutput::Transmit(transmit) => {
                assert_eq!(transmit.destination, peer());
                let text = String::from_utf8(transmit.payload.to_vec()).unwrap();
                let first = text.trim_start_matches("SIP/2.0 ").split(' ').next().unwrap().to_owned();
                format!(">{first}")
            }
            TransactionOutput::Event(ID, TuEvent::Response(response)) => {
                format!("+{}", response.message.status)
            }
            TransactionOutput::Event(ID, event) => format!("{event:?}"),
            TransactionOutput::Event(..) => panic!("another transaction's event"),
        })
        .collect()
}

struct InviteClient {
    now: Instant,
    machine: ClientInviteTransaction,
    out: Outbox,
}

impl InviteClient {
    fn new() -> Self {
        let (now, mut out) = (Instant::now(), Outbox::default());
        let machine = ClientInviteTransaction::start(now, ID, &values(), request("INVITE"), peer(), &mut out);
        assert_eq!(outputs(&mut out), [">INVITE"]);
        Self { now, machine, out }
    }

    fn response(&mut self, status: u16) -> Vec<String> {
        self.machine.handle_response(self.now, &values(), response(status, "INVITE"), &mut self.out);
        outputs(&mut self.out)
    }

    /// Runs the clock and notes at which millisecond what came out.
    fn run(&mut self, duration: Duration) -> Vec<(u128, String)> {
        let (start, end) = (self.now, self.now + duration);
        let mut seen = Vec::new();
        while let Some(at) = self.machine.next_timeout().filter(|at| *at <= end) {
            self.machine.handle_timeout(at, &mut self.out);
            seen.extend(outputs(&mut self.out).into_iter().map(|text| ((at - start).as_millis(), text)));
        }
        self.now = end;
        seen
    }
}

fn timeline(expected: &[(u128, &str)]) -> Vec<(u128, String)> {
    expected.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
}

#[test]
fn figure_5_calling_retransmits_and_times_out() {
    let mut client = InviteClient::new();
    let seen = client.run(Duration::from_secs(40));
    let invites = [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|at| (at, ">INVITE"));
    let mut expected = invites.to_vec();
    expected.extend([(32_000, "TimedOut"), (32_000, "Terminated")]);
    assert_eq!(seen, timeline(&expected));
    assert_eq!(client.machine.state(), State::Terminated);
    assert_eq!(client.response(180), Vec::<String>::new());
}

#[test]
fn figure_5_a_provisional_response_stops_the_retransmission() {
    let mut client = InviteClient::new();
    for status in [100, 180, 183] {
        assert_eq!(client.response(status), [format!("+{status}")]);
        assert_eq!(client.machine.state(), State::Proceeding);
    }
    assert_eq!(client.machine.next_timeout(), None);
}

#[test]
fn rfc_6026_a_2xx_leads_to_accepted_and_each_further_one_is_passed_up() {
    for provisional in [false, true] {
        let mut client = InviteClient::new();
        if provisional {
            client.response(180);
        }
        assert_eq!(client.response(200), ["+200"]);
        assert_eq!(client.machine.state(), State::Accepted);
        assert_eq!(client.response(200), ["+200"]);
        assert_eq!(client.response(180), Vec::<String>::new());
        assert_eq!(client.response(486), Vec::<String>::new());
        assert_eq!(client.run(Duration::from_secs(40)), timeline(&[(32_000, "Terminated")]));
    }
}

#[test]
fn figure_5_a_refusal_is_acknowledged_each_time_and_passed_up_once() {
    for provisional in [false, true] {
        for status in [300, 486, 503, 603] {
            let mut client = InviteClient::new();
            if provisional {
                client.response(180);
            }
            assert_eq!(client.response(status), [">ACK".to_owned(), format!("+{status}")]);
            assert_eq!(client.machine.state(), State::Completed);
            assert_eq!(client.response(status), [">ACK"]);
            assert_eq!(client.response(200), Vec::<String>::new());
            assert_eq!(client.response(180), Vec::<String>::new());
            assert_eq!(client.run(Duration::from_secs(40)), timeline(&[(32_000, "Terminated")]));
        }
    }
}

#[test]
fn the_ack_of_a_refusal_and_the_cancel_are_built_as_17_1_1_3_and_9_1_say() {
    let mut client = InviteClient::new();
    client.machine.handle_response(client.now, &values(), response(486, "INVITE"), &mut client.out);
    let Some(TransactionOutput::Transmit(ack)) = client.out.pop() else { panic!() };
    let ack = String::from_utf8(ack.payload.to_vec()).unwrap();
    assert_eq!(
        ack,
        "ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=a\r\nCall-ID: c\r\n\
         Route: <sip:p;lr>\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nTo: <sip:b@h>;tag=b\r\nContent-Length: 0\r\n\r\n"
    );
    let cancel = client.machine.cancel();
    let essential = Essential::read(&cancel.headers).unwrap();
    assert_eq!((essential.cseq.number, &essential.cseq.method), (1, &Method::Cancel));
    assert_eq!((essential.via.branch().as_str(), essential.to.tag()), ("z9hG4bKx", None));
}

struct OtherClient {
    now: Instant,
    machine: ClientNonInviteTransaction,
    out: Outbox,
}

impl OtherClient {
    fn new() -> Self {
        let (now, mut out) = (Instant::now(), Outbox::default());
        let machine = ClientNonInviteTransaction::start(now, ID, &values(), request("BYE"), peer(), &mut out);
        assert_eq!(outputs(&mut out), [">BYE"]);
        Self { now, machine, out }
    }

    fn response(&mut self, status: u16) -> Vec<String> {
        self.machine.handle_response(self.now, &values(), response(status, "BYE"), &mut self.out);
        outputs(&mut self.out)
    }

    fn run(&mut self, duration: Duration) -> Vec<(u128, String)> {
        let (start, end) = (self.now, self.now + duration);
        let mut seen = Vec::new();
        while let Some(at) = self.machine.next_timeout().filter(|at| *at <= end) {
            self.machine.handle_timeout(at, &values(), &mut self.out);
            seen.extend(outputs(&mut self.out).into_iter().map(|text| ((at - start).as_millis(), text)));
        }
        self.now = end;
        seen
    }
}

#[test]
fn figure_6_trying_retransmits_up_to_t2_and_times_out() {
    let seen = OtherClient::new().run(Duration::from_secs(40));
    let times = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected = times.map(|at| (at, ">BYE")).to_vec();
    expected.extend([(32_000, "TimedOut"), (32_000, "Terminated")]);
    assert_eq!(seen, timeline(&expected));
}

#[test]
fn figure_6_proceeding_retransmits_every_t2_and_still_times_out() {
    let mut client = OtherClient::new();
    assert_eq!(client.response(100), ["+100"]);
    assert_eq!(client.machine.state(), State::Proceeding);
    assert_eq!(client.response(100), ["+100"]);
    let seen = client.run(Duration::from_secs(40));
    assert_eq!(seen[..2], timeline(&[(500, ">BYE"), (4_500, ">BYE")]));
    assert_eq!(seen[seen.len() - 2..], timeline(&[(32_000, "TimedOut"), (32_000, "Terminated")]));
}

#[test]
fn figure_6_a_final_response_is_passed_up_once() {
    for provisional in [false, true] {
        for status in [200, 302, 481, 500, 603] {
            let mut client = OtherClient::new();
            if provisional {
                client.response(100);
            }
            assert_eq!(client.response(status), [format!("+{status}")]);
            assert_eq!(client.machine.state(), State::Completed);
            assert_eq!(client.response(status), Vec::<String>::new());
            assert_eq!(client.run(Duration::from_secs(40)), timeline(&[(5_000, "Terminated")]));
            assert_eq!(client.response(status), Vec::<String>::new());
        }
    }
}

struct InviteServer {
    now: Instant,
    machine: ServerInviteTransaction,
    out: Outbox,
}

impl InviteServer {
    fn new() -> Self {
        Self { now: Instant::now(), machine: ServerInviteTransaction::new(ID), out: Outbox::default() }
    }

    fn respond(&mut self, status: u16) -> Vec<String> {
        let payload = Bytes::from(format!("SIP/2.0 {status} x\r\n"));
        let transmit = Transmit { destination: peer(), payload };
        self.machine.respond(self.now, &values(), status, transmit, &mut self.out);
        outputs(&mut self.out)
    }

    fn invite_again(&mut self) -> Vec<String> {
        self.machine.handle_retransmission(&mut self.out);
        outputs(&mut self.out)
    }

    fn run(&mut self, duration: Duration) -> Vec<(u128, String)> {
        let (start, end) = (self.now, self.now + duration);
        let mut seen = Vec::new();
        while let Some(at) = self.machine.next_timeout().filter(|at| *at <= end) {
            self.machine.handle_timeout(at, &values(), &mut self.out);
            seen.extend(outputs(&mut self.out).into_iter().map(|text| ((at - start).as_millis(), text)));
        }
        self.now = end;
        seen
    }
}

#[test]
fn figure_7_proceeding_repeats_the_last_provisional_response() {
    let mut server = InviteServer::new();
    assert_eq!(server.invite_again(), Vec::<String>::new());
    assert_eq!(server.respond(100), [">100"]);
    assert_eq!(server.invite_again(), [">100"]);
    assert_eq!(server.respond(180), [">180"]);
    assert_eq!(server.invite_again(), [">180"]);
    assert_eq!(server.machine.state(), State::Proceeding);
    assert_eq!(server.machine.next_timeout(), None);
}

#[test]
fn rfc_6026_after_a_2xx_invites_are_absorbed_until_timer_l() {
    let mut server = InviteServer::new();
    assert_eq!(server.respond(200), [">200"]);
    assert_eq!(server.machine.state(), State::Accepted);
    assert_eq!(server.machine.kept(), None);
    assert_eq!(server.invite_again(), Vec::<String>::new());
    assert_eq!(server.respond(486), Vec::<String>::new());
    assert!(!server.machine.handle_ack(server.now, &values()), "the ACK of a 2xx is the user's affair");
    assert_eq!(server.run(Duration::from_secs(40)), timeline(&[(32_000, "Terminated")]));
}

#[test]
fn figure_7_a_refusal_is_repeated_until_its_ack_and_then_ack_is_absorbed() {
    let mut server = InviteServer::new();
    assert_eq!(server.respond(486), [">486"]);
    assert_eq!(server.machine.state(), State::Completed);
    assert_eq!(server.invite_again(), [">486"]);
    assert_eq!(server.respond(200), Vec::<String>::new());
    let seen = server.run(1_600 * MS);
    assert_eq!(seen, timeline(&[(500, ">486"), (1_500, ">486")]));
    assert!(server.machine.handle_ack(server.now, &values()));
    assert_eq!(server.machine.state(), State::Confirmed);
    assert!(server.machine.handle_ack(server.now, &values()));
    assert_eq!(server.invite_again(), Vec::<String>::new());
    assert_eq!(server.run(Duration::from_secs(40)), timeline(&[(5_000, "Terminated")]));
}

#[test]
fn figure_7_without_ack_the_user_is_told() {
    let mut server = InviteServer::new();
    server.respond(486);
    let seen = server.run(Duration::from_secs(40));
    let times = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected = times.map(|at| (at, ">486")).to_vec();
    expected.extend([(32_000, "NoAck"), (32_000, "Terminated")]);
    assert_eq!(seen, timeline(&expected));
}

#[test]
fn figure_8_answers_are_repeated_for_repeated_requests_until_timer_j() {
    let (now, mut out) = (Instant::now(), Outbox::default());
    let mut machine = ServerNonInviteTransaction::new(ID);
    let transmit =
        |status: u16| Transmit { destination: peer(), payload: Bytes::from(format!("SIP/2.0 {status} x")) };
    machine.handle_retransmission(&mut out);
    assert_eq!((machine.state(), outputs(&mut out)), (State::Trying, vec![]));
    machine.respond(now, &values(), 182, transmit(182), &mut out);
    machine.handle_retransmission(&mut out);
    assert_eq!((machine.state(), outputs(&mut out)), (State::Proceeding, vec![">182".to_owned(); 2]));
    machine.respond(now, &values(), 200, transmit(200), &mut out);
    machine.handle_retransmission(&mut out);
    assert_eq!((machine.state(), outputs(&mut out)), (State::Completed, vec![">200".to_owned(); 2]));
    machine.respond(now, &values(), 500, transmit(500), &mut out);
    assert_eq!(outputs(&mut out), Vec::<String>::new());
    assert_eq!(machine.next_timeout(), Some(now + 32_000 * MS));
    machine.handle_timeout(now + 31_999 * MS, &mut out);
    assert_eq!(machine.state(), State::Completed);
    machine.handle_timeout(now + 32_000 * MS, &mut out);
    assert_eq!((machine.state(), outputs(&mut out)), (State::Terminated, vec!["Terminated".to_owned()]));
    assert_eq!(machine.next_timeout(), None);
}

fn layer() -> (Instant, TransactionLayer) {
    (Instant::now(), TransactionLayer::new(values(), 3))
}

fn received_request(method: &str, via: &str) -> Received<Request> {
    let text = format!("{method} sip:b@h SIP/2.0\r\n{}", headers(method, false));
    let received = received(text.replace("SIP/2.0/UDP h:5060;branch=z9hG4bKx", via));
    let Message::Request(message) = received.message else { panic!() };
    Received { message, essential: received.essential }
}

#[test]
fn requests_match_by_branch_sent_by_and_method() {
    let (now, mut layer) = layer();
    let first = received_request("INVITE", "SIP/2.0/UDP h:5060;branch=z9hG4bKx");
    assert!(!layer.handle_request(now, &first));
    let id = layer.accept_request(&first, peer()).unwrap();
    assert!(layer.handle_request(now, &first));
    for other in [
        received_request("INVITE", "SIP/2.0/UDP h:5061;branch=z9hG4bKx"),
        received_request("INVITE", "SIP/2.0/UDP h:5060;branch=z9hG4bKy"),
        received_request("CANCEL", "SIP/2.0/UDP h:5060;branch=z9hG4bKx"),
    ] {
        assert!(!layer.handle_request(now, &other));
    }
    let cancel = received_request("CANCEL", "SIP/2.0/UDP H:5060;branch=z9hG4bKx");
    assert_eq!(layer.cancelled(&cancel.essential), Some(id));
    let ack = received_request("ACK", "SIP/2.0/UDP h:5060;branch=z9hG4bKx");
    assert!(layer.handle_request(now, &ack));
}

#[test]
fn requests_of_old_peers_match_by_the_fields_of_17_2_3() {
    for via in ["SIP/2.0/UDP h:5060", "SIP/2.0/UDP h:5060;branch=1", "SIP/2.0/UDP h:5060;branch=z9hG4bK"] {
        let (now, mut layer) = layer();
        let first = received_request("INVITE", via);
        layer.accept_request(&first, peer()).unwrap();
        assert!(layer.handle_request(now, &first));
        let mut other = first.clone();
        other.essential.call_id = "d".into();
        assert!(!layer.handle_request(now, &other));
        other = first.clone();
        other.essential.cseq.number = 2;
        assert!(!layer.handle_request(now, &other));
    }
}

#[test]
fn the_layer_is_bounded_and_forgets_what_has_ended() {
    let (now, mut layer) = layer();
    let mut ids = Vec::new();
    for n in 0..4 {
        let request = received_request("BYE", &format!("SIP/2.0/UDP h;branch=z9hG4bK{n}"));
        ids.extend(layer.accept_request(&request, peer()));
    }
    assert_eq!(ids.len(), 3);
    for id in ids {
        layer.respond(now, id, Response::new(200));
    }
    assert_eq!(layer.next_timeout(), Some(now + 32_000 * MS));
    layer.handle_timeout(now + 32_000 * MS);
    assert!(layer.is_empty() && layer.next_timeout().is_none());
    assert!(!layer.handle_response(now, response(200, "BYE")));
    assert_eq!(layer.respond(now, TransactionId(1), Response::new(200)), None);
}

#[test]
fn cancel_goes_only_between_provisional_and_final() {
    let (now, mut layer) = layer();
    let id = layer.send_request(now, request("INVITE"), peer());
    assert_eq!(layer.cancel(now, id), None);
    assert!(layer.handle_response(now, response(180, "INVITE")));
    assert!(layer.cancel(now, id).is_some());
    assert!(layer.handle_response(now, response(487, "INVITE")));
    assert_eq!(layer.cancel(now, id), None);
    layer.abandon(id);
    layer.handle_timeout(now + 64_000 * MS);
    layer.handle_timeout(now + 64_000 * MS);
    assert!(layer.is_empty());
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Input {
        Status(u16),
        Again,
        Ack,
        Wait(u64),
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            (100_u16..700).prop_map(Input::Status),
            Just(Input::Again),
            Just(Input::Ack),
            (0_u64..40_000).prop_map(Input::Wait),
        ]
    }

    proptest! {
        /// Whatever comes in whatever order, a client transaction passes up at most one refusal, ends by
        /// itself once it has a final response, and says so once.
        #[test]
        fn a_client_ends_once(inputs in prop::collection::vec(input(), 0..30), invite in any::<bool>()) {
            let (mut now, mut layer) = layer();
            let method = if invite { "INVITE" } else { "BYE" };
            layer.send_request(now, request(method), peer());
            for input in inputs {
                match input {
                    Input::Status(status) => { layer.handle_response(now, response(status, method)); }
                    Input::Wait(millis) => { now += Duration::from_millis(millis); layer.handle_timeout(now); }
                    Input::Again | Input::Ack => {}
                }
            }
            layer.handle_response(now, response(500, method));
            layer.handle_timeout(now + Duration::from_secs(64));
            prop_assert!(layer.is_empty());
            let outputs: Vec<TransactionOutput> = std::iter::from_fn(|| layer.poll_output()).collect();
            let count = |wanted: fn(&TuEvent) -> bool| {
                outputs.iter().filter(|o| matches!(o, TransactionOutput::Event(_, event) if wanted(event))).count()
            };
            prop_assert_eq!(count(|event| *event == TuEvent::Terminated), 1);
            let refusals = count(|e| matches!(e, TuEvent::Response(r) if r.message.status >= 300));
            prop_assert!(refusals <= 1);
        }

        /// A server transaction sends one final response, repeats nothing else, and ends by itself.
        #[test]
        fn a_server_ends_once(inputs in prop::collection::vec(input(), 0..30), invite in any::<bool>()) {
            let (mut now, mut layer) = layer();
            let method = if invite { "INVITE" } else { "BYE" };
            let request = received_request(method, "SIP/2.0/UDP h:5060;branch=z9hG4bKx");
            let ack = received_request("ACK", "SIP/2.0/UDP h:5060;branch=z9hG4bKx");
            let id = layer.accept_request(&request, peer()).unwrap();
            for input in inputs {
                match input {
                    Input::Status(status) => { layer.respond(now, id, Response::new(status)); }
                    Input::Again => { layer.handle_request(now, &request); }
                    Input::Ack if invite => { layer.handle_request(now, &ack); }
                    Input::Ack => {}
                    Input::Wait(millis) => { now += Duration::from_millis(millis); layer.handle_timeout(now); }
                }
            }
            layer.respond(now, id, Response::new(500));
            layer.handle_timeout(now + Duration::from_secs(64));
            layer.handle_timeout(now + Duration::from_secs(64));
            prop_assert!(layer.is_empty());
            let mut finals = std::collections::BTreeSet::new();
            while let Some(output) = layer.poll_output() {
                if let TransactionOutput::Transmit(transmit) = output && !transmit.payload.starts_with(b"SIP/2.0 1") {
                    finals.insert(transmit.payload);
                }
            }
            prop_assert_eq!(finals.len(), 1);
        }
    }
}
