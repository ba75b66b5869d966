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
        ("cut: the signature", good[..good.len() - 2].to_owned(), Signature),
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

/// What else has been believed somewhere: keys that come along with the token, signatures of another shape, claims of another
/// kind.
#[test]
fn w1_the_table_of_forged_headers_signatures_and_claims() {
    use TokenError::{Algorithm, Audience, Issuer, Malformed, Signature, Time, UnknownKey};
    let (ours, other) = (Signer::new("k1"), Signer::new("k1"));
    let keys: Keys = serde_json::from_value(json!({"keys": [ours.key()]})).unwrap();
    let expected =
        Expected { issuer: "https://id.test", client: "partyline", nonce: "n1", now: UnixMillis(NOW * 1000) };
    let with = |change: Value| ours.sign(&json!({"alg": "ES256", "kid": "k1"}), &claims(change));
    let headed = |signer: &Signer, header: Value| signer.sign(&header, &claims(json!({})));
    let good = with(json!({}));
    let (text, mark) = good.rsplit_once('.').unwrap();
    let marked = |mark: &[u8]| format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark));
    let hmac = |alg: &str, algorithm: hmac::Algorithm, secret: &[u8]| {
        let text = unsigned(&json!({"alg": alg, "kid": "k1"}), &claims(json!({})));
        let mark = hmac::sign(&hmac::Key::new(algorithm, secret), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mark))
    };
    let jwk = ours.key().to_string();
    let mut table: Vec<(&str, String, TokenError)> = vec![
        ("nONE", format!("{}.", unsigned(&json!({"alg": "nONE"}), &claims(json!({})))), Algorithm),
        ("an empty algorithm", headed(&ours, json!({"alg": "", "kid": "k1"})), Algorithm),
        ("none with a good signature", headed(&ours, json!({"alg": "none", "kid": "k1"})), Algorithm),
        ("no secret", hmac("HS256", hmac::HMAC_SHA256, b""), Algorithm),
        ("the key set as secret", hmac("HS256", hmac::HMAC_SHA256, jwk.as_bytes()), Algorithm),
        ("HS384", hmac("HS384", hmac::HMAC_SHA384, jwk.as_bytes()), Algorithm),
        ("HS512", hmac("HS512", hmac::HMAC_SHA512, jwk.as_bytes()), Algorithm),
        ("ES256K", headed(&ours, json!({"alg": "ES256K", "kid": "k1"})), Algorithm),
        ("another curve", headed(&ours, json!({"alg": "ES384", "kid": "k1"})), Algorithm),
        ("another family", headed(&ours, json!({"alg": "EdDSA", "kid": "k1"})), Algorithm),
        ("PS256 for an EC key", headed(&ours, json!({"alg": "PS256", "kid": "k1"})), Algorithm),
        ("small letters", headed(&ours, json!({"alg": "es256", "kid": "k1"})), Algorithm),
        ("two algorithms", headed(&ours, json!({"alg": ["ES256", "none"], "kid": "k1"})), Malformed),
        ("its own key", headed(&other, json!({"alg": "ES256", "kid": "k1", "jwk": other.key()})), Signature),
        ("its own key alone", headed(&other, json!({"alg": "ES256", "jwk": other.key()})), Signature),
        (
            "jku",
            headed(&other, json!({"alg": "ES256", "kid": "k1", "jku": "https://evil.test/k"})),
            Signature,
        ),
        (
            "x5u",
            headed(&other, json!({"alg": "ES256", "kid": "k1", "x5u": "https://evil.test/c"})),
            Signature,
        ),
        ("x5c", headed(&other, json!({"alg": "ES256", "kid": "k1", "x5c": ["AAAA"]})), Signature),
        ("kid as a path", headed(&ours, json!({"alg": "ES256", "kid": "../../dev/null"})), UnknownKey),
        ("kid as a query", headed(&ours, json!({"alg": "ES256", "kid": "x' OR '1'='1"})), UnknownKey),
        ("kid as a number", headed(&ours, json!({"alg": "ES256", "kid": 1})), Malformed),
        ("an empty kid", headed(&ours, json!({"alg": "ES256", "kid": ""})), UnknownKey),
        ("nothing but zeros", marked(&[0; 64]), Signature),
        ("no signature at all", marked(&[]), Signature),
        ("one byte too many", marked(&[URL_SAFE_NO_PAD.decode(mark).unwrap(), vec![0]].concat()), Signature),
        ("padded", format!("{good}="), Malformed),
        ("a line behind", format!("{good}\n"), Malformed),
        ("a space before", format!(" {good}"), Malformed),
        ("five parts", format!("{good}.AAAA.AAAA"), Malformed),
        ("as JSON", json!({"payload": text, "signature": mark}).to_string(), Malformed),
        (
            "the signature of a login before",
            format!("{}.{mark}", with(json!({"jti": "2"})).rsplit_once('.').unwrap().0),
            Signature,
        ),
    ];
    for (change, error) in [
        (json!({"exp": "4000000000"}), Malformed),
        (json!({"exp": -1}), Malformed),
        (json!({"exp": 1.5}), Malformed),
        (json!({"exp": 1e300}), Malformed),
        (json!({"exp": 0}), Time),
        (json!({"iat": null}), Malformed),
        (json!({"nbf": "now"}), Malformed),
        (json!({"nbf": u64::MAX}), Time),
        (json!({"aud": 7}), Malformed),
        (json!({"aud": {"partyline": true}}), Malformed),
        (json!({"aud": "partyline2"}), Audience),
        (json!({"aud": "Partyline"}), Audience),
        (json!({"aud": " partyline"}), Audience),
        (json!({"aud": "somebody", "azp": "partyline"}), Audience),
        (json!({"aud": ["x", "y"], "azp": "partyline"}), Audience),
        (json!({"iss": "https://id.test.evil.test"}), Issuer),
        (json!({"iss": "http://id.test"}), Issuer),
        (json!({"iss": "https://ID.test"}), Issuer),
        (json!({"iss": ["https://id.test"]}), Malformed),
        (json!({"sub": null}), Malformed),
        (json!({"sub": ["s1"]}), Malformed),
        (json!({"sub": "s".repeat(256)}), Malformed),
        (json!({"email_verified": "true"}), Malformed),
    ] {
        table.push(("a claim", with(change), error));
    }
    assert!(table.len() >= 50, "{}", table.len());
    for (name, token, error) in table {
        assert_eq!(check(&token, &keys, &expected), Err(error), "{name}: {token}");
    }
    assert!(check(&good, &keys, &expected).is_ok());
}
