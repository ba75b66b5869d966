//! Login, logout and tokens.

use super::actor::{Actor, ParticipantActor, UserActor};
use super::error::{ErrorKind, ServiceError};
use super::views::{CallerId, Me};
use super::{Entropy, Services};
use crate::store::secrets::{hash_password, random_token, token_hash, verify_password};
use crate::store::{SessionRow, UserRow};
use crate::vocabulary::UnixMillis;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many passwords are checked at once. Each check takes tens of milliseconds of a core and 19 MiB; without a
/// bound, a burst of logins would starve the calls.
const PASSWORD_CHECKS: usize = 2;
/// Longer passwords are not looked at.
pub(super) const PASSWORD_MAX: usize = 1024;

/// Checks passwords, in equal time whether or not there is such a user (I88).
pub(super) struct Passwords {
    /// The hash unknown users are checked against.
    nobody: Arc<str>,
    turn: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new(entropy: &dyn Entropy) -> Result<Self, ServiceError> {
        let nobody = hash_password(entropy, &random_token(entropy))
            .map_err(|error| ServiceError::internal(error.to_string()))?;
        Ok(Self { nobody: nobody.into(), turn: Arc::new(Semaphore::new(PASSWORD_CHECKS)) })
    }

    pub(super) async fn check(&self, password: String, hash: Option<String>) -> Result<bool, ServiceError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| ServiceError::internal(error.to_string()))?;
        let matches = tokio::task::spawn_blocking(move || {
            let matches = verify_password(&password, &hash);
            drop(turn);
            matches
        });
        let matches = matches.await.map_err(|error| ServiceError::internal(error.to_string()))?;
        Ok(matches && known)
    }
}

impl Passwords {
    /// Hashes a new password, in its turn.
    pub(super) async fn hash(
        &self,
        entropy: &Arc<dyn Entropy>,
        password: &str,
    ) -> Result<String, ServiceError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| ServiceError::internal(error.to_string()))?;
        let (entropy, password) = (Arc::clone(entropy), password.to_owned());
        let hashed = tokio::task::spawn_blocking(move || {
            let hashed = hash_password(entropy.as_ref(), &password);
            drop(turn);
            hashed
        });
        let hashed = hashed.await.map_err(|error| ServiceError::internal(error.to_string()))?;
        hashed.map_err(|error| ServiceError::internal(error.to_string()))
    }
}

/// A successful login.
#[derive(Clone, Debug)]
pub struct Login {
    /// The bearer token; shown once, stored only as a hash.
    pub token: String,
    /// How long it is valid.
    pub lifetime: Duration,
    /// Who logged in.
    pub user: Me,
}

/// `at` plus a duration, on the wall clock.
pub(super) fn later(at: UnixMillis, by: Duration) -> UnixMillis {
    UnixMillis(at.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
}

impl Services {
    /// Exchanges login and password for a token.
    ///
    /// # Errors
    /// Unauthorized, in the same words and time for an unknown login, a wrong password and a disabled user.
    pub async fn login(&self, login: &str, password: &str) -> Result<Login, ServiceError> {
        let login = login.trim().to_lowercase();
        let refused = || {
            ServiceError::new(ErrorKind::Unauthorized, "Login or password is wrong")
                .mend("Check both, or ask your Tenant Admin")
        };
        if login.len() > 200 || password.len() > PASSWORD_MAX {
            return Err(refused());
        }
        let user = self.user_with_password(&login, password).await?.ok_or_else(refused)?;
        self.login_as(user).await
    }

    /// Whoever has this login and this password. Two tenants may know the same address.
    async fn user_with_password(&self, login: &str, password: &str) -> Result<Option<UserRow>, ServiceError> {
        let mut users = self.store.users_by_typed_login(login).await?;
        users.retain(|user| user.enabled && user.enrolled_at.is_some() && !user.password_hash.is_empty());
        if users.is_empty() {
            self.passwords.check(password.to_owned(), None).await?;
        }
        for user in users {
            if self.passwords.check(password.to_owned(), Some(user.password_hash.clone())).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// Opens a login for somebody who has shown who they are.
    pub(super) async fn login_as(&self, user: UserRow) -> Result<Login, ServiceError> {
        let lifetime = self.config.login_lifetime;
        let session = SessionRow::User { tenant: user.tenant.clone(), user: user.id.clone() };
        let token = self.open_session(&session, lifetime).await?;
        let actor = UserActor {
            tenant: user.tenant,
            user: user.id,
            display_name: user.display_name,
            role: user.tenant_role,
        };
        Ok(Login { token, lifetime, user: self.me(&Actor::User(actor)).await? })
    }

    /// Makes a token for a session and stores its hash.
    pub(super) async fn open_session(
        &self,
        session: &SessionRow,
        lifetime: Duration,
    ) -> Result<String, ServiceError> {
        let token = random_token(self.entropy.as_ref());
        let now = self.now();
        self.store.insert_session(&token_hash(&token), session, now, later(now, lifetime)).await?;
        Ok(token)
    }

    /// Who a token stands for.
    ///
    /// # Errors
    /// Unauthorized if it is unknown, expired, or its user or person is gone.
    pub(super) async fn authenticate_session(&self, token: &str) -> Result<Actor, ServiceError> {
        let refused = || {
            ServiceError::new(ErrorKind::Unauthorized, "The token is unknown or has expired")
                .mend("Log in again")
        };
        match self.store.session(&token_hash(token), self.now()).await?.ok_or_else(refused)? {
            SessionRow::User { tenant, user } => {
                let row = self.store.user(&tenant, &user).await?.ok_or_else(refused)?;
                Ok(Actor::User(UserActor {
                    tenant,
                    user,
                    display_name: row.display_name,
                    role: row.tenant_role,
                }))
            }
            SessionRow::Participant { tenant, meeting, person } => {
                let row = self.store.person(&tenant, &meeting, &person).await?;
                row.filter(|row| row.removed_at.is_none()).ok_or_else(refused)?;
                Ok(Actor::Participant(ParticipantActor { tenant, meeting, person }))
            }
        }
    }

    /// Ends a token. Ending one twice is no error.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logout(&self, token: &str) -> Result<(), ServiceError> {
        Ok(self.store.delete_session(&token_hash(token)).await?)
    }

    /// The logged-in user's own account.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub async fn me(&self, actor: &Actor) -> Result<Me, ServiceError> {
        let actor = actor.user()?;
        let user = self.store.user(&actor.tenant, &actor.user).await?;
        let user = user.ok_or_else(|| ServiceError::not_found("user"))?;
        let tenant = self.store.tenant(&actor.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a user without tenant"))?;
        let caller_id = self.store.caller_id(&actor.tenant, &actor.user).await?;
        Ok(Me {
            id: user.id,
            display_name: user.display_name,
            first: user.first,
            last: user.last,
            login: user.login,
            extension: user.extension,
            tenant_role: user.tenant_role,
            tenant: tenant.name,
            caller_id: caller_id.map(|row| CallerId { number: row.number, display: row.display_name }),
        })
    }
}
