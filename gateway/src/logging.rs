//! Where log lines go: standard error, so that standard output holds the ready line alone. Phone numbers and e-mail
//! addresses are masked in every line, wherever it comes from; what is logged can be changed while calls run (SIGHUP).

use crate::StartError;
use crate::config::{Config, Log};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// How the filter is changed later.
static FILTER: OnceLock<(reload::Handle<EnvFilter, Registry>, PathBuf)> = OnceLock::new();
/// How many digits of a number stay: enough to tell two apart.
const SHOWN_DIGITS: usize = 4;
/// Shorter runs of digits are no phone numbers: times, ports, counts.
const NUMBER_DIGITS: usize = 10;

/// Installs the subscriber. `RUST_LOG`, where set, wins over the configured filter. `file` is read again by [`reread`].
///
/// # Errors
/// When the filter of `log.filter` cannot be read.
pub fn start(log: &Log, file: &Path) -> Result<(), StartError> {
    let (filter, handle) = reload::Layer::new(filter(&log.filter).map_err(StartError::LogFilter)?);
    let masked = log.mask;
    let writer = move || Line { masked };
    // Colours would stand between the words that are masked.
    tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_ansi(false).with_writer(writer))
        .init();
    let _ = FILTER.set((handle, file.to_owned()));
    Ok(())
}

/// Reads `log.filter` again and goes by it from now on. A file with a mistake changes nothing.
pub(crate) fn reread() {
    let Some((handle, file)) = FILTER.get() else { return };
    let read =
        Config::load(file).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>());
    let changed = read.and_then(|config| {
        let new = filter(&config.log.filter).map_err(|error| vec![error])?;
        handle.reload(new).map_err(|error| vec![error.to_string()])?;
        Ok(config.log.filter)
    });
    match changed {
        Ok(filter) => tracing::info!(filter, "the log filter was read again"),
        Err(mistakes) => {
            tracing::error!(mistakes = mistakes.join("; "), "the log filter stays the one it was");
        }
    }
}

fn filter(configured: &str) -> Result<EnvFilter, String> {
    let parsed = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(variable) => EnvFilter::try_new(variable),
        Err(_) => EnvFilter::try_new(configured),
    };
    parsed.map_err(|error| error.to_string())
}

/// One line on its way to standard error.
struct Line {
    masked: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        match std::str::from_utf8(line) {
            Ok(text) if self.masked => out.write_all(masked(text).as_bytes())?,
            _ => out.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The line with all but the last digits of each phone number, and all but the first letter of each address, taken out.
fn masked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    for c in line.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '+' | '@' | '.' | '_' | '%' | '-') {
            word.push(c);
        } else {
            push_word(&mut out, &word);
            word.clear();
            out.push(c);
        }
    }
    push_word(&mut out, &word);
    out
}

/// A word: an address, a number, or something else.
fn push_word(out: &mut String, word: &str) {
    match word.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => {
            if is_number(local) {
                push_number(out, local);
            } else {
                out.extend(local.chars().next());
                out.push('*');
            }
            out.push('@');
            out.push_str(domain);
        }
        _ if is_number(word) => push_number(out, word),
        _ => out.push_str(word),
    }
}

/// Digits alone, after a plus perhaps, as many as a phone number has. A dot or a dash at the end belongs to the sentence.
fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches(['.', '-']);
    let digits = word.strip_prefix('+').unwrap_or(word);
    let enough = if word.starts_with('+') { SHOWN_DIGITS + 3 } else { NUMBER_DIGITS };
    digits.len() >= enough && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn push_number(out: &mut String, word: &str) {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let mut hidden = digits.saturating_sub(SHOWN_DIGITS);
    for c in word.chars() {
        let hide = c.is_ascii_digit() && hidden > 0;
        hidden -= usize::from(hide);
        out.push(if hide { '*' } else { c });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d66_w10_numbers_and_addresses_are_masked_and_nothing_else() {
        for (line, shown) in [
            ("to=\"+12025550177\" x", "to=\"+*******0177\" x"),
            ("sip:12025550177@carrier.test", "sip:*******0177@carrier.test"),
            ("sip:+12025550177@carrier.test;x", "sip:+*******0177@carrier.test;x"),
            ("for kim.kaur@else.test.", "for k*@else.test."),
            ("sip:103a@acme.test", "sip:1*@acme.test"),
            ("call.id=c00112233445566778899aabbccddeeff", "call.id=c00112233445566778899aabbccddeeff"),
            ("2026-11-22T12:58:49.123456Z port=54321", "2026-11-22T12:58:49.123456Z port=54321"),
            ("number 2025550177.", "number ******0177."),
            ("trunk+1 a@b", "trunk+1 a@b"),
            ("", ""),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
