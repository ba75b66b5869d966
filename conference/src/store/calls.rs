//! Calls into meetings and their append-only trail of events.

use super::columns::{Columns, millis, word};
use super::{Store, StoreError};
use crate::ids::{CallId, DeviceName, MeetingId, PersonId, TenantId, UserId};
use crate::live::call::Evidence;
use crate::live::event::CallStory;
use crate::store::Connection;
use crate::store::Row;
use crate::vocabulary::{Access, CallPurpose, CallState, Cause, Role, UnixMillis};

/// What is written before anything is sent.
#[derive(Clone, Debug)]
pub(crate) struct NewCall {
    pub(crate) id: CallId,
    pub(crate) tenant: TenantId,
    pub(crate) meeting: MeetingId,
    pub(crate) person: Option<PersonId>,
    pub(crate) acting_host: UserId,
    pub(crate) retry_of: Option<CallId>,
    /// What was asked for, as a host reads it: `Desk phone 103a`, `+12025550177`.
    pub(crate) target: String,
    pub(crate) user: Option<UserId>,
    pub(crate) device: Option<DeviceName>,
    /// E.164.
    pub(crate) number: Option<String>,
    pub(crate) display_name: String,
    pub(crate) role: Role,
    pub(crate) access: Access,
    /// Number, display name, hidden.
    pub(crate) caller: Option<(String, String, bool)>,
    pub(crate) sip_call_id: String,
    /// `Queued` or `Refused`.
    pub(crate) state: CallState,
    pub(crate) cause: Option<Cause>,
    pub(crate) detail: Option<String>,
    pub(crate) at: UnixMillis,
    pub(crate) story: NewStory,
}

/// What the policy said about a call, and why it is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewStory {
    pub(crate) purpose: CallPurpose,
    /// ISO 3166, of an outside number.
    pub(crate) country: Option<String>,
    pub(crate) price_class: Option<String>,
    /// A minute, in thousandths of the currency's unit.
    pub(crate) price_milli: u32,
    /// What the Host confirmed, words apart by spaces.
    pub(crate) confirmed: Option<String>,
    pub(crate) keys_sealed: Option<String>,
}

/// One row of `calls`.
#[derive(Clone, Debug)]
pub(crate) struct CallRow {
    pub(crate) id: CallId,
    pub(crate) meeting: MeetingId,
    pub(crate) person: Option<PersonId>,
    pub(crate) acting_host: UserId,
    pub(crate) retry_of: Option<CallId>,
    pub(crate) target: String,
    pub(crate) user: Option<UserId>,
    pub(crate) device: Option<DeviceName>,
    pub(crate) number: Option<String>,
    pub(crate) display_name: String,
    pub(crate) role: Role,
    pub(crate) access: Access,
    pub(crate) caller_number: Option<String>,
    pub(crate) state: CallState,
    pub(crate) cause: Option<Cause>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) detail: Option<String>,
    pub(crate) created_at: UnixMillis,
    /// Among those of one press.
    pub(crate) position: i64,
    pub(crate) answered_at: Option<UnixMillis>,
    pub(crate) ended_at: Option<UnixMillis>,
    pub(crate) story: NewStory,
    pub(crate) rang_at: Option<UnixMillis>,
    pub(crate) early_media: bool,
    pub(crate) carrier_words: Option<String>,
    pub(crate) over_trunk: Option<u64>,
    /// Who picked up, as far as it is known.
    pub(crate) evidence: Option<Evidence>,
}

/// One row of `call_events`.
#[derive(Clone, Debug)]
pub(crate) struct CallEventRow {
    pub(crate) at: UnixMillis,
    pub(crate) state: CallState,
    pub(crate) cause: Option<Cause>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) detail: Option<String>,
    pub(crate) early_media: bool,
    pub(crate) carrier_words: Option<String>,
    pub(crate) over_trunk: Option<u64>,
}

fn trunk(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}

fn sip_code(value: Option<i64>) -> Option<u16> {
    value.and_then(|value| u16::try_from(value).ok())
}

