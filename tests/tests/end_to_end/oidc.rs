//! Login at a real OpenID Connect provider (the npm package `oidc-provider`, installed by `./dev test`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use partyline_tests::stage::StageConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::on_stage_with;

const SECRET: &str = "a secret: with signs & letters";

/// The running provider; it ends with this value.
struct Provider {
    issuer: String,
    _child: Child,
    /// Its output stays open: it would end at the first word that nobody could read.
    _output: Lines<BufReader<ChildStdout>>,
}

async fn provider(redirect_uri: &str, mail: &str) -> Provider {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("oidc");
    assert!(folder.join("node_modules").is_dir(), "run `npm ci` in {}, or ./dev test", folder.display());
    let mut child = Command::new("node")
        .arg("server.mjs")
        .args([SECRET, redirect_uri, mail])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is there");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the provider names itself");
        if line.starts_with("http://") {
            return Provider { issuer: line, _child: child, _output: lines };
        }
    }
}

/// A browser without a page: follows redirects, keeps cookies by host.
struct Browser {
    agent: ureq::Agent,
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { agent: config.build().into(), cookies: BTreeMap::new() }
    }

    /// Goes to an address and on to wherever it leads; gives the last address, status and body.
    fn go(&mut self, url: &str) -> (String, u16, String) {
        let mut url = url.to_owned();
        for _ in 0..20 {
            let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let jar: Vec<String> = self
                .cookies
                .iter()
                .filter(|((at, _), _)| *at == origin)
                .map(|((_, name), value)| format!("{name}={value}"))
                .collect();
            let mut response = self.agent.get(&url).header("Cookie", jar.join("; ")).call().unwrap();
            for cookie in response.headers().get_all("set-cookie") {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
            }
            let status = response.status().as_u16();
            let next = response.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
            match next.filter(|_| (300..400).contains(&status)) {
                Some(next) if next.starts_with('/') => url = format!("{origin}{next}"),
                Some(next) => url = next,
                None => return (url, status, response.body_mut().read_to_string().unwrap()),
            }
        }
        panic!("{url} leads nowhere")
    }
}

async fn log_in(mail: &str) -> (String, u16, String, Option<String>) {
    let mut outcome = None;
    let config = StageConfig::demo_on_free_ports().unwrap();
    let base = format!("http://127.0.0.1:{}", config.ports.api);
    let provider = provider(&format!("{base}/v1/oidc/callback"), mail).await;
    let section = format!(
        "[oidc]\nissuer = {:?}\nclient_id = \"partyline\"\nclient_secret = {SECRET:?}\ntenant = \"acme\"\n\n[[seed.tenant]]",
        provider.issuer
    );
    let change = |_| {
        Ok(StageConfig {
            configuration: config.configuration.replacen("[[seed.tenant]]", &section, 1),
            ..config
        })
    };
    on_stage_with(change, async |_| {
        let start = format!("{base}/v1/oidc/start?return_to=/v1/me");
        let browsed = tokio::task::spawn_blocking(move || {
            let mut browser = Browser::new();
            let (url, status, body) = browser.go(&start);
            let token = browser
                .cookies
                .iter()
                .find(|((_, name), _)| name == "partyline")
                .map(|(_, value)| value.clone());
            (url, status, body, token)
        });
        outcome = Some(browsed.await.unwrap());
        Ok(())
    })
    .await;
    outcome.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d61_login_at_a_real_provider_makes_a_login_of_the_user_with_that_address() {
    let (url, status, body, token) = log_in("pia@acme.test").await;
    assert_eq!(status, 200, "{url}: {body}");
    assert!(url.ends_with("/v1/me") && body.contains("Pia"), "{url}: {body}");
    assert_eq!(token.map(|token| token.len()), Some(64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w1_a_real_provider_does_not_let_another_tenants_user_in() {
    let (url, status, body, token) = log_in("zed@zeta.test").await;
    assert_eq!(status, 401, "{url}: {body}");
    assert_eq!(token, None);
}
