//! Digest authentication with MD5 and qop=auth (RFC 2617, RFC 3261 section 22), both sides of it.

use md5::{Digest, Md5};

use crate::shared::token;

/// Who the lab says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password in clear.
    pub password: String,
}

impl Credentials {
    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

/// A challenge as read from WWW-Authenticate or Proxy-Authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// Echoed when present.
    pub opaque: Option<String>,
    /// Whether `auth` is among the qop values.
    pub qop_auth: bool,
    /// The algorithm as written; MD5 when absent.
    pub algorithm: String,
    /// The nonce was right once: try again with the new one.
    pub stale: bool,
}

impl Challenge {
    /// Reads a challenge; `None` when it is no Digest one with a realm and a nonce.
    pub fn parse(text: &str) -> Option<Self> {
        let fields = fields(text)?;
        let get = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            qop_auth: get("qop").is_some_and(|qop| qop.split(',').any(|one| one.trim() == "auth")),
            algorithm: get("algorithm").unwrap_or_else(|| "MD5".to_owned()),
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// A fresh challenge of the lab's own.
    pub fn fresh(realm: &str) -> Self {
        Self {
            realm: realm.to_owned(),
            nonce: token(),
            opaque: None,
            qop_auth: true,
            algorithm: "MD5".to_owned(),
            stale: false,
        }
    }

    /// The header value a server sends.
    pub fn header(&self) -> String {
        let mut text = format!("Digest realm=\"{}\", nonce=\"{}\", algorithm=MD5", self.realm, self.nonce);
        if self.qop_auth {
            text.push_str(", qop=\"auth\"");
        }
        if self.stale {
            text.push_str(", stale=true");
        }
        text
    }

    /// The value of Authorization or Proxy-Authorization that answers this challenge.
    pub fn answer(&self, credentials: &Credentials, method: &str, uri: &str, nonce_count: u32) -> String {
        let cnonce = token();
        let nc = format!("{nonce_count:08x}");
        let qop = self.qop_auth.then_some((nc.as_str(), cnonce.as_str()));
        let response = response(credentials, &self.realm, &self.nonce, method, uri, qop);
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm=MD5",
            credentials.user, self.realm, self.nonce
        );
        if let Some((nc, cnonce)) = qop {
            text.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(&format!(", opaque=\"{opaque}\""));
        }
        text
    }
}

/// Checks an Authorization value against what the lab expects, with the nonce the client used.
pub fn verify(text: &str, credentials: &Credentials, method: &str) -> bool {
    let Some(fields) = fields(text) else { return false };
    let get = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let qop = (get("qop") == "auth").then(|| (get("nc"), get("cnonce")));
    let wanted = response(credentials, get("realm"), get("nonce"), method, get("uri"), qop);
    get("username") == credentials.user && get("response") == wanted
}

/// The user name of an Authorization value.
pub fn user_name(text: &str) -> Option<String> {
    fields(text)?.into_iter().find(|(key, _)| key == "username").map(|(_, value)| value)
}

/// The request digest of RFC 2617 section 3.2.2.1; `qop` is nonce count and cnonce.
pub fn response(
    credentials: &Credentials,
    realm: &str,
    nonce: &str,
    method: &str,
    uri: &str,
    qop: Option<(&str, &str)>,
) -> String {
    let secret = md5_hex(&format!("{}:{realm}:{}", credentials.user, credentials.password));
    let what = md5_hex(&format!("{method}:{uri}"));
    match qop {
        Some((nc, cnonce)) => md5_hex(&format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{what}")),
        None => md5_hex(&format!("{secret}:{nonce}:{what}")),
    }
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// `Digest a="b", c=d` as pairs with lower-case names; commas inside quotes stay.
fn fields(text: &str) -> Option<Vec<(String, String)>> {
    let rest = text.trim();
    let rest = rest.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("digest")).map(|_| &rest[6..])?;
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in rest.chars() {
        quoted ^= letter == '"';
        if letter == ',' && !quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    let pairs = parts.iter().filter_map(|part| {
        let (key, value) = part.split_once('=')?;
        Some((key.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617 section 3.5.
    #[test]
    fn the_vector_of_rfc_2617() {
        let credentials = Credentials::new("Mufasa", "Circle Of Life");
        let answer = response(
            &credentials,
            "testrealm@host.com",
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
            Some(("00000001", "0a4f113b")),
        );
        assert_eq!(answer, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn client_and_server_agree() {
        let credentials = Credentials::new("103a", "secret");
        let challenge = Challenge::parse(&Challenge::fresh("acme.test").header()).unwrap();
        assert!(challenge.qop_auth);
        let answer = challenge.answer(&credentials, "REGISTER", "sip:acme.test", 1);
        assert!(verify(&answer, &credentials, "REGISTER"));
        assert!(!verify(&answer, &credentials, "INVITE"));
        assert!(!verify(&answer, &Credentials::new("103a", "wrong"), "REGISTER"));
        assert_eq!(user_name(&answer).as_deref(), Some("103a"));
    }

    #[test]
    fn several_qop_values_and_commas_in_quotes() {
        let challenge = Challenge::parse(
            "Digest realm=\"a, b\", nonce=\"n\", qop=\"auth-int,auth\", stale=TRUE, opaque=\"o\"",
        )
        .unwrap();
        assert_eq!(challenge.realm, "a, b");
        assert!(challenge.qop_auth && challenge.stale);
        assert_eq!(challenge.opaque.as_deref(), Some("o"));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), None);
    }
}
