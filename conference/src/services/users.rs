//! Colleagues and their devices.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use super::views::{Device, User};
use crate::ids::{TenantId, UserId};
use crate::live::resolver;
use crate::store::{DeviceRow, UserRow, UserSlice};
use sip_core::ua::AddressOfRecord;
use std::collections::BTreeMap;

impl Services {
    /// The tenant's users but the asker, whose names, extension or address contain `query` (A09, A10), by extension and
    /// name.
    ///
    /// # Errors
    /// Forbidden for guests and for those who came by a link.
    pub async fn users(
        &self,
        actor: &Actor,
        query: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<User>, ServiceError> {
        let member = actor.member()?;
        let query = resolver::fold(query.unwrap_or_default().trim());
        let (limit, offset) = page.slice();
        let slice = UserSlice {
            tenant: &member.tenant,
            without: Some(&member.user),
            disabled: false,
            query: &query,
            limit,
            offset,
        };
        let (rows, total) = self.store.users_slice(&slice).await?;
        let users = self.user_views(&member.tenant, &rows).await?;
        Ok(page.of(users, total))
    }

    /// One user's devices; only those registered at this moment if asked (A46).
    ///
    /// # Errors
    /// Not found for a user of another tenant; forbidden as for [`Self::users`].
    pub async fn devices(
        &self,
        actor: &Actor,
        user: &UserId,
        registered_only: bool,
    ) -> Result<Vec<Device>, ServiceError> {
        let member = actor.member()?;
        let found = self.store.user(&member.tenant, user).await?;
        found.ok_or_else(|| ServiceError::not_found("user"))?;
        let rows = self.store.devices_of(&member.tenant, user).await?;
        let mut devices = self.device_views(&rows.iter().collect::<Vec<_>>()).await;
        devices.retain(|device| device.registered || !registered_only);
        Ok(devices)
    }

    pub(super) async fn user_view(&self, row: &UserRow, devices: &[&DeviceRow]) -> User {
        row.view(self.device_views(devices).await)
    }

    /// Users of one tenant with their devices: whether those are registered is asked once for all of them.
    pub(super) async fn user_views(
        &self,
        tenant: &TenantId,
        rows: &[UserRow],
    ) -> Result<Vec<User>, ServiceError> {
        let ids: Vec<UserId> = rows.iter().map(|row| row.id.clone()).collect();
        let devices = self.store.devices_of_users(tenant, &ids).await?;
        let views = self.device_views(&devices.iter().collect::<Vec<_>>()).await;
        let mut owned: BTreeMap<&UserId, Vec<Device>> = BTreeMap::new();
        for (row, view) in devices.iter().zip(views) {
            owned.entry(&row.user).or_default().push(view);
        }
        Ok(rows.iter().map(|row| row.view(owned.remove(&row.id).unwrap_or_default())).collect())
    }

    async fn device_views(&self, rows: &[&DeviceRow]) -> Vec<Device> {
        let registered = self.registered(rows).await;
        let view = |(row, registered): (&&DeviceRow, bool)| Device {
            name: row.name.clone(),
            kind: row.kind.clone(),
            label: row.label(),
            registered,
        };
        rows.iter().zip(registered).map(view).collect()
    }

    /// Asks the registrar itself: the database only follows it.
    pub(super) async fn is_registered(&self, device: &DeviceRow) -> bool {
        self.registered(&[device]).await.contains(&true)
    }

    /// Which of these devices are registered, in their order.
    async fn registered(&self, devices: &[&DeviceRow]) -> Vec<bool> {
        if devices.is_empty() {
            return Vec::new();
        }
        let bindings = self.live.bindings(devices.iter().map(|device| device.aor()).collect()).await;
        let mut reachable = bindings.iter().map(|bindings| bindings.iter().any(|binding| binding.reachable));
        devices.iter().map(|_| reachable.next().unwrap_or(false)).collect()
    }
}

impl UserRow {
    fn view(&self, devices: Vec<Device>) -> User {
        User {
            id: self.id.clone(),
            display_name: self.display_name.clone(),
            extension: self.extension.clone(),
            mail: self.mail.clone(),
            devices,
        }
    }
}

impl DeviceRow {
    /// The device's address of record.
    pub(crate) fn aor(&self) -> AddressOfRecord {
        AddressOfRecord { user: self.name.as_str().to_owned(), domain: self.realm.clone() }
    }
}