impl CallRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: CallId::new(row.text("id")?),
            meeting: MeetingId::new(row.text("meeting_id")?),
            person: row.optional_text("person_id")?.map(PersonId::new),
            acting_host: UserId::new(row.text("acting_host_id")?),
            retry_of: row.optional_text("retry_of")?.map(CallId::new),
            target: row.text("target")?,
            user: row.optional_text("user_id")?.map(UserId::new),
            device: row.optional_text("device")?.map(DeviceName::new),
            number: row.optional_text("number")?,
            display_name: row.text("display_name")?,
            role: row.word("role")?,
            access: row.word("access")?,
            caller_number: row.optional_text("caller_number")?,
            state: row.word("state")?,
            cause: row.optional_word("cause")?,
            sip_code: sip_code(row.optional_integer("sip_code")?),
            detail: row.optional_text("detail")?,
            created_at: row.time("created_at")?,
            position: row.integer("position")?,
            answered_at: row.optional_time("answered_at")?,
            ended_at: row.optional_time("ended_at")?,
            story: NewStory {
                purpose: row.word("purpose")?,
                country: row.optional_text("country")?,
                price_class: row.optional_text("price_class")?,
                price_milli: u32::try_from(row.integer("price_milli")?).unwrap_or(0),
                confirmed: row.optional_text("confirmed")?,
                keys_sealed: row.optional_text("keys_sealed")?,
            },
            rang_at: row.optional_time("rang_at")?,
            early_media: row.flag("early_media")?,
            carrier_words: row.optional_text("carrier_words")?,
            over_trunk: trunk(row.optional_integer("over_trunk")?),
            evidence: row.optional_text("evidence")?.and_then(|text| serde_json::from_str(&text).ok()),
        })
    }
}

impl CallEventRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            at: row.time("at")?,
            state: row.word("state")?,
            cause: row.optional_word("cause")?,
            sip_code: sip_code(row.optional_integer("sip_code")?),
            detail: row.optional_text("detail")?,
            early_media: row.flag("early_media")?,
            carrier_words: row.optional_text("carrier_words")?,
            over_trunk: trunk(row.optional_integer("over_trunk")?),
        })
    }
}

/// A step of a call, as written to `call_events` and to the call itself.
#[derive(Clone, Debug)]
pub(crate) struct CallStep<'a> {
    pub(crate) call: &'a CallId,
    pub(crate) state: CallState,
    pub(crate) cause: Option<Cause>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) detail: Option<&'a str>,
    pub(crate) at: UnixMillis,
    pub(crate) story: CallStory,
}

impl Store {
    /// Inserts a call with its first event.
    pub(crate) async fn insert_call(
        &self,
        connection: &mut Connection,
        call: &NewCall,
    ) -> Result<(), StoreError> {
        let (caller_number, caller_name, caller_hidden) = match &call.caller {
            Some((number, name, hidden)) => (Some(number.as_str()), Some(name.as_str()), *hidden),
            None => (None, None, false),
        };
        sqlx::query(
            "INSERT INTO calls (id, tenant_id, meeting_id, person_id, acting_host_id, retry_of, target_kind, \
             target, user_id, device, number, display_name, role, access, caller_number, caller_name, \
             caller_hidden, sip_call_id, state, cause, detail, created_at, updated_at, ended_at, position, purpose, \
             country, price_class, price_milli, confirmed, keys_sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $22, $23, (SELECT count(*) FROM calls WHERE meeting_id = $3), $24, $25, $26, $27, $28, $29)",
        )
        .bind(call.id.as_str())
        .bind(call.tenant.as_str())
        .bind(call.meeting.as_str())
        .bind(call.person.as_ref().map(PersonId::as_str))
        .bind(call.acting_host.as_str())
        .bind(call.retry_of.as_ref().map(CallId::as_str))
        .bind(if call.number.is_none() && call.user.is_some() { "device" } else { "number" })
        .bind(&call.target)
        .bind(call.user.as_ref().map(UserId::as_str))
        .bind(call.device.as_ref().map(DeviceName::as_str))
        .bind(call.number.as_deref())
        .bind(&call.display_name)
        .bind(word(&call.role))
        .bind(word(&call.access))
        .bind(caller_number)
        .bind(caller_name)
        .bind(i64::from(caller_hidden))
        .bind(&call.sip_call_id)
        .bind(word(&call.state))
        .bind(call.cause.map(|cause| word(&cause)))
        .bind(call.detail.as_deref())
        .bind(millis(call.at))
        .bind(call.state.is_final().then(|| millis(call.at)))
        .bind(word(&call.story.purpose))
        .bind(call.story.country.as_deref())
        .bind(call.story.price_class.as_deref())
        .bind(i64::from(call.story.price_milli))
        .bind(call.story.confirmed.as_deref())
        .bind(call.story.keys_sealed.as_deref())
        .execute(&mut *connection)
        .await?;
        let step = CallStep {
            call: &call.id,
            state: call.state,
            cause: call.cause,
            sip_code: None,
            detail: call.detail.as_deref(),
            at: call.at,
            story: CallStory::default(),
        };
        Self::insert_call_event(&mut *connection, &step).await?;
        self.queue_call_event(connection, &step).await
    }

