//! SIP, SIPS and tel URIs (RFC 3261 section 19, RFC 3966); other schemes are kept as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::params::Params;

/// A URI, escapes kept as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Any other scheme, which this user agent cannot route (416).
    Other {
        /// The scheme as received.
        scheme: String,
        /// Everything after the colon.
        rest: String,
    },
}

/// A SIP or SIPS URI, RFC 3261 section 19.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    /// `sips` instead of `sip`.
    pub secure: bool,
    /// The user part as received; see [`SipUri::user_text`] for the unescaped one.
    pub user: Option<String>,
    /// The (discouraged) password as received.
    pub password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, if one is given.
    pub port: Option<u16>,
    /// The URI parameters.
    pub params: Params,
    /// What follows the question mark.
    pub headers: Option<String>,
}

/// A tel URI, RFC 3966.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelUri {
    /// The number with its visual separators, as received.
    pub number: String,
    /// Parameters such as `phone-context`.
    pub params: Params,
}

/// The host of a URI or Via.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A domain name, in lower case.
    Name(String),
    /// An address; IPv6 stands in brackets on the wire.
    Address(IpAddr),
}

/// Why a text is no URI: the part at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// White space, a control character, a quote or an angle bracket.
    #[error("URI contains a character that must be escaped")]
    Character,
    /// No scheme.
    #[error("URI has no scheme")]
    Scheme,
    /// The user part is empty, or there are two `@`.
    #[error("user part of the URI is malformed")]
    User,
    /// The host is no domain name and no address.
    #[error("host of the URI is malformed")]
    Host,
    /// The port is not a number from 0 to 65535.
    #[error("port of the URI is malformed")]
    Port,
    /// The parameter list cannot be read.
    #[error("parameters of the URI are malformed")]
    Params,
}

impl Uri {
    /// Reads a URI without angle brackets.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || b"<>\"".contains(&byte)) {
            return Err(UriError::Character);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        if !scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err(UriError::Scheme);
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse_rest(false, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse_rest(true, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse_rest(rest).map(Self::Tel)
        } else {
            Ok(Self::Other { scheme: scheme.to_owned(), rest: rest.to_owned() })
        }
    }

    /// The SIP URI, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other { .. } => None,
        }
    }

    /// The user part or the telephone number, unescaped; empty if there is none.
    pub fn user_text(&self) -> String {
        match self {
            Self::Sip(uri) => uri.user_text(),
            Self::Tel(uri) => uri.number.clone(),
            Self::Other { .. } => String::new(),
        }
    }

    /// The host as text without port; empty if there is none.
    pub fn host_text(&self) -> String {
        self.as_sip().map(|uri| uri.host.to_string()).unwrap_or_default()
    }
}

impl SipUri {
    /// A `sip:` URI; the user part is escaped as RFC 3261 section 19.1.2 asks.
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        Self {
            secure: false,
            user: user.filter(|user| !user.is_empty()).map(escape_user),
            password: None,
            host,
            port,
            params: Params::default(),
            headers: None,
        }
    }

    /// The user part with `%41`-style escapes resolved; empty if there is none.
    pub fn user_text(&self) -> String {
        self.user.as_deref().map(unescape).unwrap_or_default()
    }

    fn parse_rest(secure: bool, rest: &str) -> Result<Self, UriError> {
        let (userinfo, rest) = match rest.split_once('@') {
            Some((_, after)) if after.contains('@') => return Err(UriError::User),
            Some((userinfo, after)) => (Some(userinfo), after),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some(("", _)) => return Err(UriError::User),
            Some((user, password)) => {
                (Some(user.to_owned()), Some(password.to_owned()).filter(|text| !text.is_empty()))
            }
            None => (None, None),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((before, headers)) => (before, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (hostport, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = parse_host_port(hostport)?;
        let params = Params::parse(params).ok_or(UriError::Params)?;
        Ok(Self { secure, user, password, host, port, params, headers })
    }
}

impl TelUri {
    fn parse_rest(rest: &str) -> Result<Self, UriError> {
        let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
        let digits = number.bytes().any(|byte| byte.is_ascii_hexdigit() || b"*#".contains(&byte));
        if !digits || !number.bytes().all(|byte| byte.is_ascii_hexdigit() || b"+-.()*#".contains(&byte)) {
            return Err(UriError::User);
        }
        let params = Params::parse(params).ok_or(UriError::Params)?;
        Ok(Self { number: number.to_owned(), params })
    }
}

impl Host {
    /// Reads a host: a name, an IPv4 address or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            // RFC 5118 section 4.10: the ABNF of RFC 3261 allowed a third colon; accept it, never send it.
            let address = inner.parse().or_else(|_| inner.replacen(":::", "::", 1).parse::<Ipv6Addr>());
            return address.map(|address| Self::Address(address.into())).map_err(|_| UriError::Host);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let name = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        name.then(|| Self::Name(text.to_ascii_lowercase())).ok_or(UriError::Host)
    }

    /// The host from an operator's text; anything that is no address is taken as a name, unsafe characters
    /// left out.
    pub fn from_config(text: &str) -> Self {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Self::Address(address);
        }
        Self::parse(text).unwrap_or_else(|_| {
            let safe = |char: &char| char.is_ascii_alphanumeric() || "-._".contains(*char);
            let name: String = text.chars().filter(safe).collect();
            Self::Name(if name.is_empty() { "invalid".to_owned() } else { name.to_ascii_lowercase() })
        })
    }
}

