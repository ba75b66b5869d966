//! Writing down what the running meetings report.

use super::columns::millis;
use super::registrations::RegistrationRow;
use super::{BanRow, CallStep, Connection, Store, StoreError};
use crate::live::event::Record;
use crate::vocabulary::UnixMillis;
use sip_core::ua::BindingInfo;
use sqlx::Row as _;

/// Writes records in the order in which it is given them, each of them once. One task owns it and feeds it from a queue,
/// so neither the SIP nor the media path ever waits for the database.
#[derive(Debug)]
pub struct RecordWriter {
    store: Store,
    /// This writer's row, from its first record on.
    id: Option<i64>,
    /// How many records are in the database.
    position: i64,
}

impl RecordWriter {
    /// A writer to this database.
    pub fn new(store: Store) -> Self {
        Self { store, id: None, position: 0 }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// As [`Self::write_all`].
    pub async fn write(&mut self, record: &Record) -> Result<(), StoreError> {
        self.write_all(std::slice::from_ref(record)).await
    }

    /// Writes records, all or none of them.
    ///
    /// # Errors
    /// When the database fails. The same records may be given again (and no others, before they are written): if only the
    /// answer was lost, they are not written twice.
    pub async fn write_all(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let id = self.id().await?;
        let next = self.position.saturating_add(i64::try_from(records.len()).unwrap_or(i64::MAX));
        let mut transaction = self.store.begin().await?;
        let moved = sqlx::query("UPDATE record_writers SET position = $1 WHERE id = $2 AND position = $3")
            .bind(next)
            .bind(id)
            .bind(self.position)
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() == 1 {
            for record in records {
                write(&self.store, &mut transaction, id, record).await?;
            }
            transaction.commit().await?;
        } else if !is_at(&mut transaction, id, next).await? {
            // Not an answer that was lost: the row itself is gone, and with it the memory of what was written.
            self.id = None;
            self.position = 0;
            return Err(StoreError::Database(sqlx::Error::RowNotFound));
        }
        self.position = next;
        Ok(())
    }

    /// Notes that the process is alive: what it leaves open when it is killed ended then at the earliest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alive(&mut self, at: UnixMillis) -> Result<(), StoreError> {
        let id = self.id().await?;
        sqlx::query("UPDATE record_writers SET alive_at = $1 WHERE id = $2")
            .bind(millis(at))
            .bind(id)
            .execute(&self.store.pool)
            .await?;
        Ok(())
    }

    /// As if the answer to the last `records` had not come.
    #[cfg(test)]
    pub(super) fn forget_last(&mut self, records: usize) {
        self.position -= i64::try_from(records).unwrap_or(0);
    }

    async fn id(&mut self) -> Result<i64, StoreError> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let insert = "INSERT INTO record_writers (position, alive_at) VALUES (0, 0) RETURNING id";
        let row = sqlx::query(insert).fetch_one(&self.store.pool).await?;
        let id = row.try_get(0)?;
        self.id = Some(id);
        Ok(id)
    }
}

/// Whether a writer has come this far, so that its records are there already.
async fn is_at(connection: &mut Connection, id: i64, position: i64) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM record_writers WHERE id = $1 AND position = $2")
        .bind(id)
        .bind(position)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

async fn write(
    store: &Store,
    connection: &mut Connection,
    writer: i64,
    record: &Record,
) -> Result<(), StoreError> {
    match record {
        Record::CallState { call, state, cause, sip_code, detail, at, story, sip_call_id: _ } => {
            let step = CallStep {
                call,
                state: *state,
                cause: *cause,
                sip_code: *sip_code,
                detail: detail.as_deref(),
                at: *at,
                story: story.clone(),
            };
            store.write_call_step(connection, &step).await
        }
        Record::CallEvidence { call, evidence, at } => {
            Store::set_call_evidence(connection, call, evidence, *at).await
        }
        Record::Ladder { call, rungs, at } => Store::put_ladder(connection, call, rungs, *at).await,
        Record::DoNotCall { tenant, e164, call, at } => {
            Store::block_by_key(connection, tenant, e164, call.as_ref(), *at).await
        }
        Record::MeetingState { meeting, state, at } => {
            store.write_meeting_state(connection, meeting, *state, *at).await
        }
        Record::MeetingLocked { meeting, locked, at } => {
            Store::set_meeting_locked(connection, meeting, *locked, *at).await
        }
        Record::RoleChanged { meeting, person, role, at } => {
            Store::set_role(connection, meeting, person, *role, *at).await?;
            store.queue_role_event(connection, meeting, person, *at).await
        }
        Record::Banned { address, until, at } => {
            let ban = BanRow { address: address.to_string(), until: *until };
            Store::put_ban(connection, &ban, *at).await
        }
        Record::PersonJoined { .. } | Record::PersonLeft { .. } => {
            store.insert_attendance(connection, record).await
        }
        Record::Binding { binding, at } => {
            Store::put_registration(connection, &registration(binding, *at), *at).await
        }
        Record::BindingGone { device, at: _ } => {
            Store::delete_registration(connection, &device.to_string(), None).await
        }
        Record::Instance(instance) => Store::put_instance(connection, instance).await,
        Record::LegUp(leg) => Store::put_open_leg(connection, writer, leg).await,
        Record::LegOver(leg) => Store::insert_cdr(connection, leg).await,
    }
}

/// The binding on the wall clock: it lasts from the moment it was refreshed, which is the record's.
fn registration(binding: &BindingInfo, at: UnixMillis) -> RegistrationRow {
    let lasts = binding.expires_at.saturating_duration_since(binding.last_seen);
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    RegistrationRow {
        aor: binding.device.to_string(),
        contact: binding.contact.clone(),
        source: binding.source.to_string(),
        transport: binding.transport.to_string(),
        instance: binding.instance.clone(),
        reg_id: binding.reg_id,
        path: binding.path.join("\n"),
        user_agent: binding.user_agent.replace('\0', "\u{fffd}"),
        call_id: binding.call_id.clone(),
        cseq: binding.cseq,
        q: binding.q,
        latency_ms: binding.latency_ms(),
        expires_at: UnixMillis(at.0.saturating_add(lasts_ms)),
    }
}
