//! Which page of a list is asked for.

use crate::problem::ApiError;
use conference::services::page::PageRequest;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Which page, counted from 1.
    page: Option<u32>,
    /// How many entries a page holds, at most 500; 100 when missing.
    per_page: Option<u32>,
}

impl PageQuery {
    pub(crate) fn request(&self) -> Result<PageRequest, ApiError> {
        Ok(PageRequest::new(self.page, self.per_page)?)
    }
}