/// Reads `host[:port]`, white space around the colon allowed (Via, RFC 3261 section 25.1).
pub(crate) fn parse_host_port(text: &str) -> Result<(Host, Option<u16>), UriError> {
    let end_of_host = text.rfind(']').map_or(0, |at| at + 1);
    let (bracketed, tail) = text.split_at_checked(end_of_host).ok_or(UriError::Host)?;
    let (host, port) = match tail.split_once(':') {
        Some((head, port)) => (head.trim_end(), Some(port.trim_start())),
        None => (tail, None),
    };
    if !bracketed.is_empty() && !host.is_empty() {
        return Err(UriError::Host);
    }
    let host = Host::parse(if bracketed.is_empty() { host } else { bracketed })?;
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| UriError::Port)?)
        }
        Some(_) => return Err(UriError::Port),
        None => None,
    };
    Ok((host, port))
}

fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        // RFC 3261 section 25.1: unreserved and user-unreserved.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => write!(f, "tel:{}{}", uri.number, uri.params),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_read_and_write_back_as_they_came() {
        for text in [
            "sip:a@b",
            "sips:alice:secret@example.com:5061;transport=tcp;lr?subject=x&to=y",
            "sip:sips%3Auser%40example.com@example.net",
            "sip:user;par=u%40example.net@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:[2001:db8::10]:5070",
            "sip:+12025550100@192.0.2.1;user=phone",
            "tel:+1-202-555-0100;phone-context=x",
            "tel:911",
            "soap.beep://192.0.2.103:3002",
            "nobodyKnowsThisScheme:totallyopaquecontent",
        ] {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_uris_name_the_part_at_fault() {
        for (text, error) in [
            ("sip", UriError::Scheme),
            ("1sip:a@b", UriError::Scheme),
            ("sip:a b@c", UriError::Character),
            ("sip:a@b; lr", UriError::Character),
            ("<sip:a@b>", UriError::Character),
            ("sip:@b", UriError::User),
            ("sip:a@b@c", UriError::User),
            ("tel:abc!", UriError::User),
            ("tel:", UriError::User),
            ("sip:", UriError::Host),
            ("sip:2001:db8::10", UriError::Port),
            ("sip:[2001:db8::10", UriError::Host),
            ("sip:[::1]x:5060", UriError::Host),
            ("sip:a@b:70000", UriError::Port),
            ("sip:a@b:", UriError::Port),
            ("sip:a@b;=x", UriError::Params),
        ] {
            assert_eq!(Uri::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn escapes_resolve_only_for_comparison() {
        let uri = Uri::parse("sip:%75se%72%zz%4@EXAMPLE.com").unwrap();
        assert_eq!(uri.user_text(), "user%zz%4");
        assert_eq!(uri.host_text(), "example.com");
        assert_eq!(
            SipUri::new(Some("a b\r\n@"), Host::Name("x".into()), None).to_string(),
            "sip:a%20b%0D%0A%40@x"
        );
    }

    #[test]
    fn the_third_colon_of_the_old_abnf_is_understood() {
        let three = Uri::parse("sip:user@[2001:db8:::192.0.2.1]").unwrap();
        assert_eq!(three, Uri::parse("sip:user@[2001:db8::192.0.2.1]").unwrap());
    }
}
