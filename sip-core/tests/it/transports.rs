//! Transports, connections and RFC 5626 flows, on a virtual clock, with one user agent and scripted peers.

use std::time::{Duration, Instant};

use sip_core::locate::{Answer, LookupFailed, Question, Record, RecordKind};
use sip_core::ua::{
    Command, Connect, EndCause, Event, FlowId, FlowInput, FlowOpened, Listener, Output, Peer, StoredBinding,
    Target, Transport, Trunk, TrunkId, UserAgent, UserAgentConfig,
};

use crate::support::*;

const TCP: FlowId = FlowId::Incoming(1);
const FIRST: FlowId = FlowId::Outgoing(1);
const SECOND: Duration = Duration::from_secs(1);

/// One user agent, and all it said.
struct Bench {
    ua: UserAgent,
    now: Instant,
    sent: Vec<(Transport, String, Option<FlowId>, String)>,
    connects: Vec<Connect>,
    events: Vec<Event>,
    questions: Vec<Question>,
}

fn listener(transport: Transport, port: u16, public: bool) -> Listener {
    let local = format!("192.0.2.1:{port}");
    Listener { transport, local: addr(&local), advertised: format!("sip.acme.test:{port}"), public }
}

fn bench_with(change: impl FnOnce(&mut UserAgentConfig)) -> Bench {
    let mut config = config(GATEWAY);
    config.listeners = vec![
        listener(Transport::Udp, 5060, false),
        listener(Transport::Tcp, 5060, false),
        listener(Transport::Tls, 5061, true),
        listener(Transport::Ws, 8088, true),
    ];
    change(&mut config);
    let (sent, connects) = (Vec::new(), Vec::new());
    let ua = UserAgent::new(config, [9; 32]);
    Bench { ua, now: Instant::now(), sent, connects, events: Vec::new(), questions: Vec::new() }
}

fn bench() -> Bench {
    bench_with(|_| {})
}

impl Bench {
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.ua.poll_output() {
                Output::Transmit(transmit) => {
                    let hop = transmit.destination;
                    let text = String::from_utf8(transmit.payload.to_vec()).unwrap();
                    self.sent.push((hop.transport, hop.remote.to_string(), hop.flow, text));
                }
                Output::Connect(connect) => self.connects.push(connect),
                Output::Resolve(question) => self.questions.push(question),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => return at,
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.ua.handle_command(self.now, command);
        self.drain();
    }

    fn receive(&mut self, transport: Transport, source: &str, flow: Option<FlowId>, text: &str) {
        let port = match transport {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws | Transport::Wss => 8088,
        };
        let local = addr(&format!("192.0.2.1:{port}"));
        let text = text.replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", transport.token()));
        let input = FlowInput { transport, local, source: addr(source), flow, payload: text.as_bytes() };
        self.ua.handle_message(self.now, input);
        self.drain();
    }

    fn close(&mut self, flow: FlowId) {
        self.ua.handle_flow_closed(self.now, flow);
        self.drain();
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.drain().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.ua.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent).into_iter().map(|(.., text)| text).collect()
    }

    fn take_one(&mut self) -> (Transport, String, Option<FlowId>, String) {
        assert_eq!(self.sent.len(), 1, "{:#?}", self.sent);
        self.sent.remove(0)
    }

    /// A phone registers; gives the 200.
    fn register(
        &mut self,
        transport: Transport,
        source: &str,
        flow: Option<FlowId>,
        cseq: u32,
        more: &str,
    ) -> String {
        let aor = "sip:103a@acme.test";
        self.receive(transport, source, flow, &request("REGISTER", "sip:acme.test", aor, aor, cseq, more));
        let challenge = self.take_one().3;
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "103a-secret", 1);
        let again = request("REGISTER", "sip:acme.test", aor, aor, cseq + 1, &format!("{proof}{more}"));
        self.receive(transport, source, flow, &again);
        self.take_one().3
    }
}

