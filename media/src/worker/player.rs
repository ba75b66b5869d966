//! What is played to one leg: a prompt or a tone, frame by frame.

use crate::prompt::PromptTable;
use crate::sample::{FULL_FRAME, Rate};
use crate::tone::Oscillator;

use super::types::Source;

/// Plays one source at the leg's rate.
#[derive(Debug)]
pub(super) struct Player {
    rate: Rate,
    playing: Option<Playing>,
    frame: [i16; FULL_FRAME],
}

#[derive(Debug)]
struct Playing {
    source: Source,
    repeat: bool,
    /// Samples played so far, in this repetition.
    position: usize,
    oscillator: Oscillator,
}

impl Player {
    /// Length of a tone that is not repeated, in ticks (400 ms).
    const TONE_TICKS: usize = 20;

    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, playing: None, frame: [0; FULL_FRAME] }
    }

    pub(super) fn play(&mut self, source: Source, repeat: bool) {
        let hz = match source {
            Source::Prompt(_) => 0,
            Source::Tone { hz } => u32::from(hz),
        };
        let oscillator = Oscillator::new(hz, self.rate.hz());
        self.playing = Some(Playing { source, repeat, position: 0, oscillator });
    }

    pub(super) fn stop(&mut self) {
        self.playing = None;
    }

    /// Makes the next tick; says whether something played, and whether it ended with this tick.
    pub(super) fn tick(&mut self) -> (bool, bool) {
        let Some(playing) = &mut self.playing else { return (false, false) };
        let Some(frame) = self.frame.get_mut(..self.rate.frame()) else { return (false, false) };
        let ended = match playing.source {
            Source::Prompt(prompt) => {
                let samples = PromptTable::shared().get(prompt).samples(self.rate);
                playing.fill_from(samples, frame)
            }
            Source::Tone { .. } => {
                frame.iter_mut().for_each(|sample| *sample = playing.oscillator.next_sample());
                playing.position += 1;
                playing.position >= Self::TONE_TICKS
            }
        };
        let over = ended && !playing.repeat;
        if over {
            self.playing = None;
        }
        (true, over)
    }

    /// The frame made by the last [`Self::tick`] that played something.
    pub(super) fn frame(&self) -> &[i16] {
        self.frame.get(..self.rate.frame()).unwrap_or_default()
    }
}

impl Playing {
    /// Copies the next tick of a recording; says whether its end was reached, and then begins anew.
    fn fill_from(&mut self, samples: &[i16], frame: &mut [i16]) -> bool {
        let rest = samples.get(self.position..).unwrap_or_default();
        for (to, from) in frame.iter_mut().zip(rest.iter().copied().chain(std::iter::repeat(0))) {
            *to = from;
        }
        self.position += frame.len();
        let ended = self.position >= samples.len();
        if ended {
            self.position = 0;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::PromptId;

    #[test]
    fn a_prompt_plays_once_and_says_when_it_is_over() {
        let mut player = Player::new(Rate::Narrow);
        assert_eq!(player.tick(), (false, false));
        player.play(Source::Prompt(PromptId::Goodbye), false);
        let mut played = Vec::new();
        loop {
            let (playing, over) = player.tick();
            assert!(playing);
            played.extend_from_slice(player.frame());
            if over {
                break;
            }
        }
        let recording = PromptTable::shared().get(PromptId::Goodbye).samples(Rate::Narrow);
        assert_eq!(played[..recording.len()], *recording);
        assert!(played[recording.len()..].iter().all(|&s| s == 0));
        assert_eq!(player.tick(), (false, false));
    }

    #[test]
    fn repetition_goes_on_until_stopped_and_tones_are_beeps_otherwise() {
        let mut player = Player::new(Rate::Full);
        player.play(Source::Tone { hz: 440 }, true);
        assert!((0..100).all(|_| player.tick() == (true, false)));
        player.stop();
        assert_eq!(player.tick(), (false, false));
        player.play(Source::Tone { hz: 440 }, false);
        assert_eq!((0..30).filter(|_| player.tick().0).count(), 20);
        player.play(Source::Prompt(PromptId::Goodbye), true);
        assert!((0..200).all(|_| player.tick() == (true, false)));
    }
}