    async fn insert_call_event(connection: &mut Connection, step: &CallStep<'_>) -> Result<(), StoreError> {
        // The tenant is taken from the call: what the running meetings report names calls only.
        sqlx::query(
            "INSERT INTO call_events (tenant_id, call_id, at, state, cause, sip_code, detail, early_media, \
             carrier_words, over_trunk) SELECT tenant_id, id, $1, $2, $3, $4, $5, $7, $8, $9 FROM calls WHERE id = $6",
        )
        .bind(millis(step.at))
        .bind(word(&step.state))
        .bind(step.cause.map(|cause| word(&cause)))
        .bind(step.sip_code.map(i64::from))
        .bind(step.detail)
        .bind(step.call.as_str())
        .bind(i64::from(step.story.early_media))
        .bind(step.story.carrier_words.as_deref())
        .bind(step.story.trunk.map(|trunk| millis(UnixMillis(trunk.0))))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Appends a step and brings the call up to it. A call that has ended stays as it ended.
    pub(crate) async fn record_call_step(&self, step: &CallStep<'_>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        self.write_call_step(&mut transaction, step).await?;
        Ok(transaction.commit().await?)
    }

    /// The same within a transaction.
    pub(super) async fn write_call_step(
        &self,
        connection: &mut Connection,
        step: &CallStep<'_>,
    ) -> Result<(), StoreError> {
        Self::insert_call_event(&mut *connection, step).await?;
        // The running meeting reports what was written when the call was placed, too: that is no news.
        let news = sqlx::query("SELECT 1 FROM calls WHERE id = $1 AND state <> $2")
            .bind(step.call.as_str())
            .bind(word(&step.state))
            .fetch_optional(&mut *connection)
            .await?;
        let changed = sqlx::query(
            "UPDATE calls SET state = $1, cause = $2, sip_code = coalesce($3, sip_code), detail = $4, \
             updated_at = $5, \
             answered_at = CASE WHEN $1 IN ('answered', 'confirming', 'joined') \
                           THEN coalesce(answered_at, $5) ELSE answered_at END, \
             ended_at = CASE WHEN $6 = 1 THEN $5 ELSE ended_at END, \
             rang_at = CASE WHEN $1 = 'ringing' THEN coalesce(rang_at, $5) ELSE rang_at END, \
             early_media = CASE WHEN $8 = 1 THEN 1 ELSE early_media END, \
             carrier_words = coalesce($9, carrier_words), over_trunk = coalesce($10, over_trunk) \
             WHERE id = $7 AND state NOT IN ('ended', 'failed', 'refused', 'cancelled')",
        )
        .bind(word(&step.state))
        .bind(step.cause.map(|cause| word(&cause)))
        .bind(step.sip_code.map(i64::from))
        .bind(step.detail)
        .bind(millis(step.at))
        .bind(i64::from(step.state.is_final()))
        .bind(step.call.as_str())
        .bind(i64::from(step.story.early_media))
        .bind(step.story.carrier_words.as_deref())
        .bind(step.story.trunk.map(|trunk| millis(UnixMillis(trunk.0))))
        .execute(&mut *connection)
        .await?;
        if news.is_some() && changed.rows_affected() > 0 {
            self.queue_call_event(connection, step).await?;
        }
        Ok(())
    }

    pub(crate) async fn call(&self, tenant: &TenantId, id: &CallId) -> Result<Option<CallRow>, StoreError> {
        sqlx::query("SELECT * FROM calls WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| CallRow::read(&row))
            .transpose()
    }

    /// The calls of a meeting, newest first, from behind this one on; `limit` of them at most.
    pub(crate) async fn calls(
        &self,
        tenant: &TenantId,
        meeting: &MeetingId,
        after: Option<&(i64, i64, String)>,
        limit: i64,
    ) -> Result<Vec<CallRow>, StoreError> {
        let (at, position, id) =
            after.map_or((i64::MAX, i64::MAX, ""), |(at, position, id)| (*at, *position, id.as_str()));
        let rows = sqlx::query(
            "SELECT * FROM calls WHERE tenant_id = $1 AND meeting_id = $2 AND (created_at, position, id) < ($3, $4, $5) \
             ORDER BY created_at DESC, position DESC, id DESC LIMIT $6",
        )
        .bind(tenant.as_str())
        .bind(meeting.as_str())
        .bind(at)
        .bind(position)
        .bind(id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(CallRow::read).collect()
    }

    /// The trail of a call, in order.
    pub(crate) async fn call_events(
        &self,
        tenant: &TenantId,
        call: &CallId,
    ) -> Result<Vec<CallEventRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM call_events WHERE tenant_id = $1 AND call_id = $2 ORDER BY id")
            .bind(tenant.as_str())
            .bind(call.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(CallEventRow::read).collect()
    }
}
