//! Inviting many users to many sessions at once: users x sessions, one result per pair (B02 to B08).
//!
//! The request is a row before the first pair is done. A task then goes from session to session, one small transaction each,
//! and lets others write in between; a restart goes on where it was. Nobody is created on this way (B08), and whoever has
//! access already keeps it as it is: turning VIEW ONLY on and off is the owner's right within the session (B48).

mod run;
mod views;

pub use views::{MultiInvite, MultiInviteState, Outcome, PairResult};

use super::actor::{Actor, UserActor};
use super::error::{ErrorKind, ServiceError};
use super::page::{Page, PageRequest};
use super::resolve::{Meant, Named};
use super::{Services, input};
use crate::ids::{MeetingId, UserId};
use crate::store::secrets::token_hash;
use crate::store::{BulkRow, Store, StoreError, StoredAnswer};
use crate::vocabulary::{Access, TenantRole};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many users one request names.
const USERS_MAX: usize = 500;
/// How many sessions one request names.
const SESSIONS_MAX: usize = 200;
/// How many pairs one request makes.
const PAIRS_MAX: usize = 20_000;
/// How many requests of one tenant run at once.
const RUNNING_MAX: i64 = 4;
/// The longest entry.
const TEXT_MAX: usize = 254;

/// Users x sessions.
#[derive(Clone, Debug)]
pub struct NewMultiInvite {
    /// Users by identifier, e-mail address, phone number, number@domain or extension.
    pub users: Vec<String>,
    /// The sessions.
    pub sessions: Vec<MeetingId>,
    /// Collaborate unless VIEW ONLY was chosen (B45, B46).
    pub access: Access,
}

/// One entry of the list of users.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    text: String,
    /// The registered user it names.
    user: Option<UserId>,
    /// Whether it could at least be somebody.
    stranger: bool,
}

/// What is stored of a request, so that it can be gone on with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    targets: Vec<Target>,
    sessions: Vec<MeetingId>,
}

impl Services {
    /// Takes an order and begins with it. With the same idempotency key the same order is given again.
    ///
    /// # Errors
    /// Forbidden for all but session and tenant admins (B03); invalid, naming the field; conflict if the key was used
    /// for another request; too many if others of the tenant are running.
    pub async fn multi_invite(
        self: &Arc<Self>,
        actor: &Actor,
        new: NewMultiInvite,
        idempotency_key: Option<&str>,
    ) -> Result<MultiInvite, ServiceError> {
        let admin = actor.user()?.session_admin()?;
        let request = token_hash(&format!("{new:?}"));
        let key = idempotency_key.map(super::idempotency::check_key).transpose()?;
        if let Some(key) = key
            && let Some(earlier) = self.given_order(admin, key, &request).await?
        {
            return Ok(earlier);
        }
        let order = self.order(admin, &new).await?;
        if self.store.bulks_running(&admin.tenant).await? >= RUNNING_MAX {
            return Err(ServiceError::new(
                ErrorKind::TooMany,
                "Other invitations of many to many are running",
            )
            .mend("Wait until one of them is done"));
        }
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let bulk = BulkRow {
            id: self.random_id('b'),
            tenant: admin.tenant.clone(),
            actor: admin.user.clone(),
            access: new.access,
            request: serde_json::to_string(&order)
                .map_err(|error| ServiceError::internal(error.to_string()))?,
            users: count(order.targets.len()),
            sessions: count(order.sessions.len()),
            done: 0,
            counts: "{}".to_owned(),
            notified: 0,
            running: true,
            created_at: self.now(),
            finished_at: None,
        };
        if let Some(earlier) = self.write_order(admin, &bulk, key.map(|key| (key, request.as_str()))).await? {
            return Ok(earlier);
        }
        let services = Arc::clone(self);
        let (row, order) = (bulk.clone(), order);
        tokio::spawn(async move { services.run_order(row, order).await });
        Ok(views::multi_invite(&bulk))
    }

    async fn given_order(
        &self,
        admin: &UserActor,
        key: &str,
        request: &str,
    ) -> Result<Option<MultiInvite>, ServiceError> {
        let mut transaction = self.store.begin().await?;
        let stored = Store::stored_answer(&mut transaction, &admin.tenant, &admin.user, key).await?;
        drop(transaction);
        let Some(stored) = stored else { return Ok(None) };
        if stored.request_hash != request {
            return Err(super::idempotency::key_was_used());
        }
        let bulk = self.store.bulk(&admin.tenant, &stored.response).await?;
        Ok(bulk.map(|bulk| views::multi_invite(&bulk)))
    }