fn with_device() -> Bench {
    let mut bench = bench();
    bench.command(Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    bench
}

const CONTACT: &str = "Contact: <sip:103a@10.0.0.9:5060;transport=tcp>\r\n";

#[test]
fn d10_a_call_goes_out_on_the_connection_the_register_came_by() {
    let mut bench = with_device();
    let ok = bench.register(Transport::Tcp, PHONE, Some(TCP), 1, CONTACT);
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
    bench.command(call(to_phone()));
    let (transport, remote, flow, invite) = bench.take_one();
    assert_eq!((transport, remote.as_str(), flow), (Transport::Tcp, PHONE, Some(TCP)));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TCP sip.acme.test:5060;"), "{invite}");
    assert_eq!(header(&invite, "Contact"), "<sip:sip.acme.test:5060;transport=tcp>");
    // Nothing is repeated on a connection.
    bench.run_for(SECOND * 10);
    assert_eq!(bench.take(), Vec::<String>::new());
    assert_eq!(bench.connects, []);
}

#[test]
fn rfc_5626_a_binding_whose_connection_is_gone_is_unreachable_until_it_is_back() {
    let mut bench = with_device();
    bench.register(Transport::Tls, PHONE, Some(TCP), 1, CONTACT);
    bench.events.clear();
    let device = device("103a", "acme.test");
    bench.close(TCP);
    assert_eq!(bench.events, [Event::Unreachable { device: device.clone() }]);
    let [info] = &bench.ua.bindings(&device)[..] else { panic!() };
    assert_eq!((info.transport, info.reachable), (Transport::Tls, false));
    bench.command(call(to_phone()));
    assert!(bench.sent.is_empty());
    assert!(bench.events.contains(&Event::Ended { session: CALL, cause: EndCause::NotRegistered }));
    bench.register(Transport::Tls, "198.51.100.7:40001", Some(FlowId::Incoming(2)), 3, CONTACT);
    assert!(bench.ua.bindings(&device)[0].reachable);
    bench.command(call(to_phone()));
    assert_eq!(bench.take_one().2, Some(FlowId::Incoming(2)));
}

#[test]
fn f1_a_stored_binding_of_a_connection_waits_for_it() {
    let mut bench = with_device();
    let device = device("103a", "acme.test");
    bench.command(Command::RestoreBinding(Box::new(StoredBinding {
        device: device.clone(),
        contact: "sip:103a@10.0.0.9;transport=tls".into(),
        source: addr(PHONE),
        transport: Transport::Tls,
        q: 1_000,
        instance: None,
        reg_id: None,
        path: Vec::new(),
        user_agent: String::new(),
        call_id: "x".into(),
        cseq: 1,
        latency: None,
        expires_in: SECOND * 100,
    })));
    assert!(!bench.ua.bindings(&device)[0].reachable);
    bench.command(call(to_phone()));
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::NotRegistered }]);
}

#[test]
fn rfc_5626_instance_and_reg_id_name_a_binding_whatever_its_contact() {
    let mut bench = with_device();
    let contact = |port: u16, reg_id: u8| {
        format!(
            "Supported: path, outbound\r\nContact: <sip:103a@10.0.0.9:{port};transport=tcp>;reg-id={reg_id};\
             +sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"\r\n"
        )
    };
    let ok = bench.register(Transport::Tcp, PHONE, Some(TCP), 1, &contact(5060, 1));
    assert_eq!(header(&ok, "Require"), "outbound");
    assert!(header(&ok, "Contact").contains(";+sip.instance=\"<urn:uuid:"), "{ok}");
    bench.register(Transport::Tcp, PHONE, Some(FlowId::Incoming(2)), 3, &contact(5061, 1));
    bench.register(Transport::Tcp, PHONE, Some(FlowId::Incoming(3)), 5, &contact(5062, 2));
    let bindings = bench.ua.bindings(&device("103a", "acme.test"));
    let ways: Vec<_> = bindings.iter().map(|it| (it.reg_id, it.contact.contains("5060"))).collect();
    assert_eq!(ways, [(Some(1), false), (Some(2), false)]);
    // The newest way breaks: the other one is taken.
    bench.close(FlowId::Incoming(3));
    assert!(!bench.events.iter().any(|event| matches!(event, Event::Unreachable { .. })));
    bench.command(call(to_phone()));
    assert_eq!(bench.take_one().2, Some(FlowId::Incoming(2)));
}

