//! Writing seed data to the database.

use super::check::{Place, check};
use super::{DeviceSeed, MeetingSeed, Seed, SeedError, TenantSeed, TrunkSeed, UserSeed};
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::store::columns::{millis, word};
use crate::store::people::Identity;
use crate::store::secrets::{LinkKey, ha1, hash_password, random_id, token_hash, verify_password};
use crate::store::world::Entropy;
use crate::store::{Connection, MeetingRow, PersonRow, Store, StoreError};
use crate::vocabulary::{Access, MeetingForm, MeetingState, Role, UnixMillis};
use sqlx::Row as _;

/// What applying needs besides the seed.
struct Application<'a> {
    entropy: &'a dyn Entropy,
    links: &'a LinkKey,
    now: UnixMillis,
}

impl Seed {
    /// Brings the database to what the seed says, in one transaction.
    ///
    /// # Errors
    /// [`SeedError`], naming tenant, entry, field and mend, when the seed contradicts itself or what the database
    /// already holds; nothing is written then.
    pub async fn apply(
        &self,
        store: &Store,
        entropy: &dyn Entropy,
        links: &LinkKey,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        check(self)?;
        let application = Application { entropy, links, now };
        let mut transaction = store.begin().await?;
        for tenant in &self.tenants {
            application.tenant(&mut transaction, tenant).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

impl Application<'_> {
    async fn tenant(&self, connection: &mut Connection, seed: &TenantSeed) -> Result<(), StoreError> {
        let place = Place::tenant(seed);
        let id = self.put_tenant(connection, &place, seed).await?;
        for number in &seed.dial_in {
            self.put_dial_in(connection, &place, &id, number).await?;
        }
        for user in &seed.users {
            let place = place.entry("user", &user.login);
            let user_id = self.put_user(connection, &place, &id, user).await?;
            self.put_addresses(connection, &place, &id, &user_id, user).await?;
            if let Some(number) = &user.caller_id {
                self.put_caller_id(connection, &place, (&id, &user_id), number, user).await?;
            }
            for device in &user.devices {
                let place = place.entry("device", &device.name);
                self.put_device(connection, &place, (&id, &user_id), &seed.domain, device).await?;
            }
        }
        for trunk in &seed.trunks {
            self.put_trunk(connection, &id, trunk).await?;
        }
        for meeting in &seed.meetings {
            self.put_meeting(connection, &place.entry("meeting", &meeting.id), &id, meeting).await?;
        }
        self.put_range(connection, &place, &id, seed).await
    }

    async fn put_tenant(
        &self,
        connection: &mut Connection,
        place: &Place,
        seed: &TenantSeed,
    ) -> Result<TenantId, StoreError> {
        let written = sqlx::query(
            "INSERT INTO tenants (id, name, domain, phone_address_domain, country, area_code, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (name) DO UPDATE SET \
             domain = excluded.domain, phone_address_domain = excluded.phone_address_domain, \
             country = excluded.country, area_code = excluded.area_code, updated_at = excluded.updated_at \
             RETURNING id",
        )
        .bind(random_id(self.entropy, 't'))
        .bind(&seed.name)
        .bind(&seed.domain)
        .bind(seed.phone_address_domain.as_deref())
        .bind(&seed.country)
        .bind(seed.area_code.as_deref())
        .bind(millis(self.now))
        .fetch_one(connection)
        .await;
        let row = or_taken(written, || {
            place.error(
                "domain",
                format!("{} belongs to another tenant of the database", seed.domain),
                "use another domain, or the other tenant's name",
            )
        })?;
        Ok(TenantId::new(row.try_get::<String, _>(0)?))
    }

    async fn put_user(
        &self,
        connection: &mut Connection,
        place: &Place,
        tenant: &TenantId,
        seed: &UserSeed,
    ) -> Result<UserId, StoreError> {
        let old = sqlx::query("SELECT id, tenant_id, password_hash FROM users WHERE login = $1")
            .bind(&seed.login)
            .fetch_optional(&mut *connection)
            .await?;
        let (id, hash) = match old {
            Some(row) if row.try_get::<String, _>("tenant_id")? != tenant.as_str() => {
                return Err(place
                    .error(
                        "login",
                        "belongs to a user of another tenant",
                        "logins are unique: choose another",
                    )
                    .into());
            }
            Some(row) => {
                let hash: String = row.try_get("password_hash")?;
                let same = verify_password(&seed.password, &hash);
                (row.try_get("id")?, if same { hash } else { self.hash(place, seed)? })
            }
            None => (random_id(self.entropy, 'u'), self.hash(place, seed)?),
        };
        let written = sqlx::query(
            "INSERT INTO users (id, tenant_id, login, password_hash, first, last, display_name, extension, \
             area_code, tenant_role, created_at, updated_at, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, $11, $11, $11) ON CONFLICT (id) DO UPDATE SET password_hash = excluded.password_hash, \
             enrolled_at = coalesce(users.enrolled_at, excluded.enrolled_at), first = excluded.first, last = excluded.last, display_name = excluded.display_name, \
             extension = excluded.extension, area_code = excluded.area_code, tenant_role = excluded.tenant_role, \
             updated_at = excluded.updated_at",
        )
        .bind(&id)
        .bind(tenant.as_str())
        .bind(&seed.login)
        .bind(hash)
        .bind(&seed.first)
        .bind(&seed.last)
        .bind(format!("{} {}", seed.first, seed.last).trim())
        .bind(seed.extension.as_deref())
        .bind(seed.area_code.as_deref())
        .bind(word(&seed.role))
        .bind(millis(self.now))
        .execute(connection)
        .await;
        or_taken(written, || {
            place.error(
                "extension",
                "another user of the tenant has it",
                "give each user their own extension",
            )
        })?;
        Ok(UserId::new(id))
    }

    fn hash(&self, place: &Place, seed: &UserSeed) -> Result<String, SeedError> {
        hash_password(self.entropy, &seed.password)
            .map_err(|error| place.error("password", error.to_string(), "choose another password"))
    }

    async fn put_addresses(
        &self,
        connection: &mut Connection,
        place: &Place,
        tenant: &TenantId,
        user: &UserId,
        seed: &UserSeed,
    ) -> Result<(), StoreError> {
        // What the seed gave earlier and no longer gives must not linger as a second address.
        sqlx::query("DELETE FROM user_addresses WHERE tenant_id = $1 AND user_id = $2")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .execute(&mut *connection)
            .await?;
        let mail = seed.mail.iter().map(|mail| ("mail", mail.to_lowercase()));
        let phones = seed.phones.iter().map(|phone| ("phone", phone.clone()));
        for (kind, value) in mail.chain(phones) {
            let written = sqlx::query(
                "INSERT INTO user_addresses (id, tenant_id, user_id, kind, value, is_invitation_address, \
                 created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            )
            .bind(random_id(self.entropy, 'a'))
            .bind(tenant.as_str())
            .bind(user.as_str())
            .bind(kind)
            .bind(&value)
            .bind(i64::from(kind == "mail"))
            .bind(millis(self.now))
            .execute(&mut *connection)
            .await;
            or_taken(written, || {
                place.error(kind, format!("{value} belongs to another user"), "give each user their own")
            })?;
        }
        Store::fold_user(connection, user).await
    }

    async fn put_dial_in(
        &self,
        connection: &mut Connection,
        place: &Place,
        tenant: &TenantId,
        number: &str,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "INSERT INTO numbers (id, tenant_id, e164, purpose, verified_at, created_at, updated_at) \
             VALUES ($1, $2, $3, 'dial_in', $4, $4, $4) ON CONFLICT (e164) DO UPDATE SET \
             updated_at = excluded.updated_at RETURNING tenant_id, purpose",
        )
        .bind(random_id(self.entropy, 'n'))
        .bind(tenant.as_str())
        .bind(number)
        .bind(millis(self.now))
        .fetch_one(&mut *connection)
        .await?;
        let (owner, purpose): (String, String) = (row.try_get("tenant_id")?, row.try_get("purpose")?);
        if owner != tenant.as_str() || purpose != "dial_in" {
            let detail = format!("{number} serves something else already");
            return Err(place.error("dial_in", detail, "use a number of its own").into());
        }
        Ok(())
    }

    async fn put_caller_id(
        &self,
        connection: &mut Connection,
        place: &Place,
        (tenant, user): (&TenantId, &UserId),
        number: &str,
        seed: &UserSeed,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "INSERT INTO numbers (id, tenant_id, e164, purpose, user_id, verified_at, created_at, updated_at) \
             VALUES ($1, $2, $3, 'caller_id', $4, $5, $5, $5) ON CONFLICT (e164) DO UPDATE SET \
             updated_at = excluded.updated_at RETURNING id, tenant_id, user_id",
        )
        .bind(random_id(self.entropy, 'n'))
        .bind(tenant.as_str())
        .bind(number)
        .bind(user.as_str())
        .bind(millis(self.now))
        .fetch_one(&mut *connection)
        .await?;
        let owner: Option<String> = row.try_get("user_id")?;
        if row.try_get::<String, _>("tenant_id")? != tenant.as_str()
            || owner.is_some_and(|owner| owner != user.as_str())
        {
            return Err(place
                .error("caller_id", format!("{number} belongs to somebody else"), "use a number of this user")
                .into());
        }
        sqlx::query(
            "INSERT INTO caller_ids (user_id, tenant_id, number_id, display_name, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (user_id) DO UPDATE SET number_id = excluded.number_id, \
             display_name = excluded.display_name, updated_at = excluded.updated_at",
        )
        .bind(user.as_str())
        .bind(tenant.as_str())
        .bind(row.try_get::<String, _>("id")?)
        .bind(format!("{} {}", seed.first, seed.last).trim())
        .bind(millis(self.now))
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn put_device(
        &self,
        connection: &mut Connection,
        place: &Place,
        (tenant, user): (&TenantId, &UserId),
        realm: &str,
        seed: &DeviceSeed,
    ) -> Result<(), StoreError> {
        let (ha1_md5, ha1_sha256) = ha1(&seed.name, realm, &seed.password);
        let written = sqlx::query(
            "INSERT INTO devices (id, tenant_id, user_id, name, kind, realm, ha1_md5, ha1_sha256, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (tenant_id, name) DO UPDATE \
             SET user_id = excluded.user_id, kind = excluded.kind, realm = excluded.realm, \
             ha1_md5 = excluded.ha1_md5, ha1_sha256 = excluded.ha1_sha256, updated_at = excluded.updated_at",
        )
        .bind(random_id(self.entropy, 'd'))
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(&seed.name)
        .bind(&seed.kind)
        .bind(realm)
        .bind(ha1_md5)
        .bind(ha1_sha256)
        .bind(millis(self.now))
        .execute(connection)
        .await;
        or_taken(written, || place.error("name", "taken in this domain", "give each device its own name"))?;
        Ok(())
    }

    async fn put_trunk(
        &self,
        connection: &mut Connection,
        tenant: &TenantId,
        seed: &TrunkSeed,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO trunks (tenant_id, name, host, peer, sources, auth_user, auth_realm, register, \
             created_at, updated_at, settings) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) \
             ON CONFLICT (tenant_id, name) DO UPDATE SET host = excluded.host, peer = excluded.peer, \
             sources = excluded.sources, auth_user = excluded.auth_user, auth_realm = excluded.auth_realm, \
             register = excluded.register, settings = excluded.settings, updated_at = excluded.updated_at \
             WHERE trunks.managed = 0",
        )
        .bind(tenant.as_str())
        .bind(&seed.name)
        .bind(&seed.host)
        .bind(&seed.peer)
        .bind(seed.sources.join(" "))
        .bind(seed.user.as_deref())
        .bind(seed.realm.as_deref())
        .bind(i64::from(seed.register))
        .bind(millis(self.now))
        .bind(serde_json::to_string(&seed.settings).unwrap_or_else(|_| "{}".to_owned()))
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn put_range(
        &self,
        connection: &mut Connection,
        place: &Place,
        tenant: &TenantId,
        seed: &TenantSeed,
    ) -> Result<(), StoreError> {
        let Some(range) = &seed.meeting_range else { return Ok(()) };
        let place = place.entry("meeting_range", &range.first.to_string());
        for n in 1..=u64::from(range.count) {
            let number = (range.first + n - 1).to_string();
            let meeting = MeetingSeed {
                id: format!("m{number}"),
                title: format!("Room {n}"),
                number,
                kind: range.kind,
                owner: None,
                alias: range.alias.as_ref().map(|alias| alias.replace("{n}", &n.to_string())),
                role: range.role,
            };
            self.put_meeting(connection, &place, tenant, &meeting).await?;
        }
        Ok(())
    }

    async fn put_meeting(
        &self,
        connection: &mut Connection,
        place: &Place,
        tenant: &TenantId,
        seed: &MeetingSeed,
    ) -> Result<(), StoreError> {
        let owner = self.owner(connection, tenant, seed).await?;
        let meeting = MeetingRow {
            id: MeetingId::new(&seed.id),
            tenant: tenant.clone(),
            owner: owner.as_ref().map(|(id, _)| id.clone()),
            kind: seed.kind,
            title: seed.title.clone(),
            number: seed.number.clone(),
            alias: seed.alias.clone(),
            default_role: Role::Attendee,
            direct_join_role: seed.role,
            state: MeetingState::Scheduled,
            created_at: self.now,
            form: MeetingForm::Room,
            ..MeetingRow::default()
        };
        let updated = sqlx::query(
            "UPDATE meetings SET title = $1, kind = $2, alias = $3, direct_join_role = $4, updated_at = $5, \
             form = $9, search_text = $10 WHERE tenant_id = $6 AND id = $7 AND number = $8",
        )
        .bind(&meeting.title)
        .bind(word(&meeting.kind))
        .bind(meeting.alias.as_deref())
        .bind(word(&meeting.direct_join_role))
        .bind(millis(self.now))
        .bind(tenant.as_str())
        .bind(meeting.id.as_str())
        .bind(&meeting.number)
        .bind(word(&meeting.form))
        .bind(meeting.search_text())
        .execute(&mut *connection)
        .await?;
        if updated.rows_affected() > 0 {
            return Ok(());
        }
        let hash = token_hash(&self.links.token(meeting.id.as_str()));
        match Store::insert_meeting(connection, &meeting, &hash).await {
            Err(error) if error.is_unique_violation() => {
                let detail = format!("id {:?}, number {} or alias is taken", seed.id, seed.number);
                Err(place.error("number", detail, "give each meeting its own id, number and alias").into())
            }
            Err(error) => Err(error),
            Ok(()) => self.put_owner(connection, &meeting, owner).await,
        }
    }

    async fn owner(
        &self,
        connection: &mut Connection,
        tenant: &TenantId,
        seed: &MeetingSeed,
    ) -> Result<Option<(UserId, String)>, StoreError> {
        let Some(login) = &seed.owner else { return Ok(None) };
        let row = sqlx::query("SELECT id, display_name FROM users WHERE tenant_id = $1 AND login = $2")
            .bind(tenant.as_str())
            .bind(login)
            .fetch_optional(connection)
            .await?;
        row.map(|row| Ok((UserId::new(row.try_get::<String, _>(0)?), row.try_get(1)?))).transpose()
    }

    /// The owner counts as Host.
    async fn put_owner(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        owner: Option<(UserId, String)>,
    ) -> Result<(), StoreError> {
        let Some((user, display_name)) = owner else { return Ok(()) };
        let person = PersonRow {
            id: PersonId::new(random_id(self.entropy, 'p')),
            tenant: meeting.tenant.clone(),
            meeting: meeting.id.clone(),
            identity: Identity::User(user.clone()),
            display_name,
            role: Role::Host,
            access: Access::Collaborate,
            invited_by: Some(user),
            source: "owner".to_owned(),
            created_at: self.now,
            invited_role: Some(Role::Host),
            invited_at: Some(self.now),
            ..PersonRow::default()
        };
        let hash = token_hash(&self.links.token(person.id.as_str()));
        Store::insert_person(connection, &person, &hash).await
    }
}

/// Turns a violated UNIQUE constraint into an error that names the field.
fn or_taken<T>(result: Result<T, sqlx::Error>, error: impl FnOnce() -> SeedError) -> Result<T, StoreError> {
    result.map_err(|failure| {
        let failure = StoreError::from(failure);
        if failure.is_unique_violation() { error().into() } else { failure }
    })
}
