//! A large tenant, written into the database file while nobody has it open.

use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::error::{LabError, LabResult};

const FIRST: [&str; 24] = [
    "Mira", "Jonas", "Aiko", "Tomas", "Lena", "Omar", "Sofia", "Piotr", "Nadia", "Emil", "Rosa", "Viktor",
    "Hanne", "Luca", "Ines", "Karim", "Petra", "Goran", "Ada", "Felix", "Yara", "Bruno", "Edith", "Zoran",
];
const LAST: [&str; 16] = [
    "sol", "berg", "mann", "ova", "stein", "hara", "moto", "sen", "ric", "ides", "eau", "son", "ella", "ini",
    "ski", "dal",
];
const START: [&str; 20] = [
    "Al", "Bor", "Cer", "Dom", "Er", "Fal", "Gro", "Hol", "Iva", "Jan", "Kar", "Lin", "Mor", "Nor", "Ol",
    "Per", "Ro", "Sal", "Tor", "Ul",
];
const SITES: [&str; 8] = ["North", "South", "East", "West", "Harbour", "Airport", "Old town", "Station"];
const WORK: [&str; 6] = ["tower", "bridge", "tunnel", "hall", "crane", "gate"];
/// Rows of one statement.
const ROWS: u32 = 500;

/// Writes `people` users and people of meetings, a fifth as many meetings, and what such a tenant has of everything else.
pub(super) async fn fill(file: &Path, people: u32) -> LabResult<()> {
    let what = || LabError::other("filling the large tenant");
    sqlx::any::install_default_drivers();
    let mut to = AnyConnection::connect(&format!("sqlite:{}", file.display())).await.map_err(what())?;
    to.execute("PRAGMA synchronous = OFF").await.map_err(what())?;
    let one = async |to: &mut AnyConnection, sql: &'static str| -> LabResult<String> {
        to.fetch_one(sql).await.and_then(|row| row.try_get(0)).map_err(what())
    };
    let tenant = one(&mut to, "SELECT id FROM tenants WHERE name = 'acme'").await?;
    let hana = one(&mut to, "SELECT id FROM users WHERE login = 'hana'").await?;
    let realm = one(&mut to, "SELECT domain FROM tenants WHERE name = 'acme'").await?;
    let rows = Rows { tenant, hana, realm };
    to.execute("BEGIN").await.map_err(what())?;
    for (into, count, row) in rows.tables(people) {
        for first in (1..=count).step_by(ROWS as usize) {
            let last = count.min(first + ROWS - 1);
            let values: Vec<String> = (first..=last).map(|n| row(&rows, n)).collect();
            let sql = format!("INSERT INTO {into} VALUES {}", values.join(", "));
            to.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map_err(what())?;
        }
    }
    to.execute("COMMIT").await.map_err(what())?;
    to.close().await.map_err(what())
}

struct Rows {
    tenant: String,
    hana: String,
    realm: String,
}

type Row = fn(&Rows, u32) -> String;

