//! What a callee does, step by step: the words of the script format (docs/LAB.md) as the lab and its SIPp scenarios
//! understand them.

use std::net::IpAddr;
use std::time::Duration;

use super::call::{Outcome, Script};
use super::sdp::Direction;
use crate::g711::Codec;
use crate::rtp_leg::KeyPress;

/// One thing a callee does. The next one follows at once; only [`Step::Wait`] takes time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Says nothing at all, not even 100; only as the first step.
    Silence,
    /// A provisional answer, 180 as a rule.
    Provisional(u16),
    /// 183 with a description; speaks at once.
    Early,
    /// The same with this tone.
    Progress(Option<u32>),
    /// Waits; a CANCEL or a BYE ends everything meanwhile.
    Wait(Duration),
    /// Asks for a password (407), and goes on when the INVITE comes again with one.
    Challenge {
        /// Says that only the nonce was too old.
        stale: bool,
    },
    /// A final refusal, with Retry-After in seconds.
    Refuse(u16, Option<u32>),
    /// 302 to another number.
    Redirect(String),
    /// From now on a CANCEL comes too late: the callee answers it with 200, and the INVITE, too.
    CrossCancel,
    /// 200.
    Answer(Answer),
    /// Speaks with this tone from now on, or falls silent.
    Say(Option<u32>),
    /// Presses a key.
    Press(KeyPress, KeyWay),
    /// Offers another direction (a re-INVITE): hold, and back.
    Direction(Direction),
    /// Refuses the next re-INVITE with 491.
    Glare,
    /// BYE.
    HangUp,
    /// Falls silent in every way, as after a cut cable.
    Die,
}

/// How a key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWay {
    /// As RFC 4733 or as a tone, by what the key itself says.
    Sound,
    /// As INFO with `application/dtmf-relay`.
    Info,
}

/// What is special about a 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Speaks this codec, whatever was offered; else the first of the offer.
    pub codec: Option<Codec>,
    /// The direction it describes.
    pub direction: Direction,
    /// The address in its description, whatever its own is.
    pub address: Option<IpAddr>,
    /// A second 200 with another To tag follows, as from a forking proxy's second phone.
    pub twice: bool,
    /// No description in it.
    pub bare: bool,
    /// Describes sound, and never sends a packet.
    pub mute: bool,
    /// Agrees to no telephone events: keys come as tones alone.
    pub eventless: bool,
    /// A session timer of so many seconds (RFC 4028) that the caller has to refresh.
    pub timer: Option<u32>,
}

impl Default for Answer {
    fn default() -> Self {
        let (twice, bare, mute, eventless) = (false, false, false, false);
        let (codec, direction, address, timer) = (None, Direction::SendRecv, None, None);
        Self { codec, direction, address, twice, bare, mute, eventless, timer }
    }
}

/// Rings by hand: nobody waits for longer.
const FOR_EVER: Duration = Duration::from_secs(3_600);

impl Script {
    /// A callee that does these steps.
    pub fn of_steps(steps: Vec<Step>) -> Self {
        Self { steps, ..Self::ring() }
    }

    /// All that it does as a callee.
    pub(super) fn as_steps(&self) -> Vec<Step> {
        if !self.steps.is_empty() {
            return self.steps.clone();
        }
        let provisional =
            self.provisional.map(|status| if self.early { Step::Early } else { Step::Provisional(status) });
        let mut steps: Vec<Step> = provisional.into_iter().collect();
        if self.crosses_cancel {
            steps.push(Step::CrossCancel);
        }
        let answer = Step::Answer(Answer { twice: self.forks, ..Answer::default() });
        match self.outcome {
            Outcome::Dead => return vec![Step::Silence],
            Outcome::Refuse(after, status) => steps.extend([Step::Wait(after), Step::Refuse(status, None)]),
            Outcome::Answer(after) => steps.extend([Step::Wait(after), answer]),
            Outcome::Ring => steps.extend([Step::Wait(FOR_EVER), answer]),
        }
        steps.extend(self.after_the_answer());
        steps
    }

    /// What it does once the call is answered, from either side.
    pub(super) fn after_the_answer(&self) -> Vec<Step> {
        let press = |(after, key): &(Duration, KeyPress)| (*after, Step::Press(*key, KeyWay::Sound));
        let mut due: Vec<(Duration, Step)> = self.keys.iter().map(press).collect();
        due.extend(self.hang_up_after.map(|after| (after, Step::HangUp)));
        due.sort_by_key(|(after, _)| *after);
        let mut passed = Duration::ZERO;
        let mut steps = Vec::new();
        for (after, step) in due {
            steps.extend([Step::Wait(after.saturating_sub(passed)), step]);
            passed = after;
        }
        steps
    }
}
