//! Registering with a trunk: refresh in time, back off when it fails.
//!
//! ```text
//!  Waiting --due--> Trying --2xx--> Registered --due--> Trying
//!     ^               |
//!     \--failure------/        Off: not wanted any more
//! ```

use std::time::{Duration, Instant};

use crate::random::Random;

/// What is asked of the trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkRegistration {
    /// The user part of the address of record at the trunk.
    pub aor_user: String,
    /// The registration time asked for, in seconds.
    pub expires: u32,
}

/// The upper bound of the first wait after a failure; it doubles with each further one. Half of it is the shortest.
const FIRST_BACK_OFF: Duration = Duration::from_secs(60);
/// The longest wait between two tries.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);
/// A trunk cannot ask us to stay away for longer.
const LONGEST_RETRY_AFTER: u32 = 3_600;

/// What the owner of the trunk should hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationChange {
    /// The trunk has accepted.
    Up,
    /// It has refused with this status, or not answered at all.
    Down(Option<u16>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RegistrationState {
    Waiting { until: Instant },
    Trying,
    Registered { refresh_at: Instant },
    Off,
}

/// One registration with a trunk.
#[derive(Debug)]
pub struct Registration {
    state: RegistrationState,
    /// Call-ID of all its REGISTERs (RFC 3261 section 10.2.4).
    call_id: String,
    cseq: u32,
    /// The time asked for in seconds; a 423 raises it.
    expires: u32,
    failures: u32,
    reported: Option<RegistrationChange>,
}

impl Registration {
    /// A registration to be tried at once.
    pub fn new(now: Instant, wanted: &TrunkRegistration, call_id: String) -> Self {
        let state = RegistrationState::Waiting { until: now };
        Self { state, call_id, cseq: 0, expires: wanted.expires.max(1), failures: 0, reported: None }
    }

    /// When a REGISTER is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            RegistrationState::Waiting { until } => Some(until),
            RegistrationState::Registered { refresh_at } => Some(refresh_at),
            RegistrationState::Trying | RegistrationState::Off => None,
        }
    }

    /// A REGISTER is about to be sent: its Call-ID, CSeq number and Expires.
    pub fn next_request(&mut self) -> (String, u32, u32) {
        self.cseq += 1;
        let expires = if self.state == RegistrationState::Off {
            0
        } else {
            self.state = RegistrationState::Trying;
            self.expires
        };
        (self.call_id.clone(), self.cseq, expires)
    }

    /// The last request was sent once more, with the next CSeq number.
    pub fn count_request(&mut self) {
        self.cseq += 1;
    }

    /// Not wanted any more; `true` if the trunk should be told so.
    pub fn stop(&mut self) -> bool {
        let told = self.reported == Some(RegistrationChange::Up) || self.state == RegistrationState::Trying;
        self.state = RegistrationState::Off;
        told
    }

    /// Nothing can be sent yet: tries again at that time.
    pub fn postpone(&mut self, until: Instant) {
        if !self.is_stopped() {
            self.state = RegistrationState::Waiting { until };
        }
    }

    /// What a first REGISTER has waited for is over; `false` if it was not waiting.
    pub fn begin(&mut self, now: Instant) -> bool {
        let waits = self.cseq == 0 && matches!(self.state, RegistrationState::Waiting { .. });
        if waits {
            self.state = RegistrationState::Waiting { until: now };
        }
        waits
    }

    /// Whether the trunk has accepted, and not refused since.
    pub fn is_up(&self) -> bool {
        self.reported == Some(RegistrationChange::Up)
    }

    /// Whether it has been stopped.
    pub fn is_stopped(&self) -> bool {
        self.state == RegistrationState::Off
    }

    /// The trunk has accepted for so many seconds.
    pub(crate) fn handle_accepted(
        &mut self,
        now: Instant,
        granted: u32,
        random: &mut Random,
    ) -> Option<RegistrationChange> {
        if self.is_stopped() {
            return None;
        }
        self.failures = 0;
        // Between 3/4 and 9/10 of the time, so that many trunks do not refresh together.
        let millis = u64::from(granted.max(1)) * 750;
        let spread = random.up_to(u64::from(granted) * 150);
        self.state =
            RegistrationState::Registered { refresh_at: now + Duration::from_millis(millis + spread) };
        self.report(RegistrationChange::Up)
    }

    /// 423: ask again at once for the time the trunk wants (section 10.2.8); `false` if it names none.
    pub fn handle_too_brief(&mut self, now: Instant, min_expires: Option<u32>) -> bool {
        match min_expires {
            Some(seconds) if seconds > self.expires && !self.is_stopped() => {
                self.expires = seconds;
                self.state = RegistrationState::Waiting { until: now };
                true
            }
            Some(_) | None => false,
        }
    }

    /// The trunk has refused, or (`None`) not answered.
    pub(crate) fn handle_failed(
        &mut self,
        now: Instant,
        status: Option<u16>,
        retry_after: Option<u32>,
        random: &mut Random,
    ) -> Option<RegistrationChange> {
        if self.is_stopped() {
            return None;
        }
        let wait = self
            .back_off(random)
            .max(Duration::from_secs(retry_after.unwrap_or(0).min(LONGEST_RETRY_AFTER).into()));
        self.failures = self.failures.saturating_add(1);
        self.state = RegistrationState::Waiting { until: now + wait };
        self.report(RegistrationChange::Down(status))
    }

    /// Between half and all of a bound that doubles each time: below the
    /// longest wait the gaps never shrink, and trunks that failed together come back apart.
    fn back_off(&self, random: &mut Random) -> Duration {
        let bound = FIRST_BACK_OFF.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let half = bound.min(LONGEST_BACK_OFF) / 2;
        half + Duration::from_millis(random.up_to(u64::try_from(half.as_millis()).unwrap_or(0)))
    }

    /// Says a thing once.
    fn report(&mut self, change: RegistrationChange) -> Option<RegistrationChange> {
        let news = self.reported != Some(change);
        self.reported = Some(change);
        news.then_some(change)
    }
}
