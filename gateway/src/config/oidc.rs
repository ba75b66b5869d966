//! Section `[oidc]`: the identity provider that users of one tenant log in at.

use super::Problem;
use crate::oidc::is_loopback;
use serde::Deserialize;

/// Section `[oidc]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The issuer's URL, exactly as the provider names itself.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// Our secret there; better as "file:PATH" or "env:NAME". None for a public client.
    pub client_secret: Option<String>,
    /// The tenant whose users log in there, by name.
    pub tenant: String,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Oidc({:?}, {:?})", self.issuer, self.client_id)
    }
}

impl Oidc {
    /// Everything that cannot work.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let host = |rest: &str| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority
                .rsplit_once(':')
                .filter(|(_, port)| port.parse::<u16>().is_ok())
                .map_or(authority, |(host, _)| host)
                .to_owned()
        };
        let good = match self.issuer.split_once("://") {
            Some(("https", rest)) => !host(rest).is_empty(),
            Some(("http", rest)) => is_loopback(&host(rest)),
            _ => false,
        };
        if !good {
            let mend = "Write its URL, for example \"https://id.example.com\"";
            problems.push(Problem::new(
                "oidc.issuer",
                format!("is {:?}, which is not https", self.issuer),
                mend,
            ));
        }
        for (key, value) in [("oidc.client_id", &self.client_id), ("oidc.tenant", &self.tenant)] {
            if value.trim().is_empty() {
                problems.push(Problem::new(key, "is empty".to_owned(), "Write the name"));
            }
        }
        problems
    }
}
