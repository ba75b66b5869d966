use crate::support::{App, Reply};
use async_trait::async_trait;
use axum::http::{Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conference::services::oidc::{Oidc, OidcConfig, OidcTransport};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// An identity provider that believes everybody.
struct Provider {
    pair: EcdsaKeyPair,
    claims: Mutex<Value>,
    challenge: Mutex<String>,
}

impl Provider {
    fn new() -> Arc<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Arc::new(Self { pair, claims: Mutex::default(), challenge: Mutex::default() })
    }

    fn token(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text =
            format!("{}.{}", part(&json!({"alg": "ES256", "kid": "k"})), part(&self.claims.lock().unwrap()));
        let mark = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark))
    }
}

#[async_trait]
impl OidcTransport for Provider {
    async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        let point = self.pair.public_key().as_ref();
        let body = match url {
            "https://id.test/.well-known/openid-configuration" => json!({
                "issuer": "https://id.test", "authorization_endpoint": "https://id.test/auth",
                "token_endpoint": "https://id.test/token", "jwks_uri": "https://id.test/keys",
            }),
            "https://id.test/keys" => json!({"keys": [{
                "kty": "EC", "crv": "P-256", "kid": "k",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
            }]}),
            _ => return Err(format!("nothing at {url}")),
        };
        Ok((200, body.to_string().into_bytes()))
    }

    async fn post_form(&self, _: &str, body: String, key: Option<String>) -> Result<(u16, Vec<u8>), String> {
        assert_eq!(key.as_deref(), Some("Basic cGFydHlsaW5lOnMlM0FlY3JldA=="), "partyline:s%3Aecret");
        let pairs: BTreeMap<&str, &str> = body.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let proof = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(pairs["code_verifier"].as_bytes()));
        if pairs["code"] != "good" || proof != *self.challenge.lock().unwrap() {
            return Ok((400, b"{\"error\":\"invalid_grant\"}".to_vec()));
        }
        Ok((200, json!({"id_token": self.token(), "token_type": "Bearer"}).to_string().into_bytes()))
    }
}

async fn app() -> (App, Arc<Provider>) {
    let app = App::new().await;
    let provider = Provider::new();
    let config = OidcConfig {
        issuer: "https://id.test".to_owned(),
        client_id: "partyline".to_owned(),
        client_secret: Some("s:ecret".to_owned()),
        tenant: "acme".to_owned(),
    };
    app.bench
        .services
        .set_oidc(Oidc::new(config, Arc::<Provider>::clone(&provider) as Arc<dyn OidcTransport>));
    (app, provider)
}

/// Begins a login; gives the state and the nonce.
async fn begin(app: &App, provider: &Provider) -> (String, String) {
    let reply = app.anonymous().get("/v1/oidc/start?return_to=/rooms").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let location = reply.headers[header::LOCATION].to_str().unwrap();
    let (place, query) = location.split_once('?').unwrap();
    assert_eq!(place, "https://id.test/auth");
    let pairs: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    assert_eq!((pairs["response_type"], pairs["code_challenge_method"]), ("code", "S256"));
    assert_eq!(pairs["redirect_uri"], "https%3A%2F%2Fmeet.acme.test%2Fv1%2Foidc%2Fcallback");
    provider.challenge.lock().unwrap().clone_from(&pairs["code_challenge"].to_owned());
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Secure"),
        "{cookie}"
    );
    (pairs["state"].to_owned(), pairs["nonce"].to_owned())
}

async fn come_back(app: &App, state: &str, cookie: &str, code: &str) -> Reply {
    let cookie = format!("partyline_oidc={cookie}");
    let path = format!("/v1/oidc/callback?state={state}&code={code}&iss=https%3A%2F%2Fid.test");
    app.anonymous().request(Method::GET, &path, &[("cookie", &cookie)], None).await
}

