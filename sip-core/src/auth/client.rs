//! Answering challenges of trunks.

use super::digest::{DigestAlgorithm, DigestInput, ha1};
use crate::message::Method;
use crate::message::header::{Challenge, DigestCredentials};

/// What we show to one trunk, and to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account.
    pub user: String,
    /// The only realm these credentials are for; `None` takes the realm the trunk names.
    pub realm: Option<String>,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the password: this may end in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// Answers the first challenge that is for our realm and that we can compute; `None` if there is none.
pub fn answer(
    challenges: &[Challenge],
    credentials: &Credentials,
    method: &Method,
    uri: &str,
    cnonce: String,
) -> Option<DigestCredentials> {
    let (challenge, algorithm) = challenges.iter().find_map(|challenge| {
        let ours = credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm);
        let qop = challenge.qop.is_empty() || offers_auth(challenge);
        let algorithm = DigestAlgorithm::named(challenge.algorithm.as_deref())?;
        (ours && qop).then_some((challenge, algorithm))
    })?;
    // Every nonce is used once (a new challenge is answered anew), so the count is always the first.
    let nc = "00000001";
    let with_qop = offers_auth(challenge);
    let auth = with_qop.then_some((nc, cnonce.as_str()));
    let ha1 = ha1(algorithm, &credentials.user, &challenge.realm, &credentials.password);
    let response = DigestInput { method, uri, nonce: &challenge.nonce, auth }.response(algorithm, &ha1);
    Some(DigestCredentials {
        username: credentials.user.clone(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: uri.to_owned(),
        response,
        algorithm: challenge.algorithm.as_ref().map(|_| algorithm.name().to_owned()),
        opaque: challenge.opaque.clone(),
        qop: with_qop.then(|| "auth".to_owned()),
        nc: with_qop.then(|| nc.to_owned()),
        cnonce: with_qop.then_some(cnonce),
    })
}

fn offers_auth(challenge: &Challenge) -> bool {
    challenge.qop.iter().any(|qop| qop.eq_ignore_ascii_case("auth"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(realm: &str, algorithm: Option<&str>, qop: &[&str]) -> Challenge {
        Challenge {
            realm: realm.into(),
            nonce: "n".into(),
            algorithm: algorithm.map(str::to_owned),
            qop: qop.iter().map(|qop| (*qop).to_owned()).collect(),
            ..Challenge::default()
        }
    }

    fn answered(challenges: &[Challenge], realm: Option<&str>) -> Option<DigestCredentials> {
        let credentials =
            Credentials { user: "u".into(), realm: realm.map(str::to_owned), password: "p".into() };
        answer(challenges, &credentials, &Method::Register, "sip:r", "c".into())
    }

    #[test]
    fn the_first_usable_challenge_of_our_realm_is_answered() {
        let challenges = [
            challenge("r", Some("SHA-512-256"), &["auth"]),
            challenge("other", None, &["auth"]),
            challenge("r", Some("SHA-256"), &["auth-int"]),
            challenge("r", Some("SHA-256"), &["auth-int", "auth"]),
            challenge("r", None, &[]),
        ];
        let chosen = answered(&challenges, Some("r")).unwrap();
        assert_eq!((chosen.algorithm.as_deref(), chosen.qop.as_deref()), (Some("SHA-256"), Some("auth")));
        assert_eq!(chosen.nc.as_deref(), Some("00000001"));
        let plain = answered(&challenges[4..], None).unwrap();
        assert_eq!((plain.algorithm, plain.qop, plain.nc, plain.cnonce), (None, None, None, None));
        assert_eq!(answered(&challenges[..3], Some("r")), None);
        assert_eq!(answered(&challenges, Some("elsewhere")), None);
    }

    #[test]
    fn the_password_does_not_show() {
        let credentials = Credentials { user: "u".into(), realm: None, password: "hush".into() };
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
