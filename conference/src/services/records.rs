//! What is written down: call records, the times a meeting was held, who came, and who did what.

use super::Services;
use super::actor::{Actor, UserActor};
use super::csv;
use super::cursor::{self, PAGE_MAX, Page};
use super::error::ServiceError;
use super::record_views::{AuditLine, AuditLog, Cdr, Cdrs, Instance, Instances};
use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::live::leg_record::LegRecord;
use crate::store::{AuditFilter, CdrFilter, InstanceRow};
use crate::vocabulary::{Cause, TenantRole, UnixMillis};
use std::collections::BTreeMap;

/// How many call records a table holds.
pub const TABLE_MAX: u32 = 10_000;

/// What a list of call records is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct CdrQuery {
    /// Legs into this meeting. Needed by those who are no admins.
    pub meeting: Option<MeetingId>,
    /// One time that a meeting was held.
    pub instance: Option<String>,
    /// Legs that carried this person.
    pub person: Option<PersonId>,
    /// The leg of this dial-out.
    pub call: Option<CallId>,
    /// Calls placed by this Host.
    pub acting_host: Option<UserId>,
    /// Legs that ended for this.
    pub cause: Option<Cause>,
    /// Begun at this time or later.
    pub since: Option<UnixMillis>,
    /// Begun before this time.
    pub until: Option<UnixMillis>,
    /// Which page.
    pub page: Page,
}

/// What the audit log is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Acts of this user.
    pub actor: Option<UserId>,
    /// Acts of this kind.
    pub action: Option<String>,
    /// Acts on this thing.
    pub object: Option<String>,
    /// Done at this time or later.
    pub since: Option<UnixMillis>,
    /// Done before this time.
    pub until: Option<UnixMillis>,
    /// Which page.
    pub page: Page,
}

impl Services {
    /// Call records, newest first: of the whole tenant for its admins, of one meeting for its Hosts.
    ///
    /// # Errors
    /// Forbidden for others; not found for a meeting they may not know of; invalid, naming the field.
    pub async fn cdrs(&self, actor: &Actor, query: &CdrQuery) -> Result<Cdrs, ServiceError> {
        self.cdrs_up_to(actor, query, PAGE_MAX).await
    }

    async fn cdrs_up_to(&self, actor: &Actor, query: &CdrQuery, max: u32) -> Result<Cdrs, ServiceError> {
        self.may_read_cdrs(actor, query.meeting.as_ref()).await?;
        let limit = query.page.limit_up_to(max)?;
        let filter = CdrFilter {
            meeting: query.meeting.clone(),
            instance: query.instance.clone(),
            person: query.person.clone(),
            call: query.call.clone(),
            acting_host: query.acting_host.clone(),
            cause: query.cause,
            since: query.since,
            until: query.until,
            after: query.page.after()?,
            limit: limit + 1,
        };
        let mut rows = self.store.cdrs(actor.tenant(), &filter).await?;
        let next = cursor::cut(&mut rows, limit, |row| (row.started_at.0, row.id.clone()));
        let names =
            self.names(actor.tenant(), rows.iter().filter_map(|row| row.acting_host.as_ref())).await?;
        let trunks = self.store.trunks(actor.tenant()).await?;
        let trunks: BTreeMap<u64, String> = trunks.into_iter().map(|trunk| (trunk.id, trunk.name)).collect();
        let cdrs = rows.into_iter().map(|row| cdr_view(row, &names, &trunks)).collect();
        Ok(Cdrs { cdrs, next })
    }

    async fn may_read_cdrs(&self, actor: &Actor, meeting: Option<&MeetingId>) -> Result<(), ServiceError> {
        let user = actor.user()?;
        if user.reaches_all_meetings() {
            return Ok(());
        }
        let Some(meeting) = meeting else {
            return Err(ServiceError::forbidden("Call records of the whole tenant are for its admins")
                .mend("Name one of your meetings with ?meeting="));
        };
        self.reach(actor, meeting).await?.require_moderate()
    }