fn say(app: &App, provider: &Provider, nonce: &str, change: Value) {
    let now = app.bench.services.now().0 / 1000;
    let mut claims = json!({
        "iss": "https://id.test", "aud": "partyline", "sub": "s-1", "iat": now, "exp": now + 300, "nonce": nonce,
        "email": "pia@acme.test", "email_verified": true,
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    *provider.claims.lock().unwrap() = claims;
}

#[tokio::test]
async fn d61_a_login_by_the_identity_provider() {
    let (app, provider) = app().await;
    assert_eq!(app.anonymous().get("/v1/oidc").await.body["enabled"], true);
    let (state, nonce) = begin(&app, &provider).await;
    say(&app, &provider, &nonce, json!({}));
    let reply = come_back(&app, &state, &state, "good").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    assert_eq!(reply.headers[header::LOCATION], "/rooms");
    let cookies: Vec<&str> =
        reply.headers.get_all(header::SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect();
    let token = cookies[0].strip_prefix("partyline=").unwrap().split(';').next().unwrap();
    let me = app.with_token(token).get("/v1/me").await;
    assert_eq!(me.body["display_name"], "Pia Paz", "{me:?}");
    come_back(&app, &state, &state, "good").await.is_problem(StatusCode::UNAUTHORIZED, None);
    // From then on the subject counts, whatever address the provider now names.
    let (state, nonce) = begin(&app, &provider).await;
    say(&app, &provider, &nonce, json!({"email": "ari@acme.test"}));
    let reply = come_back(&app, &state, &state, "good").await;
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    let token = cookie.strip_prefix("partyline=").unwrap().split(';').next().unwrap();
    assert_eq!(app.with_token(token).get("/v1/me").await.body["display_name"], "Pia Paz");
}

#[tokio::test]
async fn w1_whatever_is_wrong_the_login_fails_in_the_same_words() {
    let (app, provider) = app().await;
    let now = app.bench.services.now().0 / 1000;
    let mut words = Vec::new();
    for change in [
        json!({"exp": now - 100}),
        json!({"nbf": now + 100}),
        json!({"aud": "somebody"}),
        json!({"iss": "https://other.test"}),
        json!({"nonce": "another"}),
        json!({"email": "zed@zeta.test"}),
        json!({"email": "nobody@acme.test"}),
        json!({"email_verified": false}),
        json!({"email": "pia@acme.test\r\nx"}),
    ] {
        let (state, nonce) = begin(&app, &provider).await;
        say(&app, &provider, &nonce, change.clone());
        let reply = come_back(&app, &state, &state, "good").await;
        reply.is_problem(StatusCode::UNAUTHORIZED, None);
        words.push(reply.body["detail"].clone());
    }
    let (state, nonce) = begin(&app, &provider).await;
    say(&app, &provider, &nonce, json!({}));
    for (state, cookie, code) in [
        (state.as_str(), "other", "good"),
        ("other", "other", "good"),
        (state.as_str(), state.as_str(), ""),
        (state.as_str(), state.as_str(), "bad"),
        // The code was wrong, and the state is good once.
        (state.as_str(), state.as_str(), "good"),
    ] {
        let reply = come_back(&app, state, cookie, code).await;
        reply.is_problem(StatusCode::UNAUTHORIZED, None);
        words.push(reply.body["detail"].clone());
    }
    assert!(words.iter().all(|one| *one == words[0]), "{words:?}");
}

#[tokio::test]
async fn i82_a_disabled_user_does_not_come_in_by_the_provider_either() {
    let (app, provider) = app().await;
    let tia = app.login("tia").await;
    let pia = tia.user("Pia").await;
    let (state, nonce) = begin(&app, &provider).await;
    say(&app, &provider, &nonce, json!({}));
    assert_eq!(come_back(&app, &state, &state, "good").await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        tia.patch(&format!("/v1/users/{pia}"), json!({"enabled": false})).await.status,
        StatusCode::OK
    );
    let (state, nonce) = begin(&app, &provider).await;
    say(&app, &provider, &nonce, json!({}));
    come_back(&app, &state, &state, "good").await.is_problem(StatusCode::UNAUTHORIZED, None);
}

#[tokio::test]
async fn no_login_leads_to_another_site() {
    let (app, _) = app().await;
    for place in ["https://evil.test", "//evil.test", "/%5Cevil.test", "evil", "/a%0d%0ab"] {
        let reply = app.anonymous().get(&format!("/v1/oidc/start?return_to={place}")).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("return_to"));
    }
    let without = App::new().await;
    assert_eq!(without.anonymous().get("/v1/oidc").await.body["enabled"], false);
    without.anonymous().get("/v1/oidc/start").await.is_problem(StatusCode::NOT_FOUND, None);
}
