//! From and To, RFC 3261 sections 20.20 and 20.39, and the `name-addr` form they share with others.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::text::{quote, take_quoted};
use crate::message::{HeaderName, Params, Uri};

/// A display name, a URI and parameters (`name-addr` or `addr-spec`, RFC 3261 section 25.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, unescaped.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header field, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// Reads either form; `Err` says what is wrong.
    pub(super) fn parse_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (display, rest) = split_display(text)?;
        let Some(bracketed) = rest.strip_prefix('<') else { return Self::parse_addr_spec(rest) };
        let (uri, after) = bracketed.split_once('>').ok_or("angle bracket is left open")?;
        let uri = Uri::parse(uri.trim()).map_err(|error| error.to_string())?;
        let params = match after.trim_start().strip_prefix(';') {
            Some(params) => Params::parse(params).ok_or("parameters are malformed")?,
            None if after.trim().is_empty() => Params::default(),
            None => return Err("text after the angle bracket".to_owned()),
        };
        Ok(Self { display, uri, params })
    }

    /// Without brackets all parameters are the header field's, and the URI may hold none of `,;?`
    /// (RFC 3261 section 20.10).
    fn parse_addr_spec(text: &str) -> Result<Self, String> {
        let (uri, params) = text.split_once(';').unwrap_or((text, ""));
        if uri.contains(['?', ',']) {
            return Err("URI needs angle brackets".to_owned());
        }
        let uri = Uri::parse(uri.trim()).map_err(|error| error.to_string())?;
        let params = Params::parse(params).ok_or("parameters are malformed")?;
        Ok(Self { display: None, uri, params })
    }
}

/// Splits the display name from what begins with `<`; without `<` there is none.
fn split_display(text: &str) -> Result<(Option<String>, &str), String> {
    if text.starts_with('"') {
        let (display, rest) = take_quoted(text).ok_or("quoted string is left open")?;
        let rest = rest.trim_start();
        return if rest.starts_with('<') {
            Ok((Some(display), rest))
        } else {
            Err("no address after the name".into())
        };
    }
    let Some(at) = text.find('<') else { return Ok((None, text)) };
    let (name, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    let name = name.trim();
    if name.contains(['"', ',', ';', ':', '@', '\\', '>']) {
        return Err("display name must be quoted".to_owned());
    }
    Ok((Some(name.to_owned()).filter(|name| !name.is_empty()), rest))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

macro_rules! tagged {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub NameAddr);

        impl $name {
            /// The tag, if there is one and it is not empty.
            pub fn tag(&self) -> Option<String> {
                self.0.params.get("tag").filter(|tag| !tag.is_empty())
            }
        }

        impl TypedHeader for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &str) -> Result<Self, HeaderError> {
                NameAddr::parse_text(text).map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

tagged! {
    /// Who sent the request.
    From
}
tagged! {
    /// Whom the request is for.
    To
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_read() {
        for (text, display, uri, tag) in [
            ("sip:a@b;tag=1", None, "sip:a@b", Some("1")),
            ("<sip:a@b;lr>;tag=1", None, "sip:a@b;lr", Some("1")),
            ("caller<sip:a@b>", Some("caller"), "sip:a@b", None),
            ("Two Words <sip:a@b>", Some("Two Words"), "sip:a@b", None),
            (r#""J \\\"" <sip:a@b> ; tag = x"#, Some(r#"J \""#), "sip:a@b", Some("x")),
            (r#""<sip:evil@x>" <sip:a@b>"#, Some("<sip:evil@x>"), "sip:a@b", None),
            (r#""" <tel:+12025550100>"#, Some(""), "tel:+12025550100", None),
            ("isbn:2983792873", None, "isbn:2983792873", None),
        ] {
            let from = From::parse(text).unwrap();
            assert_eq!(from.0.display.as_deref(), display, "{text}");
            assert_eq!(from.0.uri.to_string(), uri, "{text}");
            assert_eq!(from.tag().as_deref(), tag, "{text}");
            assert_eq!(From::parse(&from.to_string()).unwrap(), from, "{text}");
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "",
            "\"a <sip:a@b>",
            "\"a\" sip:a@b",
            "<sip:a@b",
            "<sip:a@b>x",
            "Bell, A <sip:a@b>",
            "sip:a@b?x=y",
            "<>",
        ] {
            assert!(To::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn i93_a_display_name_cannot_leave_its_quotes() {
        let uri = Uri::parse("sip:a@b").unwrap();
        let evil = "x\" <sip:evil@e>\r\nX-Evil: 1\0";
        let addr = NameAddr { display: Some(evil.into()), ..NameAddr::new(uri.clone()) };
        let read = From::parse(&addr.to_string()).unwrap();
        assert_eq!(read.0.uri, uri);
        assert_eq!(read.0.display.unwrap(), "x\" <sip:evil@e>X-Evil: 1");
    }
}
