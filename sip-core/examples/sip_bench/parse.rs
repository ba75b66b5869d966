//! Reading messages, and five typed header fields of each: Via, From, To, CSeq, Contact.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rsip::headers::ToTypedHeader as _;
use rsip::message::HeadersExt as _;
use rsipstack::sip::{HeadersExt as _, ToTypedHeader as _};
use sip_core::message::header::{CSeq, Contact, From, To, Via};
use sip_core::message::{Limits, Message, read};

use crate::{Figure, memory};

/// What a registrar and a call see most, as phones and carriers write them.
fn corpus() -> Vec<Bytes> {
    let sdp = "v=0\r\no=- 8000 8000 IN IP4 192.0.2.40\r\ns=-\r\nc=IN IP4 192.0.2.40\r\nt=0 0\r\n\
               m=audio 11780 RTP/AVP 0 8 9 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
               a=rtpmap:9 G722/8000\r\na=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
               a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    let common = "Via: SIP/2.0/UDP 192.0.2.40:5060;branch=z9hG4bK2748136591;rport\r\n\
                  From: \"Desk 103\" <sip:103a@acme.test>;tag=3911485720\r\nTo: <sip:900000001@acme.test>;tag=as7f2e1\r\n\
                  Call-ID: 0_2748136591@192.0.2.40\r\n";
    let contact = "Contact: <sip:103a@192.0.2.40:5060>\r\n";
    let more = "Allow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE\r\n\
                Max-Forwards: 70\r\nUser-Agent: Desk 66.86.0.15\r\nSupported: replaces, timer\r\nAllow-Events: talk,hold,conference,refer\r\n";
    let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let texts = [
        format!("INVITE sip:900000001@acme.test SIP/2.0\r\n{common}CSeq: 1 INVITE\r\n{contact}{more}{body}"),
        format!(
            "SIP/2.0 200 OK\r\n{common}CSeq: 1 INVITE\r\n{contact}Record-Route: <sip:192.0.2.1;lr;ftag=3911485720>\r\n{more}{body}"
        ),
        format!(
            "ACK sip:900000001@192.0.2.1:5060 SIP/2.0\r\n{common}CSeq: 1 ACK\r\n{contact}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ),
        format!(
            "BYE sip:900000001@192.0.2.1:5060 SIP/2.0\r\n{common}CSeq: 2 BYE\r\n{contact}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ),
        format!(
            "REGISTER sip:acme.test SIP/2.0\r\n{common}CSeq: 7 REGISTER\r\n{contact}Authorization: Digest username=\"103a\", realm=\"acme.test\", nonce=\"dGhlIG5vbmNl\", uri=\"sip:acme.test\", response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n{more}Expires: 3600\r\nContent-Length: 0\r\n\r\n"
        ),
    ];
    texts.into_iter().map(Bytes::from).collect()
}

/// Messages a second: the best of five runs of half a second.
fn rate(rounds: u32, corpus: &[Bytes], mut read_one: impl FnMut(&Bytes)) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..5 * rounds {
        let (begun, mut count) = (Instant::now(), 0_u32);
        while begun.elapsed() < Duration::from_millis(500) {
            for message in corpus {
                read_one(message);
                count += 1;
            }
        }
        best = best.max(f64::from(count) / begun.elapsed().as_secs_f64());
    }
    best
}

fn ours(message: &Bytes) {
    let received = read(message, &Limits::default()).unwrap();
    let headers = match &received.message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    };
    black_box(headers.typed::<Via>().unwrap());
    black_box(headers.typed::<From>().unwrap());
    black_box(headers.typed::<To>().unwrap());
    black_box(headers.typed::<CSeq>().unwrap());
    black_box(headers.typed::<Contact>().unwrap());
}

fn ours_as_used(message: &Bytes) {
    let received = read(message, &Limits::default()).unwrap();
    let headers = match &received.message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    };
    // The reader has read Via, From, To and CSeq already, for everybody.
    black_box(&received.essential);
    black_box(headers.typed::<Contact>().unwrap());
}

fn theirs(message: &Bytes) {
    let received = rsip::SipMessage::try_from(message.as_ref()).unwrap();
    black_box(received.via_header().unwrap().typed().unwrap());
    black_box(received.from_header().unwrap().typed().unwrap());
    black_box(received.to_header().unwrap().typed().unwrap());
    black_box(received.cseq_header().unwrap().typed().unwrap());
    black_box(received.contact_header().unwrap().typed().unwrap());
}

fn stack(message: &Bytes) {
    let received = rsipstack::sip::SipMessage::try_from(message.as_ref()).unwrap();
    black_box(received.via_header().unwrap().typed().unwrap());
    black_box(received.from_header().unwrap().typed().unwrap());
    black_box(received.to_header().unwrap().typed().unwrap());
    black_box(received.cseq_header().unwrap().typed().unwrap());
    black_box(received.contact_header().unwrap().typed().unwrap());
}

pub(crate) fn measure(rounds: u32) -> Vec<Figure> {
    let corpus = corpus();
    let before = memory::allocations();
    corpus.iter().for_each(ours_as_used);
    let allocations = (memory::allocations() - before) as f64 / corpus.len() as f64;
    vec![
        Figure::at_least(
            "read, five typed fields",
            rate(rounds, &corpus, ours_as_used),
            "messages/s",
            200_000.0,
        ),
        Figure::new("read, five typed fields read anew", rate(rounds, &corpus, ours), "messages/s"),
        Figure::new("read, five typed fields", allocations, "allocations"),
        Figure::new("rsip 0.4: read, five typed fields", rate(rounds, &corpus, theirs), "messages/s"),
        Figure::new("rsipstack 0.7: read, five typed fields", rate(rounds, &corpus, stack), "messages/s"),
    ]
}
