//! Writing down what the running meetings report.

use super::registrations::RegistrationRow;
use super::{BanRow, CallStep, Store, StoreError};
use crate::live::event::Record;
use crate::vocabulary::UnixMillis;
use sip_core::ua::BindingInfo;

/// Writes records in the order in which it is given them. One task owns it and feeds it from a queue, so neither the
/// SIP nor the media path ever waits for the disk.
#[derive(Debug)]
pub struct RecordWriter {
    store: Store,
}

impl RecordWriter {
    /// A writer to this database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the database fails. The record may be given again: writing one twice adds a line to a trail, and changes
    /// nothing else.
    pub async fn write(&mut self, record: &Record) -> Result<(), StoreError> {
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
                self.store.record_call_step(&step).await
            }
            Record::CallEvidence { call, evidence, at } => {
                self.store.set_call_evidence(call, evidence, *at).await
            }
            Record::DoNotCall { tenant, e164, call, at } => {
                self.store.block_by_key(tenant, e164, call.as_ref(), *at).await
            }
            Record::MeetingState { meeting, state, at } => {
                self.store.set_meeting_state(meeting, *state, *at).await
            }
            Record::MeetingLocked { meeting, locked, at } => {
                self.store.set_meeting_locked(meeting, *locked, *at).await
            }
            Record::RoleChanged { meeting, person, role, at } => {
                self.store.set_role(meeting, person, *role, *at).await
            }
            Record::PersonJoined { meeting, person, leg_kind, at, .. } => {
                self.store.insert_attendance(meeting, person.as_str(), "joined", Some(*leg_kind), *at).await
            }
            Record::PersonLeft { meeting, person, at } => {
                self.store.insert_attendance(meeting, person.as_str(), "left", None, *at).await
            }
            Record::Binding { binding, at } => {
                self.store.put_registration(&registration(binding, *at), *at).await
            }
            Record::Banned { address, until, at } => {
                let ban = BanRow { address: address.to_string(), until: *until };
                self.store.put_ban(&ban, *at).await
            }
            Record::BindingGone { device, at: _ } => {
                self.store.delete_registration(&device.to_string(), None).await
            }
        }
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
        expires_at: UnixMillis(at.0.saturating_add(lasts_ms)),
    }
}
