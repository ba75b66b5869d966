//! What a tenant has set about calling out: one document, every field with a default, every bad value named.

use crate::ids::UserId;
use crate::live::number::{self, NumberClass};
use crate::live::refusal::{Refusal, RefusalKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Rules, prices and users beyond these numbers are refused.
const RULES_MAX: usize = 1000;
/// The longest reason of a rule, and the longest name of a price class.
const TEXT_MAX: usize = 120;

/// Who may call out of a meeting (I47).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DialMode {
    /// Nobody.
    Off,
    /// Hosts who have logged in.
    #[default]
    SignedInHosts,
    /// Hosts who came by a link too; their calls show the tenant's own number (`service_caller_id`).
    AllHosts,
}

/// Who may have themselves called by phone (I61).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallMe {
    /// Nobody.
    Off,
    /// Those who have logged in; guests where the meeting's Hosts allow it.
    #[default]
    Users,
    /// Guests too.
    Everybody,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RuleAction {
    /// May be called, whatever its country and class.
    Allow,
    /// May be called once the Host has confirmed it.
    Confirm,
    /// Is not called.
    Deny,
}

/// A rule for all numbers that begin alike. The longest prefix wins; a user's rules come before the tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrefixRule {
    /// The beginning of a number in E.164: `+1900`.
    pub prefix: String,
    /// What holds for it.
    pub action: RuleAction,
    /// Why, as Hosts read it.
    #[serde(default)]
    pub reason: String,
}

/// What a call to numbers that begin alike costs. The longest prefix wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceClass {
    /// The beginning of a number in E.164: `+44`.
    pub prefix: String,
    /// Its name, as Hosts read it: `United Kingdom`.
    pub class: String,
    /// What a minute costs, in thousandths of the currency's unit.
    pub per_minute_milli: u32,
}

/// How many calls there may be. A limit that is left out is the installation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Of one Host within a minute.
    pub host_per_minute: u32,
    /// Of one Host within an hour.
    pub host_per_hour: u32,
    /// Of all Hosts within a minute.
    pub tenant_per_minute: u32,
    /// Of all Hosts within an hour.
    pub tenant_per_hour: u32,
    /// Outside calls of one Host at the same time.
    pub host_at_once: u32,
    /// Outside calls of all Hosts at the same time.
    pub tenant_at_once: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            host_per_minute: 200,
            host_per_hour: 2_000,
            tenant_per_minute: 600,
            tenant_per_hour: 10_000,
            host_at_once: 200,
            tenant_at_once: 1_000,
        }
    }
}

/// How much may be spent on outside calls; nothing is bounded by what is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Allowance {
    /// Minutes, all calls together.
    pub minutes: Option<u32>,
    /// Money, in thousandths of the currency's unit.
    pub money_milli: Option<u64>,
}

/// What may be spent by whom. A day is the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Budgets {
    /// One meeting within a day.
    pub meeting: Allowance,
    /// One Host within a day.
    pub host: Allowance,
    /// The tenant within a day.
    pub tenant: Allowance,
}

/// When somebody begins or ceases to be called: a time of day, written `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// From minutes after midnight; a whole day or more wraps around.
    pub fn from_minutes(minutes: u16) -> Self {
        Self(minutes % 1440)
    }

    /// Minutes after midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
        text.split_once(':')
            .and_then(|(hours, minutes)| Some((read(hours)?, read(minutes)?)))
            .filter(|(hours, minutes)| *hours < 24 && *minutes < 60)
            .map(|(hours, minutes)| Self(hours * 60 + minutes))
            .ok_or_else(|| format!("{text:?} is not a time of day; write it as 21:00"))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Hours in which people are not called, by the clock where they are (I44).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuietHours {
    /// When they begin: `21:00`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: TimeOfDay,
    /// When they end: `08:00`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub until: TimeOfDay,
    /// Whether a Host may confirm such a call; otherwise it is refused.
    #[serde(default = "yes")]
    pub confirm: bool,
}

impl QuietHours {
    /// Whether a time of day is within them. They may pass midnight.
    pub fn contains(&self, time: TimeOfDay) -> bool {
        if self.from <= self.until {
            (self.from..self.until).contains(&time)
        } else {
            time >= self.from || time < self.until
        }
    }
}

