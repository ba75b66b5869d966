//! What a call's row says to a Host, and the one thing that may be done next (asks 2.1).

use crate::vocabulary::{CallState, Cause};
use serde::{Deserialize, Serialize};

/// After this long a busy line is worth another try.
const BUSY_AGAIN_S: u32 = 120;

/// What a button beside the row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NextAction {
    /// `DELETE /v1/calls/{id}` while it is not answered.
    Cancel,
    /// `DELETE /v1/calls/{id}` afterwards.
    HangUp,
    /// `POST /v1/calls/{id}/retry` at once.
    Retry,
    /// The same after `after_seconds`, by `PUT /v1/calls/{id}/again`.
    RetryLater,
    /// Type the number again.
    Edit,
    /// Call an outside number of the same person.
    CallNumber,
    /// Choose another device.
    ChooseDevice,
    /// Send an invitation instead.
    Invite,
    /// Set a caller ID in the profile.
    SetCallerId,
    /// Confirm, and call again.
    Confirm,
    /// Only the Tenant Admin can help.
    AskAdmin,
    /// Come into the meeting as Host.
    Join,
    /// Wait; the limit passes.
    Wait,
    /// There is nothing to do.
    Nothing,
}

/// The next step: what a button does, and what stands on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NextStep {
    /// What it does.
    pub action: NextAction,
    /// What stands on it; empty for nothing.
    pub label: String,
    /// After how long it is worth doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seconds: Option<u32>,
}

/// The next step of a call. `outside` says that it goes to a number behind a trunk.
pub fn next_step(state: CallState, cause: Option<Cause>, outside: bool) -> NextStep {
    let (action, label) = match (state, cause) {
        (CallState::Queued | CallState::Dialling | CallState::Ringing, _) => (NextAction::Cancel, "Cancel"),
        (CallState::Answered | CallState::Confirming | CallState::Joined, _) => {
            (NextAction::HangUp, "Hang up")
        }
        (_, Some(cause)) => after(cause, outside),
        (_, None) => (NextAction::Retry, "Call again"),
    };
    let after_seconds = (action == NextAction::RetryLater).then_some(BUSY_AGAIN_S);
    NextStep { action, label: label.to_owned(), after_seconds }
}

fn after(cause: Cause, outside: bool) -> (NextAction, &'static str) {
    match cause {
        Cause::Busy => (NextAction::RetryLater, "Try again in 2 min"),
        Cause::NoAnswer if outside => (NextAction::Invite, "Send an invitation"),
        Cause::NoAnswer | Cause::NotRegistered | Cause::NoDevice => {
            (NextAction::CallNumber, "Call a number instead")
        }
        Cause::Declined | Cause::NotConfirmed | Cause::DoNotCall => {
            (NextAction::Invite, "Send an invitation")
        }
        Cause::NotWorkingNumber | Cause::NoSuchExtension => (NextAction::Edit, "Edit the number"),
        Cause::NoCallerId | Cause::CallerIdNotOwned => (NextAction::SetCallerId, "Set your Caller ID"),
        Cause::ConfirmNeeded | Cause::QuietHours => (NextAction::Confirm, "Call now"),
        Cause::DestinationDenied | Cause::BudgetSpent | Cause::DialOutOff => {
            (NextAction::AskAdmin, "Ask your Tenant Admin")
        }
        Cause::RateLimited | Cause::TooManyAtOnce | Cause::CallsPaused | Cause::TrunkBusy => {
            (NextAction::Wait, "Wait a little")
        }
        Cause::NoHost => (NextAction::Join, "Join as Host"),
        Cause::Emergency | Cause::AlreadyIn | Cause::MeetingEnded => (NextAction::Nothing, ""),
        Cause::TrunkDown
        | Cause::MediaFailed
        | Cause::MeetingLocked
        | Cause::Cancelled
        | Cause::HungUp
        | Cause::Lost
        | Cause::Internal => (NextAction::Retry, "Call again"),
    }
}

/// Whether a call that ended so may be made again by itself, when a Host asked for that on its row (I55). Never after
/// somebody said no, in whatever way.
pub fn may_ring_again(cause: Option<Cause>) -> bool {
    matches!(
        cause,
        Some(
            Cause::Busy
                | Cause::NoAnswer
                | Cause::TrunkDown
                | Cause::TrunkBusy
                | Cause::Lost
                | Cause::NotRegistered
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word of the closed list, in the order of the vocabulary.
    const CAUSES: [Cause; 31] = [
        Cause::Busy,
        Cause::Declined,
        Cause::NoAnswer,
        Cause::NotConfirmed,
        Cause::NotWorkingNumber,
        Cause::NotRegistered,
        Cause::NoDevice,
        Cause::NoSuchExtension,
        Cause::NoCallerId,
        Cause::CallerIdNotOwned,
        Cause::Emergency,
        Cause::DestinationDenied,
        Cause::DoNotCall,
        Cause::QuietHours,
        Cause::RateLimited,
        Cause::TrunkBusy,
        Cause::TrunkDown,
        Cause::MediaFailed,
        Cause::NoHost,
        Cause::MeetingLocked,
        Cause::MeetingEnded,
        Cause::AlreadyIn,
        Cause::Cancelled,
        Cause::HungUp,
        Cause::Lost,
        Cause::Internal,
        Cause::ConfirmNeeded,
        Cause::BudgetSpent,
        Cause::TooManyAtOnce,
        Cause::CallsPaused,
        Cause::DialOutOff,
    ];

    #[test]
    fn i52_d35_every_row_has_a_sentence_and_one_next_step() {
        for cause in CAUSES {
            for outside in [true, false] {
                let step = next_step(CallState::Failed, Some(cause), outside);
                assert_eq!(step.label.is_empty(), step.action == NextAction::Nothing, "{cause:?}");
                assert!(!cause.words().is_empty());
            }
        }
        let busy = next_step(CallState::Failed, Some(Cause::Busy), true);
        assert_eq!((busy.label.as_str(), busy.after_seconds), ("Try again in 2 min", Some(120)));
        let wrong = next_step(CallState::Failed, Some(Cause::NotWorkingNumber), true);
        assert_eq!((wrong.action, wrong.label.as_str()), (NextAction::Edit, "Edit the number"));
        assert_eq!(next_step(CallState::Ringing, None, true).action, NextAction::Cancel);
        assert_eq!(next_step(CallState::Joined, None, true).action, NextAction::HangUp);
    }

    #[test]
    fn i52_each_reason_has_a_code_and_a_sentence_of_its_own() {
        let sentences: std::collections::BTreeSet<&str> = CAUSES.iter().map(|cause| cause.words()).collect();
        let codes: std::collections::BTreeSet<String> =
            CAUSES.iter().map(|cause| serde_json::to_string(cause).unwrap()).collect();
        assert_eq!((sentences.len(), codes.len()), (CAUSES.len(), CAUSES.len()));
        // The closed list of the vocabulary: no reason is missing here.
        assert!(CAUSES.iter().enumerate().all(|(place, cause)| *cause as usize == place));
        assert!(serde_json::from_str::<Cause>("\"no_such_reason\"").is_err());
    }

    #[test]
    fn i55_nobody_who_said_no_is_rung_again_by_itself() {
        for cause in [Cause::Declined, Cause::DoNotCall, Cause::NotConfirmed, Cause::Cancelled, Cause::HungUp]
        {
            assert!(!may_ring_again(Some(cause)), "{cause:?}");
        }
        assert!(may_ring_again(Some(Cause::Busy)) && may_ring_again(Some(Cause::NoAnswer)));
        assert!(!may_ring_again(None));
    }
}
