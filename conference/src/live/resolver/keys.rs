//! What of a directory a text could touch, so that not every user need be looked at to understand it.

use super::{TEXT_LIMIT, words};
use crate::live::number::{self, Home};
use std::collections::BTreeSet;

/// Whoever of a directory has none of these is not found by the texts they were taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// E-mail addresses, in small letters.
    pub mails: Vec<String>,
    /// Numbers in E.164.
    pub numbers: Vec<String>,
    /// Names of devices, in small letters.
    pub devices: Vec<String>,
    /// Whole extensions.
    pub extensions: Vec<String>,
    /// Beginnings of extensions.
    pub beginnings: Vec<String>,
    /// Folded beginnings of words; whoever is found by one entry has them all.
    pub names: Vec<Vec<String>>,
}

impl Keys {
    /// What a text may stand for as a whole. A part of a name or of an extension is not looked for.
    pub fn exact(&mut self, text: &str, home: &Home<'_>) {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > TEXT_LIMIT {
            return;
        }
        if text.contains('@') {
            self.mails.push(text.to_lowercase());
        }
        // With and without a scheme, parameters and a domain.
        let bare = text.split_once(':').map_or(text, |(_, rest)| rest);
        let plain = |text: &str| text.split([';', '?']).next().unwrap_or_default().to_owned();
        let user = |text: &str| text.rsplit_once('@').map_or(text, |(user, _)| user).to_owned();
        let wholes = [text.to_owned(), bare.to_owned(), plain(bare)];
        let parts: BTreeSet<String> = wholes.iter().map(|whole| user(whole)).chain(wholes.clone()).collect();
        for part in &parts {
            self.address(part, home);
        }
    }

    /// The same and what it may be a part of.
    pub fn parts(&mut self, text: &str, home: &Home<'_>) {
        self.exact(text, home);
        let text = text.trim();
        if text.is_empty() || text.contains(['@', ':']) || text.chars().count() > TEXT_LIMIT {
            return;
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.beginnings.push(text.to_owned());
        }
        let words = words(text);
        if text.chars().any(char::is_alphabetic) && !words.is_empty() {
            self.names.push(words);
        }
    }

    /// What stands before the @ of an address, or stands alone.
    fn address(&mut self, text: &str, home: &Home<'_>) {
        self.devices.push(text.to_lowercase());
        self.extensions.push(text.to_owned());
        if let Ok(number) = number::normalise(text, home) {
            self.numbers.push(number.e164);
        }
    }
}