    /// Writes the order, its key and the audit line; gives the earlier order if another request with the key was first.
    async fn write_order(
        &self,
        admin: &UserActor,
        bulk: &BulkRow,
        key: Option<(&str, &str)>,
    ) -> Result<Option<MultiInvite>, ServiceError> {
        let mut transaction = self.store.begin().await?;
        Store::insert_bulk(&mut transaction, bulk).await?;
        if let Some((key, request_hash)) = key {
            let answer = StoredAnswer { request_hash: request_hash.to_owned(), response: bulk.id.clone() };
            let owner = (&admin.tenant, &admin.user, key);
            match Store::insert_answer(&mut transaction, owner, &answer, self.now()).await {
                Err(error) if error.is_unique_violation() => {
                    drop(transaction);
                    return self.given_order(admin, key, request_hash).await;
                }
                written => written?,
            }
        }
        self.audit_from(
            "multi",
            &mut transaction,
            admin,
            "multi_invite.created",
            &bulk.id,
            (None, Some(json!({ "users": bulk.users, "sessions": bulk.sessions, "access": bulk.access }))),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(None)
    }

    /// Understands every entry; whoever is named twice, in whatever way, is taken once.
    async fn order(&self, admin: &UserActor, new: &NewMultiInvite) -> Result<Order, ServiceError> {
        for (field, length) in [("users", new.users.len()), ("sessions", new.sessions.len())] {
            if length == 0 {
                return Err(ServiceError::invalid(field, "The list is empty").mend("Choose at least one"));
            }
        }
        input::length("users", new.users.len(), USERS_MAX)?;
        input::length("sessions", new.sessions.len(), SESSIONS_MAX)?;
        if new.users.len() * new.sessions.len() > PAIRS_MAX {
            let pairs = new.users.len() * new.sessions.len();
            return Err(ServiceError::invalid("users", format!("{pairs} pairs are too many"))
                .mend(format!("Send at most {PAIRS_MAX} at once")));
        }
        let tenant = self.own_tenant(admin).await?;
        let texts: Vec<&str> = new.users.iter().map(String::as_str).collect();
        let users = texts.iter().map(|text| UserId::new(text.trim())).collect();
        let mut directory = self.directory(admin, &tenant, &Meant { texts, whole: true, users }).await?;
        directory.keep_registered();
        let (mut targets, mut seen) = (Vec::with_capacity(new.users.len()), BTreeSet::new());
        for (index, text) in new.users.iter().enumerate() {
            if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.contains('\0') {
                return Err(ServiceError::invalid(format!("users[{index}]"), "This is no user")
                    .mend("Send an identifier, an e-mail address or a phone number"));
            }
            let (user, stranger) = match directory.named(text) {
                Named::User(user) => (Some(user.id.clone()), false),
                Named::Stranger => (None, true),
                Named::Nobody => (None, false),
            };
            let identity =
                user.as_ref().map_or_else(|| text.trim().to_lowercase(), |user| format!("user {user}"));
            if seen.insert(identity) {
                targets.push(Target { text: text.trim().to_owned(), user, stranger });
            }
        }
        let mut seen = BTreeSet::new();
        let sessions =
            new.sessions.iter().filter(|session| seen.insert((*session).clone())).cloned().collect();
        Ok(Order { targets, sessions })
    }

    /// How far an order is.
    ///
    /// # Errors
    /// Not found for orders of others, unless a tenant admin asks; forbidden for all but session and tenant admins.
    pub async fn multi_invite_state(&self, actor: &Actor, id: &str) -> Result<MultiInvite, ServiceError> {
        Ok(views::multi_invite(&self.own_order(actor, id).await?))
    }

    /// The results so far, one per pair, session by session in the order of the request.
    ///
    /// # Errors
    /// As for [`Self::multi_invite_state`].
    pub async fn multi_invite_results(
        &self,
        actor: &Actor,
        id: &str,
        page: PageRequest,
    ) -> Result<Page<PairResult>, ServiceError> {
        let bulk = self.own_order(actor, id).await?;
        let rows = self.store.bulk_results(&bulk.id, page.slice()).await?;
        let results = rows.into_iter().map(views::pair_result).collect();
        Ok(page.of(results, bulk.done))
    }

    async fn own_order(&self, actor: &Actor, id: &str) -> Result<BulkRow, ServiceError> {
        let admin = actor.user()?.session_admin()?;
        let bulk = self.store.bulk(&admin.tenant, id).await?;
        let allowed = |bulk: &BulkRow| bulk.actor == admin.user || admin.role == TenantRole::TenantAdmin;
        bulk.filter(allowed).ok_or_else(|| ServiceError::not_found("invitation of many to many"))
    }
}
