//! What can be said about seed data without the database.

use super::{DeviceSeed, Seed, SeedError, TenantSeed, TrunkSeed, UserSeed};
use crate::live::emergency;
use sip_core::IpNetwork;
use sip_core::ua::Peer;
use std::collections::BTreeSet;

/// Where in the seed we are, for error messages.
#[derive(Clone)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn tenant(tenant: &TenantSeed) -> Self {
        Self(format!("seed.tenant {:?}", tenant.name))
    }

    pub(super) fn entry(&self, kind: &str, name: &str) -> Self {
        Self(format!("{}, {kind} {name:?}", self.0))
    }

    pub(super) fn error(&self, field: &str, detail: impl Into<String>, mend: impl Into<String>) -> SeedError {
        SeedError { at: format!("{}, {field}", self.0), detail: detail.into(), mend: mend.into() }
    }
}

/// Checks every field that can be checked alone, and duplicates within the file.
pub(super) fn check(seed: &Seed) -> Result<(), SeedError> {
    let mut names = BTreeSet::new();
    let mut domains = BTreeSet::new();
    for tenant in &seed.tenants {
        let place = Place::tenant(tenant);
        text(&place, "name", &tenant.name)?;
        host(&place, "domain", &tenant.domain)?;
        if !names.insert(&tenant.name) {
            return Err(place.error("name", "used by two tenants", "give each tenant its own name"));
        }
        if !domains.insert(tenant.domain.to_lowercase()) {
            return Err(place.error("domain", "used by two tenants", "give each tenant its own domain"));
        }
        check_tenant(&place, tenant)?;
    }
    Ok(())
}

fn check_tenant(place: &Place, tenant: &TenantSeed) -> Result<(), SeedError> {
    if tenant.country.len() != 2 || !tenant.country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(place.error(
            "country",
            format!("{:?} is not a country code", tenant.country),
            "write two capital letters of ISO 3166, such as \"US\"",
        ));
    }
    if let Some(number) = tenant.dial_in.iter().find(|number| !is_e164(number)) {
        return Err(place.error(
            "dial_in",
            format!("{number:?} is not a number in E.164"),
            "write + and 8 to 15 digits, such as \"+12025550100\"",
        ));
    }
    let mut extensions = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for user in &tenant.users {
        let place = place.entry("user", &user.login);
        check_user(&place, user, &tenant.country)?;
        if let Some(extension) = &user.extension
            && !extensions.insert(extension)
        {
            return Err(place.error(
                "extension",
                format!("{extension} is taken"),
                "give each user their own",
            ));
        }
        for device in &user.devices {
            let place = place.entry("device", &device.name);
            check_device(&place, device)?;
            if !devices.insert(&device.name) {
                return Err(place.error("name", "used by two devices", "give each device its own name"));
            }
        }
    }
    for trunk in &tenant.trunks {
        check_trunk(&place.entry("trunk", &trunk.name), trunk)?;
    }
    check_meetings(place, tenant)
}

fn check_user(place: &Place, user: &UserSeed, country: &str) -> Result<(), SeedError> {
    text(place, "login", &user.login)?;
    text(place, "first", &user.first)?;
    if user.login != user.login.to_lowercase() {
        return Err(place.error(
            "login",
            "capital letters",
            "write it in small letters: case does not matter at login",
        ));
    }
    if user.password.is_empty() {
        return Err(place.error("password", "empty", "write a password"));
    }
    if let Some(extension) = &user.extension {
        if extension.len() > 6 || extension.len() < 2 || !extension.bytes().all(|b| b.is_ascii_digit()) {
            return Err(place.error("extension", format!("{extension:?}"), "write 2 to 6 digits"));
        }
        if !emergency::may_be_extension(extension, country) {
            return Err(place.error(
                "extension",
                format!("{extension} is an emergency number"),
                "choose another extension: nobody must reach a colleague when they need help",
            ));
        }
    }
    for (field, number) in
        user.caller_id.iter().map(|n| ("caller_id", n)).chain(user.phones.iter().map(|n| ("phones", n)))
    {
        if !is_e164(number) {
            return Err(place.error(
                field,
                format!("{number:?} is not a number in E.164"),
                "write + and 8 to 15 digits, such as \"+12025550100\"",
            ));
        }
    }
    if let Some(mail) = &user.mail
        && (mail.split('@').filter(|part| !part.is_empty()).count() != 2
            || mail.contains(char::is_whitespace))
    {
        return Err(place.error("mail", format!("{mail:?} is not an address"), "write name@domain"));
    }
    Ok(())
}

