//! WWW-Authenticate and Proxy-Authenticate, RFC 3261 sections 20.44 and 20.27, RFC 8760.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::text::{is_token, quote, split_outside, take_quoted};
use crate::message::{HeaderName, Headers};

/// A digest challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The realm whose password is asked for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be returned unchanged.
    pub opaque: Option<String>,
    /// The password was right, only the nonce too old.
    pub stale: bool,
    /// `MD5` if absent.
    pub algorithm: Option<String>,
    /// Offered qualities of protection; empty means RFC 2069 without any.
    pub qop: Vec<String>,
}

impl Challenge {
    /// All digest challenges of a field, over all lines and however many stand in one; other schemes and
    /// malformed challenges are passed over, since another one may be usable.
    pub(crate) fn all(headers: &Headers, name: &HeaderName) -> Vec<Self> {
        let mut challenges = Vec::new();
        for value in headers.all(name) {
            let text = value.text();
            for challenge in split_challenges(&text) {
                challenges.extend(Self::parse_text(&challenge).ok());
            }
        }
        challenges
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        let mut challenge = Self::default();
        for (name, value) in auth_params(text)? {
            match name.to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value,
                "nonce" => challenge.nonce = value,
                "opaque" => challenge.opaque = Some(value),
                "stale" => challenge.stale = value.eq_ignore_ascii_case("true"),
                "algorithm" if !is_token(&value) => return Err("algorithm is no token".to_owned()),
                "algorithm" => challenge.algorithm = Some(value),
                "qop" => challenge.qop = qualities(&value)?,
                _ => {}
            }
        }
        if challenge.nonce.is_empty() { Err("nonce is missing".to_owned()) } else { Ok(challenge) }
    }
}

/// The qualities of protection offered. A list that holds none is no list: without it the digest would be a weaker one.
fn qualities(value: &str) -> Result<Vec<String>, String> {
    let tokens = value.split(',').map(str::trim).filter(|qop| is_token(qop));
    let list: Vec<String> = tokens.map(str::to_owned).collect();
    if list.is_empty() { Err("qop holds no token".to_owned()) } else { Ok(list) }
}

/// Cuts a line holding several challenges before each `scheme name=value`.
fn split_challenges(text: &str) -> Vec<String> {
    let mut challenges: Vec<String> = Vec::new();
    for part in split_outside(text, b',').unwrap_or_default() {
        let starts =
            part.split_once([' ', '\t']).is_some_and(|(scheme, rest)| is_token(scheme) && rest.contains('='));
        match challenges.last_mut() {
            Some(last) if !starts => {
                last.push(',');
                last.push_str(part);
            }
            Some(_) | None => challenges.push(part.to_owned()),
        }
    }
    challenges
}

/// The `name=value` pairs after `Digest`, values unquoted.
pub(super) fn auth_params(text: &str) -> Result<Vec<(String, String)>, String> {
    let (scheme, rest) = text.trim().split_once([' ', '\t']).ok_or("parameters are missing")?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Err("scheme is not Digest".to_owned());
    }
    let parts = split_outside(rest, b',').ok_or("quoted string is left open")?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or("a parameter has no value")?;
        let name = name.trim_end();
        if pairs.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(format!("{name} stands twice"));
        }
        pairs.push((name.to_owned(), auth_value(value.trim())?));
    }
    Ok(pairs)
}

/// A whole quoted string, or text without any quote in it: not every phone quotes where it should.
fn auth_value(text: &str) -> Result<String, String> {
    let controls = |text: &str| text.contains(|char: char| char.is_control() && char != '\t');
    match take_quoted(text) {
        Some((content, "")) if !controls(&content) => Ok(content),
        None if !text.contains('"') && !controls(text) => Ok(text.to_owned()),
        Some(_) | None => Err("a parameter's value is neither a token nor a quoted string".to_owned()),
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", quote(&self.realm), quote(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if let Some(algorithm) = self.algorithm.as_deref().filter(|name| is_token(name)) {
            write!(f, ", algorithm={algorithm}")?;
        }
        if !self.qop.is_empty() {
            write!(f, ", qop={}", quote(&self.qop.join(",")))?;
        }
        Ok(())
    }
}

macro_rules! authenticate {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Challenge);

        impl TypedHeader for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &str) -> Result<Self, HeaderError> {
                Challenge::parse_text(text).map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

authenticate! {
    /// The challenge of a user agent server (401).
    WwwAuthenticate
}
authenticate! {
    /// The challenge of a proxy (407).
    ProxyAuthenticate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_may_stand_in_one_line() {
        let mut headers = Headers::default();
        let line = r#"Digest realm="a, b", nonce="n1", algorithm=SHA-256, qop="auth,auth-int", Basic realm="x", DIGEST nonce=n2,realm="c""#;
        headers.push(HeaderName::WwwAuthenticate, line);
        let all = Challenge::all(&headers, &HeaderName::WwwAuthenticate);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].realm.as_str(), all[0].qop.len()), ("a, b", 2));
        assert_eq!((all[1].realm.as_str(), all[1].nonce.as_str()), ("c", "n2"));
    }

    #[test]
    fn half_quoted_values_and_words_that_are_none_are_refused() {
        for bad in [
            r#"Digest realm="r", nonce="n"x"#,
            r#"Digest realm="r", nonce=n"x""#,
            "Digest realm=\"r\", nonce=\"n\u{1}\"",
            r#"Digest realm="r", nonce="n", algorithm="a b""#,
            r#"Digest realm="r", nonce="n", qop="""#,
        ] {
            assert!(WwwAuthenticate::parse(bad).is_err(), "{bad}");
        }
        let lenient = WwwAuthenticate::parse(r#"Digest realm=r, nonce=n=/+, qop="auth,@,auth-int""#).unwrap();
        assert_eq!((lenient.0.nonce.as_str(), lenient.0.qop.len()), ("n=/+", 2));
    }

    #[test]
    fn writes_what_it_reads() {
        let challenge = Challenge {
            realm: "quo\"ted".into(),
            nonce: "n".into(),
            opaque: Some(String::new()),
            stale: true,
            algorithm: Some("MD5".into()),
            qop: vec!["auth".into()],
        };
        assert_eq!(WwwAuthenticate::parse(&challenge.to_string()).unwrap().0, challenge);
        assert!(WwwAuthenticate::parse("Digest realm=\"x\"").is_err());
        assert!(WwwAuthenticate::parse("Digest nonce=a, nonce=b").is_err());
    }
}
