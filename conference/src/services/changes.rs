//! What follows from a change of a meeting or its people, within the very transaction that makes the change: the one
//! place to hang on whatever must happen with it or not at all, such as queued invitations. What comes back is told to
//! watchers once the transaction is through ([`Services::tell`]).

use super::Services;
use super::actor::UserActor;
use super::error::ServiceError;
use super::invitations::Told;
use super::invitations::queue::Press;
use crate::store::{Connection, MeetingRow, PersonRow};

impl Services {
    /// NEXT: the meeting exists, with everybody on its list (A19, A20). The owner is sent nothing.
    pub(super) async fn meeting_created(
        &self,
        connection: &mut Connection,
        by: &UserActor,
        meeting: &MeetingRow,
        people: &[PersonRow],
    ) -> Result<Told, ServiceError> {
        let created = self.record_event(connection, self.created_event(meeting)).await?;
        self.store.queue_person_events(connection, "person.added", people, self.now()).await?;
        let invited = self.people_invited(connection, by, meeting, people).await?;
        Ok(Told::of([created]).and(invited))
    }

    /// People were put on the list of a meeting that exists, or invited again.
    pub(super) async fn people_invited(
        &self,
        connection: &mut Connection,
        by: &UserActor,
        meeting: &MeetingRow,
        people: &[PersonRow],
    ) -> Result<Told, ServiceError> {
        let mut told = Told::default();
        let invited: Vec<_> = people.iter().filter(|person| person.user() != Some(&by.user)).collect();
        if invited.is_empty() {
            return Ok(told);
        }
        let post = self.post(connection, meeting, Some(&by.user)).await?;
        for person in invited {
            self.queue_invitation(connection, &post, person, Press::Invite, &mut told).await?;
        }
        Ok(told)
    }

    /// Title, time or place of a meeting have changed; its calendar sequence was raised (I10).
    #[allow(dead_code, reason = "called by the handler that changes meetings")]
    pub(super) async fn meeting_changed(
        &self,
        connection: &mut Connection,
        _before: &MeetingRow,
        after: &MeetingRow,
    ) -> Result<Told, ServiceError> {
        let post = self.post(connection, after, None).await?;
        self.queue_update(connection, &post).await
    }

    /// A meeting was called off; its calendar sequence was raised (I10).
    #[allow(dead_code, reason = "called by the handler that deletes meetings")]
    pub(super) async fn meeting_cancelled(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
    ) -> Result<Told, ServiceError> {
        let post = self.post(connection, meeting, None).await?;
        self.queue_cancel(connection, &post).await?;
        Ok(Told::default())
    }

    /// One person was taken off the list (I10, I74).
    pub(super) async fn person_removed(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        person: &PersonRow,
    ) -> Result<Told, ServiceError> {
        let post = self.post(connection, meeting, None).await?;
        self.queue_removal(connection, &post, person).await?;
        Ok(Told::default())
    }
}
