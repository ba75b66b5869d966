//! Who is meant by a typed text: the tenant's directory, given to the one resolver.

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::views::{Flag, InMeeting, Match, MatchKind, Resolution};
use super::{Services, input};
use crate::ids::{DeviceName, MeetingId, UserId};
use crate::live::focus::{Refusal, RefusalKind};
use crate::live::number::{Home, PhoneNumber};
use crate::live::policy;
use crate::live::resolver::{self, DirectoryUser, Keys};
use crate::store::{DeviceRow, Identity, TenantRow, UserRow};
use std::collections::{BTreeMap, BTreeSet};

pub use crate::live::resolver::Purpose;

mod pasted;

/// How many texts one request may hold: B42 pastes 200.
const TEXTS_MAX: usize = 500;
/// How many matches of one text are shown.
const MATCHES_MAX: usize = 20;

/// Who is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Meant<'a> {
    /// By whatever a text can be.
    pub(super) texts: Vec<&'a str>,
    /// Whether each text names somebody as a whole: then nobody is looked for by a part of a name or an extension.
    pub(super) whole: bool,
    /// By identifier.
    pub(super) users: Vec<UserId>,
}

/// Those users of one tenant whom some texts could mean, with their devices, ready to be searched.
pub(super) struct Directory {
    tenant: TenantRow,
    /// The asker's own area code, else the tenant's.
    area_code: Option<String>,
    users: BTreeMap<UserId, UserRow>,
    devices: BTreeMap<UserId, Vec<DeviceRow>>,
    entries: Vec<DirectoryUser>,
}

/// Texts to be understood.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where they were typed.
    pub purpose: Purpose,
    /// One text each.
    pub texts: &'a [String],
    /// Many in one, as pasted: parted by commas, semicolons or lines.
    pub pasted: Option<&'a str>,
    /// The meeting whose people are marked as such.
    pub meeting: Option<&'a MeetingId>,
}

