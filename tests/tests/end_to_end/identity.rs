//! Callers whose number is signed (STIR/SHAKEN): the signer's certificate is fetched by HTTPS, and the meeting shows what
//! came of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partyline_tests::gateway::{TempFolder, free_address};
use partyline_tests::rtp_leg::KeyPress;
use partyline_tests::shared::lock;
use partyline_tests::stage::StageConfig;
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::support::{LONG, eventually, on_stage_with};

/// Serves certificates by HTTPS.
struct Repository {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Repository {
    /// `files` by path; everything else is 404.
    async fn start(authority: &Authority, files: BTreeMap<String, String>) -> Self {
        let (key, certificate) = authority.issue(&["127.0.0.1"]);
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (files, noted) = (Arc::new(files), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&files), Arc::clone(&noted)));
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// How often a path was asked for.
    fn asked_for(&self, path: &str) -> usize {
        lock(&self.asked).iter().filter(|asked| *asked == path).count()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    files: Arc<BTreeMap<String, String>>,
    asked: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8_192 {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, body) = match files.get(&path) {
        Some(body) => ("200 OK", body.as_str()),
        None => ("404 Not Found", ""),
    };
    lock(&asked).push(path);
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The value of Identity (RFC 8224, RFC 8588), as a carrier would write it.
struct Signature<'a> {
    key: &'a KeyPair,
    x5u: &'a str,
    from: &'a str,
    to: &'a str,
    age: Duration,
}

impl Signature<'_> {
    fn write(&self) -> String {
        let header = json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.x5u});
        let signed_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - self.age;
        let claims = json!({
            "attest": "A",
            "dest": {"tn": [self.to]},
            "iat": signed_at.as_secs(),
            "orig": {"tn": self.from.trim_start_matches('+')},
            "origid": "9a0f3c5e-1d2b-4c3d-8e4f-5a6b7c8d9e0f",
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let random = SystemRandom::new();
        let pkcs8 = self.key.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&random, signed.as_bytes()).unwrap());
        format!("{signed}.{signature};info=<{}>;alg=ES256;ppt=\"shaken\"", self.x5u)
    }
}

/// A gateway that believes `authority`, fetches, and takes the lab's HTTPS server for one of the public internet.
fn checking(mut config: StageConfig, folder: &Path, authority: &Authority) -> StageConfig {
    let trust = folder.join("trust");
    std::fs::create_dir_all(&trust).unwrap();
    let file = trust.join("authority.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    config.configuration.push_str(&format!(
        "\n[webhooks]\nallow = [\"127.0.0.0/8\"]\n\n[stir]\ntrust = \"{}\"\nfetch = true\n",
        trust.display()
    ));
    // The same authority stands behind the server's name.
    config.environment.push(("SSL_CERT_FILE".to_owned(), file.display().to_string()));
    config
}

const PASSED: &str = "TN-Validation-Passed-A";
const FAILED: &str = "TN-Validation-Failed";
const NOT_VALIDATED: &str = "No-TN-Validation";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d34_s5_a_callers_number_is_proved_by_a_certificate_fetched_by_https() {
    let folder = TempFolder::new().unwrap();
    let (authority, nobody) = (Authority::new(), Authority::new());
    let (key, certificate) = authority.issue(&[]);
    let (forger, forged) = nobody.issue(&[]);
    let files = BTreeMap::from([
        ("/signer.pem".to_owned(), certificate.pem()),
        ("/stranger.pem".to_owned(), forged.pem()),
    ]);
    let repository = Repository::start(&authority, files).await;
    let (good, stranger) = (repository.url("/signer.pem"), repository.url("/stranger.pem"));
    let (missing, unreachable) =
        (repository.url("/missing.pem"), format!("https://{}/signer.pem", free_address().unwrap()));
    on_stage_with(
        |config| Ok(checking(config, folder.path(), &authority)),
        async |stage| {
            let room = stage.room("hana", "conference", Voice::silent()).await?;
            let path = format!("/v1/meetings/{}", room.meeting.id);
            let info = room.api.send("GET", &format!("{path}/join-info"), &[], None).await?;
            let pin = format!("{}#", info.body["guest_pin"].as_str().unwrap());
            let (old, now) = (Duration::from_secs(3_600), Duration::ZERO);
            // Caller, who is signed for, certificate, key, age, and what the meeting shows.
            let callers = [
                ("+12025550181", Some(("+12025550181", &good, &key, now)), PASSED),
                ("+12025550182", Some(("+12025550199", &good, &key, now)), FAILED),
                ("+12025550183", Some(("+12025550183", &good, &key, old)), FAILED),
                ("+12025550184", Some(("+12025550184", &good, &forger, now)), FAILED),
                ("+12025550185", Some(("+12025550185", &stranger, &forger, now)), FAILED),
                ("+12025550186", Some(("+12025550186", &unreachable, &key, now)), NOT_VALIDATED),
                ("+12025550187", Some(("+12025550187", &missing, &key, now)), NOT_VALIDATED),
                ("+12025550188", None, NOT_VALIDATED),
                ("+12025550189", Some(("+12025550189", &good, &key, now)), PASSED),
            ];
            let mut calls = Vec::new();
            for (number, signed, _) in &callers {
                let identity = signed.map(|(from, x5u, key, age)| {
                    Signature { key, x5u, from, to: &room.meeting.number, age }.write()
                });
                let gateway = stage.sip()?;
                let call = stage
                    .carrier
                    .call_in_with(gateway, &room.meeting.number, number, tone::OUTSIDE, identity)
                    .await?;
                call.wait_confirmed(LONG).await?;
                pin.chars().for_each(|key| call.leg.press(KeyPress::new(key)));
                calls.push(call);
            }
            // Nobody is refused for it, and everybody has the word.
            for (number, _, wanted) in callers {
                let mut shown = Value::Null;
                eventually(number, LONG * 2, async || {
                    let meeting = room.api.send("GET", &path, &[], None).await;
                    let people = meeting.map(|answer| answer.body["people"].clone()).unwrap_or_default();
                    let people = people.as_array().cloned().unwrap_or_default();
                    let found = people.iter().find(|person| person["number"] == number);
                    shown = found.map(|person| person["verstat"].clone()).unwrap_or_default();
                    found.is_some_and(|person| person["present"] == true)
                })
                .await;
                assert_eq!(shown, wanted, "{number}");
            }
            assert_eq!(repository.asked_for("/signer.pem"), 1, "fetched once, then known");
            assert_eq!((repository.asked_for("/stranger.pem"), repository.asked_for("/missing.pem")), (1, 1));
            room.api.end_meeting(&room.meeting.id).await?;
            for call in calls {
                call.wait_ended(LONG).await?;
            }
            Ok(())
        },
    )
    .await;
}
