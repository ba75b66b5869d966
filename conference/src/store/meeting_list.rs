//! The list of meetings in one query.

use super::columns::{Columns, millis, word};
use super::search::anywhere;
use super::{MeetingRow, Store, StoreError};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::vocabulary::{MeetingForm, Role, UnixMillis};

/// Which meetings are wanted.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery<'a> {
    pub(crate) tenant: &'a TenantId,
    /// Who asks: their drafts and their role are theirs alone.
    pub(crate) user: &'a UserId,
    /// Every meeting of the tenant, not only those the user owns or is invited to.
    pub(crate) all: bool,
    pub(crate) form: Option<MeetingForm>,
    /// Folded; empty for any.
    pub(crate) text: String,
    /// After the meeting created then, of this id.
    pub(crate) after: Option<(UnixMillis, MeetingId)>,
    pub(crate) limit: i64,
}

/// A meeting with what its line in the list says.
#[derive(Clone, Debug)]
pub(crate) struct ListedMeeting {
    pub(crate) meeting: MeetingRow,
    /// How many people are on its list.
    pub(crate) people: i64,
    /// The asker's role.
    pub(crate) role: Option<Role>,
    pub(crate) owner_name: Option<String>,
}

/// `$2` asks. A draft is its author's alone; a meeting called off is in no list.
const LINES: &str = "SELECT m.*, u.display_name AS owner_name, \
     (SELECT count(*) FROM people p WHERE p.meeting_id = m.id AND p.removed_at IS NULL) AS people_count, \
     (SELECT p.role FROM people p WHERE p.meeting_id = m.id AND p.user_id = $2 AND p.removed_at IS NULL) AS my_role \
     FROM meetings m LEFT JOIN users u ON u.id = m.owner_id \
     WHERE m.tenant_id = $1 AND m.state <> 'cancelled' AND (m.state <> 'draft' OR m.owner_id = $2) \
     AND ($3 = '' OR m.form = $3) AND ($4 = '' OR m.search_text LIKE $4 ESCAPE '!') \
     AND m.created_at <= $5 AND (m.created_at < $5 OR m.id < $6) ";
/// Of these, the ones the asker owns or is invited to.
const OWN: &str = "AND m.id IN (SELECT meeting_id FROM people WHERE tenant_id = $1 AND user_id = $2 \
     AND removed_at IS NULL UNION SELECT id FROM meetings WHERE tenant_id = $1 AND owner_id = $2) ";
const ORDER: &str = "ORDER BY m.created_at DESC, m.id DESC LIMIT $7";

impl Store {
    /// One page of the list, newest first.
    pub(crate) async fn list_meetings(
        &self,
        query: &ListQuery<'_>,
    ) -> Result<Vec<ListedMeeting>, StoreError> {
        let own = if query.all { "" } else { OWN };
        let (at, id) = match &query.after {
            Some((at, id)) => (millis(*at), id.as_str()),
            None => (i64::MAX, ""),
        };
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{LINES}{own}{ORDER}")))
            .bind(query.tenant.as_str())
            .bind(query.user.as_str())
            .bind(query.form.map(|form| word(&form)).unwrap_or_default())
            .bind(pattern(&query.text))
            .bind(at)
            .bind(id)
            .bind(query.limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let columns = Columns(row);
                Ok(ListedMeeting {
                    people: columns.integer("people_count")?,
                    role: columns.optional_word("my_role")?,
                    owner_name: columns.optional_text("owner_name")?,
                    meeting: MeetingRow::read(row)?,
                })
            })
            .collect()
    }
}

/// What LIKE looks for: the text anywhere, its own wildcards meaning themselves.
fn pattern(text: &str) -> String {
    if text.is_empty() { String::new() } else { anywhere(text) }
}