#[test]
fn rfc_3327_a_call_passes_the_proxies_of_the_path() {
    let mut bench = with_device();
    let more = format!("Supported: path\r\nPath: <sip:edge.test;lr>, <sip:nat.test;lr;ob>\r\n{CONTACT}");
    let ok = bench.register(Transport::Udp, "192.0.2.50:5060", None, 1, &more);
    assert_eq!(header(&ok, "Path"), "<sip:edge.test;lr>, <sip:nat.test;lr;ob>");
    bench.command(call(to_phone()));
    let (_, remote, _, invite) = bench.take_one();
    let routes: Vec<&str> = invite.lines().filter_map(|line| line.strip_prefix("Route: ")).collect();
    assert_eq!(
        (remote.as_str(), routes),
        ("192.0.2.50:5060", vec!["<sip:edge.test;lr>", "<sip:nat.test;lr;ob>"])
    );
}

#[test]
fn b2_without_rport_and_nat_the_answer_goes_to_the_port_of_via() {
    let mut bench = bench();
    let options = request("OPTIONS", "sip:acme.test", "sip:a@b", "sip:acme.test", 1, "");
    let named = options.replace("10.0.0.9:5060", "203.0.113.9:5080").replace(";rport", "");
    bench.receive(Transport::Udp, "203.0.113.9:40000", None, &named);
    assert_eq!(bench.take_one().1, "203.0.113.9:5080");
    bench.receive(Transport::Udp, "203.0.113.9:40000", None, &options);
    assert_eq!(bench.take_one().1, "203.0.113.9:40000");
}

#[test]
fn a_trusted_address_is_a_stranger_on_a_public_listener() {
    let mut bench = bench_with(|config| config.trusted_peers = vec!["203.0.113.0/24".parse().unwrap()]);
    let invite =
        request("INVITE", "sip:room@acme.test", "sip:a@b", "sip:room@acme.test", 1, "Contact: <sip:a@b>\r\n");
    bench.receive(Transport::Tls, "203.0.113.9:40000", Some(TCP), &invite);
    assert!(bench.take_one().3.starts_with("SIP/2.0 401 "));
    bench.receive(Transport::Tcp, "203.0.113.9:40000", Some(TCP), &invite.replace("INVITE1", "INVITE2"));
    assert!(bench.take()[0].starts_with("SIP/2.0 100 "));
}

#[test]
fn timestamp_comes_back_in_100() {
    let mut bench = bench_with(|config| config.trusted_peers = vec!["203.0.113.0/24".parse().unwrap()]);
    let more = "Timestamp: 54.1\r\nContact: <sip:a@b>\r\n";
    let invite = request("INVITE", "sip:room@acme.test", "sip:a@b", "sip:room@acme.test", 1, more);
    bench.receive(Transport::Udp, "203.0.113.9:40000", None, &invite);
    assert_eq!(header(&bench.take_one().3, "Timestamp"), "54.1");
}

#[test]
fn a_sips_request_makes_a_sips_dialog() {
    let mut bench = bench_with(|config| {
        config.trusted_peers = vec!["203.0.113.0/24".parse().unwrap()];
        config.listeners[2].public = false;
    });
    let invite = request(
        "INVITE",
        "sips:room@acme.test",
        "sips:a@b",
        "sips:room@acme.test",
        1,
        "Contact: <sips:a@b>\r\n",
    );
    bench.receive(Transport::Tls, "203.0.113.9:40000", Some(TCP), &invite);
    let Some(Event::Incoming(incoming)) = bench.events.pop() else { panic!() };
    bench.take();
    bench.command(Command::Accept { session: incoming.session, body: OFFER.into() });
    assert_eq!(header(&bench.take_one().3, "Contact"), "<sips:sip.acme.test:5061>");
}

