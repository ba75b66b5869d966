//! Stub.
use super::{Services, ServiceError};
use super::actor::UserActor;
use crate::store::*;
use crate::ids::UserId;
use crate::live::focus::Refusal;
use crate::live::number::PhoneNumber;
pub(super) struct Directory { users: Vec<UserRow>, devices: Vec<DeviceRow> }
pub(super) enum Meaning<'a> { User(&'a UserRow), Number(PhoneNumber), Nothing(Refusal) }
impl Directory {
    pub(super) fn user(&self, id: &UserId) -> Option<&UserRow> { self.users.iter().find(|u| u.id == *id) }
    pub(super) fn devices_of(&self, id: &UserId) -> impl Iterator<Item=&DeviceRow> { self.devices.iter().filter(move |d| d.user == *id) }
    pub(super) fn meaning(&self, text: &str) -> Meaning<'_> { todo!() }
}
impl Services {
    pub(super) async fn directory(&self, _a: &UserActor, _t: &TenantRow) -> Result<Directory, ServiceError> { todo!() }
    pub(super) async fn invited_number(&self, _i: &UserActor, _n: &str) -> Result<(Identity, String), ServiceError> { todo!() }
}
