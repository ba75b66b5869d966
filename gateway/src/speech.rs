//! What is said to callers becomes sound here: recorded prompts are decoded, texts are spoken by a program, and the
//! result is handed to the media threads ready to play.
//!
//! Nothing waits for it: neither the focus task nor a media thread. A text that cannot be spoken in time gives way to
//! recorded words.

use conference::live::focus::Utterance;
use conference::live::speech::Language;
use media::prompt::{PromptId, PromptSet, Recording};
use media::worker::{LegId, PlayingId, RoomId, Source};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a program may take to speak one text.
const SPEAKING: Duration = Duration::from_millis(1500);
/// Utterances in preparation at once; further ones are said in recorded words.
const AT_ONCE: usize = 16;
/// Texts remembered.
const REMEMBERED: usize = 500;
/// The most bytes read from the program: half a minute at 22,050 Hz and 16 bit.
const OUTPUT_LIMIT: u64 = 30 * 44_100;
/// Peak of a spoken text, as of the recorded prompts.
const PEAK: i32 = 16_384;

/// Section `[speech]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Speech {
    /// Folder with wav files in the place of our prompts: `en/goodbye.wav`, `fr/goodbye.wav`, or `goodbye.wav` for both.
    pub prompts: Option<PathBuf>,
    /// The program that speaks names and titles: `espeak-ng`, or one that takes the same arguments. Empty: nothing
    /// speaks them, and recorded words are used.
    pub voice: String,
}

impl Default for Speech {
    fn default() -> Self {
        Self { prompts: None, voice: "espeak-ng".to_owned() }
    }
}

/// Reads the recordings that replace ours.
///
/// # Errors
/// Names the file and what is wrong with it; a file that is no prompt's is a mistake too.
pub(crate) fn load_prompts(folder: Option<&Path>) -> Result<PromptSet, String> {
    let mut set = PromptSet::default();
    let Some(folder) = folder else { return Ok(set) };
    if !folder.is_dir() {
        return Err(format!("there is no folder {}", folder.display()));
    }
    let own = Language::ALL.map(|language| (folder.join(language.code()), vec![language]));
    for (folder, languages) in [(folder.to_owned(), Language::ALL.to_vec())].into_iter().chain(own) {
        for path in wav_files(&folder)? {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let prompt = PromptId::from_name(&name).ok_or_else(|| {
                format!(
                    "{}: there is no prompt {name:?}. docs/OPERATIONS.md lists their names",
                    path.display()
                )
            })?;
            let file = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let recording =
                Recording::from_wav(&file).map_err(|error| format!("{}: {error}", path.display()))?;
            for language in &languages {
                set.replace(*language, prompt, recording.clone());
            }
        }
    }
    Ok(set)
}

fn wav_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A language without a folder keeps our recordings.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav")))
        .collect();
    files.sort();
    Ok(files)
}

type Key = (Language, String);

/// Something that is ready to be played.
pub(crate) struct Ready {
    /// To whom.
    pub(crate) leg: LegId,
    /// On the media thread of this room.
    pub(crate) room: RoomId,
    /// What its end is told by.
    pub(crate) playing: PlayingId,
    /// What.
    pub(crate) source: Source,
    /// Again and again.
    pub(crate) repeat: bool,
}

/// What a job has prepared: recordings of texts, `None` where a text could not be spoken.
pub(crate) struct Prepared {
    leg: LegId,
    number: u64,
    texts: Vec<(Key, Option<Arc<Recording>>)>,
    voice_is_missing: bool,
}

struct Waiting {
    number: u64,
    room: RoomId,
    playing: PlayingId,
    utterance: Utterance,
}

/// Turns utterances into sound. Owned by the focus task.
pub(crate) struct Speaker {
    set: Arc<PromptSet>,
    voice: Option<Arc<str>>,
    /// Spoken texts, with the number of their last use.
    spoken: BTreeMap<Key, (u64, Arc<Recording>)>,
    /// The latest utterance of each leg that is still being prepared.
    waiting: BTreeMap<LegId, Waiting>,
    running: usize,
    number: u64,
    done: mpsc::Sender<Prepared>,
    prepared: mpsc::Receiver<Prepared>,
}

