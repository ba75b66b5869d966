//! Lists that are read on from where the page before ended.

use super::error::ServiceError;

/// How many rows a page has unless it is said.
pub const PAGE: u32 = 100;
/// How many rows a page may have.
pub const PAGE_MAX: u32 = 500;

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How many rows; [`PAGE`] if absent.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

impl Page {
    /// How many rows to read.
    ///
    /// # Errors
    /// Invalid for none or more than `max`.
    pub(super) fn limit_up_to(&self, max: u32) -> Result<i64, ServiceError> {
        match self.limit.unwrap_or_else(|| PAGE.min(max)) {
            limit if (1..=max).contains(&limit) => Ok(i64::from(limit)),
            limit => Err(ServiceError::invalid("limit", format!("{limit} rows are none or too many"))
                .mend(format!("Ask for 1 to {max} rows"))),
        }
    }

    /// The time and the identifier of the last row of the page before.
    ///
    /// # Errors
    /// Invalid if it is no cursor of ours.
    pub(super) fn after(&self) -> Result<Option<(i64, String)>, ServiceError> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
        parts.map(Some).ok_or_else(no_place)
    }
}

pub(super) fn no_place() -> ServiceError {
    ServiceError::invalid("after", "This is not where a page ended").mend("Send next of the page before")
}

/// Cuts the page out of what was read, which is one row more than wanted if there is one; the cursor behind its last row
/// if there are more.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: i64, place: impl Fn(&T) -> (u64, String)) -> Option<String> {
    let wanted = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let (at, id) = place(rows.last().filter(|_| more)?);
    Some(format!("{at}.{id}"))
}
