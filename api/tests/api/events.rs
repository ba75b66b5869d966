use crate::support::{App, person};
use axum::http::StatusCode;
use conference::live::event::PublicEvent;
use conference::live::focus::Command;
use conference::vocabulary::UnixMillis;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn serve(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn open(address: SocketAddr, query: &str) -> Socket {
    connect_async(format!("ws://{address}/v1/events?{query}")).await.unwrap().0
}

async fn frame(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(Duration::from_secs(5), socket.next()).await.expect("a frame in time");
        match message.expect("the socket is open").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => return json!({"closed": frame.map(|frame| u16::from(frame.code))}),
            _ => {}
        }
    }
}

fn ringing(app: &App, meeting: &str, tenant: &str) -> u64 {
    app.bench.services.events.publish(PublicEvent {
        tenant: tenant.into(),
        meeting: Some(meeting.into()),
        kind: "call.ringing",
        at: UnixMillis(5),
        data: json!({"call": "c1", "number": "+12025550177", "target": "+12025550177"}),
    })
}

async fn tenant(app: &App) -> String {
    let state = app.bench.live.state();
    let meeting = state.commands.iter().find_map(|command| match command {
        Command::PutPerson { meeting, .. } => Some(meeting.clone()),
        _ => None,
    });
    let provision = state.provisions.iter().rev().find_map(|provision| match provision {
        conference::services::Provision::Meeting(spec) if Some(&spec.meeting) == meeting.as_ref() => {
            Some(spec.tenant.as_str().to_owned())
        }
        _ => None,
    });
    provision.unwrap()
}

#[tokio::test]
async fn d62_a_snapshot_first_then_every_event_and_resume_by_the_last_id() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let tenant = tenant(&app).await;
    let query = format!("meeting={id}&token={}", hana.token.as_ref().unwrap());

    let mut socket = open(address, &query).await;
    let snapshot = frame(&mut socket).await;
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["data"]["meeting"]["id"], id);
    assert_eq!(person(&snapshot["data"], "Hana")["present"], true, "I95");
    assert!(snapshot["data"]["calls"].is_array() && snapshot["data"]["slots"].is_object());

    ringing(&app, "m-other", &tenant);
    let first = ringing(&app, &id, &tenant);
    let event = frame(&mut socket).await;
    assert_eq!((&event["type"], &event["id"]), (&json!("event"), &json!(first)));
    assert_eq!(
        (&event["kind"], &event["at"], &event["meeting"]),
        (&json!("call.ringing"), &json!(5), &json!(id))
    );
    drop(socket);

    let second = ringing(&app, &id, &tenant);
    let third = ringing(&app, &id, &tenant);
    let mut socket = open(address, &format!("{query}&after={first}")).await;
    let snapshot = frame(&mut socket).await;
    assert_eq!((&snapshot["id"], &snapshot["resumed"]), (&json!(first), &json!(true)));
    assert_eq!(frame(&mut socket).await["id"], second);
    assert_eq!(frame(&mut socket).await["id"], third);

    let mut socket = open(address, &format!("{query}&after=3")).await;
    let snapshot = frame(&mut socket).await;
    assert_eq!((&snapshot["id"], &snapshot["resumed"]), (&json!(third), &json!(false)));
}

#[tokio::test]
async fn i60_readers_who_are_no_host_see_no_numbers() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let ari = app.login("ari").await;
    let mut socket = open(address, &format!("meeting={id}&token={}", ari.token.as_ref().unwrap())).await;
    frame(&mut socket).await;
    ringing(&app, &id, &tenant(&app).await);
    let event = frame(&mut socket).await;
    assert!(!event.to_string().contains("+1202555"), "{event}");
    assert!(event["data"]["number"].as_str().unwrap().ends_with("0177"));
}

#[tokio::test]
async fn d61_the_stream_of_another_tenants_meeting_is_not_found() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let zed = app.login("zed").await;
    let url = format!("ws://{address}/v1/events?meeting={id}&token={}", zed.token.as_ref().unwrap());
    let refused = connect_async(url).await.unwrap_err();
    assert!(refused.to_string().contains("404"), "{refused}");
    let plain = hana.get(&format!("/v1/events?meeting={id}")).await;
    plain.is_problem(StatusCode::UPGRADE_REQUIRED, None);
}

#[tokio::test]
async fn a_cookie_is_taken_from_our_own_page_only() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let cookie = format!("partyline={}", hana.token.as_ref().unwrap());
    for (origin, allowed) in [(format!("http://{address}"), true), ("https://evil.test".to_owned(), false)] {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
        let mut request = format!("ws://{address}/v1/events").into_client_request().unwrap();
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        assert_eq!(connect_async(request).await.is_ok(), allowed, "{origin}");
    }
}