/// What looks like fraud, and stops further calls (I43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Breaker {
    /// So many short outside calls of the tenant within the window.
    pub short_calls: u32,
    /// What counts as short, in seconds from the answer.
    pub shorter_than_s: u32,
    /// The window, in minutes.
    pub window_minutes: u32,
    /// So many people of one meeting who did not press 1, within an hour.
    pub not_confirmed: u32,
    /// So many calls to one prefix within an hour raise the alarm.
    pub prefix_calls: u32,
    /// How many digits of a number, country code included, make that prefix.
    pub prefix_digits: u8,
    /// Whether the alarm stops further calls to that prefix.
    pub prefix_stop: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            short_calls: 30,
            shorter_than_s: 6,
            window_minutes: 10,
            not_confirmed: 20,
            prefix_calls: 100,
            prefix_digits: 7,
            prefix_stop: false,
        }
    }
}

/// What is otherwise for one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserPolicy {
    /// May not call out at all.
    pub dial_out_off: bool,
    /// Instead of the tenant's list.
    pub allowed_countries: Option<BTreeSet<String>>,
    /// Instead of the tenant's list.
    pub allowed_classes: Option<BTreeSet<NumberClass>>,
    /// Asked before the tenant's.
    pub rules: Vec<PrefixRule>,
    /// Calls within a minute, at most the tenant's.
    pub per_minute: Option<u32>,
    /// What may be spent within a day, beside the tenant's bounds.
    pub budget: Allowance,
}

/// Everything a tenant has set about calling out. Emergency numbers are not here: they are never dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DialPolicy {
    /// Who may call out.
    pub mode: DialMode,
    /// Countries beside the tenant's own, as ISO 3166 codes. `+1` covers many: each is named for itself.
    pub allowed_countries: BTreeSet<String>,
    /// Classes beside ordinary, mobile, toll-free and Internet telephony: `premium`, `satellite`, `shared_cost` …
    pub allowed_classes: BTreeSet<NumberClass>,
    /// Rules by prefix.
    pub rules: Vec<PrefixRule>,
    /// Whether the first call to a country is asked for once.
    pub ask_new_country: bool,
    /// Off unless set.
    pub quiet_hours: Option<QuietHours>,
    /// How many calls there may be.
    pub limits: Limits,
    /// What may be spent.
    pub budgets: Budgets,
    /// The currency of all prices, as ISO 4217.
    pub currency: String,
    /// What calls cost.
    pub prices: Vec<PriceClass>,
    /// What a minute costs where no price class fits, in thousandths of the currency's unit.
    pub other_per_minute_milli: u32,
    /// What looks like fraud.
    pub breaker: Breaker,
    /// What is otherwise for single users.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, UserPolicy>))]
    pub users: BTreeMap<UserId, UserPolicy>,
    /// How long it may ring, in seconds: 5 to 300. The installation's unless set.
    pub ring_timeout_s: Option<u32>,
    /// When an outside call is hung up, in minutes after the answer.
    pub max_call_minutes: Option<u32>,
    /// When somebody alone in a meeting by phone is hung up on, in minutes.
    pub alone_minutes: Option<u32>,
    /// Whether a device whose connection was lost is called once more by itself.
    pub redial_lost_devices: bool,
    /// Whether a redirection by the carrier (3xx) is followed, once, to a number that may be called.
    pub follow_redirects: bool,
    /// Who may have themselves called.
    pub call_me: CallMe,
    /// The tenant's own number, shown where no Host with a caller ID presses: by Hosts who came by a link, and when
    /// somebody without one has themselves called.
    pub service_caller_id: Option<String>,
}

impl Default for DialPolicy {
    fn default() -> Self {
        Self {
            mode: DialMode::default(),
            allowed_countries: BTreeSet::new(),
            allowed_classes: BTreeSet::new(),
            rules: Vec::new(),
            ask_new_country: true,
            quiet_hours: None,
            limits: Limits::default(),
            budgets: Budgets::default(),
            currency: "USD".to_owned(),
            prices: Vec::new(),
            other_per_minute_milli: 0,
            breaker: Breaker::default(),
            users: BTreeMap::new(),
            ring_timeout_s: None,
            max_call_minutes: None,
            alone_minutes: Some(15),
            redial_lost_devices: false,
            follow_redirects: false,
            call_me: CallMe::default(),
            service_caller_id: None,
        }
    }
}

impl DialPolicy {
    /// The rule for a number that fits best: a user's before the tenant's, then the longest prefix.
    pub fn rule_for(&self, user: Option<&UserId>, e164: &str) -> Option<&PrefixRule> {
        let own = user.and_then(|user| self.users.get(user)).map(|user| user.rules.as_slice());
        longest(own.unwrap_or_default(), e164, |rule| &rule.prefix)
            .or_else(|| longest(&self.rules, e164, |rule| &rule.prefix))
    }