fn tls_trunk() -> Trunk {
    Trunk {
        transport: Some(Transport::Tls),
        ..Trunk::new(TrunkId(1), addr("192.0.2.2:5061"), "carrier.test")
    }
}

#[test]
fn rfc_5922_a_connection_to_a_trunk_names_the_domain_that_was_asked_for() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(tls_trunk())));
    bench.command(call(to_number()));
    let expected = Connect {
        flow: FIRST,
        transport: Transport::Tls,
        local: addr("192.0.2.1:5061"),
        remote: addr("192.0.2.2:5061"),
        identity: Some("carrier.test".into()),
    };
    assert_eq!(bench.connects, [expected]);
    let (transport, _, flow, invite) = bench.take_one();
    assert_eq!((transport, flow), (Transport::Tls, Some(FIRST)));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TLS sip.acme.test:5061;"));
    // A second call takes the same connection.
    bench.ua.handle_flow_opened(
        bench.now,
        FlowOpened {
            flow: FIRST,
            transport: Transport::Tls,
            local: addr("192.0.2.1:5061"),
            remote: addr("192.0.2.2:5061"),
        },
    );
    bench.command(Command::ProbeNow(TrunkId(1)));
    assert_eq!((bench.connects.len(), bench.take_one().2), (1, Some(FIRST)));
}

#[test]
fn rfc_3261_17_1_4_a_connection_that_cannot_be_made_ends_the_call_at_once() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(tls_trunk())));
    bench.command(call(to_number()));
    bench.close(FIRST);
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::NoResponse }]);
    assert_eq!(bench.ua.counts(), Default::default());
    // The next try makes a new one.
    bench.command(Command::ProbeNow(TrunkId(1)));
    assert_eq!(bench.connects.last().unwrap().flow, FlowId::Outgoing(2));
}

#[test]
fn a_call_outlives_the_connection_it_was_made_on() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(tls_trunk())));
    bench.command(call(to_number()));
    let invite = bench.take_one().3;
    let answer = answer_to(&invite, "200 OK", "a", "Contact: <sip:x@192.0.2.2>\r\n", ANSWER);
    bench.receive(Transport::Tls, "192.0.2.2:5061", Some(FIRST), &answer);
    assert!(bench.take_one().3.starts_with("ACK "));
    bench.close(FIRST);
    bench.command(Command::HangUp { session: CALL });
    let (.., flow, bye) = bench.take_one();
    assert!(bye.starts_with("BYE "));
    assert_eq!(flow, Some(FlowId::Outgoing(2)));
    assert_eq!(bench.connects.len(), 2);
}

fn named_trunk() -> Trunk {
    let peer: Peer = "carrier.test".parse().unwrap();
    Trunk { transport: None, ..Trunk::new(TrunkId(1), peer, "carrier.test") }
}

/// Answers the questions put so far; SRV of UDP leads to three hosts, one after the other.
fn answer(bench: &mut Bench) {
    for _ in 0..8 {
        for question in std::mem::take(&mut bench.questions) {
            let host = |priority| Record::Srv {
                priority,
                weight: 0,
                port: 5060,
                target: format!("h{priority}.test"),
            };
            let records = match (question.name.as_str(), question.kind) {
                ("_sip._udp.carrier.test", RecordKind::Srv) => vec![host(1), host(2), host(3)],
                (name, RecordKind::A) if name.starts_with('h') => {
                    vec![Record::Address(format!("192.0.2.{}", &name[1..2]).parse().unwrap())]
                }
                _ => Vec::new(),
            };
            let answer = Answer { records, ttl: Duration::from_secs(60) };
            bench.ua.handle_answer(bench.now, &question, Ok(answer));
        }
        bench.command(Command::PutTrunk(Box::new(named_trunk())));
        bench.ua.trunk_status(bench.now, TrunkId(1)).unwrap();
        bench.command(Command::ProbeNow(TrunkId(1)));
    }
    bench.run_for(SECOND * 40);
    bench.take();
    bench.events.clear();
}

