//! From text to a configuration: secrets that lie elsewhere, and every mistake in one line.

use super::{Config, ConfigError};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Mistakes reported at most; whoever has more begins with these.
const MISTAKES_MAX: usize = 100;
/// Stands in for an address that is missing or wrong while the rest is read.
const SOME_ADDRESS: &str = "\"127.0.0.1:9\"";
/// A string that begins so is the name of an environment variable that holds the value.
const FROM_ENVIRONMENT: &str = "env:";
/// A string that begins so is the path of a file that holds the value, relative to the configuration file.
const FROM_FILE: &str = "file:";

/// Reads a configuration, or says every mistake that was found, in the order of the file.
pub(super) fn read(path: &Path, text: &str) -> Result<Config, Vec<ConfigError>> {
    let text = with_secrets(path, text)?;
    match toml::from_str::<Config>(&text) {
        Ok(mut config) => {
            path.parent().unwrap_or_else(|| Path::new("")).clone_into(&mut config.folder);
            let problems = config.problems();
            let mistakes: Vec<ConfigError> = problems.into_iter().map(|problem| problem.at(path)).collect();
            if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
        }
        Err(_) => Err(mistakes(path, &text)),
    }
}

/// Reads again and again, each time without what was wrong, until nothing is wrong any more.
fn mistakes(path: &Path, text: &str) -> Vec<ConfigError> {
    let mut page = Page { lines: text.lines().map(str::to_owned).collect() };
    let mut found = Vec::new();
    while found.len() < MISTAKES_MAX {
        let rest = page.text();
        let error = match toml::from_str::<Config>(&rest) {
            Ok(config) => {
                found.extend(config.problems().into_iter().map(|problem| (usize::MAX, problem.at(path))));
                break;
            }
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        let line = page.line_of(span.start);
        let mistake = ConfigError::Invalid {
            path: path.to_owned(),
            line: line + 1,
            key: key_at(&rest, span.start),
            message: error.message().lines().next().unwrap_or_default().to_owned(),
            mend: mend(error.message()),
        };
        found.push((line, mistake));
        if DeTable::parse(&rest).is_err() || !page.without(line, &span, error.message()) {
            break;
        }
    }
    found.sort_by_key(|(line, _)| *line);
    found.into_iter().map(|(_, mistake)| mistake).collect()
}

/// The text, line by line, so that a line keeps its number while lines before it are mended.
struct Page {
    lines: Vec<String>,
}

impl Page {
    fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Which line of the original an offset in [`Self::text`] lies in, from 0.
    fn line_of(&self, offset: usize) -> usize {
        let mut end = 0;
        let reaches = |line: &String| {
            end += line.len() + 1;
            offset < end
        };
        self.lines.iter().position(reaches).unwrap_or_else(|| self.lines.len().saturating_sub(1))
    }

    /// Takes a mistake out, so that the next one shows. Returns whether that was possible.
    fn without(&mut self, line: usize, span: &Range<usize>, message: &str) -> bool {
        let last = self.line_of(span.end.saturating_sub(1)).max(line);
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            // Only listeners are required in sections that stand once.
            let Some(head) = self.lines.get_mut(line).filter(|_| field == "listen") else { return false };
            let _ = write!(head, "\n{field} = {SOME_ADDRESS}");
            return true;
        }
        if message.contains("socket address") && line == last {
            let Some((key, _)) = self.lines.get(line).and_then(|text| text.split_once('=')) else {
                return false;
            };
            let mended = format!("{key}= {SOME_ADDRESS}");
            let changed = self.lines.get(line) != Some(&mended);
            self.lines.splice(line..=line, [mended]);
            return changed;
        }
        self.blank(line, last)
    }

    /// Empties the lines of a mistake: the section if it is a section's head, else the lines it spans.
    fn blank(&mut self, first: usize, last: usize) -> bool {
        let is_head = |line: &String| line.trim_start().starts_with('[');
        let last = if self.lines.get(first).is_some_and(is_head) {
            let next = self.lines.iter().skip(first + 1).position(is_head);
            next.map_or(self.lines.len(), |next| first + next + 1)
        } else {
            last + 1
        };
        let mut changed = false;
        for line in self.lines.iter_mut().take(last).skip(first) {
            changed |= !line.is_empty();
            line.clear();
        }
        changed
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// What to write instead, by what the reader expected.
fn mend(message: &str) -> &'static str {
    let by_expectation = [
        ("unknown field", "Correct the key, or take it out"),
        ("missing field", "Add it; configs/demo.toml shows every key"),
        ("socket address", "Write address:port, for example \"127.0.0.1:5060\""),
        ("IP address", "Write an address, for example \"192.0.2.1\""),
        ("duplicate key", "Take one of them out"),
        ("a boolean", "Write true or false"),
        ("expected a string", "Write it in double quotes"),
    ];
    let known = by_expectation.into_iter().find(|(expected, _)| message.contains(expected));
    known.map_or("configs/demo.toml shows its form", |(_, mend)| mend)
}

/// The dotted key at an offset, such as `seed.tenant[0].trunk[1].peer`; empty outside any.
fn key_at(text: &str, offset: usize) -> String {
    let mut best = String::new();
    if let Ok(table) = DeTable::parse(text) {
        visit_table(table.get_ref(), "", &mut |key, key_span, value| {
            if key_span.contains(&offset) || value.span().contains(&offset) {
                key.clone_into(&mut best);
            }
        });
    }
    best
}

type Visitor<'v> = dyn FnMut(&str, Range<usize>, &toml::Spanned<DeValue<'_>>) + 'v;

