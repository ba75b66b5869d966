//! Who is meant by a typed text: the tenant's directory, given to the one resolver.

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::views::{Match, MatchKind, Resolution};
use super::{Services, input};
use crate::ids::{DeviceName, UserId};
use crate::live::focus::{Refusal, RefusalKind};
use crate::live::number::{Home, PhoneNumber};
use crate::live::policy;
use crate::live::resolver::{self, DirectoryUser};
use crate::store::{DeviceRow, Identity, TenantRow, UserRow};

pub use crate::live::resolver::Purpose;

/// How many texts one request may hold: B42 pastes 200.
const TEXTS_MAX: usize = 500;
/// How many matches of one text are shown.
const MATCHES_MAX: usize = 20;

/// The users and devices of one tenant, ready to be searched.
pub(super) struct Directory {
    tenant: TenantRow,
    /// The asker's own area code, else the tenant's.
    area_code: Option<String>,
    users: Vec<UserRow>,
    devices: Vec<DeviceRow>,
    entries: Vec<DirectoryUser>,
}

/// What a text typed into CALL leads to.
pub(super) enum Meaning<'a> {
    /// A colleague: one of their registered devices, or this one.
    User(&'a UserRow, Option<DeviceName>),
    /// A number to be dialled; the colleague whose outside number it is, if it is one.
    Number(PhoneNumber, Option<&'a UserRow>),
    /// Nothing that can be called.
    Nothing(Refusal),
}

impl Directory {
    pub(super) fn user(&self, id: &UserId) -> Option<&UserRow> {
        self.users.iter().find(|user| user.id == *id)
    }

    pub(super) fn devices_of(&self, id: &UserId) -> impl Iterator<Item = &DeviceRow> {
        self.devices.iter().filter(move |device| device.user == *id)
    }

    fn resolve(&self, text: &str, purpose: Purpose, asking: Option<&UserId>) -> Vec<resolver::Match> {
        let directory = resolver::Directory {
            home: Home { country: &self.tenant.country, area_code: self.area_code.as_deref() },
            domain: &self.tenant.domain,
            phone_address_domain: self.tenant.phone_address_domain.as_deref(),
            users: &self.entries,
        };
        resolver::resolve(text, purpose, &directory, asking)
    }

    /// What CALL does with a text. It must mean one thing: half a name is not dialled.
    pub(super) fn meaning(&self, text: &str) -> Meaning<'_> {
        let matches = self.resolve(text, Purpose::Call, None);
        let Some(best) = matches.into_iter().next() else { return Meaning::Nothing(nobody(text)) };
        let user = best.user.as_ref().and_then(|user| self.user(user));
        match (best.kind, best.number, user) {
            (resolver::MatchKind::Number, Some(number), user) => Meaning::Number(number, user),
            (resolver::MatchKind::Extension | resolver::MatchKind::Device, _, Some(user))
            | (resolver::MatchKind::User, Some(_), Some(user)) => Meaning::User(user, best.device),
            _ => Meaning::Nothing(best.refusal.unwrap_or_else(|| nobody(text))),
        }
    }
}

fn nobody(text: &str) -> Refusal {
    let shown: String = text.chars().take(40).collect();
    Refusal::call(RefusalKind::Invalid, crate::vocabulary::Cause::NotWorkingNumber)
        .field("number")
        .detail(format!("{shown:?} is neither a number nor an extension"))
        .mend("Type a phone number or an extension, or choose a user from the list")
}

impl Services {
    /// Gathers the directory of the asker's tenant.
    pub(super) async fn directory(
        &self,
        asking: &UserActor,
        tenant: &TenantRow,
    ) -> Result<Directory, ServiceError> {
        let users = self.store.users(&tenant.id).await?;
        let devices = self.store.devices(&tenant.id).await?;
        let own = users.iter().find(|user| user.id == asking.user).and_then(|user| user.area_code.clone());
        let entries = users.iter().map(|user| entry(user, &devices)).collect();
        Ok(Directory {
            area_code: own.or_else(|| tenant.area_code.clone()),
            tenant: tenant.clone(),
            users,
            devices,
            entries,
        })
    }