#[test]
fn rfc_3263_all_servers_of_a_trunk_are_tried_and_no_old_branch_rings() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(named_trunk())));
    answer(&mut bench);
    bench.command(call(to_number()));
    let (_, first, _, invite) = bench.take_one();
    assert_eq!(first, "192.0.2.1:5060");
    // The first one is silent: within 4 seconds the second one is asked, and the first one no more.
    bench.run_for(SECOND * 4);
    let sent = std::mem::take(&mut bench.sent);
    let (_, second, _, again) = sent.last().unwrap().clone();
    assert_eq!((second.as_str(), header(&again, "CSeq")), ("192.0.2.2:5060", "2 INVITE"));
    assert_ne!(header(&invite, "Via"), header(&again, "Via"));
    // The second one refuses with 503: the third one at once.
    bench.receive(Transport::Udp, "192.0.2.2:5060", None, &answer_to(&again, "503 Busy", "b", "", ""));
    let sent = std::mem::take(&mut bench.sent);
    assert!(sent[0].3.starts_with("ACK "));
    let (_, third, _, last) = sent[1].clone();
    assert_eq!(third, "192.0.2.3:5060");
    // The first one wakes up and rings: CANCEL, once.
    for _ in 0..2 {
        bench.receive(
            Transport::Udp,
            "192.0.2.1:5060",
            None,
            &answer_to(&invite, "180 Ringing", "a", "", ""),
        );
    }
    let cancel = bench.take_one();
    assert!(cancel.3.starts_with("CANCEL ") && cancel.1 == "192.0.2.1:5060", "{cancel:?}");
    // And answers all the same: ACK and BYE.
    let ok = answer_to(&invite, "200 OK", "a", "Contact: <sip:x@192.0.2.1>\r\n", ANSWER);
    bench.receive(Transport::Udp, "192.0.2.1:5060", None, &ok);
    let released = bench.take();
    assert!(released[0].starts_with("ACK ") && released[1].starts_with("BYE "), "{released:?}");
    // The third one answers: that is the call.
    let ok = answer_to(&last, "200 OK", "c", "Contact: <sip:x@192.0.2.3>\r\n", ANSWER);
    bench.receive(Transport::Udp, "192.0.2.3:5060", None, &ok);
    assert!(matches!(bench.events[..], [Event::Answered { session: CALL, .. }]), "{:?}", bench.events);
}

#[test]
fn rfc_3261_18_1_1_a_large_request_goes_by_tcp_and_falls_back_to_udp() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(named_trunk())));
    answer(&mut bench);
    let large = || {
        let Command::Invite(mut order) = call(to_number()) else { panic!() };
        order.offer = "x".repeat(1_300).into();
        Command::Invite(order)
    };
    bench.command(large());
    let (transport, remote, flow, invite) = bench.take_one();
    assert_eq!((transport, remote.as_str(), flow), (Transport::Tcp, "192.0.2.1:5060", Some(FIRST)));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TCP "));
    bench.close(FIRST);
    let (transport, remote, _, invite) = bench.take_one();
    assert_eq!((transport, remote.as_str()), (Transport::Udp, "192.0.2.1:5060"));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/UDP "));
    assert_eq!(header(&invite, "Contact"), "<sip:sip.acme.test:5060>");
    // Never on a trunk of a fixed transport.
    let mut bench = self::bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    bench.command(large());
    assert_eq!(bench.take_one().0, Transport::Udp);
}

#[test]
fn f13_a_trunk_whose_name_cannot_be_looked_up_is_down_and_recovers() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(named_trunk())));
    for question in std::mem::take(&mut bench.questions) {
        bench.ua.handle_answer(bench.now, &question, Err(LookupFailed));
    }
    bench.command(call(to_number()));
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::TrunkDown }]);
    bench.run_for(SECOND * 6);
    answer(&mut bench);
    bench.command(call(to_number()));
    assert_eq!(bench.take_one().1, "192.0.2.1:5060");
}