impl Speaker {
    /// A speaker with these prompts and this program, empty for none.
    pub(crate) fn new(set: PromptSet, voice: &str) -> Self {
        let (done, prepared) = mpsc::channel(AT_ONCE);
        Self {
            set: Arc::new(set),
            voice: Some(voice).filter(|voice| !voice.is_empty()).map(Arc::from),
            spoken: BTreeMap::new(),
            waiting: BTreeMap::new(),
            running: 0,
            number: 0,
            done,
            prepared,
        }
    }

    /// Something is to be said: ready at once if everything is at hand.
    pub(crate) fn say(
        &mut self,
        (leg, room, playing): (LegId, RoomId, PlayingId),
        utterance: Utterance,
    ) -> Option<Ready> {
        self.waiting.remove(&leg);
        self.number += 1;
        let language = utterance.language;
        let unknown = |text: &&str| !self.spoken.contains_key(&(language, (*text).to_owned()));
        let texts: Vec<Key> = match self.voice {
            Some(_) => utterance.texts().filter(unknown).map(|text| (language, text.to_owned())).collect(),
            None => Vec::new(),
        };
        let prompts: Vec<_> = utterance
            .prompts_in_it()
            .filter(|(language, prompt)| !self.set.is_ready(*language, *prompt))
            .collect();
        if (texts.is_empty() && prompts.is_empty()) || self.running >= AT_ONCE {
            return Some(self.compose((leg, room, playing), &utterance));
        }
        self.running += 1;
        let job = Job { set: Arc::clone(&self.set), voice: self.voice.clone(), prompts, texts };
        let (number, done) = (self.number, self.done.clone());
        tokio::spawn(async move {
            let (texts, voice_is_missing) = job.run().await;
            // The focus task has gone: nobody is to be spoken to any more.
            let _ = done.send(Prepared { leg, number, texts, voice_is_missing }).await;
        });
        self.waiting.insert(leg, Waiting { number, room, playing, utterance });
        None
    }

    /// Nothing is to be said to this leg any more.
    pub(crate) fn forget(&mut self, leg: LegId) {
        self.waiting.remove(&leg);
    }

    /// The leg goes on in another room.
    pub(crate) fn moved(&mut self, leg: LegId, room: RoomId) {
        if let Some(waiting) = self.waiting.get_mut(&leg) {
            waiting.room = room;
        }
    }

    /// Waits for the next job to end.
    pub(crate) async fn next(&mut self) -> Option<Prepared> {
        self.prepared.recv().await
    }

    /// A job has ended: what it was for can be said, unless something else is to be said by now.
    pub(crate) fn take(&mut self, prepared: Prepared) -> Option<Ready> {
        self.running = self.running.saturating_sub(1);
        if prepared.voice_is_missing && self.voice.take().is_some() {
            tracing::warn!("no program speaks names and titles: recorded words are used instead");
        }
        for (key, recording) in prepared.texts {
            if let Some(recording) = recording {
                self.remember(key, recording);
            }
        }
        let Waiting { number, .. } = self.waiting.get(&prepared.leg)?;
        if *number != prepared.number {
            return None;
        }
        let Waiting { room, playing, utterance, .. } = self.waiting.remove(&prepared.leg)?;
        Some(self.compose((prepared.leg, room, playing), &utterance))
    }

    fn compose(&mut self, (leg, room, playing): (LegId, RoomId, PlayingId), utterance: &Utterance) -> Ready {
        for text in utterance.texts() {
            if let Some((used, _)) = self.spoken.get_mut(&(utterance.language, text.to_owned())) {
                *used = self.number;
            }
        }
        let voice = |text: &str| {
            let spoken = self.spoken.get(&(utterance.language, text.to_owned()));
            spoken.map(|(_, recording)| Arc::clone(recording))
        };
        Ready { leg, room, playing, source: utterance.source(&self.set, voice), repeat: utterance.repeat }
    }

    fn remember(&mut self, key: Key, recording: Arc<Recording>) {
        if self.spoken.len() >= REMEMBERED {
            let oldest = self.spoken.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.spoken.remove(&oldest);
            }
        }
        self.spoken.insert(key, (self.number, recording));
    }
}

