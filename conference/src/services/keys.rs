//! Keys of machines: each acts in the name of one user, within its scopes.

use super::Services;
use super::actor::{Actor, UserActor};
use super::error::{ErrorKind, ServiceError};
use super::input;
use super::page::{Page, PageRequest};
use crate::ids::UserId;
use crate::store::secrets::{random_token, token_hash};
use crate::store::{ApiKeyRow, Store, StoreError};
use crate::vocabulary::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// What every key begins with, so that one that leaked is found by scanners.
pub const PREFIX: &str = "ply_";
/// How many keys a tenant may have.
const KEYS_MAX: i64 = 200;
/// The use of a key is written down at most this often.
const TOUCH_MS: u64 = 60_000;

/// What a key allows, beyond nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Reading: every GET, and the event stream.
    Read,
    /// Creating and changing meetings, people and invitations.
    Meetings,
    /// Placing, checking and ending calls.
    Calls,
    /// Administering users and devices.
    Users,
    /// Everything else but keys.
    Admin,
}

/// Whoever a token stands for, and what it allows.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Who.
    pub actor: Actor,
    /// The scopes of a machine's key; none for people, who may do whatever their role allows.
    pub scopes: Option<BTreeSet<Scope>>,
}

impl Identified {
    /// Whether the token allows this.
    ///
    /// # Errors
    /// Forbidden, naming the scope that is missing.
    pub fn require(&self, scope: Option<Scope>) -> Result<(), ServiceError> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        match scope {
            Some(scope) if scopes.contains(&scope) => Ok(()),
            Some(scope) => {
                let word = crate::store::word(&scope);
                Err(ServiceError::forbidden(format!("This key does not have the scope {word}"))
                    .mend("Use a key with this scope"))
            }
            None => Err(ServiceError::forbidden("This is not for keys").mend("Log in as a user")),
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// In whose name it acts; the asker's when missing.
    pub user: Option<UserId>,
    /// When it ends; never when missing.
    pub expires_at: Option<UnixMillis>,
}

/// A key, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// The key's identifier.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// In whose name it acts.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub user: UserId,
    /// Its first signs, to tell keys apart by.
    pub hint: String,
    /// When it was made, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// When it ends.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub expires_at: Option<UnixMillis>,
    /// When it was used last, to the minute.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub last_used_at: Option<UnixMillis>,
}

/// A new key. The key itself is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedApiKey {
    /// About it.
    pub api_key: ApiKey,
    /// The bearer token.
    pub key: String,
}

fn view(row: ApiKeyRow) -> ApiKey {
    ApiKey {
        scopes: scopes(&row).into_iter().collect(),
        id: row.id,
        name: row.name,
        user: row.user,
        hint: row.hint,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }
}

/// A word this version does not know allows nothing.
fn scopes(row: &ApiKeyRow) -> BTreeSet<Scope> {
    let word = |word: &str| serde_json::from_value(serde_json::Value::String(word.to_owned())).ok();
    row.scopes.split_whitespace().filter_map(word).collect()
}

impl Services {
    /// Who a token stands for. Keys need the scope `read`.
    ///
    /// # Errors
    /// Unauthorized if it is unknown, expired or revoked, or its user or person is gone.
    pub async fn authenticate(&self, token: &str) -> Result<Actor, ServiceError> {
        let identified = self.identify(token).await?;
        identified.require(Some(Scope::Read))?;
        Ok(identified.actor)
    }

    /// Who a token stands for, and what it allows.
    ///
    /// # Errors
    /// As for [`Self::authenticate`].
    pub async fn identify(&self, token: &str) -> Result<Identified, ServiceError> {
        if !token.starts_with(PREFIX) {
            return Ok(Identified { actor: self.authenticate_session(token).await?, scopes: None });
        }
        let refused = || {
            ServiceError::new(ErrorKind::Unauthorized, "The key is unknown, revoked or has expired")
                .mend("Ask your Tenant Admin for a new one")
        };
        let now = self.now();
        let key = self.store.api_key_by_hash(&token_hash(token), now).await?.ok_or_else(refused)?;
        let user = self.store.user(&key.tenant, &key.user).await?.ok_or_else(refused)?;
        if key.last_used_at.is_none_or(|at| at.0 + TOUCH_MS <= now.0) {
            self.store.touch_api_key(&key.id, now).await?;
        }
        let actor = UserActor {
            tenant: user.tenant,
            user: user.id,
            display_name: user.display_name,
            role: user.tenant_role,
        };
        Ok(Identified { actor: Actor::User(actor), scopes: Some(scopes(&key)) })
    }

    /// The tenant's keys, newest first.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins.
    pub async fn api_keys(&self, actor: &Actor, page: PageRequest) -> Result<Page<ApiKey>, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let (rows, total) = self.store.api_keys(&admin.tenant, page.slice()).await?;
        Ok(page.of(rows.into_iter().map(view).collect(), total))
    }

    /// Makes a key.
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden for all but tenant admins.
    pub async fn create_api_key(&self, actor: &Actor, new: NewApiKey) -> Result<CreatedApiKey, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        if new.scopes.is_empty() {
            return Err(ServiceError::invalid("scopes", "A key without scopes allows nothing")
                .mend("Choose among read, meetings, calls, users and admin"));
        }
        if new.expires_at.is_some_and(|at| at <= self.now()) {
            return Err(ServiceError::invalid("expires_at", "This is over").mend("Choose a later time"));
        }
        let name = input::name("name", &new.name)?;
        let user = new.user.unwrap_or_else(|| admin.user.clone());
        if self.store.user(&admin.tenant, &user).await?.is_none() {
            return Err(ServiceError::invalid("user", "There is no such user")
                .mend("Choose one from the list of users"));
        }
        let (_, total) = self.store.api_keys(&admin.tenant, (1, 0)).await?;
        if total >= KEYS_MAX {
            return Err(super::meetings::conflict(format!("There are {KEYS_MAX} keys already"))
                .mend("Revoke those that are no longer used"));
        }
        let secret = random_token(self.entropy.as_ref());
        let row = ApiKeyRow {
            id: self.random_id('k'),
            tenant: admin.tenant.clone(),
            user,
            name,
            scopes: new.scopes.iter().map(crate::store::word).collect::<Vec<_>>().join(" "),
            hint: format!("{PREFIX}{}", secret.chars().take(6).collect::<String>()),
            created_at: self.now(),
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let key = format!("{PREFIX}{secret}");
        let mut transaction = self.store.begin().await?;
        Store::insert_api_key(&mut transaction, &row, &token_hash(&key)).await?;
        let after = json!({ "name": row.name, "scopes": row.scopes, "user": row.user });
        self.audit(&mut transaction, admin, "api_key.created", &row.id, (None, Some(after))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(CreatedApiKey { api_key: view(row), key })
    }

    /// Revokes a key, at once.
    ///
    /// # Errors
    /// Not found; forbidden for all but tenant admins.
    pub async fn revoke_api_key(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let mut transaction = self.store.begin().await?;
        if !Store::revoke_api_key(&mut transaction, &admin.tenant, id, self.now()).await? {
            return Err(ServiceError::not_found("key"));
        }
        self.audit(&mut transaction, admin, "api_key.revoked", id, (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}