#[test]
fn f9_retry_after_keeps_calls_away_for_so_long() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    bench.command(call(to_number()));
    let invite = bench.take_one().3;
    let refusal = answer_to(&invite, "503 Busy", "a", "Retry-After: 20\r\n", "");
    bench.receive(Transport::Udp, CARRIER, None, &refusal);
    bench.run_for(SECOND * 19);
    bench.sent.clear();
    bench.events.clear();
    bench.command(call(to_number()));
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::TrunkDown }]);
    assert!(bench.sent.is_empty());
    bench.run_for(SECOND * 2);
    bench.command(call(to_number()));
    assert!(bench.take_one().3.starts_with("INVITE "));
}

fn call_number(session: u64) -> Command {
    let Command::Invite(mut order) = call(to_number()) else { panic!() };
    order.session = sip_core::ua::SessionId::Outgoing(session);
    order.call_id = format!("call-{session}@acme.test");
    Command::Invite(order)
}

fn limited(change: impl FnOnce(&mut sip_core::ua::TrunkLimits)) -> Bench {
    let (mut bench, mut trunk) = (bench(), carrier_trunk());
    change(&mut trunk.limits);
    bench.command(Command::PutTrunk(Box::new(trunk)));
    bench
}

#[test]
fn d18_the_third_call_on_a_trunk_of_two_is_no_invite() {
    for limits in [(Some(2), None), (None, Some(2))] {
        let mut bench = limited(|it| (it.outgoing, it.total) = limits);
        for session in 1..=3 {
            bench.command(call_number(session));
        }
        assert_eq!(bench.take().len(), 2);
        let session = sip_core::ua::SessionId::Outgoing(3);
        assert_eq!(bench.events, [Event::Ended { session, cause: EndCause::TrunkBusy }]);
        // One ends: there is room for another one.
        bench.command(Command::HangUp { session: sip_core::ua::SessionId::Outgoing(1) });
        bench.command(call_number(4));
        assert_eq!(bench.take().len(), 1);
    }
}

#[test]
fn d18_calls_from_the_trunk_are_counted_too() {
    let mut bench = limited(|it| it.incoming = Some(1));
    for (branch, status) in [("INVITE1", "100"), ("INVITE2", "503")] {
        let invite = request(
            "INVITE",
            "sip:room@acme.test",
            "sip:a@b",
            "sip:room@acme.test",
            1,
            "Contact: <sip:a@b>\r\n",
        );
        let invite = invite.replace("INVITE1", branch).replace("c1@phone", branch);
        bench.receive(Transport::Udp, CARRIER, None, &invite);
        let answer = bench.take_one().3;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
    }
}

#[test]
fn d18_calls_wait_for_their_second_and_not_for_ever() {
    let mut bench = limited(|it| it.calls_per_second = Some(2));
    for session in 1..=20 {
        bench.command(call_number(session));
    }
    assert_eq!(bench.take().len(), 2);
    let busy = bench
        .events
        .iter()
        .filter(|it| matches!(it, Event::Ended { cause: EndCause::TrunkBusy, .. }))
        .count();
    assert_eq!(busy, 20 - 2 - 10);
    let invites = |bench: &mut Bench| {
        let mut calls: Vec<_> = bench.take().iter().map(|text| header(text, "Call-ID").to_owned()).collect();
        calls.dedup();
        calls
    };
    bench.run_for(SECOND / 2);
    assert!(invites(&mut bench).contains(&"call-3@acme.test".to_owned()));
    // One that waits is given up without a word to anybody.
    bench.command(Command::HangUp { session: sip_core::ua::SessionId::Outgoing(4) });
    bench.run_for(SECOND * 6);
    let rest = invites(&mut bench);
    assert!(rest.contains(&"call-5@acme.test".to_owned()) && !rest.contains(&"call-4@acme.test".to_owned()));
}

