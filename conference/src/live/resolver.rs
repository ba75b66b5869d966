//! Who is meant by a text: name, extension, number, e-mail, SIP address.
//!
//! One resolver for every entry point (people of a meeting, invitations, calls). It is pure: the tenant's directory
//! comes in as a slice. It never dials and never adds anybody; it says what a text could mean, or why nothing may be
//! done with it.

use crate::ids::{DeviceName, UserId};
use crate::live::emergency;
use crate::live::number::{self, Home, PhoneNumber};
use crate::live::refusal::{Refusal, RefusalKind};
use crate::vocabulary::Cause;
use serde::Serialize;
use std::cmp::Reverse;

mod keys;

pub use keys::Keys;

/// Up to this many digits are an extension of the tenant and never a number for a trunk.
const EXTENSION_DIGITS: usize = 6;
/// The longest text looked at.
const TEXT_LIMIT: usize = 254;

/// What the text is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The PEOPLE section of a meeting.
    People,
    /// The INVITE tab: names, extensions and e-mail addresses.
    Invite,
    /// The CALL tab: users and numbers.
    Call,
    /// Invitations of many to many: registered users only, everybody else is flagged. The directory given holds
    /// registered users alone.
    Multi,
}

/// One user of the tenant, as far as finding them goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The user.
    pub user: UserId,
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
    /// The name shown.
    pub display_name: String,
    /// The extension.
    pub extension: Option<String>,
    /// All e-mail addresses.
    pub mails: Vec<String>,
    /// Numbers of the tenant that ring at this user, in E.164: calls to them stay in the house.
    pub dids: Vec<String>,
    /// Outside numbers of this user (a mobile), in E.164: calls to them are dialled out.
    pub phones: Vec<String>,
    /// The user's devices by name.
    pub devices: Vec<DeviceName>,
}

/// The tenant's directory.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// How national and local numbers are read.
    pub home: Home<'a>,
    /// The tenant's domain (`acme.test`).
    pub domain: &'a str,
    /// The domain of `number@domain` phone addresses, if the tenant has one.
    pub phone_address_domain: Option<&'a str>,
    /// The users.
    pub users: &'a [DirectoryUser],
}

/// What a text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// A user of the tenant, by name, mail or own number.
    User,
    /// One device of a user.
    Device,
    /// A user, by exact extension.
    Extension,
    /// A phone number.
    Number,
    /// A phone number written as number@domain, with the tenant's domain of such addresses. Never mailed.
    PhoneAddress,
    /// An e-mail address of nobody known.
    Email,
    /// Nobody and nothing.
    Unknown,
    /// Something that may not be used here; the refusal says why.
    Refused,
}

/// One thing a text could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub kind: MatchKind,
    /// The user behind it.
    pub user: Option<UserId>,
    /// The device.
    pub device: Option<DeviceName>,
    /// The number.
    pub number: Option<PhoneNumber>,
    /// The e-mail address.
    pub mail: Option<String>,
    /// What a person reads.
    pub display: String,
    /// Why it cannot be used, for `Unknown` and `Refused`.
    pub refusal: Option<Refusal>,
}

impl Match {
    fn of(kind: MatchKind, display: impl Into<String>) -> Self {
        Self {
            kind,
            user: None,
            device: None,
            number: None,
            mail: None,
            display: display.into(),
            refusal: None,
        }
    }

    fn user(kind: MatchKind, user: &DirectoryUser) -> Self {
        Self { user: Some(user.user.clone()), ..Self::of(kind, &user.display_name) }
    }

    fn no(kind: MatchKind, text: &str, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::of(kind, text) }
    }
}

/// Everything a text could mean, the best first; never empty. The user who asks is not offered to themselves by name.
pub fn resolve(
    text: &str,
    purpose: Purpose,
    directory: &Directory<'_>,
    asking: Option<&UserId>,
) -> Vec<Match> {
    let found = understand(text, purpose, directory, asking);
    match purpose {
        Purpose::People | Purpose::Invite => without_oneself(text, found, asking),
        Purpose::Call => found,
        Purpose::Multi => found.into_iter().map(flagged).collect(),
    }
}

/// Nobody invites themselves, however they are written (A09).
fn without_oneself(text: &str, mut found: Vec<Match>, asking: Option<&UserId>) -> Vec<Match> {
    found.retain(|one| asking.is_none() || one.user.as_ref() != asking);
    if found.is_empty() {
        let refusal = Refusal::new(RefusalKind::Invalid, "this is you")
            .field("text")
            .mend("You are on the list already; name somebody else");
        found.push(Match::no(MatchKind::Refused, text.trim(), refusal));
    }
    found
}

