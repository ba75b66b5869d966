//! Those users of a tenant whom a text could mean, found by indexes: the tenant may have very many.

use super::search::{anywhere, beginning};
use super::users::select_users;
use super::{DeviceRow, Store, StoreError, UserRow};
use crate::ids::{TenantId, UserId};
use crate::live::resolver::Keys;
use sqlx::{AssertSqlSafe, Row as _};
use std::fmt::Write as _;

/// How many are looked at of those who share a beginning of a name or an extension: more than are ever shown.
const ALIKE: usize = 100;
/// How many rows are asked for at once. Where they are asked for by `id`, the tenant is compared behind `coalesce`: without
/// statistics SQLite would rather go through the index of the whole tenant.
const AT_ONCE: usize = 500;

/// One statement that gathers user ids from several tables, with what is bound to it. `$1` is the tenant.
#[derive(Default)]
struct Question {
    sql: String,
    values: Vec<String>,
}

impl Question {
    fn or(&mut self, select: &str) -> &mut Self {
        if !self.sql.is_empty() {
            self.sql.push_str(" UNION ");
        }
        self.sql.push_str(select);
        self
    }

    /// `select` with a list of values behind it. The list is filled up to a power of two, so that there are few different
    /// statements to prepare.
    fn any_of(&mut self, select: &str, values: &[String]) {
        let Some(last) = values.last() else { return };
        self.or(select).sql.push_str(" IN (");
        let wanted = values.len().next_power_of_two();
        for at in 0..wanted {
            self.values.push(values.get(at).unwrap_or(last).clone());
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(self.sql, "{comma}${}", self.values.len() + 1);
        }
        self.sql.push(')');
    }

    /// The first few, in an order, of whom every pattern fits.
    fn alike(&mut self, column: &str, patterns: Vec<String>, order: &str) {
        let mut select =
            "SELECT id FROM (SELECT u.id FROM users u WHERE u.tenant_id = $1 AND u.enabled = 1".to_owned();
        for pattern in patterns {
            self.values.push(pattern);
            let _ = write!(select, " AND u.{column} LIKE ${} ESCAPE '!'", self.values.len() + 1);
        }
        let _ = write!(select, " ORDER BY {order} LIMIT {ALIKE}) AS alike");
        self.or(&select);
    }
}

fn question(keys: &Keys, ids: &[String]) -> Question {
    let mut question = Question::default();
    question.any_of("SELECT id FROM users WHERE coalesce(tenant_id, '') = $1 AND id", ids);
    question.any_of(
        "SELECT user_id FROM user_addresses WHERE tenant_id = $1 AND kind = 'mail' AND value",
        &keys.mails,
    );
    question.any_of(
        "SELECT user_id FROM user_addresses WHERE tenant_id = $1 AND kind = 'phone' AND value",
        &keys.numbers,
    );
    question.any_of(
        "SELECT user_id FROM numbers WHERE tenant_id = $1 AND user_id IS NOT NULL AND e164",
        &keys.numbers,
    );
    question.any_of("SELECT user_id FROM devices WHERE tenant_id = $1 AND lower(name)", &keys.devices);
    question.any_of("SELECT id FROM users WHERE tenant_id = $1 AND extension", &keys.extensions);
    for digits in &keys.beginnings {
        question.alike(
            "extension",
            vec![beginning(digits)],
            "(u.extension IS NULL), u.extension, u.display_name, u.id",
        );
    }
    for words in &keys.names {
        let patterns = words.iter().take(8).map(|word| anywhere(&format!(" {word}"))).collect();
        question.alike("names", patterns, "u.display_name, u.id");
    }
    question
}

impl Store {
    /// The enabled users of a tenant who have one of `keys` or one of `ids`, by extension and name.
    pub(crate) async fn users_touched(
        &self,
        tenant: &TenantId,
        keys: &Keys,
        ids: &[UserId],
    ) -> Result<Vec<UserRow>, StoreError> {
        let ids: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
        let question = question(keys, &ids);
        if question.sql.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = sqlx::query(AssertSqlSafe(question.sql)).bind(tenant.as_str());
        for value in question.values {
            asked = asked.bind(value);
        }
        let found = asked.fetch_all(&self.pool).await?;
        // The column is named as in whatever was asked first.
        let id = |row: &super::Row| Ok(UserId::new(row.try_get::<String, _>(0)?));
        let found: Vec<UserId> = found.iter().map(id).collect::<Result<_, StoreError>>()?;
        self.users_by_id(tenant, &found).await
    }

    /// These users, if they are enabled users of the tenant, by extension and name.
    pub(crate) async fn users_by_id(
        &self,
        tenant: &TenantId,
        ids: &[UserId],
    ) -> Result<Vec<UserRow>, StoreError> {
        let mut users = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(AT_ONCE) {
            let list = list(chunk);
            let sql =
                [select_users!("coalesce(u.tenant_id, '') = $1 AND u.enabled = 1 AND u.id IN ("), &list, ")"]
                    .concat();
            let rows = fetch(self, sql, tenant, chunk).await?;
            for row in &rows {
                users.push(UserRow::read(row)?);
            }
        }
        let place = |user: &UserRow| {
            let name = (user.display_name.clone(), user.id.clone());
            (user.extension.is_none(), user.extension.clone(), name)
        };
        users.sort_by_cached_key(place);
        Ok(users)
    }

    /// The devices of these users, by name.
    pub(crate) async fn devices_of_users(
        &self,
        tenant: &TenantId,
        users: &[UserId],
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let mut devices = Vec::with_capacity(users.len());
        for chunk in users.chunks(AT_ONCE) {
            let sql = [
                "SELECT * FROM devices WHERE tenant_id = $1 AND user_id IN (",
                &list(chunk),
                ") ORDER BY name",
            ]
            .concat();
            for row in &fetch(self, sql, tenant, chunk).await? {
                devices.push(DeviceRow::read(row)?);
            }
        }
        Ok(devices)
    }
}

/// `$2, $3` for two: as many as [`fetch`] binds.
fn list(ids: &[UserId]) -> String {
    let names: Vec<String> = (0..ids.len().next_power_of_two()).map(|at| format!("${}", at + 2)).collect();
    names.join(", ")
}

/// The values of a `list`, the last one again where it is longer than there are ids.
async fn fetch(
    store: &Store,
    sql: String,
    tenant: &TenantId,
    ids: &[UserId],
) -> Result<Vec<super::Row>, StoreError> {
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str());
    for at in 0..ids.len().next_power_of_two() {
        query = query.bind(ids.get(at).or_else(|| ids.last()).map(UserId::as_str));
    }
    Ok(query.fetch_all(&store.pool).await?)
}