/// Who a text names, to find the same one again.
fn identity_of(text: &str, found: &[resolver::Match]) -> String {
    match found {
        [one] => {
            let number = one.number.as_ref().map(|number| number.e164.clone());
            let user = one.user.as_ref().map(|user| user.as_str().to_owned());
            user.or(number).unwrap_or_else(|| text.to_lowercase())
        }
        _ => text.to_lowercase(),
    }
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

/// Whom one entry of a list for many to many names.
pub(super) enum Named<'a> {
    /// A registered user.
    User(&'a UserRow),
    /// An address or number that is not registered.
    Stranger,
    /// Nothing that could be anybody.
    Nobody,
}

impl Directory {
    pub(super) fn user(&self, id: &UserId) -> Option<&UserRow> {
        self.users.get(id)
    }

    /// Only those who have enrolled count as registered (I83).
    pub(super) fn keep_registered(&mut self) {
        let registered: BTreeSet<&UserId> =
            self.users.values().filter(|user| user.enrolled_at.is_some()).map(|user| &user.id).collect();
        self.entries.retain(|entry| registered.contains(&entry.user));
    }

    /// The one registered user whom an identifier, address, number or extension names; half a name names nobody.
    pub(super) fn named(&self, text: &str) -> Named<'_> {
        let text = text.trim();
        let id = UserId::new(text);
        if let Some(user) = self.user(&id).filter(|_| self.entries.iter().any(|entry| entry.user == id)) {
            return Named::User(user);
        }
        let found = self.resolve(text, Purpose::Multi, None).into_iter().next();
        let name = !text.contains('@') && text.chars().any(char::is_alphabetic);
        match found {
            Some(found) if !name && found.user.is_some() => {
                let partly =
                    found.kind == resolver::MatchKind::User && found.number.is_none() && !text.contains('@');
                let user = found.user.as_ref().and_then(|user| self.user(user)).filter(|_| !partly);
                user.map_or(Named::Nobody, Named::User)
            }
            Some(found) if found.kind == resolver::MatchKind::Device => {
                found.user.as_ref().and_then(|user| self.user(user)).map_or(Named::Nobody, Named::User)
            }
            Some(found)
                if matches!(found.kind, resolver::MatchKind::Unknown | resolver::MatchKind::Refused)
                    || name =>
            {
                Named::Nobody
            }
            _ => Named::Stranger,
        }
    }

    pub(super) fn devices_of(&self, id: &UserId) -> impl Iterator<Item = &DeviceRow> {
        self.devices.get(id).into_iter().flatten()
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
            (resolver::MatchKind::Number | resolver::MatchKind::PhoneAddress, Some(number), user) => {
                Meaning::Number(number, user)
            }
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
    /// Gathers of the asker's tenant whoever is meant.
    pub(super) async fn directory(
        &self,
        asking: &UserActor,
        tenant: &TenantRow,
        meant: &Meant<'_>,
    ) -> Result<Directory, ServiceError> {
        let own = self.store.area_code(&tenant.id, &asking.user).await?;
        let area_code = own.or_else(|| tenant.area_code.clone());
        let home = Home { country: &tenant.country, area_code: area_code.as_deref() };
        let mut keys = Keys::default();
        for text in &meant.texts {
            if meant.whole { keys.exact(text, &home) } else { keys.parts(text, &home) }
        }
        let users = self.store.users_touched(&tenant.id, &keys, &meant.users).await?;
        let ids: Vec<UserId> = users.iter().map(|user| user.id.clone()).collect();
        let devices = self.store.devices_of_users(&tenant.id, &ids).await?;
        let mut by_user: BTreeMap<UserId, Vec<DeviceRow>> = BTreeMap::new();
        for device in devices {
            by_user.entry(device.user.clone()).or_default().push(device);
        }
        let entries = users.iter().map(|user| entry(user, by_user.get(&user.id))).collect();
        let users = users.into_iter().map(|user| (user.id.clone(), user)).collect();
        Ok(Directory { tenant: tenant.clone(), area_code, users, devices: by_user, entries })
    }

    async fn own_directory(&self, member: &UserActor, meant: &Meant<'_>) -> Result<Directory, ServiceError> {
        let tenant = self.store.tenant(&member.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a user without tenant"))?;
        self.directory(member, &tenant, meant).await
    }

    /// What each text could mean, the best first.
    ///
    /// # Errors
    /// Invalid for too many texts; not found for a meeting out of reach; forbidden for guests and for those who came by
    /// a link, and for many to many for all but the tenant's admins.
    pub async fn resolve(
        &self,
        actor: &Actor,
        question: &Question<'_>,
    ) -> Result<Vec<Resolution>, ServiceError> {
        let member = actor.member()?;
        let pasted = question.pasted.map(pasted::split).transpose()?.unwrap_or_default();
        input::length("texts", question.texts.len() + pasted.len(), TEXTS_MAX)?;
        let texts = question.texts.iter().chain(&pasted).map(String::as_str).collect();
        let mut directory = self.own_directory(member, &Meant { texts, ..Meant::default() }).await?;
        let multi = question.purpose == Purpose::Multi;
        if multi {
            member.session_admin()?;
            directory.keep_registered();
        }
        let asking = (!multi).then_some(&member.user);
        let listed = self.listed_in(actor, question.meeting).await?;
        let mut results = Vec::with_capacity(question.texts.len() + pasted.len());
        for text in question.texts {
            let found = directory.resolve(text, question.purpose, asking);
            results.push(self.resolution(&directory, text, found, &listed).await);
        }
        // What was pasted holds everybody once (B41), also when written in two ways.
        let mut seen = BTreeSet::new();
        for text in &pasted {
            let found = directory.resolve(text, question.purpose, asking);
            if seen.insert(identity_of(text, &found)) {
                results.push(self.resolution(&directory, text, found, &listed).await);
            }
        }
        Ok(results)
    }

    /// Who of the users is on the list of a meeting, and who is in it.
    async fn listed_in(
        &self,
        actor: &Actor,
        meeting: Option<&MeetingId>,
    ) -> Result<BTreeMap<UserId, InMeeting>, ServiceError> {
        let Some(meeting) = meeting else { return Ok(BTreeMap::new()) };
        let reach = self.reach(actor, meeting).await?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let present = |id| {
            let people = snapshot.as_ref().map(|snapshot| snapshot.people.as_slice()).unwrap_or_default();
            people.iter().any(|person| person.id == id && person.present)
        };
        let listed = reach.listed().filter_map(|row| {
            let state = if present(row.id.clone()) { InMeeting::Present } else { InMeeting::Invited };
            Some((row.user()?.clone(), state))
        });
        Ok(listed.collect())
    }

    async fn resolution(
        &self,
        directory: &Directory,
        text: &str,
        found: Vec<resolver::Match>,
        listed: &BTreeMap<UserId, InMeeting>,
    ) -> Resolution {
        let mut matches = Vec::new();
        for one in found.into_iter().take(MATCHES_MAX) {
            let in_meeting = one.user.as_ref().and_then(|user| listed.get(user)).copied();
            matches.push(Match { in_meeting, ..self.match_view(directory, one).await });
        }
        Resolution { text: text.to_owned(), matches }
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
            resolver::MatchKind::PhoneAddress => MatchKind::PhoneAddress,
            resolver::MatchKind::Email => MatchKind::Email,
            resolver::MatchKind::Unknown => MatchKind::Unknown,
            resolver::MatchKind::Refused => MatchKind::Refused,
        };
        let refusal = found.refusal;
        let stranger = matches!(kind, MatchKind::Email | MatchKind::Number | MatchKind::PhoneAddress);
        Match {
            kind,
            registered: user.is_some(),
            flag: (stranger && user.is_none() && refusal.is_some()).then_some(Flag::NotRegistered),
            in_meeting: None,
            user,
            device: found.device,
            number: found.number.as_ref().map(|number| number.e164.clone()),
            email: found.mail,
            // A user's own number is shown as such, so that the host sees what would be dialled.
            display: match (&found.number, kind) {
                (Some(number), MatchKind::Number | MatchKind::PhoneAddress) => number.display.clone(),
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
        let meant = Meant { texts: vec![text], ..Meant::default() };
        let directory = self.own_directory(inviter, &meant).await?;
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

fn entry(user: &UserRow, devices: Option<&Vec<DeviceRow>>) -> DirectoryUser {
    DirectoryUser {
        user: user.id.clone(),
        first: user.first.clone(),
        last: user.last.clone(),
        display_name: user.display_name.clone(),
        extension: user.extension.clone(),
        mails: user.mail.iter().cloned().collect(),
        dids: user.direct_numbers.clone(),
        phones: user.phones.clone(),
        devices: devices.into_iter().flatten().map(|device| device.name.clone()).collect(),
    }
}
