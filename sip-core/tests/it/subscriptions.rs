//! SUBSCRIBE and NOTIFY (RFC 6665), and MESSAGE (RFC 3428).

use std::time::Duration;

use sip_core::ua::{Command, Event, SubscribeRequest};

use crate::races::methods;
use crate::support::*;

const PHONE_URI: &str = "sip:103a@acme.test";
const ROOM: &str = "sip:900000001@acme.test";
const SECOND: Duration = Duration::from_secs(1);

/// A SUBSCRIBE of the phone with its credentials; `to` is the whole To of a later one, of the first that of a stranger.
fn subscribe(network: &mut Network, uri: &str, to: Option<&str>, cseq: u32, more: &str) -> Vec<String> {
    let call_id = uri.split(['@', ':']).nth(1).unwrap().to_owned();
    let text = |more: &str, cseq: u32| {
        let contact = format!("Contact: <sip:103a@10.0.0.9:5060>\r\n{more}");
        let branch = format!("s{call_id}{cseq}");
        let text = request_with("SUBSCRIBE", uri, PHONE_URI, uri, cseq, &contact, "", &call_id, &branch);
        to.map_or(text.clone(), |to| text.replace(&format!("To: <{uri}>"), &format!("To: {to}")))
    };
    network.send(PHONE, &text(more, cseq));
    let challenge = network.take_one(PHONE);
    assert!(challenge.starts_with("SIP/2.0 401 "), "{challenge}");
    let proof = authorize(&challenge, "SUBSCRIBE", uri, "103a", "103a-secret", 1);
    network.send(PHONE, &text(&format!("{proof}{more}"), cseq + 1));
    network.take(PHONE)
}

fn body(notify: &str) -> &str {
    notify.split("\r\n\r\n").nth(1).unwrap()
}

fn acknowledge(network: &mut Network, notify: &str) {
    assert!(notify.starts_with("NOTIFY "), "{notify}");
    network.send(PHONE, &answer_to(notify, "200 OK", "a", "", ""));
}

fn finish(mut network: Network) {
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_registration_ends();
}

#[test]
fn rfc_3680_a_phone_watches_its_own_registration() {
    let mut network = with_phone();
    let texts = subscribe(&mut network, PHONE_URI, None, 1, "Event: reg\r\nExpires: 600\r\n");
    assert_eq!(methods(&texts), ["SIP/2.0", "NOTIFY"]);
    assert!(texts[0].starts_with("SIP/2.0 200 ") && header(&texts[0], "Expires") == "600");
    assert_eq!(header(&texts[1], "Subscription-State"), "active;expires=600");
    assert_eq!(header(&texts[1], "Content-Type"), "application/reginfo+xml");
    assert!(body(&texts[1]).contains("version=\"0\"") && body(&texts[1]).contains("state=\"active\""));
    assert!(body(&texts[1]).contains("<uri>sip:103a@10.0.0.9:5060;ob</uri>"));
    acknowledge(&mut network, &texts[1]);
    // Somebody else's is none of its business, and another package is unknown.
    network.command(GATEWAY, Command::PutDevice(account("104a", "acme.test", "x")));
    let refusal = subscribe(&mut network, "sip:104a@acme.test", None, 1, "Event: reg\r\n");
    assert!(refusal[0].starts_with("SIP/2.0 403 "), "{refusal:?}");
    for (event, status) in [
        ("Event: presence\r\n", "489"),
        ("", "489"),
        ("Event: refer\r\n", "403"),
        ("Event: reg\r\nExpires: 5\r\n", "423"),
        ("Event: reg\r\nAccept: text/plain\r\n", "406"),
    ] {
        let refusal = subscribe(&mut network, "sip:103a@acme.test", None, 11, event);
        assert!(refusal[0].starts_with(&format!("SIP/2.0 {status} ")), "{event} {refusal:?}");
        network.run_for(SECOND);
    }
    // With its account its subscriptions end.
    network.command(GATEWAY, Command::RemoveDevice(device("103a", "acme.test")));
    network.run_for(SECOND / 20);
    let gone = network.take_one(PHONE);
    assert_eq!(header(&gone, "Subscription-State"), "terminated;reason=rejected");
    assert!(body(&gone).contains("version=\"1\""));
    network.send(PHONE, &answer_to(&gone, "200 OK", "a", "", ""));
    finish(network);
}

