//! Lists that are turned page by page.

use super::error::ServiceError;

/// The most entries one page holds.
pub const PER_PAGE_MAX: u32 = 500;
/// How many it holds when nothing is said.
pub const PER_PAGE: u32 = 100;
/// The last page that is looked for.
const PAGE_MAX: u32 = 1_000_000;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    page: u32,
    per_page: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE }
    }
}

impl PageRequest {
    /// Page `page`, counted from 1, of `per_page` entries each.
    ///
    /// # Errors
    /// Invalid, naming the field.
    pub fn new(page: Option<u32>, per_page: Option<u32>) -> Result<Self, ServiceError> {
        let (page, per_page) = (page.unwrap_or(1), per_page.unwrap_or(PER_PAGE));
        if !(1..=PAGE_MAX).contains(&page) {
            return Err(ServiceError::invalid("page", format!("{page} is no page")).mend("Count from 1"));
        }
        if !(1..=PER_PAGE_MAX).contains(&per_page) {
            return Err(ServiceError::invalid("per_page", format!("{per_page} entries make no page"))
                .mend(format!("Ask for 1 to {PER_PAGE_MAX}")));
        }
        Ok(Self { page, per_page })
    }

    /// LIMIT and OFFSET.
    pub(super) fn slice(self) -> (i64, i64) {
        let (page, per_page) = (i64::from(self.page), i64::from(self.per_page));
        (per_page, (page - 1) * per_page)
    }

    /// The answer with these entries.
    pub(super) fn of<T>(self, items: Vec<T>, total: i64) -> Page<T> {
        Page { items, total: u64::try_from(total).unwrap_or(0), page: self.page, per_page: self.per_page }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
    /// Which page this is, counted from 1.
    pub page: u32,
    /// How many entries a page holds.
    pub per_page: u32,
}
