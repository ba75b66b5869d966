//! Between columns and types.

use super::StoreError;
use crate::store::Row;
use crate::vocabulary::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;

/// The word of a fieldless enum, the same one as in the API.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Reads a word written by [`word`].
pub(crate) fn from_word<T: DeserializeOwned>(column: &'static str, word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.clone()))
        .map_err(|_| StoreError::UnknownWord { column, value: word })
}

/// A time as SQLite stores it.
pub(crate) fn millis(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// A condition of a list: that a column is what is bound as `value`, if that is asked for, so that an index on the column
/// can be used; else one that always holds and names the value all the same.
pub(crate) fn narrowed(column: &str, value: &str, asked: bool) -> String {
    if asked { format!(" AND {column} = {value}") } else { format!(" AND CAST({value} AS TEXT) IS NULL") }
}

/// Typed access to one row by column name.
pub(crate) struct Columns<'r>(pub(crate) &'r Row);

impl Columns<'_> {
    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn word<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        from_word(column, self.0.try_get(column)?)
    }

    pub(crate) fn optional_word<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let word: Option<String> = self.0.try_get(column)?;
        word.map(|word| from_word(column, word)).transpose()
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        let value: i64 = self.0.try_get(column)?;
        Ok(value != 0)
    }

    pub(crate) fn integer(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn time(&self, column: &str) -> Result<UnixMillis, StoreError> {
        Ok(UnixMillis(u64::try_from(self.integer(column)?).unwrap_or(0)))
    }

    pub(crate) fn optional_time(&self, column: &str) -> Result<Option<UnixMillis>, StoreError> {
        Ok(self.optional_integer(column)?.map(|value| UnixMillis(u64::try_from(value).unwrap_or(0))))
    }
}
