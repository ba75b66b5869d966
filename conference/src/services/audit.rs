//! Who did what to whom: written in the transaction of the act itself (I86).

use super::{Actor, ServiceError, Services, UserActor};
use crate::ids::{TenantId, UserId};
use crate::store::{AuditEntry, Connection, Store, UserRow};
use serde_json::Value;

/// Who acts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub(super) tenant: &'a TenantId,
    /// Nobody for whoever came by a link, and for what the system does by itself.
    pub(super) user: Option<&'a UserId>,
}

impl<'a> From<&'a UserActor> for Who<'a> {
    fn from(actor: &'a UserActor) -> Self {
        Self { tenant: &actor.tenant, user: Some(&actor.user) }
    }
}

impl<'a> From<&'a Actor> for Who<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self { tenant: actor.tenant(), user: actor.user().ok().map(|user| &user.user) }
    }
}

impl<'a> From<&'a UserRow> for Who<'a> {
    fn from(user: &'a UserRow) -> Self {
        Self { tenant: &user.tenant, user: Some(&user.id) }
    }
}

/// What a thing was before the act and what it is after it, as JSON. Never a secret.
pub(super) type Change = (Option<Value>, Option<Value>);

impl Services {
    /// An act asked for through the API.
    pub(super) async fn audit<'a>(
        &self,
        connection: &mut Connection,
        who: impl Into<Who<'a>>,
        action: &'static str,
        object: &str,
        change: Change,
    ) -> Result<(), ServiceError> {
        self.audit_from("api", connection, who, action, object, change).await
    }

    /// An act that came another way: `multi`, `invite`, `keypad`.
    pub(super) async fn audit_from<'a>(
        &self,
        source: &str,
        connection: &mut Connection,
        who: impl Into<Who<'a>>,
        action: &'static str,
        object: &str,
        (before, after): Change,
    ) -> Result<(), ServiceError> {
        let Who { tenant, user } = who.into();
        let entry = AuditEntry { tenant, actor: user, action, object, before, after, source, at: self.now() };
        Ok(Store::insert_audit(connection, &entry).await?)
    }
}
