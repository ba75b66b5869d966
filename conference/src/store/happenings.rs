//! What the running meetings report, told to webhooks in the transaction in which it is recorded.

use super::columns::{Columns, word};
use super::{CallStep, Connection, OutgoingEvent, PersonRow, Store, StoreError};
use crate::ids::{CallId, MeetingId, PersonId, TenantId};
use crate::live::event::CallStory;
use crate::vocabulary::{CallState, Cause, LegKind, MeetingState, UnixMillis};

impl Store {
    /// A call has come to a step.
    pub(crate) async fn queue_call_event(
        &self,
        connection: &mut Connection,
        step: &CallStep<'_>,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT c.* FROM calls c WHERE c.id = $1 \
             AND EXISTS (SELECT 1 FROM webhooks w WHERE w.tenant_id = c.tenant_id AND w.enabled = 1)",
        )
        .bind(step.call.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(()) };
        let row = Columns(&row);
        let (tenant, meeting) =
            (TenantId::new(row.text("tenant_id")?), MeetingId::new(row.text("meeting_id")?));
        let words = step.cause.map_or_else(|| step.state.words(), Cause::words);
        let data = serde_json::json!({
            "call": step.call, "person": row.optional_text("person_id")?, "state": step.state, "cause": step.cause,
            "sip_code": step.sip_code, "words": words, "detail": step.detail, "target": row.text("target")?,
            "display_name": row.text("display_name")?, "role": row.text("role")?,
            "number": row.optional_text("number")?, "at": step.at,
        });
        let kind = format!("call.{}", step.state.as_str());
        let event =
            OutgoingEvent { tenant: &tenant, meeting: Some(&meeting), kind: &kind, at: step.at, data };
        self.queue_event(connection, &event).await
    }

    /// A meeting has entered a state.
    pub(crate) async fn queue_meeting_event(
        &self,
        connection: &mut Connection,
        meeting: &MeetingId,
        state: MeetingState,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        if state == MeetingState::Scheduled {
            return Ok(());
        }
        let data = |title: &str| serde_json::json!({ "meeting": meeting, "title": title, "state": state });
        self.queue_of_meeting(connection, meeting, &format!("meeting.{}", word(&state)), at, data).await
    }

    /// People of one meeting were put on its list (`person.added`) or taken off it (`person.removed`), or one was given
    /// another role or access.
    pub(crate) async fn queue_person_events(
        &self,
        connection: &mut Connection,
        kind: &str,
        people: &[PersonRow],
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let Some(first) = people.first() else { return Ok(()) };
        let hooks = Self::hooks_for(connection, &first.tenant, kind).await?;
        for hook in &hooks {
            for row in people {
                let data = serde_json::json!({
                    "person": row.id, "user": row.user(), "display_name": row.display_name, "role": row.role,
                    "access": row.access, "source": row.source,
                });
                let event =
                    OutgoingEvent { tenant: &row.tenant, meeting: Some(&row.meeting), kind, at, data };
                self.queue_event_for(connection, hook, &event).await?;
            }
        }
        Ok(())
    }

    /// Somebody has taken over as Host.
    pub(super) async fn queue_role_event(
        &self,
        connection: &mut Connection,
        meeting: &MeetingId,
        person: &PersonId,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT * FROM people WHERE meeting_id = $1 AND id = $2")
            .bind(meeting.as_str())
            .bind(person.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(()) };
        self.queue_person_events(connection, "person.role_changed", &[PersonRow::read(&row)?], at).await
    }

    /// Somebody came (`joined`) or went (`left`).
    pub(crate) async fn queue_attendance_event(
        &self,
        connection: &mut Connection,
        meeting: &MeetingId,
        (person, what, leg_kind): (&str, &str, Option<LegKind>),
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT display_name, role FROM people WHERE meeting_id = $1 AND id = $2")
            .bind(meeting.as_str())
            .bind(person)
            .fetch_optional(&mut *connection)
            .await?;
        let text = |column| row.as_ref().map(|row| Columns(row).text(column)).transpose();
        let (name, role) = (text("display_name")?, text("role")?);
        let data = |_: &str| serde_json::json!({ "person": person, "display_name": name, "role": role, "leg_kind": leg_kind });
        self.queue_of_meeting(connection, meeting, &format!("person.{what}"), at, data).await
    }

    async fn queue_of_meeting(
        &self,
        connection: &mut Connection,
        meeting: &MeetingId,
        kind: &str,
        at: UnixMillis,
        data: impl FnOnce(&str) -> serde_json::Value,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT tenant_id, title FROM meetings WHERE id = $1")
            .bind(meeting.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(()) };
        let tenant = TenantId::new(Columns(&row).text("tenant_id")?);
        let data = data(&Columns(&row).text("title")?);
        let event = OutgoingEvent { tenant: &tenant, meeting: Some(meeting), kind, at, data };
        self.queue_event(connection, &event).await
    }

    /// The calls that were in flight when the process ended have been closed: webhooks are told as of any other end.
    pub(crate) async fn queue_lost_calls(
        &self,
        connection: &mut Connection,
        calls: &[(CallId, UnixMillis)],
    ) -> Result<(), StoreError> {
        for (call, at) in calls {
            let step = CallStep {
                call,
                state: CallState::Ended,
                cause: Some(Cause::Lost),
                sip_code: None,
                detail: Some("the gateway was restarted"),
                at: *at,
                story: CallStory::default(),
            };
            self.queue_call_event(connection, &step).await?;
        }
        Ok(())
    }
}