#[tokio::test]
async fn i74_the_stream_of_a_removed_person_ends() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
    let ari = app.login("ari").await;
    let mut socket = open(address, &format!("meeting={id}&token={}", ari.token.as_ref().unwrap())).await;
    frame(&mut socket).await;
    let row = person(&meeting, "Ari")["id"].as_str().unwrap();
    hana.delete(&format!("/v1/meetings/{id}/people/{row}")).await;
    assert_eq!(frame(&mut socket).await["kind"], "person.removed");
    assert_eq!(frame(&mut socket).await["closed"], u16::from(CloseCode::Library(4403)));
}

fn dropped(app: &App) -> usize {
    let state = app.bench.live.state();
    state.commands.iter().filter(|command| matches!(command, Command::DropLeg { .. })).count()
}

#[tokio::test]
async fn a_leg_leaves_five_seconds_after_its_socket_unless_a_new_one_names_it() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let leg = hana.join(id).await["leg"].as_u64().unwrap();
    let query = format!("meeting={id}&leg={leg}&token={}", hana.token.as_ref().unwrap());
    let mut socket = open(address, &query).await;
    frame(&mut socket).await;
    // Somebody else who names the leg neither holds nor ends it.
    let ari = app.login("ari").await;
    let foreign = format!("meeting={id}&leg={leg}&token={}", ari.token.as_ref().unwrap());
    let mut other = open(address, &foreign).await;
    frame(&mut other).await;

    socket.close(None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut socket = open(address, &query).await;
    frame(&mut socket).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(dropped(&app), 0, "a reload does not end the leg");
    socket.close(None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(dropped(&app), 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(dropped(&app), 1);
    other.send(Message::Ping(Vec::new().into())).await.unwrap();
}

#[tokio::test]
async fn a_page_that_leaves_on_purpose_is_not_waited_for() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let leg = hana.join(id).await["leg"].as_u64().unwrap();
    let query = format!("meeting={id}&leg={leg}&token={}", hana.token.as_ref().unwrap());
    let mut socket = open(address, &query).await;
    frame(&mut socket).await;
    let on_purpose = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.close(Some(on_purpose)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(dropped(&app), 1);
}

#[tokio::test]
async fn a_page_whose_person_joins_from_elsewhere_is_told() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let token = hana.token.as_ref().unwrap();
    let first = hana.join(id).await["leg"].as_u64().unwrap();
    let mut socket = open(address, &format!("meeting={id}&leg={first}&token={token}")).await;
    frame(&mut socket).await;
    let second = hana.join(id).await["leg"].as_u64().unwrap();
    assert_ne!(first, second);
    loop {
        let told = frame(&mut socket).await;
        if let Some(code) = told.get("closed") {
            assert_eq!(*code, 4409);
            break;
        }
    }
    let mut other = open(address, &format!("meeting={id}&leg={second}&token={token}")).await;
    assert_eq!(frame(&mut other).await["type"], "snapshot");
}

/// Nothing is kept for a reader but its place: what it has not taken when it is thousands of events behind, it is not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_a_reader_that_does_not_read_is_closed_with_a_code_and_comes_back_to_a_snapshot() {
    let app = App::new().await;
    let address = serve(&app).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let tenant = tenant(&app).await;
    let query = format!("meeting={id}&token={}", hana.token.as_ref().unwrap());
    let mut slow = open(address, &query).await;
    let mut quick = open(address, &query).await;
    assert_eq!(frame(&mut quick).await["type"], "snapshot");
    let filler = "x".repeat(2_000);
    let mut last = 0;
    for n in 0..40_000 {
        last = app.bench.services.events.publish(PublicEvent {
            tenant: tenant.as_str().into(),
            meeting: Some(id.as_str().into()),
            kind: "person.speaking",
            at: UnixMillis(n),
            data: json!({ "filler": filler }),
        });
        if n % 1_000 == 0 {
            // Whoever reads gets every one of them, whatever the other does.
            while frame(&mut quick).await["id"] != last {}
        }
    }
    let (mut taken, mut seen) = (0, 0);
    let code = loop {
        let read = frame(&mut slow).await;
        taken += read.to_string().len();
        match read.get("closed") {
            Some(code) => break code.clone(),
            None => seen = read["id"].as_u64().unwrap_or(seen),
        }
    };
    assert_eq!(code, 4408);
    assert!(taken < 40_000 * 2_000 / 2, "what was not taken is not kept: {taken} bytes");
    let mut again = open(address, &format!("{query}&after={seen}")).await;
    let snapshot = frame(&mut again).await;
    assert_eq!((&snapshot["resumed"], &snapshot["id"]), (&json!(false), &json!(last)));
}
