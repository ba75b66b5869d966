//! Lists of meetings that are searched and turned page by page.

use super::columns::Columns;
use super::search::anywhere;
use super::{MeetingRow, Store, StoreError};
use crate::ids::{TenantId, UserId};
use sqlx::Row as _;

/// Which meetings, and which part of them.
#[derive(Clone, Debug)]
pub(crate) struct SessionSlice<'a> {
    pub(crate) tenant: &'a TenantId,
    /// Only those this user owns or is invited to.
    pub(crate) of: Option<&'a UserId>,
    /// A folded text that the title or the owner's name holds; empty for all.
    pub(crate) query: &'a str,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

/// A meeting with what a list shows beside it.
#[derive(Clone, Debug)]
pub(crate) struct ListedMeeting {
    pub(crate) meeting: MeetingRow,
    pub(crate) owner_name: Option<String>,
    /// How many are on its list.
    pub(crate) people: i64,
}

/// The condition of a [`SessionSlice`]; `$1` to `$3`.
macro_rules! in_slice {
    () => {
        "m.tenant_id = $1 AND m.state <> 'draft' AND ($2 = '' OR m.owner_id = $2 OR EXISTS (SELECT 1 FROM people p WHERE \
         p.meeting_id = m.id AND p.user_id = $2 AND p.removed_at IS NULL)) \
         AND ($3 = '%%' OR m.search_text LIKE $3 ESCAPE '!' OR m.owner_search LIKE $3 ESCAPE '!')"
    };
}

impl Store {
    /// A part of the meetings of a tenant or of a user, newest first, and how many there are in all.
    pub(crate) async fn sessions_slice(
        &self,
        slice: &SessionSlice<'_>,
    ) -> Result<(Vec<ListedMeeting>, i64), StoreError> {
        let pattern = anywhere(slice.query);
        let of = slice.of.map_or("", UserId::as_str);
        let total = sqlx::query(concat!("SELECT count(*) FROM meetings m WHERE ", in_slice!()))
            .bind(slice.tenant.as_str())
            .bind(of)
            .bind(&pattern)
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let rows = sqlx::query(concat!(
            "SELECT m.*, (SELECT o.display_name FROM users o WHERE o.id = m.owner_id) AS owner_name, \
             (SELECT count(*) FROM people p WHERE p.meeting_id = m.id AND p.removed_at IS NULL) AS people_count \
             FROM meetings m WHERE ",
            in_slice!(),
            " ORDER BY m.created_at DESC, m.id DESC LIMIT $4 OFFSET $5"
        ))
        .bind(slice.tenant.as_str())
        .bind(of)
        .bind(&pattern)
        .bind(slice.limit)
        .bind(slice.offset)
        .fetch_all(&self.pool)
        .await?;
        let listed = rows.iter().map(|row| {
            let columns = Columns(row);
            Ok(ListedMeeting {
                meeting: MeetingRow::read(row)?,
                owner_name: columns.optional_text("owner_name")?,
                people: columns.integer("people_count")?,
            })
        });
        Ok((listed.collect::<Result<_, StoreError>>()?, total))
    }
}
