//! What follows from a change of a meeting or its people, within the very transaction that makes the change: the one
//! place to hang on whatever must happen with it or not at all, such as queued invitations.

use super::Services;
use super::actor::UserActor;
use super::error::ServiceError;
use crate::store::{Connection, MeetingRow, PersonRow};

#[expect(
    clippy::needless_pass_by_ref_mut,
    dead_code,
    unused_variables,
    reason = "invitations hang on here; until then nothing follows"
)]
impl Services {
    /// NEXT: the meeting exists, with everybody on its list (A19, A20).
    pub(super) async fn meeting_created(
        &self,
        connection: &mut Connection,
        by: &UserActor,
        meeting: &MeetingRow,
        people: &[PersonRow],
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// People were put on the list of a meeting that exists, or invited again.
    pub(super) async fn people_invited(
        &self,
        connection: &mut Connection,
        by: &UserActor,
        meeting: &MeetingRow,
        people: &[PersonRow],
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// Title, time or place of a meeting have changed; its calendar sequence was raised (I10).
    pub(super) async fn meeting_changed(
        &self,
        connection: &mut Connection,
        before: &MeetingRow,
        after: &MeetingRow,
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// A meeting was called off; its calendar sequence was raised (I10).
    pub(super) async fn meeting_cancelled(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// One person was taken off the list (I10, I74).
    pub(super) async fn person_removed(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        person: &PersonRow,
    ) -> Result<(), ServiceError> {
        Ok(())
    }
}