/// What must be made before an utterance can be said.
struct Job {
    set: Arc<PromptSet>,
    voice: Option<Arc<str>>,
    prompts: Vec<(Language, PromptId)>,
    texts: Vec<Key>,
}

impl Job {
    /// The texts as far as they were spoken, and whether the program is missing.
    async fn run(self) -> (Vec<(Key, Option<Arc<Recording>>)>, bool) {
        let Self { set, voice, prompts, texts } = self;
        // Decoding takes milliseconds of a processor.
        let decoding = tokio::task::spawn_blocking(move || {
            prompts.into_iter().for_each(|(language, prompt)| drop(set.get(language, prompt)));
        });
        let (mut spoken, mut missing) = (Vec::with_capacity(texts.len()), false);
        for key in texts {
            let result = match &voice {
                Some(voice) if !missing => speak(voice, key.0, &key.1).await,
                _ => Err(None),
            };
            missing |= matches!(&result, Err(Some(error)) if error.kind() == std::io::ErrorKind::NotFound);
            spoken.push((key, result.ok().map(Arc::new)));
        }
        if decoding.await.is_err() {
            tracing::error!("a prompt could not be decoded");
        }
        (spoken, missing)
    }
}

/// Has a program speak a text, on a thread that may wait. The text goes in by standard input, where it cannot be taken
/// for an argument.
async fn speak(
    voice: &Arc<str>,
    language: Language,
    text: &str,
) -> Result<Recording, Option<std::io::Error>> {
    let child = start_voice(voice, language).map_err(Some)?;
    let child = Arc::new(Mutex::new(child));
    let (text, speaking) = (text.to_owned(), Arc::clone(&child));
    let conversation = tokio::task::spawn_blocking(move || converse(&speaking, &text));
    let finished = tokio::time::timeout(SPEAKING, conversation).await;
    // Whether it has ended by itself or not: it is gone, and the system forgets it. Its pipe ends with it, and so does
    // the thread that reads there.
    let reaped = tokio::task::spawn_blocking(move || {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().and_then(|()| child.wait())
    });
    if !matches!(reaped.await, Ok(Ok(_))) {
        tracing::warn!("a program that speaks could not be ended");
    }
    finished.ok().and_then(Result::ok).flatten().ok_or(None)
}

