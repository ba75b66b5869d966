//! Call records: one per leg, written when it is over; and the legs that are up, so that a crash loses none.

use super::columns::{Columns, millis, narrowed, word};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::live::leg_record::{LegRecord, Quality};
use crate::vocabulary::{Cause, UnixMillis};
use sqlx::{AssertSqlSafe, Row as _};

/// What a list of call records is narrowed to, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct CdrFilter {
    pub(crate) meeting: Option<MeetingId>,
    pub(crate) instance: Option<String>,
    pub(crate) person: Option<PersonId>,
    pub(crate) call: Option<CallId>,
    pub(crate) acting_host: Option<UserId>,
    pub(crate) cause: Option<Cause>,
    pub(crate) since: Option<UnixMillis>,
    pub(crate) until: Option<UnixMillis>,
    /// The last one of the page before: its start and identifier.
    pub(crate) after: Option<(i64, String)>,
    pub(crate) limit: i64,
}

fn unsigned(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn small(value: Option<i64>) -> Option<u16> {
    value.and_then(|value| u16::try_from(value).ok())
}

fn read(row: &Row) -> Result<LegRecord, StoreError> {
    let row = Columns(row);
    let quality = match row.optional_integer("received_packets")? {
        None => None,
        Some(received) => Some(Quality {
            received_packets: unsigned(Some(received)).unwrap_or(0),
            sent_packets: unsigned(row.optional_integer("sent_packets")?).unwrap_or(0),
            lost_packets: unsigned(row.optional_integer("lost_packets")?),
            loss_ppm: unsigned(row.optional_integer("loss_ppm")?).unwrap_or(0),
            jitter_us: unsigned(row.optional_integer("jitter_us")?).unwrap_or(0),
            round_trip_us: unsigned(row.optional_integer("round_trip_us")?),
            mos_in: small(row.optional_integer("mos_in")?).unwrap_or(0),
            mos_out: small(row.optional_integer("mos_out")?),
            concealed_ms: unsigned(row.optional_integer("concealed_ms")?),
            concealed_seconds: unsigned(row.optional_integer("concealed_seconds")?),
            severely_concealed_seconds: unsigned(row.optional_integer("severely_concealed_seconds")?),
            buffer_us: unsigned(row.optional_integer("buffer_us")?),
            remote_loss_ppm: unsigned(row.optional_integer("remote_loss_ppm")?),
            remote_jitter_us: unsigned(row.optional_integer("remote_jitter_us")?),
        }),
    };
    Ok(LegRecord {
        id: row.text("id")?,
        tenant: TenantId::new(row.text("tenant_id")?),
        meeting: MeetingId::new(row.text("meeting_id")?),
        instance: row.optional_text("instance_id")?,
        call: row.optional_text("call_id")?.map(CallId::new),
        person: PersonId::new(row.text("person_id")?),
        user: row.optional_text("user_id")?.map(UserId::new),
        display_name: row.text("display_name")?,
        role: row.word("role")?,
        access: row.word("access")?,
        kind: row.word("leg_kind")?,
        direction: row.word("direction")?,
        acting_host: row.optional_text("acting_host_id")?.map(UserId::new),
        from: row.optional_text("from_text")?,
        to: row.optional_text("to_text")?,
        device: row.optional_text("device")?,
        trunk: unsigned(row.optional_integer("trunk_id")?),
        sip_call_id: row.optional_text("sip_call_id")?,
        started_at: row.time("started_at")?,
        ringing_at: row.optional_time("ringing_at")?,
        answered_at: row.optional_time("answered_at")?,
        joined_at: row.optional_time("joined_at")?,
        ended_at: row.optional_time("ended_at")?,
        cause: row.optional_word("cause")?,
        sip_code: small(row.optional_integer("sip_code")?),
        codec: row.optional_text("codec")?,
        quality,
    })
}

impl Store {
    /// A leg is up; its record as far as it is known.
    pub(super) async fn put_open_leg(
        connection: &mut Connection,
        writer: i64,
        leg: &LegRecord,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO open_legs (id, writer_id, record, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET record = excluded.record, at = excluded.at",
        )
        .bind(&leg.id)
        .bind(writer)
        .bind(serde_json::to_string(leg).unwrap_or_default())
        .bind(millis(leg.joined_at.unwrap_or(leg.started_at)))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// A leg is over: its record is written once, whoever tries again.
    pub(super) async fn insert_cdr(connection: &mut Connection, leg: &LegRecord) -> Result<(), StoreError> {
        let quality = leg.quality.as_ref();
        sqlx::query(
            "INSERT INTO cdrs (id, tenant_id, meeting_id, instance_id, call_id, person_id, user_id, display_name, role, \
             access, leg_kind, direction, acting_host_id, from_text, to_text, device, trunk_id, sip_call_id, started_at, \
             ringing_at, answered_at, joined_at, ended_at, cause, sip_code, codec, received_packets, sent_packets, \
             lost_packets, loss_ppm, jitter_us, round_trip_us, mos_in, mos_out, concealed_ms, \
             concealed_seconds, severely_concealed_seconds, buffer_us, remote_loss_ppm, remote_jitter_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, \
             $31, $32, $33, $34, $35, $36, $37, $38, $39, $40) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&leg.id)
        .bind(leg.tenant.as_str())
        .bind(leg.meeting.as_str())
        .bind(leg.instance.as_deref())
        .bind(leg.call.as_ref().map(CallId::as_str))
        .bind(leg.person.as_str())
        .bind(leg.user.as_ref().map(UserId::as_str))
        .bind(&leg.display_name)
        .bind(word(&leg.role))
        .bind(word(&leg.access))
        .bind(word(&leg.kind))
        .bind(word(&leg.direction))
        .bind(leg.acting_host.as_ref().map(UserId::as_str))
        .bind(leg.from.as_deref())
        .bind(leg.to.as_deref())
        .bind(leg.device.as_deref())
        .bind(leg.trunk.map(signed))
        .bind(leg.sip_call_id.as_deref())
        .bind(millis(leg.started_at))
        .bind(leg.ringing_at.map(millis))
        .bind(leg.answered_at.map(millis))
        .bind(leg.joined_at.map(millis))
        .bind(millis(leg.ended_at.unwrap_or(leg.started_at)))
        .bind(leg.cause.map(|cause| word(&cause)))
        .bind(leg.sip_code.map(i64::from))
        .bind(leg.codec.as_deref())
        .bind(quality.map(|quality| signed(quality.received_packets)))
        .bind(quality.map(|quality| signed(quality.sent_packets)))
        .bind(quality.and_then(|quality| quality.lost_packets.map(signed)))
        .bind(quality.map(|quality| signed(quality.loss_ppm)))
        .bind(quality.map(|quality| signed(quality.jitter_us)))
        .bind(quality.and_then(|quality| quality.round_trip_us.map(signed)))
        .bind(quality.map(|quality| i64::from(quality.mos_in)))
        .bind(quality.and_then(|quality| quality.mos_out.map(i64::from)))
        .bind(quality.and_then(|quality| quality.concealed_ms.map(signed)))
        .bind(quality.and_then(|quality| quality.concealed_seconds.map(signed)))
        .bind(quality.and_then(|quality| quality.severely_concealed_seconds.map(signed)))
        .bind(quality.and_then(|quality| quality.buffer_us.map(signed)))
        .bind(quality.and_then(|quality| quality.remote_loss_ppm.map(signed)))
        .bind(quality.and_then(|quality| quality.remote_jitter_us.map(signed)))
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM open_legs WHERE id = $1").bind(&leg.id).execute(connection).await?;
        Ok(())
    }

    /// A page of call records, newest first.
    pub(crate) async fn cdrs(
        &self,
        tenant: &TenantId,
        filter: &CdrFilter,
    ) -> Result<Vec<LegRecord>, StoreError> {
        let (after_at, after_id) = match &filter.after {
            Some((at, id)) => (*at, id.as_str()),
            None => (i64::MAX, ""),
        };
        let narrowed = [
            narrowed("meeting_id", "$2", filter.meeting.is_some()),
            narrowed("instance_id", "$3", filter.instance.is_some()),
            narrowed("person_id", "$4", filter.person.is_some()),
            narrowed("call_id", "$5", filter.call.is_some()),
            narrowed("acting_host_id", "$6", filter.acting_host.is_some()),
            narrowed("cause", "$7", filter.cause.is_some()),
        ];
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT * FROM cdrs WHERE tenant_id = $1 {} AND started_at >= $8 AND started_at < $9 \
             AND started_at <= $10 AND (started_at < $10 OR id < $11) \
             ORDER BY started_at DESC, id DESC LIMIT $12",
            narrowed.concat()
        )))
        .bind(tenant.as_str())
        .bind(filter.meeting.as_ref().map(MeetingId::as_str))
        .bind(filter.instance.as_deref())
        .bind(filter.person.as_ref().map(PersonId::as_str))
        .bind(filter.call.as_ref().map(CallId::as_str))
        .bind(filter.acting_host.as_ref().map(UserId::as_str))
        .bind(filter.cause.map(|cause| word(&cause)))
        .bind(filter.since.map_or(i64::MIN, millis))
        .bind(filter.until.map_or(i64::MAX, millis))
        .bind(after_at)
        .bind(after_id)
        .bind(filter.limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }

    /// What a process that was killed left open is closed: calls, legs and meetings held ended when it was last known to be
    /// alive. Nothing of it is dialled again.
    pub(super) async fn close_what_a_crash_left(&self) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT coalesce(max(alive_at), 0) FROM record_writers")
            .fetch_one(&self.pool)
            .await?;
        let alive: i64 = row.try_get(0)?;
        let mut transaction = self.begin().await?;
        close_legs(&mut transaction, alive).await?;
        let lost = close_calls(&mut transaction, alive).await?;
        self.queue_lost_calls(&mut transaction, &lost).await?;
        sqlx::query(
            "UPDATE meeting_instances SET lost = 1, ended_at = CASE WHEN started_at > $1 THEN started_at ELSE $1 END \
             WHERE ended_at IS NULL",
        )
        .bind(alive)
        .execute(&mut *transaction)
        .await?;
        // The latest few say when this program was started and stopped.
        sqlx::query("DELETE FROM record_writers WHERE id < (SELECT max(id) FROM record_writers) - 100")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

async fn close_legs(connection: &mut Connection, alive: i64) -> Result<(), StoreError> {
    let rows =
        sqlx::query("SELECT id, record, at FROM open_legs ORDER BY id").fetch_all(&mut *connection).await?;
    for row in rows {
        let row = Columns(&row);
        match serde_json::from_str::<LegRecord>(&row.text("record")?) {
            Ok(leg) => close_leg(connection, leg, alive.max(row.integer("at")?)).await?,
            // Written by another version: no record is better than a start that fails.
            Err(error) => tracing::warn!(leg.record = row.text("id")?, %error, "an open leg is unreadable"),
        }
    }
    sqlx::query("DELETE FROM open_legs").execute(connection).await?;
    Ok(())
}

/// A leg whose call is over already, though its own record had not been written, ended with its call.
async fn close_leg(connection: &mut Connection, mut leg: LegRecord, alive: i64) -> Result<(), StoreError> {
    let ended =
        sqlx::query("SELECT ended_at, cause, sip_code FROM calls WHERE id = $1 AND ended_at IS NOT NULL")
            .bind(leg.call.as_ref().map(CallId::as_str))
            .fetch_optional(&mut *connection)
            .await?;
    (leg.ended_at, leg.cause) = match ended.as_ref().map(Columns) {
        Some(call) => {
            leg.sip_code = small(call.optional_integer("sip_code")?).or(leg.sip_code);
            (call.optional_time("ended_at")?, call.optional_word("cause")?)
        }
        None => (Some(UnixMillis(u64::try_from(alive).unwrap_or(0))), Some(Cause::Lost)),
    };
    Store::insert_cdr(connection, &leg).await
}

/// Calls in flight have lost their media and their dialogs. One that had not come as far as a leg gets its record from its
/// row: the INVITE may have left.
async fn close_calls(
    connection: &mut Connection,
    alive: i64,
) -> Result<Vec<(CallId, UnixMillis)>, StoreError> {
    sqlx::query(
        "INSERT INTO cdrs (id, tenant_id, meeting_id, call_id, person_id, user_id, display_name, role, access, leg_kind, \
         direction, acting_host_id, from_text, to_text, device, sip_call_id, started_at, answered_at, ended_at, cause, \
         sip_code) \
         SELECT 'l' || c.id, c.tenant_id, c.meeting_id, c.id, coalesce(c.person_id, ''), c.user_id, c.display_name, c.role, \
         c.access, 'sip', 'out', c.acting_host_id, c.caller_number, coalesce(c.number, c.target), c.device, \
         c.sip_call_id, c.created_at, c.answered_at, CASE WHEN c.updated_at > $1 THEN c.updated_at ELSE $1 END, 'lost', \
         c.sip_code FROM calls c WHERE c.state NOT IN ('ended', 'failed', 'refused', 'cancelled') \
         AND NOT EXISTS (SELECT 1 FROM cdrs d WHERE d.tenant_id = c.tenant_id AND d.call_id = c.id)",
    )
    .bind(alive)
    .execute(&mut *connection)
    .await?;
    let lost = sqlx::query(
        "UPDATE calls SET state = 'ended', cause = 'lost', detail = 'the gateway was restarted', \
         ended_at = CASE WHEN updated_at > $1 THEN updated_at ELSE $1 END \
         WHERE state NOT IN ('ended', 'failed', 'refused', 'cancelled') RETURNING id, ended_at",
    )
    .bind(alive)
    .fetch_all(connection)
    .await?;
    let call = |row| Ok((CallId::new(Columns(row).text("id")?), Columns(row).time("ended_at")?));
    lost.iter().map(call).collect()
}