    /// The same as a table, at most [`TABLE_MAX`] rows of it; the cursor of the rest beside it.
    ///
    /// # Errors
    /// As [`Self::cdrs`].
    pub async fn cdr_table(
        &self,
        actor: &Actor,
        query: &CdrQuery,
    ) -> Result<(String, Option<String>), ServiceError> {
        let limit = query.page.limit.or(Some(TABLE_MAX));
        let query = CdrQuery { page: Page { limit, ..query.page.clone() }, ..query.clone() };
        let Cdrs { cdrs, next } = self.cdrs_up_to(actor, &query, TABLE_MAX).await?;
        let mut table = String::new();
        csv::row(&mut table, CDR_COLUMNS);
        for cdr in &cdrs {
            let cells = cdr_cells(cdr);
            csv::row(&mut table, cells.iter().map(String::as_str));
        }
        Ok((table, next))
    }

    /// The times a meeting was held, newest first.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn instances(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        page: &Page,
    ) -> Result<Instances, ServiceError> {
        self.reach(actor, meeting).await?;
        let limit = page.limit_up_to(PAGE_MAX)?;
        let after = page.after()?;
        let mut rows = self.store.instances(actor.tenant(), meeting, after.as_ref(), limit + 1).await?;
        let next = cursor::cut(&mut rows, limit, |row| (row.started_at.0, row.id.clone()));
        Ok(Instances { instances: rows.into_iter().map(instance_view).collect(), next })
    }

    /// The audit log of the tenant, newest first.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins; invalid, naming the field.
    pub async fn audit_log(&self, actor: &Actor, query: &AuditQuery) -> Result<AuditLog, ServiceError> {
        let admin = tenant_admin(actor)?;
        let limit = query.page.limit_up_to(PAGE_MAX)?;
        let filter = AuditFilter {
            actor: query.actor.clone(),
            action: query.action.clone(),
            object: query.object.clone(),
            since: query.since,
            until: query.until,
            after: query.page.after()?.map(|(id, _)| id),
            limit: limit + 1,
        };
        let mut rows = self.store.audit(&admin.tenant, &filter).await?;
        let next = cursor::cut(&mut rows, limit, |row| (u64::try_from(row.id).unwrap_or(0), String::new()));
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let entries = rows.into_iter().map(|row| AuditLine {
            id: row.id,
            at: row.at,
            actor: row.actor,
            actor_name: row.actor_name,
            action: row.action,
            object: row.object,
            before: json(row.before),
            after: json(row.after),
            source: row.source,
        });
        Ok(AuditLog { entries: entries.collect(), next })
    }

    /// The names of users, each looked up once.
    pub(super) async fn names<'a>(
        &self,
        tenant: &TenantId,
        users: impl Iterator<Item = &'a UserId>,
    ) -> Result<BTreeMap<UserId, String>, ServiceError> {
        let mut names = BTreeMap::new();
        for user in users {
            if !names.contains_key(user)
                && let Some(name) = self.store.user_name(tenant, user).await?
            {
                names.insert(user.clone(), name);
            }
        }
        Ok(names)
    }
}

/// The administrator of a tenant, and nobody else.
pub(super) fn tenant_admin(actor: &Actor) -> Result<&UserActor, ServiceError> {
    let user = actor.user()?;
    if user.role == TenantRole::TenantAdmin {
        return Ok(user);
    }
    Err(ServiceError::forbidden("This is for Tenant Admins only").mend("Ask your Tenant Admin"))
}

pub(super) fn instance_view(row: InstanceRow) -> Instance {
    Instance {
        id: row.id,
        started_at: row.started_at,
        active_at: row.active_at,
        ended_at: row.ended_at,
        peak: u64::try_from(row.peak).unwrap_or(0),
    }
}

