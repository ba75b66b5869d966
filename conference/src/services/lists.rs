//! The list of meetings: one query, whatever its length.

use super::Services;
use super::actor::Actor;
use super::cursor::{self, Page};
use super::error::ServiceError;
use super::meetings::state_now;
use super::planning::closes_at;
use super::schedule::{Schedule, millis};
use super::views::{MeetingPage, MeetingSummary};
use crate::ids::MeetingId;
use crate::live::resolver::fold;
use crate::store::{ListQuery, ListedMeeting};
use crate::vocabulary::{MeetingForm, MeetingState, Role, UnixMillis};

/// How many meetings one answer holds at most.
const PAGE_MAX: u32 = 200;
/// The longest text searched for.
const QUERY_MAX: usize = 200;

/// Which meetings are wanted.
#[derive(Clone, Debug, Default)]
pub struct MeetingFilter {
    /// Only those that came to be this way.
    pub form: Option<MeetingForm>,
    /// Only those whose title, site or number contains this.
    pub query: Option<String>,
    /// Which page of them.
    pub page: Page,
}

impl Services {
    /// The meetings the asker owns or is invited to; every meeting of the tenant for its admins. Newest first.
    ///
    /// # Errors
    /// Forbidden for those who came by a link; invalid for a place that is none.
    pub async fn meetings(&self, actor: &Actor, filter: &MeetingFilter) -> Result<MeetingPage, ServiceError> {
        let user = actor.user()?;
        let limit = filter.page.limit_up_to(PAGE_MAX)?;
        let text = filter.query.as_deref().unwrap_or_default().trim();
        if text.chars().count() > QUERY_MAX {
            return Err(ServiceError::invalid("query", "This is too long")
                .mend(format!("Search for at most {QUERY_MAX} characters")));
        }
        let query = ListQuery {
            tenant: &user.tenant,
            user: &user.user,
            all: user.reaches_all_meetings(),
            form: filter.form,
            text: fold(text),
            after: filter.page.after()?.map(place),
            limit: limit + 1,
        };
        let mut rows = self.store.list_meetings(&query).await?;
        let next = cursor::cut(&mut rows, limit, |row| {
            (row.meeting.created_at.0, row.meeting.id.as_str().to_owned())
        });
        let now = self.now();
        let meetings = rows.into_iter().map(|row| self.summary(row, user.user.as_str(), now)).collect();
        Ok(MeetingPage { meetings, next })
    }

    fn summary(&self, row: ListedMeeting, asker: &str, now: UnixMillis) -> MeetingSummary {
        let ListedMeeting { meeting, people, role, owner_name } = row;
        let owner = meeting.owner.as_ref().is_some_and(|owner| owner.as_str() == asker);
        let draft = meeting.state == MeetingState::Draft;
        let schedule = Schedule::of(&meeting.plan);
        let next = schedule.as_ref().and_then(|schedule| schedule.occurrences(now, 1).into_iter().next());
        MeetingSummary {
            number: if draft { String::new() } else { meeting.number.clone() },
            link: if draft { String::new() } else { self.link(meeting.id.as_str()) },
            state: state_now(meeting.state, None, closes_at(&meeting.plan), now),
            my_role: if owner { Some(Role::Host) } else { role },
            owner_name,
            people_count: people,
            next_start: next.map(|span| millis(span.start)),
            when: schedule.as_ref().map(Schedule::words),
            id: meeting.id,
            title: meeting.title,
            kind: meeting.kind,
            form: meeting.form,
            owner: meeting.owner,
            alias: meeting.alias,
            site: meeting.site,
            created_at: meeting.created_at,
            start: meeting.plan.start,
            duration_minutes: meeting.plan.duration_minutes,
            time_zone: meeting.plan.time_zone,
        }
    }
}

/// The place after which a page begins.
fn place((at, id): (i64, String)) -> (UnixMillis, MeetingId) {
    (UnixMillis(u64::try_from(at).unwrap_or(0)), MeetingId::new(id))
}
