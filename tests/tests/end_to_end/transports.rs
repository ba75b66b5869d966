//! SIP by TCP, TLS and WebSocket, and what hostile connections may cost.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::error::{LabError, LabResult};
use partyline_tests::gateway::TempFolder;
use partyline_tests::stage::{Room, Stage, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use partyline_tests::ws_phone::{WsPhone, header};

use crate::authority::Authority;
use crate::support::{LONG, call_and_join, call_one, eventually, on_stage_with};

pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Adds a listener; it stands in front of the next section.
pub(crate) fn with_listener(
    config: StageConfig,
    transport: &str,
    listen: SocketAddr,
    more: &str,
) -> StageConfig {
    let listener =
        format!("[[sip.listener]]\ntransport = \"{transport}\"\nlisten = \"{listen}\"\n{more}\n\n[media]");
    let configuration = config.configuration.replacen("[media]", &listener, 1);
    assert_ne!(configuration, config.configuration);
    StageConfig { configuration, ..config }
}

/// An authority and a certificate of it for 127.0.0.1: the keys `certificate` and `key`, and the authority's file.
pub(crate) fn certificates(folder: &TempFolder) -> (String, PathBuf) {
    let authority = Authority::new();
    let (certificate, key) = authority.write(folder.path(), &["127.0.0.1", "acme.test", "localhost"]);
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let keys =
        format!("certificate = \"{}\"\nkey = \"{}\"\npublic = true", certificate.display(), key.display());
    (keys, file)
}

async fn is_registered(room: &Room) -> bool {
    let user = room.api.user("uma").await;
    user.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
}

/// baresip registers by this transport, is called, heard and hung up.
async fn baresip_is_called(
    stage: &Stage,
    registrar: SocketAddr,
    transport: &str,
    authority: Option<PathBuf>,
) -> LabResult<()> {
    let mut baresip = Baresip::start(&BaresipConfig {
        transport: transport.to_owned(),
        authority,
        ..BaresipConfig::new("103a", registrar, tone::UMA)
    })
    .await?;
    let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
    let deadline = Instant::now() + LONG;
    while !is_registered(&room).await {
        if Instant::now() > deadline {
            return Err(LabError::Timeout(format!("baresip to register:\n{}", baresip.words().join("\n"))));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let user = room.api.user("uma").await?;
    let call = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
    let joined = Instant::now();
    assert!(
        room.host.ear().wait_for(tone::UMA, joined, LONG).await.is_some(),
        "baresip's tone by {transport}"
    );
    room.api.end_call(&call).await?;
    room.host.events.wait_call(&call, &["ended"], LONG).await?;
    baresip.quit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_baresip_registers_and_is_called_by_tcp() {
    let listen = free_port();
    on_stage_with(
        |config| Ok(with_listener(config, "tcp", listen, "")),
        async |stage| baresip_is_called(stage, listen, "tcp", None).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_d22_baresip_registers_and_is_called_by_tls() {
    let (listen, folder) = (free_port(), TempFolder::new().unwrap());
    let (keys, authority) = certificates(&folder);
    on_stage_with(
        |config| Ok(with_listener(config, "tls", listen, &keys)),
        async |stage| baresip_is_called(stage, listen, "tls", Some(authority)).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_sipp_calls_a_meeting_by_tcp() {
    let listen = free_port();
    let change = |config: StageConfig| {
        let config = config.set("trusted_peers", "[\"127.0.0.0/8\"]")?;
        Ok(with_listener(config, "tcp", listen, ""))
    };
    on_stage_with(change, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let mut sipp = tokio::process::Command::new("sipp");
        sipp.args([
            "-sn", "uac", "-t", "t1", "-m", "5", "-r", "5", "-d", "300", "-nostdin", "-timeout", "30s",
        ]);
        sipp.args(["-i", "127.0.0.1", "-timeout_error", "-s", &room.meeting.number, &listen.to_string()]);
        sipp.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let done = sipp.output().await.map_err(LabError::io("running sipp"))?;
        let words =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{:?}\n{words}", done.status);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rfc_7118_a_web_phone_registers_is_called_and_lost_with_its_socket() {
    let listen = free_port();
    on_stage_with(
        |config| Ok(with_listener(config, "ws", listen, "public = true")),
        async |stage| {
            assert!(
                WsPhone::connect(listen, "chat", "103a", "acme.test").await.is_err(),
                "another sub-protocol"
            );
            let mut phone = WsPhone::connect(listen, "sip", "103a", "acme.test").await?;
            let answer = phone.register("103a-secret-demo").await?;
            assert_eq!(header(&answer, "Require"), Some("outbound"), "{answer}");
            phone.send("\r\n\r\n").await?;
            assert_eq!(phone.receive().await?, "\r\n", "a keep-alive is answered");
            let room = stage.room("hana", "conference", Voice::silent()).await?;
            let user = room.api.user("uma").await?;
            let ticket = call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
            let invite = phone.receive().await?;
            assert!(
                invite.starts_with("INVITE sip:103a@df7jal23ls0d.invalid;transport=ws SIP/2.0"),
                "{invite}"
            );
            assert!(header(&invite, "Via").is_some_and(|via| via.starts_with("SIP/2.0/WS ")), "{invite}");
            phone.refuse(&invite, "486 Busy Here").await?;
            let over = room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
            assert_eq!(over.text("cause"), "busy");
            drop(phone);
            eventually("the phone to be gone", LONG, async || !is_registered(&room).await).await;
            // It comes back, and with it the device.
            let mut phone = WsPhone::connect(listen, "sip", "103a", "acme.test").await?;
            phone.register("103a-secret-demo").await?;
            assert!(is_registered(&room).await);
            Ok(())
        },
    )
    .await;
}

const OPTIONS: &str = "OPTIONS sip:acme.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKx\r\n\
    From: <sip:a@b>;tag=a\r\nTo: <sip:acme.test>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n";

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    stream
}

/// What the other side says next; empty if it closes.
fn hear(mut stream: &TcpStream) -> String {
    let mut buffer = [0; 4_096];
    let length = stream.read(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_hostile_connections_cost_little_and_hold_nobody_up() {
    let listen = free_port();
    on_stage_with(
        |config| Ok(with_listener(config, "tcp", listen, "public = true")),
        async |_| {
            let played = tokio::task::spawn_blocking(move || {
                let asked = |mut stream: &TcpStream| {
                    stream.write_all(format!("{OPTIONS}Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
                    hear(stream)
                };
                // A message byte by byte: closed within 30 seconds.
                let slow = connect(listen);
                let began = Instant::now();
                let slowloris = std::thread::spawn(move || {
                    let mut writer = &slow;
                    for byte in OPTIONS.bytes().cycle() {
                        if writer.write_all(&[byte]).is_err() || began.elapsed() > Duration::from_secs(35) {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    began.elapsed()
                });
                // A length that lies: nothing is reserved, and it is closed as slow, too. A length that cannot be: 400.
                let liar = connect(listen);
                (&liar).write_all(format!("{OPTIONS}Content-Length: 60000\r\n\r\n").as_bytes()).unwrap();
                let broken = connect(listen);
                (&broken).write_all(format!("{OPTIONS}Content-Length: -1\r\n\r\n").as_bytes()).unwrap();
                assert!(hear(&broken).starts_with("SIP/2.0 400 "));
                assert_eq!(hear(&broken), "", "and closed");
                // As many as an address may have; one more is closed at once, and the others are served.
                let many: Vec<TcpStream> = (0..98).map(|_| connect(listen)).collect();
                assert!(many.iter().all(|stream| asked(stream).starts_with("SIP/2.0 200 ")));
                let one_more = connect(listen);
                assert_eq!(hear(&one_more), "", "closed");
                // Keep-alives are answered.
                (&many[0]).write_all(b"\r\n\r\n").unwrap();
                assert_eq!(hear(&many[0]), "\r\n");
                let lasted = slowloris.join().unwrap();
                assert!(lasted < Duration::from_secs(30), "{lasted:?}");
                drop(many);
                std::thread::sleep(Duration::from_millis(200));
                assert!(asked(&connect(listen)).starts_with("SIP/2.0 200 "), "room again");
            });
            played.await.map_err(LabError::other("hostile connections"))
        },
    )
    .await;
}
