//! The script format of the carrier in a box: who can be called, and what each of them does, line by line (docs/LAB.md).

use std::fmt;
use std::net::IpAddr;
use std::str::SplitWhitespace;
use std::time::Duration;

use crate::g711::Codec;
use crate::rtp_leg::KeyPress;
use crate::sip::sdp::Direction;
use crate::sip::steps::{Answer, KeyWay, Step};
use crate::tone;

/// Somebody who can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalleeScript {
    /// The number, as it stands in the Request-URI.
    pub number: String,
    /// What it is, in words, for `--help`.
    pub words: String,
    /// What it does.
    pub steps: Vec<Step>,
}

/// What is wrong with a script: where, which word, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// The word that is wrong; empty when one is missing.
    pub word: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub mend: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.word.is_empty() {
            write!(f, ", at \"{}\"", self.word)?;
        }
        write!(f, ": {}. {}", self.problem, self.mend)
    }
}

impl std::error::Error for ScriptError {}

type Parsed<T> = Result<T, ScriptError>;

const STEPS: &str = "Write one of ring, progress, wait, silence, challenge, refuse, redirect, ignore cancel, answer, say, \
                     press, hold, resume, glare, hang up, die";
const TIME: &str = "Write a time such as 300ms or 2s";
const TONE: &str =
    "Write a tone in Hz such as 950, one of outside, bystander, guest, greeting, beep, or nothing";

/// Reads a script.
///
/// # Errors
/// The first line that says nothing that can be done.
pub fn parse(text: &str) -> Parsed<Vec<CalleeScript>> {
    let mut callees: Vec<CalleeScript> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = Words { line: number, rest: line.split_whitespace() };
        let Some(first) = words.rest.next().filter(|word| !word.starts_with('#')) else { continue };
        if first == "callee" {
            check_whole(callees.last(), number)?;
            let callee = words.callee()?;
            if callees.iter().any(|other| other.number == callee.number) {
                return Err(words.wrong(
                    &callee.number,
                    "is there already",
                    "Give each callee a number of its own",
                ));
            }
            callees.push(callee);
            continue;
        }
        let Some(callee) = callees.last_mut() else {
            return Err(words.wrong(
                first,
                "belongs to no callee",
                "Begin with a line such as: callee +12025550150",
            ));
        };
        let step = words.step(first)?;
        words.end()?;
        words.check_order(first, &step, &callee.steps)?;
        callee.steps.push(step);
    }
    check_whole(callees.last(), text.lines().count())?;
    Ok(callees)
}

/// The callees every carrier has.
///
/// # Panics
/// Never: the tests read the same text.
#[expect(clippy::expect_used, reason = "the text is part of the program and read by its tests")]
pub fn usual() -> Vec<CalleeScript> {
    parse(include_str!("callees.txt")).expect("the usual callees can be read")
}

/// One line for each callee: number and words.
pub fn list(callees: &[CalleeScript]) -> String {
    let lines = callees.iter().map(|callee| format!("  {:14} {}\n", callee.number, callee.words));
    lines.collect::<String>()
}