    /// Whether anything bounds what may be spent.
    pub fn has_budgets(&self) -> bool {
        let set = |allowance: &Allowance| *allowance != Allowance::default();
        let budgets = [&self.budgets.meeting, &self.budgets.host, &self.budgets.tenant];
        budgets.into_iter().any(set) || self.users.values().any(|user| set(&user.budget))
    }

    /// What a minute to this number costs, and the name of its price class.
    pub fn price_of(&self, e164: &str) -> Price {
        longest(&self.prices, e164, |price| &price.prefix).map_or_else(
            || Price { class: None, per_minute_milli: self.other_per_minute_milli },
            |price| Price { class: Some(price.class.clone()), per_minute_milli: price.per_minute_milli },
        )
    }

    /// Puts codes into the form they are compared in, and says what cannot be.
    ///
    /// # Errors
    /// Names the first field that cannot work, and what would mend it.
    pub fn checked(mut self) -> Result<Self, Refusal> {
        self.allowed_countries = countries("allowed_countries", &self.allowed_countries)?;
        check_rules("rules", &self.rules)?;
        check_length("prices", self.prices.len())?;
        for price in &self.prices {
            check_prefix("prices", &price.prefix)?;
            check_text("prices", &price.class)?;
        }
        check_length("users", self.users.len())?;
        for user in self.users.values_mut() {
            if let Some(own) = &user.allowed_countries {
                user.allowed_countries = Some(countries("users", own)?);
            }
            check_rules("users", &user.rules)?;
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong("currency", "this is not a currency", "Write three capitals, such as USD"));
        }
        if self.ring_timeout_s.is_some_and(|seconds| !(5..=300).contains(&seconds)) {
            return Err(wrong(
                "ring_timeout_s",
                "it must be 5 to 300 seconds",
                "Leave it out for 45 seconds",
            ));
        }
        if [self.max_call_minutes, self.alone_minutes].contains(&Some(0)) {
            return Err(wrong(
                "max_call_minutes",
                "no call could last",
                "Write at least 1, or null for no end",
            ));
        }
        if !(2..=15).contains(&self.breaker.prefix_digits) {
            return Err(wrong("breaker", "prefix_digits must be 2 to 15", "Leave it out for 7"));
        }
        if let Some(number) = &self.service_caller_id {
            number::check_e164(number).map_err(|refusal| refusal.field("service_caller_id"))?;
        }
        Ok(self)
    }
}

/// What a minute of a call costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// The name of the price class, if one fits.
    pub class: Option<String>,
    /// In thousandths of the currency's unit.
    pub per_minute_milli: u32,
}

fn longest<'a, T>(all: &'a [T], e164: &str, prefix: impl Fn(&T) -> &String) -> Option<&'a T> {
    all.iter().filter(|one| e164.starts_with(prefix(one).as_str())).max_by_key(|one| prefix(one).len())
}

fn yes() -> bool {
    true
}

fn countries(field: &'static str, codes: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    check_length(field, codes.len())?;
    let upper: BTreeSet<String> = codes.iter().map(|code| code.to_ascii_uppercase()).collect();
    match upper.iter().find(|code| !is_country(code)) {
        Some(code) => Err(wrong(
            field,
            format!("{code:?} is not a country"),
            "Write two-letter codes, such as US and GB",
        )),
        None => Ok(upper),
    }
}

fn is_country(code: &str) -> bool {
    code.parse::<phonenumber::country::Id>().is_ok()
}

fn check_rules(field: &'static str, rules: &[PrefixRule]) -> Result<(), Refusal> {
    check_length(field, rules.len())?;
    for rule in rules {
        check_prefix(field, &rule.prefix)?;
        check_text(field, &rule.reason)?;
    }
    Ok(())
}

fn check_prefix(field: &'static str, prefix: &str) -> Result<(), Refusal> {
    let digits = prefix.strip_prefix('+').unwrap_or_default();
    if (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    let shown: String = prefix.chars().take(20).collect();
    Err(wrong(field, format!("{shown:?} is not a prefix"), "Write + and the first digits, such as +1900"))
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
        let mend = "Write at most 120 characters on one line";
        return Err(wrong(field, "a text is too long or holds control characters", mend));
    }
    Ok(())
}

fn check_length(field: &'static str, length: usize) -> Result<(), Refusal> {
    if length > RULES_MAX {
        return Err(wrong(field, format!("{length} entries are too many"), "Send at most 1000"));
    }
    Ok(())
}

fn wrong(field: &'static str, detail: impl Into<String>, mend: &str) -> Refusal {
    Refusal::new(RefusalKind::Invalid, detail).field(field).mend(mend)
}
