//! The header fields of a message: an ordered list of names and raw values.

use std::borrow::Cow;

use bytes::Bytes;

use super::field::HeaderName;
use super::header::{HeaderError, TypedHeader};
use super::text::split_outside;

/// The value of one header field line, unfolded and trimmed. It cannot contain CR, LF or NUL outside an
/// escape, whoever made it, so writing it never starts a new line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValue(Bytes);

impl HeaderValue {
    /// A value of our own; CR, LF and NUL become spaces.
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        let safe =
            if text.contains(['\r', '\n', '\0']) { text.replace(['\r', '\n', '\0'], " ") } else { text };
        Self(Bytes::from(safe.trim().to_owned()))
    }

    /// A value that the reader has checked.
    pub(super) fn checked(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The value as received.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

/// The header fields of a message, in order. Content-Length is not among them: the reader applies it and
/// the writer computes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// Appends a header field with a value of our own.
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push((name, HeaderValue::new(value)));
    }

    /// Appends a typed header field.
    pub fn push_typed<T: TypedHeader>(&mut self, value: &T) {
        self.push(T::NAME, value.to_string());
    }

    /// Appends a header field with a value as received.
    pub fn push_value(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Removes every field of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(other, _)| other != name);
    }

    /// Replaces the first field of this name, or appends it.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        let value = HeaderValue::new(value);
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The first value of this name.
    pub fn first(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.all(name).next()
    }

    /// All values of this name, in order, one per line.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the first field as a whole; `None` if it is absent.
    pub fn typed<T: TypedHeader>(&self) -> Result<Option<T>, HeaderError> {
        self.first(&T::NAME).map(|value| T::parse(&value.text())).transpose()
    }

    /// Reads every value of a comma-separated field, over all its lines.
    pub fn typed_list<T: TypedHeader>(&self) -> Result<Vec<T>, HeaderError> {
        let mut list = Vec::new();
        for value in self.all(&T::NAME) {
            let text = value.text();
            let parts = split_outside(&text, b',')
                .ok_or_else(|| HeaderError::new(&T::NAME, "a quoted string or bracket is left open"))?;
            for part in parts.into_iter().filter(|part| !part.is_empty()) {
                list.push(T::parse(part)?);
            }
        }
        Ok(list)
    }

    /// The tokens of a comma-separated field (Require, Supported, Allow), as received.
    pub fn tokens(&self, name: &HeaderName) -> Vec<String> {
        let split = |value: &HeaderValue| -> Vec<String> {
            value
                .text()
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()
        };
        self.all(name).flat_map(split).collect()
    }

    /// Replaces the first value of a comma-separated field by another text, keeping the rest of its line.
    pub(crate) fn replace_first_value(&mut self, name: &HeaderName, new: &str) {
        let Some((_, value)) = self.0.iter_mut().find(|(other, _)| other == name) else { return };
        let text = value.text();
        let rest = split_outside(&text, b',').unwrap_or_default().into_iter().skip(1);
        let line = std::iter::once(new).chain(rest).collect::<Vec<_>>().join(", ");
        *value = HeaderValue::new(line);
    }
}