#[test]
fn d33_from_and_identity_as_the_trunk_wants_them() {
    use sip_core::ua::{Credentials, FromFormat, IdentityFormat, NumberFormat};
    let mut trunk = carrier_trunk();
    trunk.numbers = NumberFormat::E164WithoutPlus;
    trunk.identity = IdentityFormat::RemoteParty;
    trunk.from = FromFormat::Account;
    trunk.credentials = Some(Credentials { user: "acme7".into(), realm: None, password: "x".into() });
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(trunk.clone())));
    bench.command(call(to_number()));
    let invite = bench.take_one().3;
    assert!(invite.starts_with("INVITE sip:12025550177@carrier.test SIP/2.0"), "{invite}");
    assert!(header(&invite, "From").starts_with("\"Hana Host\" <sip:acme7@carrier.test>;tag="), "{invite}");
    let shown = "\"Hana Host\" <sip:12025550100@acme.test>;party=calling;screen=yes;privacy=off";
    assert_eq!(header(&invite, "Remote-Party-ID"), shown);
    assert_eq!(header_if_any(&invite, "P-Asserted-Identity"), None);
    // Changed while it runs; the next call shows it, the first one goes on.
    trunk.identity = IdentityFormat::None;
    bench.command(Command::PutTrunk(Box::new(trunk)));
    bench.command(call_number(9));
    let invite = bench.take_one().3;
    assert_eq!(header_if_any(&invite, "Remote-Party-ID"), None);
    assert_eq!(bench.ua.counts().sessions, 2);
}

#[test]
fn d33_the_number_that_sent_a_call_on_is_told_as_the_trunk_wants_it() {
    use sip_core::ua::{DiversionFormat, NumberFormat};
    let sent_on = |diversion| {
        let numbers = NumberFormat::E164WithoutPlus;
        let trunk = Trunk { numbers, diversion, ..carrier_trunk() };
        let mut bench = bench();
        bench.command(Command::PutTrunk(Box::new(trunk)));
        let Command::Invite(mut order) = call(to_number()) else { panic!("no call") };
        order.diverted_by = Some("+12025550110".into());
        bench.command(Command::Invite(order));
        bench.take_one().3
    };
    let invite = sent_on(DiversionFormat::Diversion);
    assert_eq!(header(&invite, "Diversion"), "<sip:12025550110@carrier.test>;reason=unconditional;counter=1");
    let invite = sent_on(DiversionFormat::HistoryInfo);
    assert_eq!(
        header(&invite, "History-Info"),
        "<sip:12025550110@carrier.test?Reason=SIP%3Bcause%3D302>;index=1, \
         <sip:12025550177@carrier.test;cause=302>;index=1.1;mp=1"
    );
    let invite = sent_on(DiversionFormat::None);
    assert!(
        header_if_any(&invite, "Diversion").is_none() && header_if_any(&invite, "History-Info").is_none()
    );
}

#[test]
fn a_changed_account_registers_after_the_old_one_is_gone() {
    use sip_core::ua::TrunkRegistration;
    let registering = |user: &str| {
        let registration = Some(TrunkRegistration { aor_user: user.into(), expires: 600 });
        Command::PutTrunk(Box::new(Trunk { registration, ..carrier_trunk() }))
    };
    let mut bench = bench();
    bench.command(registering("old"));
    let first = bench.take_one().3;
    bench.receive(Transport::Udp, CARRIER, None, &answer_to(&first, "200 OK", "a", "Expires: 600\r\n", ""));
    bench.command(registering("new"));
    let removal = bench.take_one().3;
    assert_eq!((header(&removal, "Expires"), header(&removal, "To")), ("0", "<sip:old@carrier.test>"));
    bench.receive(Transport::Udp, CARRIER, None, &answer_to(&removal, "200 OK", "a", "", ""));
    let second = bench.take_one().3;
    assert_eq!((header(&second, "Expires"), header(&second, "To")), ("600", "<sip:new@carrier.test>"));
    // A change that does not concern the account leaves the registration alone.
    bench.receive(Transport::Udp, CARRIER, None, &answer_to(&second, "200 OK", "a", "Expires: 600\r\n", ""));
    let Command::PutTrunk(mut trunk) = registering("new") else { panic!() };
    trunk.limits.outgoing = Some(3);
    bench.command(Command::PutTrunk(trunk));
    assert_eq!(bench.take(), Vec::<String>::new());
}