/// Whoever is not registered is flagged, in the same words whether anybody else knows them or not (B33).
fn flagged(found: Match) -> Match {
    let stranger = matches!(found.kind, MatchKind::Email | MatchKind::Number | MatchKind::PhoneAddress);
    if !stranger || found.user.is_some() {
        return found;
    }
    let refusal = Refusal::new(RefusalKind::NotFound, "not registered with your company")
        .field("text")
        .mend("Check the spelling, or ask your company's Tenant Admin to add the user");
    Match { refusal: Some(refusal), ..found }
}

fn understand(
    text: &str,
    purpose: Purpose,
    directory: &Directory<'_>,
    asking: Option<&UserId>,
) -> Vec<Match> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TEXT_LIMIT {
        return vec![nobody(text)];
    }
    let lower = text.to_lowercase();
    if lower.starts_with("urn:") {
        return vec![if emergency::might_reach(text) { emergency_match(text) } else { nobody(text) }];
    }
    if lower.starts_with("sip:") || lower.starts_with("sips:") {
        return vec![sip_address(text, purpose, directory)];
    }
    if text.contains('@') {
        return vec![mail_address(text, purpose, directory)];
    }
    if lower.starts_with("tel:") {
        return vec![number_match(text, purpose, directory)];
    }
    if let Some(found) = device(&lower, directory) {
        return vec![found];
    }
    if text.chars().any(char::is_alphabetic) {
        return names(text, directory, asking);
    }
    digits(text, purpose, directory)
}