    async fn own_directory(&self, member: &UserActor) -> Result<Directory, ServiceError> {
        let tenant = self.store.tenant(&member.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a user without tenant"))?;
        self.directory(member, &tenant).await
    }

    /// What each text could mean, the best first.
    ///
    /// # Errors
    /// Invalid for too many texts; forbidden for guests and for those who came by a link.
    pub async fn resolve(
        &self,
        actor: &Actor,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Resolution>, ServiceError> {
        let member = actor.member()?;
        input::length("texts", texts.len(), TEXTS_MAX)?;
        let directory = self.own_directory(member).await?;
        let mut results = Vec::with_capacity(texts.len());
        for text in texts {
            let mut matches = Vec::new();
            for found in directory.resolve(text, purpose, Some(&member.user)).into_iter().take(MATCHES_MAX) {
                matches.push(self.match_view(&directory, found).await);
            }
            results.push(Resolution { text: text.clone(), matches });
        }
        Ok(results)
    }

    async fn match_view(&self, directory: &Directory, found: resolver::Match) -> Match {
        let user = match found.user.as_ref().and_then(|id| directory.user(id)) {
            Some(row) => {
                let devices: Vec<&DeviceRow> = directory.devices_of(&row.id).collect();
                Some(self.user_view(row, &devices).await)
            }
            None => None,
        };
        let kind = match found.kind {
            resolver::MatchKind::User => MatchKind::User,
            resolver::MatchKind::Device => MatchKind::Device,
            resolver::MatchKind::Extension => MatchKind::Extension,
            resolver::MatchKind::Number => MatchKind::Number,
            resolver::MatchKind::Email => MatchKind::Email,
            resolver::MatchKind::Unknown => MatchKind::Unknown,
            resolver::MatchKind::Refused => MatchKind::Refused,
        };
        let refusal = found.refusal;
        Match {
            kind,
            user,
            device: found.device,
            number: found.number.as_ref().map(|number| number.e164.clone()),
            email: found.mail,
            // A user's own number is shown as such, so that the host sees what would be dialled.
            display: match (&found.number, kind) {
                (Some(number), MatchKind::Number) => number.display.clone(),
                _ => found.display,
            },
            reason: refusal.as_ref().and_then(|refusal| refusal.cause),
            detail: refusal.as_ref().map(|refusal| refusal.detail.clone()),
            mend: refusal.map(|refusal| refusal.mend).filter(|mend| !mend.is_empty()),
        }
    }

    /// A number put on a list of people: the colleague who owns it, else the number itself (A12). One that may never
    /// be dialled is refused here already.
    pub(super) async fn invited_number(
        &self,
        inviter: &UserActor,
        text: &str,
    ) -> Result<(Identity, String), ServiceError> {
        let directory = self.own_directory(inviter).await?;
        let found = directory.resolve(text, Purpose::People, None).into_iter().next();
        let refusal = found.as_ref().and_then(|found| found.refusal.clone());
        if let Some(refusal) = refusal {
            return Err(as_invalid(refusal));
        }
        let user = found.as_ref().and_then(|found| found.user.as_ref()).and_then(|user| directory.user(user));
        let number = found.as_ref().and_then(|found| found.number.clone());
        match (user, number) {
            (Some(user), _) => Ok((Identity::User(user.id.clone()), user.display_name.clone())),
            (None, Some(number)) => {
                policy::refuse_emergency(&number.e164).map_err(as_invalid)?;
                Ok((Identity::Number(number.e164), number.display))
            }
            (None, None) => Err(as_invalid(nobody(text))),
        }
    }
}

/// A number on a list is part of the request: whatever is wrong with it is the request's fault.
fn as_invalid(refusal: Refusal) -> ServiceError {
    ServiceError::from(Refusal { kind: RefusalKind::Invalid, field: Some("number"), ..refusal })
}

fn entry(user: &UserRow, devices: &[DeviceRow]) -> DirectoryUser {
    DirectoryUser {
        user: user.id.clone(),
        first: user.first.clone(),
        last: user.last.clone(),
        display_name: user.display_name.clone(),
        extension: user.extension.clone(),
        mails: user.mail.iter().cloned().collect(),
        dids: user.direct_numbers.clone(),
        phones: user.phones.clone(),
        devices: devices.iter().filter(|d| d.user == user.id).map(|d| d.name.clone()).collect(),
    }
}
