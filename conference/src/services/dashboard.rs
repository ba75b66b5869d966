//! `All Sessions`: the meetings an asker may reach, searched and turned page by page.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use crate::ids::{MeetingId, UserId};
use crate::live::resolver;
use crate::store::SessionSlice;
use crate::vocabulary::{MeetingKind, MeetingState, UnixMillis};
use serde::Serialize;

/// A meeting as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// The meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: MeetingId,
    /// Its title.
    pub title: String,
    /// The place it stands for, such as a building site.
    pub site: Option<String>,
    /// Nine digits.
    pub number: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MeetingKind,
    /// Where it stands.
    pub state: MeetingState,
    /// Who created it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub owner: Option<UserId>,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// How many people are on its list.
    pub people: u64,
    /// When it was created, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
}

impl Services {
    /// The sessions the asker may reach: every one of the tenant for its admins (B11), their own and those they are
    /// invited to for everybody else. `query` is a part of the title, the site, the number or the owner's name (B12,
    /// B17). Newest first.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub async fn sessions(
        &self,
        actor: &Actor,
        query: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<Session>, ServiceError> {
        let user = actor.user()?;
        let query = resolver::fold(query.unwrap_or_default().trim());
        let (limit, offset) = page.slice();
        let of = (!user.reaches_all_meetings()).then_some(&user.user);
        let slice = SessionSlice { tenant: &user.tenant, of, query: &query, limit, offset };
        let (rows, total) = self.store.sessions_slice(&slice).await?;
        let sessions = rows.into_iter().map(|row| Session {
            id: row.meeting.id,
            title: row.meeting.title,
            site: row.meeting.site,
            number: row.meeting.number,
            kind: row.meeting.kind,
            state: row.meeting.state,
            owner: row.meeting.owner,
            owner_name: row.owner_name,
            people: u64::try_from(row.people).unwrap_or(0),
            created_at: row.meeting.created_at,
        });
        Ok(page.of(sessions.collect(), total))
    }
}