const fn pick<const N: usize>(from: [&'static str; N], n: u32) -> &'static str {
    from[n as usize % N]
}

impl Rows {
    fn tables(&self, people: u32) -> Vec<(&'static str, u32, Row)> {
        vec![
            (
                "users (id, tenant_id, login, password_hash, first, last, display_name, extension, tenant_role, created_at, \
                 updated_at, enrolled_at, search, names)",
                people,
                Self::user,
            ),
            (
                "user_addresses (id, tenant_id, user_id, kind, value, created_at, updated_at)",
                people,
                Self::mail,
            ),
            (
                "devices (id, tenant_id, user_id, name, kind, realm, ha1_md5, ha1_sha256, created_at, updated_at)",
                people / 2,
                Self::device,
            ),
            (
                "meetings (id, tenant_id, owner_id, kind, title, number, default_role, direct_join_role, link_hash, state, \
                 created_at, updated_at, form, search_text, owner_search, guest_pin, host_pin)",
                people / 5,
                Self::meeting,
            ),
            (
                "people (id, tenant_id, meeting_id, user_id, display_name, role, access, source, link_hash, created_at, \
                 updated_at, position, pin)",
                people,
                Self::person,
            ),
            (
                "numbers (id, tenant_id, e164, purpose, verified_at, created_at, updated_at)",
                people / 10,
                Self::number,
            ),
            (
                "blocked_numbers (id, tenant_id, e164, reason, source, created_at, updated_at)",
                people / 5,
                Self::blocked,
            ),
            (
                "meeting_instances (id, tenant_id, meeting_id, started_at, ended_at)",
                people / 5,
                Self::instance,
            ),
            (
                "attendance (meeting_id, person_id, at, what, instance_id, display_name)",
                people,
                Self::attendance,
            ),
            (
                "cdrs (id, tenant_id, meeting_id, person_id, display_name, role, access, leg_kind, direction, \
                 acting_host_id, from_text, to_text, started_at, ended_at, cause)",
                people * 2,
                Self::cdr,
            ),
            ("audit (tenant_id, actor_id, action, object, source, at)", people * 2, Self::audit),
            (
                "outbox (id, tenant_id, channel, destination, lane, subject, kind, recipient, payload, state, \
                 next_attempt_at, expires_at, created_at, updated_at, finished_at)",
                people / 5,
                Self::sent,
            ),
            (
                "user_requests (id, tenant_id, requested_by, target, target_kind, state, created_at, updated_at)",
                people / 50,
                Self::request,
            ),
        ]
    }

    /// A moment of the past year, the later rows later.
    const fn at(n: u32) -> u64 {
        1_750_000_000_000 + n as u64 * 60_000
    }

    /// The names and the whole name of a user.
    fn name(n: u32) -> (&'static str, String, String) {
        let first = pick(FIRST, n / 3);
        let last = format!("{}{}", pick(START, n / 7), pick(LAST, n / 11));
        let whole = format!("{first} {last}");
        (first, last, whole)
    }

    fn user(&self, n: u32) -> String {
        let (first, last, whole) = Self::name(n);
        let (tenant, at, extension) = (&self.tenant, Self::at(n), 200_000 + n);
        let folded = whole.to_lowercase();
        let search = format!("{folded} {folded} person{n} {extension} person{n}@big.test");
        format!(
            "('ub{n}', '{tenant}', 'person{n}', '-', '{first}', '{last}', '{whole}', '{extension}', 'user', {at}, {at}, {at}, \
             '{search}', ' {folded} {folded}')"
        )
    }

    fn mail(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        format!("('ab{n}', '{tenant}', 'ub{n}', 'mail', 'person{n}@big.test', {at}, {at})")
    }

    fn device(&self, n: u32) -> String {
        let (tenant, realm, at) = (&self.tenant, &self.realm, Self::at(n));
        let (md5, sha) = ("0".repeat(32), "0".repeat(64));
        format!(
            "('db{n}', '{tenant}', 'ub{n}', '{}a', 'desk phone', '{realm}', '{md5}', '{sha}', {at}, {at})",
            200_000 + n
        )
    }

    fn meeting(&self, n: u32) -> String {
        let (tenant, at, number) = (&self.tenant, Self::at(n), 100_000_000 + n);
        let hanas = n.is_multiple_of(50);
        let owner = if hanas { self.hana.clone() } else { format!("ub{n}") };
        let owner_name = if hanas { "hana horvat".to_owned() } else { Self::name(n).2.to_lowercase() };
        let title = format!("{} {} {n}", pick(SITES, n / 2), pick(WORK, n / 5));
        let folded = title.to_lowercase();
        format!(
            "('mb{n}', '{tenant}', '{owner}', 'conference', '{title}', '{number}', 'attendee', 'attendee', 'hm{n}', \
             'scheduled', {at}, {at}, 'room', '{folded}\n\n{number}', '{owner_name}', 'x', 'x')"
        )
    }

    /// Five of each meeting.
    fn person(&self, n: u32) -> String {
        let (tenant, at, meeting) = (&self.tenant, Self::at(n), n.div_ceil(5));
        let (_, _, whole) = Self::name(n);
        format!(
            "('pb{n}', '{tenant}', 'mb{meeting}', 'ub{n}', '{whole}', 'attendee', 'collaborate', 'people', 'hp{n}', {at}, \
             {at}, {n}, 'x')"
        )
    }

    fn number(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        format!("('nb{n}', '{tenant}', '+1415{:07}', 'did', {at}, {at}, {at})", 5_000_000 + n)
    }

    fn blocked(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        format!("('bb{n}', '{tenant}', '+1416{:07}', 'asked', 'admin', {at}, {at})", 5_000_000 + n)
    }

    fn instance(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        format!("('ib{n}', '{tenant}', 'mb{n}', {at}, {})", at + 1_800_000)
    }

    fn attendance(&self, n: u32) -> String {
        let (meeting, at) = (n.div_ceil(5), Self::at(n));
        let what = if n.is_multiple_of(2) { "left" } else { "joined" };
        format!("('mb{meeting}', 'pb{n}', {at}, '{what}', 'ib{meeting}', 'Somebody')")
    }

    fn cdr(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        let (meeting, person, host) = (n.div_ceil(10), n.div_ceil(2), n % 500 + 1);
        let cause = pick(["hung_up", "hung_up", "busy", "no_answer", "hung_up", "declined"], n);
        format!(
            "('cb{n}', '{tenant}', 'mb{meeting}', 'pb{person}', 'Somebody', 'attendee', 'collaborate', 'sip', 'out', \
             'ub{host}', '+12025550100', '+12025550177', {at}, {}, '{cause}')",
            at + 60_000
        )
    }

    fn audit(&self, n: u32) -> String {
        let (tenant, at, object) = (&self.tenant, Self::at(n), n.div_ceil(2));
        let action = pick(["person.added", "meeting.created", "person.role_changed", "meeting.changed"], n);
        let action = if n.is_multiple_of(5_000) { "user.disabled" } else { action };
        format!("('{tenant}', 'ub{}', '{action}', 'ub{object}', 'api', {at})", n % 1_000 + 1)
    }

    fn sent(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        let state = if n.is_multiple_of(10) { "failed" } else { "sent" };
        format!(
            "('ob{n}', '{tenant}', 'mail', 'mail', 'lane{n}', 'pb{n}', 'invitation', 'person{n}@big.test', '', '{state}', \
             {at}, {at}, {at}, {at}, {at})"
        )
    }

    fn request(&self, n: u32) -> String {
        let (tenant, at) = (&self.tenant, Self::at(n));
        let state = if n.is_multiple_of(3) { "accepted" } else { "open" };
        format!("('rb{n}', '{tenant}', '{}', 'new{n}@big.test', 'email', '{state}', {at}, {at})", self.hana)
    }
}
