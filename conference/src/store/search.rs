//! What a search looks at, folded (case and accents aside) beside the row it is of, so that either database finds it by LIKE.
//! It is folded in the transaction that writes the row.

use super::columns::Columns;
use super::{Connection, Store, StoreError};
use crate::ids::UserId;
use crate::live::resolver::{fold, words};
use sqlx::Row as _;

/// Rows folded in one transaction.
const AT_ONCE: i64 = 1_000;
/// Bytes kept of a folded text: PostgreSQL's indexes take no more than 2,704 in a row.
const FOLDED_MAX: usize = 900;

/// A pattern that finds `text` anywhere, whatever signs it holds. With `ESCAPE '!'`.
pub(super) fn anywhere(text: &str) -> String {
    format!("%{}", beginning(text))
}

/// A pattern that finds what begins with `text`. With `ESCAPE '!'`.
pub(super) fn beginning(text: &str) -> String {
    let plain = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("{plain}%")
}

/// Names as words with a space before each.
fn as_words(names: &str) -> String {
    words(names).iter().map(|word| format!(" {word}")).collect()
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(FOLDED_MAX));
    text
}

impl Store {
    /// Folds what a search for users looks at: names, login, extension, the tenant's identifier, addresses; and the owner's
    /// name beside the user's meetings.
    pub(super) async fn fold_user(connection: &mut Connection, user: &UserId) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT u.tenant_id, u.first, u.last, u.display_name, u.login, u.extension, u.generic_id, \
             (SELECT string_agg(a.value, ' ') FROM user_addresses a WHERE a.tenant_id = u.tenant_id AND a.user_id = u.id) AS addresses \
             FROM users u WHERE u.id = $1",
        )
        .bind(user.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row.as_ref().map(Columns) else { return Ok(()) };
        let display = row.text("display_name")?;
        let names = format!("{} {} {display}", row.text("first")?, row.text("last")?);
        let mut search = format!("{names} {}", row.text("login")?);
        for column in ["extension", "generic_id", "addresses"] {
            search.push(' ');
            search.push_str(&row.optional_text(column)?.unwrap_or_default());
        }
        sqlx::query("UPDATE users SET search = $1, names = $2 WHERE id = $3")
            .bind(cut(fold(&search)))
            .bind(cut(as_words(&names)))
            .bind(user.as_str())
            .execute(&mut *connection)
            .await?;
        sqlx::query("UPDATE meetings SET owner_search = $1 WHERE tenant_id = $2 AND owner_id = $3 AND owner_search <> $1")
            .bind(fold(&display))
            .bind(row.text("tenant_id")?)
            .bind(user.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The folded name of a meeting's owner.
    pub(super) async fn owner_search(
        connection: &mut Connection,
        owner: Option<&UserId>,
    ) -> Result<String, StoreError> {
        let Some(owner) = owner else { return Ok(String::new()) };
        let row = sqlx::query("SELECT display_name FROM users WHERE id = $1")
            .bind(owner.as_str())
            .fetch_optional(connection)
            .await?;
        let name = row.map(|row| Columns(&row).text("display_name")).transpose()?;
        Ok(name.map(|name| fold(&name)).unwrap_or_default())
    }

    /// Folds the rows of a database that was written before rows were folded as they are written.
    pub(super) async fn fold_older_rows(&self) -> Result<(), StoreError> {
        loop {
            let mut transaction = self.begin().await?;
            let rows = sqlx::query("SELECT id FROM users WHERE names IS NULL LIMIT $1")
                .bind(AT_ONCE)
                .fetch_all(&mut *transaction)
                .await?;
            for row in &rows {
                Self::fold_user(&mut transaction, &UserId::new(row.try_get::<String, _>(0)?)).await?;
            }
            let meetings =
                sqlx::query("SELECT id, owner_id FROM meetings WHERE owner_search IS NULL LIMIT $1")
                    .bind(AT_ONCE)
                    .fetch_all(&mut *transaction)
                    .await?;
            for row in meetings.iter().map(Columns) {
                let owner = row.optional_text("owner_id")?.map(UserId::new);
                let folded = Self::owner_search(&mut transaction, owner.as_ref()).await?;
                sqlx::query("UPDATE meetings SET owner_search = $1 WHERE id = $2")
                    .bind(folded)
                    .bind(row.text("id")?)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            if rows.is_empty() && meetings.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b12_every_word_of_a_name_begins_after_a_space() {
        assert_eq!(as_words("René  O'Neil-Núñez"), " rene o neil nunez");
        assert_eq!(as_words("--"), "");
        assert_eq!(anywhere("50%_!"), "%50!%!_!!%");
    }

    #[test]
    fn b12_a_folded_text_is_cut_between_signs() {
        let long = "ß".repeat(FOLDED_MAX);
        assert_eq!(cut(long).chars().count(), FOLDED_MAX / 2);
    }
}
