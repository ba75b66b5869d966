//! Reminders before a planned start, by the clock (I18).
//!
//! A meeting's row says when it is next to be looked at. Whoever looks writes the mails and the next time in one
//! transaction, so that each run is reminded of once, whatever happens in between; a new plan writes a new time.

use super::Services;
use super::error::ServiceError;
use super::schedule::{Schedule, Span, millis};
use super::views::{InvitationStatus, Rsvp};
use crate::ids::MeetingId;
use crate::store::{Connection, InvitationRow, MeetingRow, PersonRow, Store, StoreError};
use crate::vocabulary::{MeetingState, UnixMillis};

/// How long before the start.
const LEAD_MS: u64 = 10 * 60 * 1000;
/// How many meetings are looked at before others get their turn at the database.
const AT_ONCE: i64 = 100;
/// How many runs are looked at to find the one to come: at most two of them can have begun.
const RUNS: u16 = 8;

impl Services {
    /// Queues the reminders whose time has come; returns how many. To be called every few seconds.
    ///
    /// # Errors
    /// When the database fails: the rest is found by the next call.
    pub async fn send_reminders(&self) -> Result<usize, ServiceError> {
        let mut sent = 0;
        for meeting in self.store.meetings_to_remind(self.now(), AT_ONCE).await? {
            sent += self.remind_of(&meeting).await?;
        }
        Ok(sent)
    }

    async fn remind_of(&self, id: &MeetingId) -> Result<usize, ServiceError> {
        let now = self.now();
        let mut transaction = self.store.begin().await?;
        let Some(meeting) = Store::meeting_to_remind(&mut transaction, id, now).await? else { return Ok(0) };
        let sent = match due(&meeting, now) {
            Some(run) => self.queue_reminders(&mut transaction, &meeting, run).await?,
            None => 0,
        };
        Store::set_remind_at(&mut transaction, id, next_reminder(&meeting, now)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(sent)
    }

    async fn queue_reminders(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        run: Span,
    ) -> Result<usize, ServiceError> {
        let post = self.post(connection, meeting, None).await?.of_run(millis(run.start), millis(run.end));
        let invitations = Store::invitations_within(connection, &meeting.tenant, &meeting.id).await?;
        let people = Store::people_within(connection, &meeting.tenant, &meeting.id).await?;
        let mut sent = 0;
        for invitation in invitations.iter().filter(|row| is_expected(row)) {
            let person = people.iter().find(|person| person.id == invitation.person);
            if let Some(person) = person.filter(|person: &&PersonRow| person.removed_at.is_none()) {
                self.queue_reminder(connection, &post, person, invitation).await?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// Writes down when a new or changed meeting is to be reminded of.
    pub(super) async fn plan_reminder(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
    ) -> Result<(), ServiceError> {
        let at = next_reminder(meeting, self.now());
        Ok(Store::set_remind_at(connection, &meeting.id, at).await?)
    }
}

/// Whether somebody was told of the meeting and has not said no.
fn is_expected(row: &InvitationRow) -> bool {
    let told = matches!(row.status, InvitationStatus::Queued | InvitationStatus::Sent);
    told && row.address.is_some() && row.rsvp != Some(Rsvp::Declined)
}

fn may_remind(meeting: &MeetingRow) -> bool {
    let over =
        [MeetingState::Draft, MeetingState::Cancelled, MeetingState::Complete].contains(&meeting.state);
    meeting.settings.reminder && !over
}

fn runs(meeting: &MeetingRow, now: UnixMillis) -> Vec<Span> {
    Schedule::of(&meeting.plan).map(|schedule| schedule.occurrences(now, RUNS)).unwrap_or_default()
}

fn remind_at(run: &Span) -> UnixMillis {
    UnixMillis(millis(run.start).0.saturating_sub(LEAD_MS))
}

/// The run that starts within the next ten minutes.
fn due(meeting: &MeetingRow, now: UnixMillis) -> Option<Span> {
    let soon = |run: &Span| remind_at(run) <= now && now < millis(run.start);
    runs(meeting, now).into_iter().find(soon).filter(|_| may_remind(meeting))
}

/// When the first run that is more than ten minutes away is to be reminded of. Who is invited to one that is nearer has
/// just been told when it starts.
fn next_reminder(meeting: &MeetingRow, now: UnixMillis) -> Option<UnixMillis> {
    let next = runs(meeting, now).iter().map(remind_at).find(|at| *at > now);
    next.filter(|_| may_remind(meeting))
}

#[cfg(test)]
#[path = "reminder_tests.rs"]
mod tests;
