//! Where a delivery goes, and where it does not.

use super::*;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Gives these addresses, one list after the other.
struct Names(Mutex<Vec<Vec<IpAddr>>>);

#[async_trait]
impl Resolver for Names {
    async fn addresses(&self, _: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let mut lists = self.0.lock().expect("no test panics with it");
        let next = if lists.len() > 1 { lists.remove(0) } else { lists.first().cloned().unwrap_or_default() };
        Ok(next.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

fn carrier(allow: &str, plain_http: bool, names: &[&[&str]]) -> WebhookCarrier {
    let list = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
    let allowed = allow.parse().into_iter().collect();
    let names = Arc::new(Names(Mutex::new(names.iter().map(list).collect())));
    WebhookCarrier::new(WebhookGuard { allowed, plain_http }, names).expect("a carrier")
}

fn delivery(url: &str) -> Parcel {
    Parcel::Webhook(Delivery {
        url: url.to_owned(),
        headers: vec![("partyline-event", "x.y".to_owned())],
        body: "{}".to_owned(),
    })
}

/// A receiver that counts connections and answers with `answer`.
async fn receiver(answer: &'static str) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            *counted.lock().expect("no test panics with it") += 1;
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, count)
}

#[tokio::test]
async fn w4_a_name_that_leads_inside_is_not_connected_to() {
    let (port, count) = receiver("HTTP/1.1 204 Well\r\n\r\n").await;
    let url = format!("http://hooks.else.test:{port}/");
    for inside in [
        &["127.0.0.1"][..],
        &["93.184.216.34", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["::1"],
    ] {
        let outcome = carrier("", true, &[inside]).deliver(delivery(&url)).await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{inside:?}: {outcome:?}");
    }
    assert_eq!(*count.lock().expect("no test panics with it"), 0);
}

/// The name is resolved once for each attempt, and what was judged is what is connected to: a second answer is never asked
/// for.
#[tokio::test]
async fn w4_rebinding_between_check_and_use_is_not_possible() {
    let (port, count) = receiver("HTTP/1.1 204 Well\r\n\r\n").await;
    let url = format!("http://hooks.else.test:{port}/");
    // The first answer is listed and nobody is there; the second one would lead to the receiver.
    let carrier = carrier("127.0.0.2/32", true, &[&["127.0.0.2"], &["127.0.0.1"]]);
    let outcome = carrier.deliver(delivery(&url)).await;
    assert!(matches!(outcome, Outcome::Unreachable { .. }), "{outcome:?}");
    let outcome = carrier.deliver(delivery(&url)).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "judged again: {outcome:?}");
    assert_eq!(*count.lock().expect("no test panics with it"), 0);
}

#[tokio::test]
async fn w4_redirects_are_not_followed() {
    let (inner, visits) = receiver("HTTP/1.1 204 Well\r\n\r\n").await;
    let answer =
        format!("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n");
    let (port, _) = receiver(Box::leak(answer.into_boxed_str())).await;
    let carrier = carrier("127.0.0.0/8", false, &[]);
    let outcome = carrier.deliver(delivery(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(outcome, Outcome::Later { code: Some(302), .. }), "{outcome:?}");
    assert_eq!(*visits.lock().expect("no test panics with it"), 0);
}

#[tokio::test]
async fn answers_mean_what_they_say() {
    let carrier = carrier("127.0.0.0/8", false, &[]);
    for (answer, delivered, code) in [
        ("HTTP/1.1 204 Well\r\n\r\n", true, None),
        ("HTTP/1.1 200 Well\r\nContent-Length: 2\r\n\r\nok", true, None),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", false, Some(500)),
        ("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", false, Some(410)),
        ("no HTTP at all", false, None),
        ("", false, None),
    ] {
        let (port, _) = receiver(answer).await;
        let outcome = carrier.deliver(delivery(&format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(outcome == Outcome::Delivered, delivered, "{answer}: {outcome:?}");
        assert_eq!(outcome.code(), code, "{answer}: {outcome:?}");
    }
}