#[test]
fn rfc_4235_a_phone_watches_whether_another_one_is_in_a_call() {
    let mut network = with_phone();
    network.command(GATEWAY, Command::PutDevice(account("900a", "zeta.test", "x")));
    let refusal = subscribe(&mut network, "sip:900a@zeta.test", None, 1, "Event: dialog\r\n");
    assert!(refusal[0].starts_with("SIP/2.0 404 "), "{refusal:?}");
    let texts = subscribe(&mut network, PHONE_URI, None, 1, "Event: dialog;id=4\r\n");
    assert_eq!(header(&texts[1], "Event"), "dialog;id=4");
    assert!(!body(&texts[1]).contains("<dialog "));
    acknowledge(&mut network, &texts[1]);
    network.run_for(SECOND);
    network.command(GATEWAY, call(to_phone()));
    network.run_for(SECOND / 4);
    let texts = network.take(PHONE);
    assert_eq!(methods(&texts), ["INVITE", "NOTIFY"]);
    let (invite, ringing) = (texts[0].clone(), texts[1].clone());
    assert!(body(&ringing).contains("version=\"1\""));
    assert!(body(&ringing).contains("direction=\"recipient\"><state>early</state>"), "{ringing}");
    acknowledge(&mut network, &ringing);
    let contact = "Contact: <sip:103a@10.0.0.9:5060>\r\nContent-Type: application/sdp\r\n";
    network.send(PHONE, &answer_to(&invite, "200 OK", "a", contact, ANSWER));
    assert_eq!(methods(&network.take(PHONE)), ["ACK"], "not twice a second");
    network.run_for(SECOND);
    let talking = network.take(PHONE).remove(0);
    assert!(body(&talking).contains("<state>confirmed</state>"));
    acknowledge(&mut network, &talking);
    finish(network);
}

#[test]
fn rfc_4575_a_meeting_is_watched_as_long_as_the_user_allows() {
    let mut network = with_phone();
    network.take_events(GATEWAY);
    let event = "Event: conference\r\nAccept: application/conference-info+xml\r\n";
    assert_eq!(subscribe(&mut network, ROOM, None, 1, event), Vec::<String>::new(), "the user decides");
    let events = network.take_events(GATEWAY);
    let [Event::Subscribe(asked)] = events.as_slice() else { panic!("{events:?}") };
    let SubscribeRequest { subscription, device: who, user, domain } = (**asked).clone();
    assert_eq!(
        (who, user.as_str(), domain.as_str()),
        (device("103a", "acme.test"), "900000001", "acme.test")
    );
    let answer = Ok("<c version=\"{version}\">{version}</c>".to_owned());
    network.command(GATEWAY, Command::AnswerSubscribe { subscription, answer });
    network.run_for(SECOND / 20);
    let texts = network.take(PHONE);
    assert_eq!(methods(&texts), ["SIP/2.0", "NOTIFY"]);
    assert_eq!(body(&texts[1]), "<c version=\"0\">{version}</c>");
    acknowledge(&mut network, &texts[1]);
    // News that come close together are one NOTIFY with the newest.
    for who in ["a", "b", "c"] {
        let body = format!("<c version=\"{{version}}\">{who}</c>");
        network.command(GATEWAY, Command::Notify { subscription, body });
    }
    network.run_for(SECOND * 2);
    let news = network.take(PHONE).remove(0);
    assert_eq!(body(&news), "<c version=\"1\">c</c>");
    acknowledge(&mut network, &news);
    // Refreshed within its dialog, with the state once more.
    let to = header(&texts[0], "To").to_owned();
    let refreshed = subscribe(&mut network, ROOM, Some(&to), 3, "Event: conference\r\nExpires: 120\r\n");
    assert_eq!(methods(&refreshed), ["SIP/2.0", "NOTIFY"]);
    assert_eq!(header(&refreshed[0], "Expires"), "120");
    assert!(body(&refreshed[1]).ends_with(">c</c>"));
    acknowledge(&mut network, &refreshed[1]);
    // Left alone it runs out.
    network.run_for(SECOND * 121);
    let over = network.take(PHONE).remove(0);
    assert_eq!(header(&over, "Subscription-State"), "terminated;reason=timeout");
    acknowledge(&mut network, &over);
    assert!(network.take_events(GATEWAY).contains(&Event::SubscriptionEnded { subscription }));
    let late = subscribe_again(&mut network, &to);
    assert!(late.starts_with("SIP/2.0 481 "), "{late}");
    finish(network);
}

fn subscribe_again(network: &mut Network, to: &str) -> String {
    let text =
        request_with("SUBSCRIBE", ROOM, PHONE_URI, ROOM, 9, "Event: conference\r\n", "", "900000001", "s9");
    network.send(PHONE, &text.replace(&format!("To: <{ROOM}>"), &format!("To: {to}")));
    network.take_one(PHONE)
}