fn check_whole(callee: Option<&CalleeScript>, line: usize) -> Parsed<()> {
    match callee {
        Some(CalleeScript { number, steps, .. }) if steps.is_empty() => Err(ScriptError {
            line,
            word: number.clone(),
            problem: "this callee does nothing".to_owned(),
            mend: "Write its steps below it, at least ring or silence".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The words of a line that are still to be read.
struct Words<'a> {
    line: usize,
    rest: SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn wrong(&self, word: &str, problem: &str, mend: &str) -> ScriptError {
        let [word, problem, mend] = [word, problem, mend].map(str::to_owned);
        ScriptError { line: self.line, word, problem, mend }
    }

    fn next(&mut self, missing: &str, mend: &str) -> Parsed<&'a str> {
        self.rest.next().ok_or_else(|| self.wrong("", missing, mend))
    }

    fn end(&mut self) -> Parsed<()> {
        match self.rest.next() {
            Some(word) => {
                Err(self.wrong(word, "nothing is expected here", "Put each step on a line of its own"))
            }
            None => Ok(()),
        }
    }

    /// The word that has to follow.
    fn expect(&mut self, wanted: &str) -> Parsed<()> {
        let mend = format!("Write {wanted} here");
        match self.next("a word is missing at the end", &mend)? {
            word if word == wanted => Ok(()),
            word => Err(self.wrong(word, "this word is not known here", &mend)),
        }
    }

    fn read<T: std::str::FromStr>(&mut self, mend: &str) -> Parsed<T> {
        let word = self.next("a word is missing at the end", mend)?;
        word.parse().map_err(|_| self.wrong(word, "this cannot be read", mend))
    }

    fn callee(&mut self) -> Parsed<CalleeScript> {
        let mend = "Write a number such as +12025550150, or a name of letters and digits";
        let number = self.next("the number is missing", mend)?;
        if !number.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-_.".contains(letter)) {
            return Err(self.wrong(number, "nobody can be called like this", mend));
        }
        let words = self.rest.by_ref().collect::<Vec<_>>().join(" ");
        Ok(CalleeScript { number: number.to_owned(), words, steps: Vec::new() })
    }

    fn step(&mut self, first: &str) -> Parsed<Step> {
        Ok(match first {
            "silence" => Step::Silence,
            "ring" => Step::Provisional(180),
            "progress" => Step::Progress(self.optional_tone()?),
            "wait" => Step::Wait(self.time()?),
            "challenge" => Step::Challenge { stale: self.flag("stale")? },
            "refuse" => self.refusal()?,
            "redirect" => Step::Redirect(self.callee()?.number),
            "ignore" => self.expect("cancel").map(|()| Step::CrossCancel)?,
            "answer" => Step::Answer(self.answer()?),
            "say" => Step::Say(self.tone()?),
            "press" => self.press()?,
            "hold" => Step::Direction(Direction::SendOnly),
            "resume" => Step::Direction(Direction::SendRecv),
            "glare" => Step::Glare,
            "hang" => self.expect("up").map(|()| Step::HangUp)?,
            "die" => Step::Die,
            _ => return Err(self.wrong(first, "this is no step", STEPS)),
        })
    }

    fn flag(&mut self, wanted: &str) -> Parsed<bool> {
        match self.rest.next() {
            None => Ok(false),
            Some(word) if word == wanted => Ok(true),
            Some(word) => {
                Err(self.wrong(word, "this word is not known here", &format!("Write {wanted}, or nothing")))
            }
        }
    }

    fn time(&mut self) -> Parsed<Duration> {
        let word = self.next("the time is missing", TIME)?;
        let wrong = || self.wrong(word, "this is no time", TIME);
        let (number, unit) = match word.strip_suffix("ms") {
            Some(number) => (number, 1),
            None => (word.strip_suffix('s').ok_or_else(wrong)?, 1_000),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Duration::from_millis(u64::from(number) * unit))
    }

    fn optional_tone(&mut self) -> Parsed<Option<u32>> {
        match self.rest.clone().next() {
            Some(_) => self.tone(),
            None => Ok(Some(tone::GREETING)),
        }
    }

    fn tone(&mut self) -> Parsed<Option<u32>> {
        let word = self.next("the tone is missing", TONE)?;
        match word {
            "outside" => Ok(Some(tone::OUTSIDE)),
            "bystander" => Ok(Some(tone::BYSTANDER)),
            "guest" => Ok(Some(tone::GUEST)),
            "greeting" => Ok(Some(tone::GREETING)),
            "beep" => Ok(Some(tone::BEEP)),
            "nothing" => Ok(None),
            _ => match word.parse() {
                Ok(hz @ 50..=3_400) => Ok(Some(hz)),
                _ => Err(self.wrong(word, "this is no tone that a phone can say", TONE)),
            },
        }
    }

    fn refusal(&mut self) -> Parsed<Step> {
        let mend = "Write a final SIP status from 300 to 699, such as 486";
        let status = self.next("the status is missing", mend)?;
        let Ok(status @ 300..=699) = status.parse() else {
            return Err(self.wrong(status, "this is no refusal", mend));
        };
        let mut retry_after = None;
        if self.flag("retry")? {
            self.expect("after")?;
            retry_after = Some(self.time()?.as_secs() as u32);
        }
        Ok(Step::Refuse(status, retry_after))
    }

    fn answer(&mut self) -> Parsed<Answer> {
        let mend = "Write any of: as pcmu, as pcma, sendonly, recvonly, inactive, at ADDRESS, twice, bare, mute, without events, \
                    timer TIME";
        let mut answer = Answer::default();
        while let Some(word) = self.rest.next() {
            match word {
                "as" => answer.codec = Some(self.codec()?),
                "sendonly" => answer.direction = Direction::SendOnly,
                "recvonly" => answer.direction = Direction::RecvOnly,
                "inactive" => answer.direction = Direction::Inactive,
                "at" => {
                    answer.address = Some(self.read::<IpAddr>("Write an IP address such as 192.168.1.10")?)
                }
                "twice" => answer.twice = true,
                "bare" => answer.bare = true,
                "mute" => answer.mute = true,
                "without" => self.expect("events").map(|()| answer.eventless = true)?,
                "timer" => answer.timer = Some(self.time()?.as_secs() as u32),
                _ => return Err(self.wrong(word, "an answer cannot be like this", mend)),
            }
        }
        Ok(answer)
    }

    fn codec(&mut self) -> Parsed<Codec> {
        let mend = "Write pcmu or pcma";
        match self.next("the codec is missing", mend)? {
            "pcmu" => Ok(Codec::Pcmu),
            "pcma" => Ok(Codec::Pcma),
            word => Err(self.wrong(word, "the lab does not speak this codec", mend)),
        }
    }

    fn press(&mut self) -> Parsed<Step> {
        let mend = "Write one key: 0 to 9, *, # or A to D; further keys in lines of their own";
        let key = self.next("the key is missing", mend)?;
        let digit = key.chars().next().filter(|_| key.len() == 1).map(KeyPress::new);
        let Some(mut press) = digit.filter(|press| press.event().is_some()) else {
            return Err(self.wrong(key, "there is no such key", mend));
        };
        let mut way = KeyWay::Sound;
        while let Some(word) = self.rest.next() {
            match word {
                "without" => self.expect("marker").map(|()| press.marker = false)?,
                "as" => self.expect("tones").map(|()| press.in_band = true)?,
                "by" => self.expect("info").map(|()| way = KeyWay::Info)?,
                "for" => press.held = self.time()?,
                _ => {
                    let mend = "Write any of: without marker, as tones, by info, for TIME";
                    return Err(self.wrong(word, "no key is pressed like this", mend));
                }
            }
        }
        Ok(Step::Press(press, way))
    }

    /// Steps that cannot follow those before them.
    fn check_order(&self, word: &str, step: &Step, before: &[Step]) -> Parsed<()> {
        let answered = before.iter().any(|step| matches!(step, Step::Answer(_)));
        let over =
            |step: &Step| matches!(step, Step::Refuse(..) | Step::Redirect(_) | Step::HangUp | Step::Die);
        let (problem, mend) = match step {
            _ if before.last().is_some_and(over) => {
                ("the call is over here", "Delete this line, or begin another callee")
            }
            Step::Silence if !before.is_empty() => {
                ("it has spoken already", "Write silence as the first step")
            }
            Step::Press(..) | Step::Direction(_) | Step::Glare | Step::HangUp if !answered => {
                ("the call is not answered yet", "Write answer above it")
            }
            Step::Provisional(_)
            | Step::Early
            | Step::Progress(_)
            | Step::Challenge { .. }
            | Step::Refuse(..)
                if answered =>
            {
                ("the call is answered already", "Write it above answer, or delete it")
            }
            Step::Redirect(_) | Step::CrossCancel | Step::Answer(_) if answered => {
                ("the call is answered already", "Write it above answer, or delete it")
            }
            _ => return Ok(()),
        };
        Err(self.wrong(word, problem, mend))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_script_is_read_step_by_step() {
        let text = "# somebody\n\ncallee +12025550150 a person of many steps\n  progress beep\n  wait 1500ms\n  answer as pcma \
                    sendonly at 10.0.0.1 twice timer 90s\n  press # without marker for 200ms\n  hang up\n\
                    callee helpdesk\n  refuse 503 retry after 30s\n";
        let callees = parse(text).unwrap();
        let answer = Answer {
            codec: Some(Codec::Pcma),
            direction: Direction::SendOnly,
            address: Some("10.0.0.1".parse().unwrap()),
            twice: true,
            timer: Some(90),
            ..Answer::default()
        };
        let key = KeyPress { marker: false, held: Duration::from_millis(200), ..KeyPress::new('#') };
        let steps = vec![
            Step::Progress(Some(tone::BEEP)),
            Step::Wait(Duration::from_millis(1_500)),
            Step::Answer(answer),
            Step::Press(key, KeyWay::Sound),
            Step::HangUp,
        ];
        assert_eq!(callees[0].words, "a person of many steps");
        assert_eq!(callees[0].steps, steps);
        assert_eq!(callees[1].steps, [Step::Refuse(503, Some(30))]);
        assert_eq!(list(&callees).lines().count(), 2);
    }

    #[test]
    fn the_usual_callees_can_be_read_and_have_words() {
        let callees = usual();
        assert!(callees.len() > 20);
        assert!(callees.iter().all(|callee| !callee.words.is_empty()));
    }

    #[test]
    fn a_bad_line_is_told_with_its_word_and_its_mend() {
        let cases = [
            (
                "ring",
                "line 1, at \"ring\": belongs to no callee. Begin with a line such as: callee +12025550150",
            ),
            (
                "callee",
                "line 1: the number is missing. Write a number such as +12025550150, or a name of letters and digits",
            ),
            ("callee a<b", "line 1, at \"a<b\": nobody can be called like this. Write a number"),
            ("callee 1\nring\ncallee 1", "line 3, at \"1\": is there already. Give each"),
            (
                "callee 1\ncallee 2\nring",
                "line 2, at \"1\": this callee does nothing. Write its steps below it",
            ),
            ("callee 1\nanser", "line 2, at \"anser\": this is no step. Write one of ring, progress, wait"),
            ("callee 1\nring twice", "line 2, at \"twice\": nothing is expected here. Put each step on"),
            ("callee 1\nring\nwait", "line 3: the time is missing. Write a time such as 300ms or 2s"),
            ("callee 1\nwait 3 s", "line 2, at \"3\": this is no time. Write a time such as"),
            ("callee 1\nrefuse 200", "line 2, at \"200\": this is no refusal. Write a final SIP status"),
            (
                "callee 1\nrefuse 503 after 3s",
                "line 2, at \"after\": this word is not known here. Write retry, or nothing",
            ),
            ("callee 1\nhang on", "line 2, at \"on\": this word is not known here. Write up here"),
            ("callee 1\nsay 9000", "line 2, at \"9000\": this is no tone that a phone can say. Write a tone"),
            (
                "callee 1\nanswer loudly",
                "line 2, at \"loudly\": an answer cannot be like this. Write any of: as pcmu",
            ),
            (
                "callee 1\nanswer as opus",
                "line 2, at \"opus\": the lab does not speak this codec. Write pcmu or pcma",
            ),
            ("callee 1\nanswer at home", "line 2, at \"home\": this cannot be read. Write an IP address"),
            ("callee 1\nanswer\npress 12", "line 3, at \"12\": there is no such key. Write one key"),
            (
                "callee 1\nanswer\npress 1 softly",
                "line 3, at \"softly\": no key is pressed like this. Write any of",
            ),
            (
                "callee 1\nring\npress 1",
                "line 3, at \"press\": the call is not answered yet. Write answer above it",
            ),
            ("callee 1\nanswer\nring", "line 3, at \"ring\": the call is answered already."),
            (
                "callee 1\nring\nsilence",
                "line 3, at \"silence\": it has spoken already. Write silence as the first step",
            ),
            (
                "callee 1\nrefuse 486\nanswer",
                "line 3, at \"answer\": the call is over here. Delete this line",
            ),
        ];
        for (text, wanted) in cases {
            let told = error(text);
            assert!(told.starts_with(wanted), "{text:?}:\n  {told}\n  {wanted}");
        }
    }
}