fn start_voice(voice: &str, language: Language) -> std::io::Result<Child> {
    let speaker = match language {
        Language::English => "en-us",
        Language::French => "fr-fr",
    };
    Command::new(voice)
        .args(["-v", speaker, "-s", "150", "--stdin", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn converse(child: &Mutex<Child>, text: &str) -> Option<Recording> {
    let (stdin, stdout) = {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        (child.stdin.take()?, child.stdout.take()?)
    };
    // A text fits the pipe, so that this does not wait for the program to read.
    { stdin }.write_all(text.as_bytes()).ok()?;
    let mut output = Vec::new();
    stdout.take(OUTPUT_LIMIT).read_to_end(&mut output).ok()?;
    recording(&output)
}

/// The recording in the wav file that such a program writes to a pipe: its sizes are not known when it begins, so they
/// are not looked at.
fn recording(output: &[u8]) -> Option<Recording> {
    let (head, data) = output.split_at_checked(44)?;
    if !head.starts_with(b"RIFF") || head.get(36..40)? != b"data" {
        return None;
    }
    let rate = u32::from_le_bytes(head.get(24..28)?.try_into().ok()?);
    let (pairs, _) = data.as_chunks::<2>();
    let mut samples: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    let peak =
        samples.iter().map(|sample| i32::from(sample.unsigned_abs())).max().filter(|peak| *peak > 0)?;
    for sample in &mut samples {
        *sample = i16::try_from(i32::from(*sample) * PEAK / peak).unwrap_or_default();
    }
    Recording::from_samples(rate, &samples).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use conference::live::speech::{self, Part};
    use media::sample::Rate;

    const LEG: LegId = LegId(1);
    const ROOM: RoomId = RoomId(1);

    fn invitation(host: &str) -> Utterance {
        Utterance {
            parts: vec![
                speech::text(&format!("{host} invites you.")),
                Part::Prompt(PromptId::PressOneToJoin),
            ],
            otherwise: vec![Part::Prompt(PromptId::Invited), Part::Prompt(PromptId::PressOneToJoin)],
            ..Utterance::default()
        }
    }

    fn length(ready: &Ready) -> (usize, usize) {
        let Source::Clips(clips) = &ready.source else { panic!("clips") };
        (clips.len(), clips.iter().map(|clip| clip.samples(Rate::Narrow).len()).sum())
    }

    async fn said(speaker: &mut Speaker, utterance: Utterance) -> Ready {
        if let Some(ready) = speaker.say((LEG, ROOM, PlayingId(1)), utterance) {
            return ready;
        }
        let prepared = speaker.next().await.expect("a job");
        speaker.take(prepared).expect("it is to be said")
    }

    #[tokio::test]
    async fn d50_without_a_voice_the_recorded_words_are_said() {
        for voice in ["", "/nonexistent/voice", "/bin/false", "/bin/cat"] {
            let mut speaker = Speaker::new(PromptSet::default(), voice);
            let ready = said(&mut speaker, invitation("Ana")).await;
            assert_eq!(length(&ready).0, 2, "{voice}");
            assert!(length(&ready).1 > 16_000, "{voice}: the general sentence");
        }
    }

    #[tokio::test]
    async fn a_voice_that_is_missing_is_not_asked_again() {
        let mut speaker = Speaker::new(PromptSet::default(), "/nonexistent/voice");
        said(&mut speaker, invitation("Ana")).await;
        assert!(speaker.voice.is_none());
        assert!(speaker.say((LEG, ROOM, PlayingId(1)), invitation("Ben")).is_some(), "at once");
    }

    #[tokio::test]
    async fn d50_names_are_spoken_once_and_remembered() {
        if Command::new("espeak-ng").arg("--version").output().is_err() {
            return;
        }
        let mut speaker = Speaker::new(PromptSet::default(), "espeak-ng");
        let ready = said(&mut speaker, invitation("Ana")).await;
        let (clips, samples) = length(&ready);
        assert!(clips == 2 && samples > 12_000, "{clips} {samples}");
        assert!(speaker.say((LEG, ROOM, PlayingId(1)), invitation("Ana")).is_some(), "at once");
    }

    #[tokio::test]
    async fn what_is_overtaken_is_not_said() {
        let mut speaker = Speaker::new(PromptSet::default(), "/bin/cat");
        assert!(speaker.say((LEG, ROOM, PlayingId(1)), invitation("Ana")).is_none());
        speaker.forget(LEG);
        let prepared = speaker.next().await.expect("a job");
        assert!(speaker.take(prepared).is_none());
        assert_eq!(speaker.running, 0);
    }

    #[test]
    fn d50_a_folder_of_wav_files_replaces_prompts_and_mistakes_are_named() {
        let folder = std::env::temp_dir().join(format!("partyline-prompts-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("fr")).expect("a folder");
        let mut wav =
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
        wav.extend(320_u32.to_le_bytes());
        wav.extend([1; 320]);
        std::fs::write(folder.join("fr/goodbye.wav"), &wav).expect("a file");
        let set = load_prompts(Some(&folder)).expect("loads");
        assert_eq!(set.get(Language::French, PromptId::Goodbye).samples(Rate::Narrow).len(), 160);
        assert_ne!(set.get(Language::English, PromptId::Goodbye).samples(Rate::Narrow).len(), 160);
        std::fs::write(folder.join("goodby.wav"), &wav).expect("a file");
        assert!(load_prompts(Some(&folder)).expect_err("no such prompt").contains("goodby"));
        std::fs::write(folder.join("goodby.wav"), b"x").expect("a file");
        std::fs::rename(folder.join("goodby.wav"), folder.join("removed.wav")).expect("renamed");
        assert!(load_prompts(Some(&folder)).expect_err("no wav").contains("removed.wav"));
        std::fs::remove_dir_all(&folder).expect("gone");
    }
}
