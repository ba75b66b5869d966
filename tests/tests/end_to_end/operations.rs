//! What whoever runs it sees: checking a configuration, HTTPS, limits of the system.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partyline_tests::error::{LabError, LabResult};
use partyline_tests::gateway::{self, Gateway, Ports, TempFolder};
use partyline_tests::participant::Participant;
use partyline_tests::stage::StageConfig;
use partyline_tests::voice::Voice;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::authority::Authority;
use crate::support::{LONG, on_stage_with};

/// A configuration of the demonstration's on free ports with lines more in a section.
fn configuration(ports: Ports, section: &str, lines: &str) -> String {
    let demo = ports.apply(&gateway::demo_configuration().unwrap());
    let demo = demo.replacen("# threads = 1 ", "threads = 1 #", 1);
    demo.replacen(&format!("[{section}]\n"), &format!("[{section}]\n{lines}\n"), 1)
}

/// `GET path` over TLS, trusting one authority only; the status line.
async fn get(port: u16, path: &str, trusted_pem: &str) -> io::Result<String> {
    use rustls::pki_types::pem::PemObject as _;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(trusted_pem.as_bytes());
    roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The server may close without close_notify behind its answer.
    let _ = tls.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

/// Asks until the answer is 200, for a minute at most.
async fn wait_served(port: u16, trusted_pem: &str) -> LabResult<()> {
    let began = Instant::now();
    loop {
        match get(port, "/healthz", trusted_pem).await {
            Ok(status) if status.contains("200") => return Ok(()),
            other if began.elapsed() > Duration::from_secs(60) => {
                return Err(LabError::Other(format!("never served over this certificate: {other:?}")));
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn start(folder: &TempFolder, text: &str) -> LabResult<Gateway> {
    let file = folder.path().join("partyline.toml");
    fs::write(&file, text).unwrap();
    Gateway::start(&gateway::find_binary()?, &file, &folder.path().join("data")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_from_files_takes_a_renewed_certificate_without_a_restart() {
    let folder = TempFolder::new().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.write(folder.path(), &["localhost", "127.0.0.1"]);
    let ports = Ports::free().unwrap();
    let tls = "tls = { certificate = \"cert.pem\", key = \"key.pem\" }";
    let gateway = start(&folder, &configuration(ports, "api", tls)).await.unwrap();
    assert!(gateway.ready.api.starts_with("https://"), "{:?}", gateway.ready);
    assert!(get(ports.api, "/healthz", &old.pem).await.unwrap().contains("200"));
    assert!(get(ports.api, "/healthz", &new.pem).await.is_err(), "not signed by this one");
    new.write(folder.path(), &["localhost", "127.0.0.1"]);
    let pid = gateway.ready.pid;
    let told = Command::new("sh").arg("-c").arg(format!("kill -HUP {pid}")).status().await.unwrap();
    assert!(told.success());
    wait_served(ports.api, &new.pem).await.unwrap();
    assert_eq!(gateway.stop().await.unwrap(), Some(0));
}

/// Pebble is the test server of Let's Encrypt's own makers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_by_acme_orders_a_certificate_by_itself() {
    let folder = TempFolder::new().unwrap();
    let directory = Authority::new();
    directory.write(folder.path(), &["localhost", "127.0.0.1"]);
    fs::write(folder.path().join("directory.pem"), &directory.pem).unwrap();
    let (ports, authority) = (Ports::free().unwrap(), Ports::free().unwrap());
    let own = |file: &str| folder.path().join(file).display().to_string();
    let pebble_config = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{}", authority.api),
        "managementListenAddress": format!("127.0.0.1:{}", authority.carrier),
        "certificate": own("cert.pem"), "privateKey": own("key.pem"),
        "httpPort": 1, "tlsPort": ports.api, "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    fs::write(folder.path().join("pebble.json"), pebble_config.to_string()).unwrap();
    let pebble = Command::new("pebble")
        .args(["-config", &own("pebble.json")])
        .env("PEBBLE_VA_NOSLEEP", "1")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let _pebble = pebble.expect("pebble: `./dev test` installs it");
    let url = format!("https://127.0.0.1:{}/dir", authority.api);
    wait_directory(authority.api, &directory.pem).await;
    let acme = format!(
        "acme = {{ domains = [\"localhost\"], directory = \"{url}\", directory_ca = \"directory.pem\" }}"
    );
    let gateway = start(&folder, &configuration(ports, "api", &acme)).await.unwrap();
    assert_eq!(gateway.ready.api, "https://localhost");
    // Pebble makes its root anew at every start and shows it at its management port.
    let root = management_root(authority.carrier, &directory.pem).await;
    if let Err(error) = wait_served(ports.api, &root).await {
        panic!("{error}\n{}", gateway.logs().join("\n"));
    }
    assert!(
        fs::read_dir(folder.path().join("data/acme")).unwrap().count() >= 2,
        "account and certificate are kept"
    );
    assert_eq!(gateway.stop().await.unwrap(), Some(0));
}

async fn wait_directory(port: u16, trusted: &str) {
    let began = Instant::now();
    while get(port, "/dir", trusted).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "pebble does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The whole body of `GET /roots/0`.
async fn management_root(port: u16, trusted: &str) -> String {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    tls.write_all(b"GET /roots/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let from = answer.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate in {answer}"));
    answer[from..].to_owned()
}

#[tokio::test]
async fn check_config_explains_every_mistake_in_one_line() {
    let folder = TempFolder::new().unwrap();
    let file = folder.path().join("wrong.toml");
    let text = "[sip]\nlisten = \"127.0.0.1:5060\"\nadvertize = \"x\"\n[api]\nlisten = 8080\n[media]\nrtp_ports = [9, 8]\n";
    fs::write(&file, text).unwrap();
    let run =
        Command::new(gateway::find_binary().unwrap()).arg("check-config").arg(&file).output().await.unwrap();
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, key) in
        lines.iter().zip(["wrong.toml:3: sip.advertize", "wrong.toml:5: api.listen", "media.rtp_ports"])
    {
        assert!(line.contains(key), "{key}: {said}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let run = Command::new(gateway::find_binary().unwrap())
            .arg("check-config")
            .arg(&path)
            .output()
            .await
            .unwrap();
        assert!(run.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&run.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_sigterm_lets_a_running_meeting_end_by_itself_where_it_may() {
    let drain = |config: StageConfig| config.set("drain_s", "60");
    on_stage_with(drain, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let other = room.api.create_meeting("Another one", "conference", &[]).await?;
        let pid = stage.gateway()?.ready.pid;
        let term = format!("kill -TERM {pid}");
        assert!(Command::new("sh").arg("-c").arg(&term).status().await.is_ok_and(|status| status.success()));
        let began = Instant::now();
        while !stage.gateway()?.logs().iter().any(|line| line.contains("draining")) {
            assert!(began.elapsed() < LONG, "it does not drain");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = Participant::join(&room.api, &other.id, Voice::silent()).await;
        assert!(refused.is_err(), "no other meeting begins");
        room.api.meeting(&room.meeting.id).await?;
        drop(room);
        assert_eq!(stage.wait_end(Duration::from_secs(30)).await?, Some(0));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn too_few_open_files_are_said_at_start() {
    let folder = TempFolder::new().unwrap();
    let file = folder.path().join("partyline.toml");
    fs::write(&file, configuration(Ports::free().unwrap(), "api", "")).unwrap();
    let script = "ulimit -n 300; exec \"$0\" --config \"$1\" --data \"$2\"";
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg(gateway::find_binary().unwrap())
        .arg(&file)
        .arg(folder.path().join("data"));
    let run = command.output().await.unwrap();
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("300 open files") && said.contains("LimitNOFILE"), "{said}");
}