#[test]
fn f8_a_trunk_that_is_down_gets_no_calls_until_it_is_back() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    bench.command(Command::ProbeTrunk { trunk: TrunkId(1), every: Some(SECOND * 8) });
    bench.run_for(SECOND * 25);
    assert_eq!(bench.events, [Event::TrunkDown { trunk: TrunkId(1), status: None }]);
    bench.sent.clear();
    bench.events.clear();
    bench.command(call(to_number()));
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::TrunkDown }]);
    assert!(bench.sent.is_empty());
    assert_eq!(bench.ua.trunk_status(bench.now, TrunkId(1)).unwrap().answering, Some(false));
    for _ in 0..2 {
        bench.run_for(SECOND * 8);
        let probe = bench.take().pop().unwrap();
        bench.receive(Transport::Udp, CARRIER, None, &answer_to(&probe, "200 OK", "a", "", ""));
    }
    bench.command(call(to_number()));
    assert!(bench.take_one().3.starts_with("INVITE "));
}

#[test]
fn f9_patience_ends_a_silent_call_and_what_comes_late_is_released() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    let Command::Invite(mut order) = call(to_number()) else { panic!() };
    order.patience = Some(Duration::from_millis(3_800));
    bench.command(Command::Invite(order));
    let invite = bench.take_one().3;
    bench.run_for(SECOND * 4);
    assert_eq!(bench.events, [Event::Ended { session: CALL, cause: EndCause::NoResponse }]);
    bench.take();
    bench.run_for(SECOND * 10);
    assert_eq!(bench.take(), Vec::<String>::new());
    let ok = answer_to(&invite, "200 OK", "a", "Contact: <sip:x@192.0.2.2>\r\n", ANSWER);
    bench.receive(Transport::Udp, CARRIER, None, &ok);
    let released = bench.take();
    assert!(released[0].starts_with("ACK ") && released[1].starts_with("BYE "), "{released:?}");
    // One that says 100 is waited for.
    let mut bench = self::bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    let Command::Invite(mut order) = call(Target::Trunk { trunk: TrunkId(1), number: "+12025550177".into() })
    else {
        panic!()
    };
    order.patience = Some(Duration::from_millis(3_800));
    bench.command(Command::Invite(order));
    let invite = bench.take_one().3;
    bench.receive(Transport::Udp, CARRIER, None, &answer_to(&invite, "100 Trying", "", "", ""));
    bench.run_for(SECOND * 20);
    assert_eq!(bench.events, []);
}

#[test]
fn a_single_probe_that_is_lost_does_not_stop_the_next_one_and_is_not_repeated_for_ever() {
    let mut bench = bench();
    bench.command(Command::PutTrunk(Box::new(carrier_trunk())));
    bench.command(Command::ProbeNow(TrunkId(1)));
    assert!(bench.take_one().3.starts_with("OPTIONS "));
    bench.run_for(SECOND * 40);
    bench.take();
    let mut moved = carrier_trunk();
    moved.host = "other.test".into();
    bench.command(Command::ProbeNow(TrunkId(1)));
    assert!(bench.take_one().3.starts_with("OPTIONS "));
    bench.command(Command::PutTrunk(Box::new(moved)));
    bench.run_for(SECOND * 40);
    assert_eq!(bench.take(), Vec::<String>::new());
}

#[test]
fn connections_are_counted() {
    let mut bench = with_device();
    bench.register(Transport::Tcp, PHONE, Some(TCP), 1, CONTACT);
    bench.command(Command::PutTrunk(Box::new(tls_trunk())));
    assert_eq!(bench.ua.counts().connections, 1, "one is not made before something is sent");
    bench.command(Command::ProbeNow(TrunkId(1)));
    assert_eq!(bench.ua.counts().connections, 2);
    bench.close(TCP);
    bench.close(FIRST);
    assert_eq!(bench.ua.counts().connections, 0);
}