/// Calls `visit` for every key of a table and of the tables in it, outer ones first.
fn visit_table(table: &DeTable<'_>, prefix: &str, visit: &mut Visitor<'_>) {
    for (key, value) in table {
        let mut name = prefix.to_owned();
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(key.get_ref());
        visit(&name, key.span(), value);
        visit_value(value.get_ref(), &name, visit);
    }
}

fn visit_value(value: &DeValue<'_>, name: &str, visit: &mut Visitor<'_>) {
    if let Some(table) = value.as_table() {
        visit_table(table, name, visit);
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        let mut name = name.to_owned();
        let _ = write!(name, "[{index}]");
        visit(&name, element.span(), element);
        visit_value(element.get_ref(), &name, visit);
    }
}

/// Puts in the values that the file only points at, `"env:NAME"` and `"file:PATH"`, so that a secret need not stand in
/// the configuration. Lines stay where they are.
fn with_secrets(path: &Path, text: &str) -> Result<String, Vec<ConfigError>> {
    // What is not TOML is reported by whoever reads it next.
    let Ok(table) = DeTable::parse(text) else { return Ok(text.to_owned()) };
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    visit_table(table.get_ref(), "", &mut |key, _, value| {
        let Some(pointer) = value.get_ref().as_str() else { return };
        match looked_up(path, pointer) {
            None => {}
            Some(Ok(secret)) => found.push((value.span(), secret)),
            Some(Err((problem, mend))) => mistakes.push(ConfigError::Invalid {
                path: path.to_owned(),
                line: line_of(text, value.span().start) + 1,
                key: key.to_owned(),
                message: problem,
                mend,
            }),
        }
    });
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut text = text.to_owned();
    found.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, secret) in found {
        text.replace_range(span, &toml::Value::String(secret).to_string());
    }
    Ok(text)
}

