//! What an administrator does at the terminal, beside the running program or before its first start: tenants, and users
//! who can log in.

use super::columns::Columns;
use super::secrets::LinkKey;
use super::seed::{Seed, SeedError, TenantSeed, UserSeed};
use super::world::Entropy;
use super::{AuditEntry, Store, StoreError};
use crate::ids::TenantId;
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// What the commands need from the world.
pub struct Tools<'a> {
    /// The database, opened by [`Store::open_beside`].
    pub store: &'a Store,
    /// Random bytes.
    pub entropy: &'a dyn Entropy,
    /// The key of join links.
    pub links: &'a LinkKey,
    /// Wall time.
    pub now: UnixMillis,
}

/// A password nobody has to think of: 20 letters and digits that are not taken for each other, 99 bits.
pub fn new_password(entropy: &dyn Entropy) -> String {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    entropy.fill(&mut bytes);
    // 32 signs divide 256: every sign is as likely as any other.
    bytes.iter().filter_map(|byte| SIGNS.get(usize::from(byte % 32))).map(|sign| char::from(*sign)).collect()
}

fn refused(at: &str, detail: impl Into<String>, mend: &str) -> StoreError {
    SeedError { at: at.to_owned(), detail: detail.into(), mend: mend.to_owned() }.into()
}

/// Adds a tenant.
///
/// # Errors
/// When its name or domain is taken, or something about it is wrong; nothing is written then.
pub async fn add_tenant(tools: &Tools<'_>, tenant: TenantSeed) -> Result<(), StoreError> {
    let name = tenant.name.clone();
    let taken =
        sqlx::query("SELECT count(*) FROM tenants WHERE name = $1").bind(&name).fetch_one(&tools.store.pool);
    if taken.await?.try_get::<i64, _>(0)? > 0 {
        return Err(refused("--name", format!("there is a tenant {name:?} already"), "choose another name"));
    }
    let seed = Seed { tenants: vec![tenant] };
    seed.apply(tools.store, tools.entropy, tools.links, tools.now).await?;
    audit(tools, &name, "tenant.created", &name).await
}

/// Adds a user who can log in at once. Without a tenant's name there must be exactly one tenant.
///
/// # Errors
/// When the login or the extension is taken, or something about the user is wrong; nothing is written then.
pub async fn add_user(tools: &Tools<'_>, tenant: Option<&str>, user: UserSeed) -> Result<(), StoreError> {
    let mut tenant = named_tenant(tools.store, tenant).await?;
    let (name, login) = (tenant.name.clone(), user.login.clone());
    let taken =
        sqlx::query("SELECT count(*) FROM users WHERE login = $1").bind(&login).fetch_one(&tools.store.pool);
    if taken.await?.try_get::<i64, _>(0)? > 0 {
        return Err(refused("--login", format!("{login:?} is taken"), "choose another login"));
    }
    tenant.users.push(user);
    let seed = Seed { tenants: vec![tenant] };
    seed.apply(tools.store, tools.entropy, tools.links, tools.now).await?;
    audit(tools, &name, "user.created", &login).await
}

/// The tenant as it is in the database, so that nothing about it changes.
async fn named_tenant(store: &Store, name: Option<&str>) -> Result<TenantSeed, StoreError> {
    let tenants = store.tenants().await?;
    let known = tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match name {
        Some(name) => tenants.iter().find(|tenant| tenant.name == name),
        None => tenants.first().filter(|_| tenants.len() == 1),
    };
    let Some(tenant) = found else {
        let detail = match (name, tenants.len()) {
            (_, 0) => "there is no tenant yet".to_owned(),
            (Some(name), _) => format!("there is no tenant {name:?}"),
            (None, _) => "there are several tenants".to_owned(),
        };
        let mend = if known.is_empty() {
            "add one first: partyline tenant add".to_owned()
        } else {
            format!("name one of these: {known}")
        };
        return Err(refused("--tenant", detail, &mend));
    };
    Ok(TenantSeed {
        name: tenant.name.clone(),
        domain: tenant.domain.clone(),
        phone_address_domain: tenant.phone_address_domain.clone(),
        country: tenant.country.clone(),
        area_code: tenant.area_code.clone(),
        ..TenantSeed::default()
    })
}

async fn audit(
    tools: &Tools<'_>,
    tenant: &str,
    action: &'static str,
    object: &str,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT id FROM tenants WHERE name = $1")
        .bind(tenant)
        .fetch_one(&tools.store.pool)
        .await?;
    let tenant = TenantId::new(Columns(&row).text("id")?);
    let entry = AuditEntry {
        tenant: &tenant,
        actor: None,
        action,
        object,
        before: None,
        after: None,
        source: "command",
        at: tools.now,
    };
    let mut transaction = tools.store.begin().await?;
    Store::insert_audit(&mut transaction, &entry).await?;
    transaction.commit().await?;
    Ok(())
}