/// Digits: an extension first. Short ones that are no extension go nowhere.
fn digits(text: &str, purpose: Purpose, directory: &Directory<'_>) -> Vec<Match> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let mut users: Vec<_> = directory.users.iter().filter(|user| has_prefix(user, text)).collect();
        users.sort_by_key(|user| (Reverse(user.extension.as_deref() == Some(text)), user.extension.clone()));
        let found: Vec<_> = users
            .into_iter()
            .map(|user| {
                let exact = user.extension.as_deref() == Some(text);
                Match::user(if exact { MatchKind::Extension } else { MatchKind::User }, user)
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    vec![number_match(text, purpose, directory)]
}

fn has_prefix(user: &DirectoryUser, digits: &str) -> bool {
    user.extension.as_deref().is_some_and(|extension| extension.starts_with(digits))
}

/// A phone number, once extensions have been ruled out.
fn number_match(text: &str, purpose: Purpose, directory: &Directory<'_>) -> Match {
    // Keys behind a number are judged with it, by the policy.
    if emergency::might_reach(number::split_keys(text).0) {
        return emergency_match(text);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !text.contains('+') && digits.len() <= EXTENSION_DIGITS && !digits.is_empty() {
        let refusal = Refusal::call(RefusalKind::Invalid, Cause::NoSuchExtension)
            .field("number")
            .detail(format!("no such extension: {digits}"))
            .mend("Type a name, an extension of your company, or a whole phone number");
        return Match::no(MatchKind::Refused, text, refusal);
    }
    match number::normalise(text, &directory.home) {
        Ok(number) => known_number(number, purpose, directory),
        Err(refusal) => Match::no(MatchKind::Refused, text, refusal),
    }
}

/// A number of the house rings at its user; a user's outside number is that user to invite, and that number to call.
fn known_number(number: PhoneNumber, purpose: Purpose, directory: &Directory<'_>) -> Match {
    let holds = |numbers: &[String]| numbers.contains(&number.e164);
    if let Some(user) = directory.users.iter().find(|user| holds(&user.dids)) {
        return Match { number: Some(number), ..Match::user(MatchKind::User, user) };
    }
    if let Some(user) = directory.users.iter().find(|user| holds(&user.phones)) {
        let kind = if purpose == Purpose::Call { MatchKind::Number } else { MatchKind::User };
        return Match { number: Some(number), ..Match::user(kind, user) };
    }
    if purpose == Purpose::Invite {
        let refusal = Refusal::new(RefusalKind::Invalid, "an invitation cannot be sent to a phone number")
            .field("number")
            .mend("Use the CALL tab to call this number");
        return Match {
            number: Some(number.clone()),
            ..Match::no(MatchKind::Refused, &number.display, refusal)
        };
    }
    Match { number: Some(number.clone()), ..Match::of(MatchKind::Number, number.display) }
}

fn mail_address(text: &str, purpose: Purpose, directory: &Directory<'_>) -> Match {
    let by_mail = |user: &&DirectoryUser| user.mails.iter().any(|mail| mail.eq_ignore_ascii_case(text));
    if let Some(user) = directory.users.iter().find(by_mail) {
        return Match::user(MatchKind::User, user);
    }
    let Some((user, domain)) = text.rsplit_once('@') else { return nobody(text) };
    let same = |one: &str| domain.eq_ignore_ascii_case(one);
    if directory.phone_address_domain.is_some_and(same) {
        let found = number_match(user, purpose, directory);
        let kind = if found.kind == MatchKind::Number { MatchKind::PhoneAddress } else { found.kind };
        return Match { kind, ..found };
    }
    if same(directory.domain) && emergency::might_reach(user) {
        return emergency_match(text);
    }
    if is_mail(user, domain) {
        return Match { mail: Some(text.to_owned()), ..Match::of(MatchKind::Email, text) };
    }
    let refusal = Refusal::new(RefusalKind::Invalid, "this is not an e-mail address")
        .field("email")
        .mend("Write it as name@example.com");
    Match::no(MatchKind::Refused, text, refusal)
}

/// SIP addresses of the own domain mean whoever they belong to; other domains are not called.
fn sip_address(text: &str, purpose: Purpose, directory: &Directory<'_>) -> Match {
    if emergency::might_reach(text) {
        return emergency_match(text);
    }
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
    let address = rest.split([';', '?']).next().unwrap_or_default();
    let (user, domain) = address.rsplit_once('@').unwrap_or(("", address));
    if !domain.eq_ignore_ascii_case(directory.domain) || user.is_empty() {
        let refusal = Refusal::call(RefusalKind::Forbidden, Cause::DestinationDenied)
            .field("number")
            .detail(format!("SIP addresses of {domain} may not be called"))
            .mend(format!("Use an address of {}", directory.domain));
        return Match::no(MatchKind::Refused, text, refusal);
    }
    if let Some(found) = device(&user.to_lowercase(), directory) {
        return found;
    }
    if let Some(holder) = directory.users.iter().find(|entry| entry.extension.as_deref() == Some(user)) {
        return Match::user(MatchKind::Extension, holder);
    }
    number_match(user, purpose, directory)
}

fn device(name: &str, directory: &Directory<'_>) -> Option<Match> {
    directory.users.iter().find_map(|user| {
        let device = user.devices.iter().find(|device| device.as_str().eq_ignore_ascii_case(name))?;
        let display = format!("{} ({device})", user.display_name);
        Some(Match { device: Some(device.clone()), display, ..Match::user(MatchKind::Device, user) })
    })
}

/// Users whose first, last or display name has a word beginning with each word typed, case and accents apart.
fn names(text: &str, directory: &Directory<'_>, asking: Option<&UserId>) -> Vec<Match> {
    let wanted: Vec<String> = words(text);
    let matches = |user: &&DirectoryUser| {
        let have = words(&format!("{} {} {}", user.first, user.last, user.display_name));
        asking != Some(&user.user)
            && !wanted.is_empty()
            && wanted.iter().all(|word| have.iter().any(|name| name.starts_with(word.as_str())))
    };
    let mut users: Vec<_> = directory.users.iter().filter(matches).collect();
    users.sort_by_key(|user| (Reverse(words(&user.display_name) == wanted), fold(&user.display_name)));
    if users.is_empty() {
        return vec![if emergency::might_reach(text) {
            emergency_match(text)
        } else {
            lettered(text, directory)
        }];
    }
    users.into_iter().map(|user| Match::user(MatchKind::User, user)).collect()
}

/// Letters that are nobody's name may still be a number with an extension ("+1 202 555 0177 ext 12").
fn lettered(text: &str, directory: &Directory<'_>) -> Match {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    match number::normalise(text, &directory.home) {
        Ok(number) if digits > EXTENSION_DIGITS => known_number(number, Purpose::Call, directory),
        _ => nobody(text),
    }
}

fn nobody(text: &str) -> Match {
    let refusal = Refusal::new(RefusalKind::NotFound, "nobody matches")
        .field("text")
        .mend("Type a name, an extension, a phone number or an e-mail address");
    Match::no(MatchKind::Unknown, text, refusal)
}

fn emergency_match(text: &str) -> Match {
    let refusal = Refusal::call(RefusalKind::Forbidden, Cause::Emergency)
        .field("number")
        .mend("Use a phone to call for help");
    Match::no(MatchKind::Refused, text, refusal)
}

fn is_mail(user: &str, domain: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    let labels = domain.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    });
    plain(user) && !user.contains(['<', '>', ',', ';', '"', '@', ':']) && labels && domain.contains('.')
}

pub(crate) fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Lower case without the accents of Latin letters.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase().chars().map(base_letter).filter(|c| !('\u{300}'..='\u{36f}').contains(c)).collect()
}

fn base_letter(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
#[path = "tests/resolver.rs"]
mod tests;