/// The value behind a pointer; `None` for any other text.
fn looked_up(path: &Path, pointer: &str) -> Option<Result<String, (String, &'static str)>> {
    if let Some(name) = pointer.strip_prefix(FROM_ENVIRONMENT) {
        let mend = "Set it in the environment of the service, or write the value or \"file:PATH\"";
        let missing = || (format!("the environment variable {name} is not set"), mend);
        return Some(std::env::var(name).map_err(|_| missing()));
    }
    let file = pointer.strip_prefix(FROM_FILE)?;
    let file = path.parent().unwrap_or_else(|| Path::new("")).join(file);
    let mend = "Name a readable file, absolute or relative to the configuration file";
    let read = std::fs::read_to_string(&file).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    // A secret of several lines would move every line behind it.
    let single = read.map_err(|error| (format!("cannot read {}: {error}", file.display()), mend));
    Some(single.and_then(|text| {
        let lines = text.contains('\n');
        if lines { Err((format!("{} holds more than one line", file.display()), mend)) } else { Ok(text) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[sip]\nlisten = \"127.0.0.1:5060\"\n[api]\nlisten = \"127.0.0.1:8080\"\n";

    fn refusals(text: &str) -> Vec<String> {
        let mistakes = read(Path::new("x.toml"), text).expect_err("must be refused");
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_one_line_with_the_key_and_the_mend() {
        let text = "[sip]\nlisten = 5060\nadvertized = \"x\"\n[medai]\nthreads = 1\n[api]\nlisten = \"127.0.0.1:8080\"\n\
                    [media]\nthreads = \"two\"\nrtp_ports = [\n 9,\n 8,\n]\n[dialling]\nring_timeout_s = 1\n";
        let found = refusals(text);
        assert!(found.iter().all(|line| line.lines().count() == 1), "{found:?}");
        for (line, key) in [
            ("x.toml:2", "sip.listen"),
            ("x.toml:3", "advertized"),
            ("x.toml:4", "medai"),
            ("x.toml:9", "media.threads"),
        ] {
            assert!(
                found.iter().any(|said| said.starts_with(line) && said.contains(key)),
                "{line} {key}: {found:?}"
            );
        }
        assert!(found[0].contains("127.0.0.1:5060"), "{found:?}");
        assert!(found.iter().any(|said| said.contains("dialling.ring_timeout_s")), "{found:?}");
        assert_eq!(found.len(), 6, "each once: {found:?}");
    }

    #[test]
    fn wrong_values_are_all_found_at_once() {
        let text =
            format!("{GOOD}[media]\nrtp_ports = [9, 8]\nthreads = 0\n[dialling]\nring_timeout_s = 1\n");
        let found = refusals(&text);
        for key in ["media.rtp_ports", "media.threads", "dialling.ring_timeout_s"] {
            assert!(found.iter().any(|line| line.contains(key)), "{key}: {found:?}");
        }
    }

    #[test]
    fn broken_toml_is_one_line() {
        let found = refusals("[sip\nlisten = 1\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("x.toml:1"), "{found:?}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let found = refusals("[sip]\n[api]\nlisten = \"127.0.0.1:8080\"\n");
        assert!(found[0].contains("listen") && found[0].contains("configs/demo.toml"), "{found:?}");
    }

    #[test]
    fn a_secret_may_lie_in_a_file_or_in_the_environment() {
        let folder = std::env::temp_dir().join(format!("partyline-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        std::fs::write(folder.join("filter.txt"), "debug \"x\\y\"\n").expect("file");
        let file = folder.join("x.toml");
        let config = read(&file, &format!("{GOOD}[log]\nfilter = \"file:filter.txt\"\n")).expect("reads");
        assert_eq!(config.log.filter, "debug \"x\\y\"");
        // PATH is set wherever a test runs.
        let config = read(&file, &format!("{GOOD}[log]\nfilter = \"env:PATH\"\n")).expect("reads");
        assert_eq!(Ok(config.log.filter), std::env::var("PATH"));
        let missing =
            format!("{GOOD}[log]\nfilter = \"env:PARTYLINE_NOT_SET\"\n[store]\nurl = \"file:none\"\n");
        let found = read(&file, &missing).expect_err("refused");
        assert_eq!(found.len(), 2);
        assert!(
            found[0].to_string().contains("log.filter") && found[0].to_string().contains("PARTYLINE_NOT_SET")
        );
        assert!(found[1].to_string().contains("store.url"), "{found:?}");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
