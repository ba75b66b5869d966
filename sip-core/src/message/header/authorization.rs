//! Authorization and Proxy-Authorization, RFC 3261 sections 20.7 and 20.28.

use std::fmt;

use super::authenticate::auth_params;
use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::{is_token, quote};

/// The answer to a digest challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestCredentials {
    /// The account.
    pub username: String,
    /// The realm of the challenge.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// The Request-URI as the client knew it.
    pub uri: String,
    /// The digest, in hexadecimal.
    pub response: String,
    /// `MD5` if absent.
    pub algorithm: Option<String>,
    /// The client's nonce, needed with `qop`.
    pub cnonce: Option<String>,
    /// As in the challenge.
    pub opaque: Option<String>,
    /// The chosen quality of protection.
    pub qop: Option<String>,
    /// The nonce count as received, eight hexadecimal digits.
    pub nc: Option<String>,
}

impl DigestCredentials {
    fn parse_text(text: &str) -> Result<Self, String> {
        let mut credentials = Self::default();
        for (name, value) in auth_params(text)? {
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "username" => credentials.username = value,
                "realm" => credentials.realm = value,
                "nonce" => credentials.nonce = value,
                "uri" => credentials.uri = value,
                "response" => credentials.response = value,
                "algorithm" => credentials.algorithm = Some(token(&name, value)?),
                "cnonce" => credentials.cnonce = Some(value),
                "opaque" => credentials.opaque = Some(value),
                "qop" => credentials.qop = Some(token(&name, value)?),
                "nc" => credentials.nc = Some(token(&name, value)?),
                _ => {}
            }
        }
        Ok(credentials)
    }
}

/// RFC 7616 section 3.4 has no other form for it.
fn token(name: &str, value: String) -> Result<String, String> {
    if is_token(&value) { Ok(value) } else { Err(format!("{name} is no token")) }
}

impl fmt::Display for DigestCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}, realm={}", quote(&self.username), quote(&self.realm))?;
        write!(f, ", nonce={}, uri={}", quote(&self.nonce), quote(&self.uri))?;
        write!(f, ", response={}", quote(&self.response))?;
        // RFC 7616 section 3.4: these three stand without quotes.
        let plain = [("algorithm", &self.algorithm), ("qop", &self.qop), ("nc", &self.nc)];
        for (name, value) in plain {
            if let Some(value) = value.as_deref().filter(|value| is_token(value)) {
                write!(f, ", {name}={value}")?;
            }
        }
        for (name, value) in [("cnonce", &self.cnonce), ("opaque", &self.opaque)] {
            if let Some(value) = value {
                write!(f, ", {name}={}", quote(value))?;
            }
        }
        Ok(())
    }
}

macro_rules! authorization {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub DigestCredentials);

        impl TypedHeader for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &str) -> Result<Self, HeaderError> {
                let credentials = DigestCredentials::parse_text(text);
                credentials.map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

authorization! {
    /// Credentials for a user agent server.
    Authorization
}
authorization! {
    /// Credentials for a proxy.
    ProxyAuthorization
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_read_in_any_order_and_write_back() {
        let text = r#"digest response="0a",nc=00000001, username = "103a" , realm="acme.test",nonce="n",uri="sip:acme.test",qop=auth,cnonce="c",algorithm=MD5"#;
        let read = Authorization::parse(text).unwrap();
        assert_eq!((read.0.username.as_str(), read.0.nc.as_deref()), ("103a", Some("00000001")));
        assert_eq!(Authorization::parse(&read.to_string()).unwrap(), read);
        assert!(Authorization::parse("NoOneKnowsThisScheme opaque-data=here").is_err());
        assert!(Authorization::parse("Digest username=\"a").is_err());
    }
}