fn check_device(place: &Place, device: &DeviceSeed) -> Result<(), SeedError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if device.name.is_empty() || device.name.len() > 64 || !device.name.chars().all(plain) {
        return Err(place.error("name", format!("{:?}", device.name), "use letters, digits, - _ and . only"));
    }
    if device.password.len() < 8 {
        return Err(place.error("password", "shorter than 8 characters", "write a longer secret"));
    }
    text(place, "kind", &device.kind)
}

fn check_trunk(place: &Place, trunk: &TrunkSeed) -> Result<(), SeedError> {
    text(place, "name", &trunk.name)?;
    host(place, "host", &trunk.host)?;
    if trunk.peer.parse::<Peer>().is_err() {
        return Err(place.error(
            "peer",
            format!("{:?} is no host and port", trunk.peer),
            "write it as \"192.0.2.1:5060\" or \"sip.example.com\"",
        ));
    }
    for source in &trunk.sources {
        if source.parse::<IpNetwork>().is_err() {
            return Err(place.error(
                "sources",
                format!("{source:?}"),
                "write networks such as \"192.0.2.0/24\"",
            ));
        }
    }
    if trunk.user.is_some() != trunk.password.is_some() {
        return Err(place.error("password", "user and password go together", "write both or neither"));
    }
    if trunk.register && trunk.user.is_none() {
        return Err(place.error("register", "a registration needs a user", "write user and password"));
    }
    Ok(())
}

fn check_meetings(place: &Place, tenant: &TenantSeed) -> Result<(), SeedError> {
    for meeting in &tenant.meetings {
        let place = place.entry("meeting", &meeting.id);
        text(&place, "id", &meeting.id)?;
        text(&place, "title", &meeting.title)?;
        if meeting.number.len() != 9 || !meeting.number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(place.error("number", format!("{:?}", meeting.number), "write nine digits"));
        }
        if let Some(owner) = &meeting.owner
            && !tenant.users.iter().any(|user| user.login == *owner)
        {
            return Err(place.error(
                "owner",
                format!("no user {owner:?} in this tenant"),
                "write the login of one of this tenant's users",
            ));
        }
    }
    let Some(range) = &tenant.meeting_range else { return Ok(()) };
    let place = place.entry("meeting_range", &range.first.to_string());
    let last = range.first.saturating_add(u64::from(range.count));
    if range.first < 100_000_000 || last > 1_000_000_000 {
        return Err(place.error("first", "the numbers must have nine digits", "start at 100000000 or above"));
    }
    if range.count > 100_000 {
        return Err(place.error("count", format!("{} rooms", range.count), "write at most 100000"));
    }
    if range.alias.as_ref().is_some_and(|alias| !alias.contains("{n}")) {
        return Err(place.error("alias", "the same for every room", "put {n} where the room's number goes"));
    }
    Ok(())
}

/// `+` and 8 to 15 digits, the first not 0.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

fn text(place: &Place, field: &str, value: &str) -> Result<(), SeedError> {
    if value.trim().is_empty() || value.len() > 200 || value.chars().any(char::is_control) {
        return Err(place.error(field, format!("{value:?}"), "write 1 to 200 printable characters"));
    }
    Ok(())
}

fn host(place: &Place, field: &str, value: &str) -> Result<(), SeedError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if value.is_empty() || value.len() > 253 || !value.chars().all(plain) {
        return Err(place.error(
            field,
            format!("{value:?} is not a domain"),
            "write a domain name or an address",
        ));
    }
    Ok(())
}