pub(super) fn cdr_view(
    row: LegRecord,
    names: &BTreeMap<UserId, String>,
    trunks: &BTreeMap<u64, String>,
) -> Cdr {
    let seconds =
        row.answered_at.zip(row.ended_at).map(|(from, to)| to.0.saturating_sub(from.0).div_ceil(1000));
    Cdr {
        acting_host_name: row.acting_host.as_ref().and_then(|user| names.get(user).cloned()),
        trunk: row.trunk.map(|id| trunks.get(&id).cloned().unwrap_or_else(|| id.to_string())),
        id: row.id,
        meeting: row.meeting,
        instance: row.instance,
        call: row.call,
        person: row.person,
        user: row.user,
        display_name: row.display_name,
        role: row.role,
        access: row.access,
        leg_kind: row.kind,
        direction: row.direction,
        acting_host: row.acting_host,
        from: row.from,
        to: row.to,
        device: row.device,
        sip_call_id: row.sip_call_id,
        started_at: row.started_at,
        ringing_at: row.ringing_at,
        answered_at: row.answered_at,
        joined_at: row.joined_at,
        ended_at: row.ended_at,
        seconds,
        cause: row.cause,
        sip_code: row.sip_code,
        codec: row.codec,
        quality: row.quality,
    }
}

/// The columns of the table, in the order of [`cdr_cells`].
const CDR_COLUMNS: [&str; 33] = [
    "Record",
    "Meeting",
    "Instance",
    "Call",
    "Person",
    "Name",
    "Role",
    "Access",
    "Leg",
    "Direction",
    "Called by",
    "From",
    "To",
    "Device",
    "Trunk",
    "Call-ID",
    "Started",
    "Ringing",
    "Answered",
    "Joined",
    "Ended",
    "Seconds",
    "Cause",
    "SIP code",
    "Codec",
    "Packets received",
    "Packets lost",
    "Loss %",
    "Jitter ms",
    "MOS in",
    "MOS out",
    "Concealed ms",
    "Concealed seconds",
];

fn cdr_cells(cdr: &Cdr) -> [String; 33] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |time: Option<UnixMillis>| time.map(iso).unwrap_or_default();
    let word = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    };
    let quality = cdr.quality.as_ref();
    let number = |value: Option<String>| value.unwrap_or_default();
    [
        cdr.id.clone(),
        cdr.meeting.to_string(),
        text(&cdr.instance),
        cdr.call.as_ref().map(ToString::to_string).unwrap_or_default(),
        cdr.person.to_string(),
        cdr.display_name.clone(),
        word(serde_json::to_value(cdr.role)),
        word(serde_json::to_value(cdr.access)),
        word(serde_json::to_value(cdr.leg_kind)),
        word(serde_json::to_value(cdr.direction)),
        text(&cdr.acting_host_name),
        text(&cdr.from),
        text(&cdr.to),
        text(&cdr.device),
        text(&cdr.trunk),
        text(&cdr.sip_call_id),
        iso(cdr.started_at),
        time(cdr.ringing_at),
        time(cdr.answered_at),
        time(cdr.joined_at),
        time(cdr.ended_at),
        number(cdr.seconds.map(|seconds| seconds.to_string())),
        cdr.cause.map(|cause| word(serde_json::to_value(cause))).unwrap_or_default(),
        number(cdr.sip_code.map(|code| code.to_string())),
        text(&cdr.codec),
        number(quality.map(|quality| quality.received_packets.to_string())),
        number(quality.and_then(|quality| quality.lost_packets).map(|lost| lost.to_string())),
        number(quality.map(|quality| decimal(quality.loss_ppm, 10_000))),
        number(quality.map(|quality| decimal(quality.jitter_us, 1_000))),
        number(quality.map(|quality| decimal(u64::from(quality.mos_in), 100))),
        number(quality.and_then(|quality| quality.mos_out).map(|mos| decimal(u64::from(mos), 100))),
        number(quality.and_then(|quality| quality.concealed_ms).map(|ms| ms.to_string())),
        number(quality.and_then(|quality| quality.concealed_seconds).map(|seconds| seconds.to_string())),
    ]
}

/// `value / unit` with two decimal places.
fn decimal(value: u64, unit: u64) -> String {
    let hundredths = value.saturating_mul(100) / unit.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A time as tables show it: `2027-01-15T08:00:00Z`.
pub(super) fn iso(at: UnixMillis) -> String {
    let seconds = at.0 / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days (Howard Hinnant), for days since 1970: eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_iso_8601() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_800_000_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(iso(UnixMillis(at)), text);
        }
        assert_eq!(decimal(441, 100), "4.41");
        assert_eq!(decimal(12_345, 10_000), "1.23");
    }
}
