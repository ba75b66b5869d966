//! Tokens that must not be believed, and those that must.

use super::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;

struct Signer {
    pair: EcdsaKeyPair,
    kid: &'static str,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair, kid }
    }

    fn key(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let mark = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.test", "sub": "s1", "aud": "partyline", "exp": NOW + 300, "iat": NOW, "nonce": "n1",
        "email": "Pia@acme.test", "email_verified": true,
    });
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[test]
fn w1_the_table_of_tokens() {
    use TokenError::{Algorithm, Audience, Issuer, Malformed, Nonce, Signature, Time, UnknownKey};
    let (ours, other) = (Signer::new("k1"), Signer::new("k1"));
    let keys: Keys = serde_json::from_value(json!({"keys": [ours.key()]})).unwrap();
    let expected =
        Expected { issuer: "https://id.test", client: "partyline", nonce: "n1", now: UnixMillis(NOW * 1000) };
    let header = |change: Value| {
        let mut header = json!({"alg": "ES256", "kid": "k1"});
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        header
    };
    let plain = header(json!({}));
    let good = ours.sign(&plain, &claims(json!({})));
    let with = |change: Value| ours.sign(&plain, &claims(change));
    let hmac = |alg: &str, secret: &[u8]| {
        let text = unsigned(&header(json!({"alg": alg})), &claims(json!({})));
        let mark = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark))
    };
    let none = |alg: &str| format!("{}.", unsigned(&header(json!({"alg": alg})), &claims(json!({}))));
    let (head, rest) = good.split_once('.').unwrap();
    let (body, mark) = rest.split_once('.').unwrap();
    let table: Vec<(&str, String, TokenError)> = vec![
        ("none", none("none"), Algorithm),
        ("None", none("None"), Algorithm),
        ("no algorithm", format!("{}.{body}.{mark}", URL_SAFE_NO_PAD.encode("{}")), Malformed),
        ("swapped: the public key as HMAC secret", hmac("HS256", ours.pair.public_key().as_ref()), Algorithm),
        ("swapped: HMAC under the right name", hmac("ES256", ours.pair.public_key().as_ref()), Signature),
        (
            "swapped: RSA for an EC key",
            ours.sign(&header(json!({"alg": "RS256"})), &claims(json!({}))),
            Algorithm,
        ),
        ("foreign kid", ours.sign(&header(json!({"kid": "k2"})), &claims(json!({}))), UnknownKey),
        ("foreign key under our kid", other.sign(&plain, &claims(json!({}))), Signature),
        ("unknown extension", ours.sign(&header(json!({"crit": ["b64"]})), &claims(json!({}))), Algorithm),
        ("expired", with(json!({"exp": NOW - 61})), Time),
        ("never expires", with(json!({"exp": null})), Malformed),
        ("not yet valid", with(json!({"nbf": NOW + 61})), Time),
        ("issued in the future", with(json!({"iat": NOW + 61})), Time),
        ("too old", with(json!({"iat": NOW - 601})), Time),
        ("other audience", with(json!({"aud": "somebody"})), Audience),
        ("no audience", with(json!({"aud": []})), Audience),
        ("among several, issued to another", with(json!({"aud": ["partyline", "x"], "azp": "x"})), Audience),
        ("among several, issued to nobody", with(json!({"aud": ["partyline", "x"]})), Audience),
        ("other issuer", with(json!({"iss": "https://id.test/"})), Issuer),
        ("another login's answer", with(json!({"nonce": "n2"})), Nonce),
        ("no nonce", with(json!({"nonce": null})), Nonce),
        ("nobody", with(json!({"sub": ""})), Malformed),
        ("cut: the signature, by a byte", good[..good.len() - 2].to_owned(), Signature),
        ("cut: two parts", format!("{head}.{body}"), Malformed),
        ("cut: no signature", format!("{head}.{body}."), Signature),
        ("doubled", format!("{good}{good}"), Malformed),
        ("doubled with a dot", format!("{good}.{good}"), Malformed),
        (
            "other claims",
            format!("{head}.{}.{mark}", URL_SAFE_NO_PAD.encode(claims(json!({"sub": "s2"})).to_string())),
            Signature,
        ),
        ("empty", String::new(), Malformed),
        ("dots", "..".to_owned(), Malformed),
        ("long", "a".repeat(TOKEN_MAX + 1), Malformed),
    ];
    for (name, token, error) in table {
        assert_eq!(check(&token, &keys, &expected), Err(error), "{name}");
    }
    let pia = Subject { subject: "s1".to_owned(), mail: Some("pia@acme.test".to_owned()) };
    assert_eq!(check(&good, &keys, &expected), Ok(pia.clone()));
    assert_eq!(check(&with(json!({"aud": ["partyline"]})), &keys, &expected), Ok(pia.clone()));
    assert_eq!(
        check(&with(json!({"aud": ["x", "partyline"], "azp": "partyline"})), &keys, &expected),
        Ok(pia)
    );
    for change in [json!({"email_verified": false}), json!({"email_verified": null})] {
        assert_eq!(check(&with(change), &keys, &expected).unwrap().mail, None, "an address nobody verified");
    }
}
