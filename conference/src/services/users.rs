//! Colleagues and their devices.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use super::views::{Device, User};
use crate::ids::UserId;
use crate::live::resolver;
use crate::store::{DeviceRow, UserRow, UserSlice};
use sip_core::ua::AddressOfRecord;

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
        let mut users = Vec::with_capacity(rows.len());
        let ids: Vec<UserId> = rows.iter().map(|row| row.id.clone()).collect();
        let devices = self.store.devices_of_users(&member.tenant, &ids).await?;
        for row in &rows {
            let own: Vec<&DeviceRow> = devices.iter().filter(|device| device.user == row.id).collect();
            users.push(self.user_view(row, &own).await);
        }
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
        User {
            id: row.id.clone(),
            display_name: row.display_name.clone(),
            extension: row.extension.clone(),
            mail: row.mail.clone(),
            devices: self.device_views(devices).await,
        }
    }

    async fn device_views(&self, rows: &[&DeviceRow]) -> Vec<Device> {
        let mut devices = Vec::with_capacity(rows.len());
        for row in rows {
            devices.push(Device {
                name: row.name.clone(),
                kind: row.kind.clone(),
                label: row.label(),
                registered: self.is_registered(row).await,
            });
        }
        devices
    }

    /// Asks the registrar itself: the database only follows it.
    pub(super) async fn is_registered(&self, device: &DeviceRow) -> bool {
        self.live.bindings(device.aor()).await.iter().any(|binding| binding.reachable)
    }
}

impl DeviceRow {
    /// The device's address of record.
    pub(crate) fn aor(&self) -> AddressOfRecord {
        AddressOfRecord { user: self.name.as_str().to_owned(), domain: self.realm.clone() }
    }
}