#[test]
fn rfc_6665_unsubscribing_a_refusal_and_the_end_of_what_is_watched() {
    let mut network = with_phone();
    let ask = |network: &mut Network, cseq: u32, answer: Result<String, u16>| {
        network.take_events(GATEWAY);
        subscribe(network, ROOM, None, cseq, "Event: conference\r\n");
        let events = network.take_events(GATEWAY);
        let [Event::Subscribe(asked)] = events.as_slice() else { panic!("{events:?}") };
        let subscription = asked.subscription;
        network.command(GATEWAY, Command::AnswerSubscribe { subscription, answer });
        network.run_for(SECOND / 20);
        (subscription, network.take(PHONE))
    };
    assert!(ask(&mut network, 1, Err(404)).1[0].starts_with("SIP/2.0 404 "));
    // Ended by its subscriber.
    let (_, texts) = ask(&mut network, 3, Ok("x".into()));
    acknowledge(&mut network, &texts[1]);
    let to = header(&texts[0], "To").to_owned();
    let left = subscribe(&mut network, ROOM, Some(&to), 5, "Event: conference\r\nExpires: 0\r\n");
    assert_eq!(header(&left[1], "Subscription-State"), "terminated;reason=timeout");
    acknowledge(&mut network, &left[1]);
    // A phone that has forgotten it is told no more.
    let (subscription, texts) = ask(&mut network, 7, Ok("x".into()));
    network.send(PHONE, &answer_to(&texts[1], "481 Gone", "a", "", ""));
    network.command(GATEWAY, Command::Notify { subscription, body: "y".into() });
    network.run_for(SECOND * 2);
    assert_eq!(network.take(PHONE), Vec::<String>::new());
    // Ended with the meeting.
    let (subscription, texts) = ask(&mut network, 9, Ok("x".into()));
    acknowledge(&mut network, &texts[1]);
    network.command(GATEWAY, Command::EndSubscription { subscription });
    network.run_for(SECOND / 20);
    let over = network.take_one(PHONE);
    assert_eq!(header(&over, "Subscription-State"), "terminated;reason=noresource");
    acknowledge(&mut network, &over);
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().subscriptions, 0);
    finish(network);
}

#[test]
fn l4_subscriptions_are_bounded_per_phone_and_strangers_have_none() {
    let mut network = with_phone();
    for cseq in 0..10 {
        let texts = subscribe(&mut network, PHONE_URI, None, cseq * 2 + 1, "Event: reg\r\n");
        acknowledge(&mut network, &texts[1]);
    }
    let refusal = subscribe(&mut network, PHONE_URI, None, 31, "Event: reg\r\n");
    assert!(refusal[0].starts_with("SIP/2.0 503 ") && header(&refusal[0], "Retry-After") == "60");
    let stranger = request("SUBSCRIBE", PHONE_URI, "sip:x@evil.test", PHONE_URI, 1, "Event: reg\r\n");
    network.send("203.0.113.9:5060", &stranger);
    assert!(network.take_one("203.0.113.9:5060").starts_with("SIP/2.0 401 "));
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().subscriptions, 10);
    finish(network);
}

#[test]
fn rfc_3428_a_text_goes_to_phones_that_can_show_it() {
    let mut network = with_phone();
    network.take_events(GATEWAY);
    let message = |text: &str| Command::Message { device: device("103a", "acme.test"), text: text.into() };
    // Its REGISTER said nothing: it is asked.
    network.command(GATEWAY, message("Dial 900000001"));
    network.run_for(SECOND / 20);
    let asked = network.take_one(PHONE);
    assert!(asked.starts_with("OPTIONS sip:103a@10.0.0.9:5060;ob SIP/2.0\r\n"), "{asked}");
    network.send(PHONE, &answer_to(&asked, "200 OK", "a", "Allow: INVITE, MESSAGE\r\n", ""));
    let text = network.take_one(PHONE);
    assert!(
        text.starts_with("MESSAGE sip:103a@10.0.0.9:5060;ob SIP/2.0\r\n") && text.ends_with("Dial 900000001")
    );
    assert_eq!(header(&text, "Content-Type"), "text/plain;charset=UTF-8");
    network.send(PHONE, &answer_to(&text, "200 OK", "a", "", ""));
    let over = |status| Event::MessageOver { device: device("103a", "acme.test"), status };
    assert_eq!(network.take_events(GATEWAY), [over(Some(200))]);
    // Now it is known; and a long text is cut where a character ends.
    network.command(GATEWAY, message(&"\u{e9}".repeat(600)));
    network.run_for(SECOND / 20);
    let text = network.take_one(PHONE);
    assert!(text.ends_with('\u{e9}') && text.matches('\u{e9}').count() == 450, "{text}");
    network.send(PHONE, &answer_to(&text, "200 OK", "a", "", ""));
    // One whose REGISTER says that it cannot is left alone.
    let plain = "Contact: <sip:103a@10.0.0.9:5060;ob>\r\nAllow: INVITE, ACK, BYE\r\n";
    register(&mut network, PHONE, "103a", 10, plain);
    network.take_events(GATEWAY);
    network.command(GATEWAY, message("x"));
    assert_eq!(network.take_events(GATEWAY), [over(Some(405))]);
    let unknown = Command::Message { device: device("104a", "acme.test"), text: "x".into() };
    network.command(GATEWAY, unknown);
    assert_eq!(
        network.take_events(GATEWAY),
        [Event::MessageOver { device: device("104a", "acme.test"), status: None }]
    );
    // None is taken, whoever sends it.
    network.send(PHONE, &request("MESSAGE", ROOM, PHONE_URI, ROOM, 1, ""));
    let refusal = network.take_one(PHONE);
    assert!(refusal.starts_with("SIP/2.0 405 ") && !header(&refusal, "Allow").contains("MESSAGE"));
    finish(network);
}
