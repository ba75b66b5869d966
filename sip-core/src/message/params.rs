//! The `;name=value` lists of URIs and header fields.

use std::fmt;

use super::text::{is_token, quote, split_outside, unquote};

/// One parameter, its value kept as received (quotes and escapes included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The name as received; names compare without case.
    pub name: String,
    /// The value as received, `None` for a bare name.
    pub value: Option<String>,
}

/// An ordered list of parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<Param>);

impl Params {
    /// Reads what follows the first semicolon, e.g. `lr;branch=x`. `None` if quotes do not balance or a
    /// name is empty (a wholly empty list is fine).
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        let mut params = Vec::new();
        for part in split_outside(text, b';')? {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start().to_owned())),
                None => (part, None),
            };
            if name.is_empty() || name.bytes().any(|byte| byte <= b' ' || b"\"<>,@".contains(&byte)) {
                return None;
            }
            params.push(Param { name: name.to_owned(), value });
        }
        Some(Self(params))
    }

    /// The value of a parameter, unquoted; a bare name has the empty value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.raw(name).map(unquote)
    }

    /// The value of a parameter as received; a bare name has the empty value.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name))?;
        Some(found.value.as_deref().unwrap_or(""))
    }

    /// Whether the parameter is there, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Sets a parameter, replacing one of the same name; a value that is no token is quoted.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        // A host (RFC 3261 section 25.1, gen-value) may carry colons and brackets without quotes.
        let plain = |value: &str| is_token(&value.replace([':', '[', ']'], ""));
        let value = value.map(|value| if plain(value) { value.to_owned() } else { quote(value) });
        match self.0.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name)) {
            Some(param) => param.value = value,
            None => self.0.push(Param { name: name.to_owned(), value }),
        }
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.0 {
            write!(f, ";{}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
