//! May this call be made? One engine for the preview, the dial, a redirection by the carrier and every later try.

use super::region::{LocalTime, local_time};
use super::rules::{DialMode, DialPolicy, Price, RuleAction};
use super::usage::{Usage, prefix_of, scopes};
use super::{check_caller_id, check_host_present, refuse_emergency};
use crate::ids::UserId;
use crate::live::emergency;
use crate::live::number::PhoneNumber;
use crate::live::refusal::{Refusal, RefusalKind};
use crate::vocabulary::{Cause, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a Host may be asked to confirm before a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Confirmation {
    /// It is outside calling hours there.
    QuietHours,
    /// The tenant has never called this country.
    NewCountry,
    /// A rule of the tenant asks for it.
    Rule,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// It may be made.
    #[default]
    Allow,
    /// It may be made once the Host has confirmed it.
    Confirm,
    /// It may not be made.
    Deny,
}

/// Who asks, and what is known of the meeting.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The acting Host, if they have logged in.
    pub user: Option<&'a UserId>,
    /// The caller ID that would be shown, in E.164.
    pub caller_id: Option<&'a str>,
    /// The numbers that may be shown, in E.164: assigned to the Host or to the tenant, and verified.
    pub owned_numbers: &'a [String],
    /// Whether a Host is in the meeting.
    pub host_present: bool,
    /// Whether there is a trunk to the telephone network.
    pub has_trunk: bool,
    /// Somebody has themselves called: the switch for Hosts does not concern them.
    pub own: bool,
}

/// Where the call would go.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The number; `None` for a registered device.
    pub number: Option<&'a PhoneNumber>,
    /// Keys pressed after the answer.
    pub keys: Option<&'a str>,
    /// Whether it asked this tenant not to be called.
    pub blocked: bool,
    /// What the Host has confirmed.
    pub confirmed: &'a BTreeSet<Confirmation>,
}

/// The decision about one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Why it is not made, or not yet.
    pub refusal: Option<Refusal>,
    /// Which bound or rule said so: a word for each.
    pub rule: Option<&'static str>,
    /// What the Host must confirm still.
    pub ask: Vec<Confirmation>,
    /// What mattered and was confirmed: to be written down.
    pub confirmed: Vec<Confirmation>,
    /// What it costs.
    pub price: Price,
    /// The time there.
    pub local_time: Option<LocalTime>,
    /// It raises the alarm about many calls to one prefix.
    pub alarm: Option<String>,
}

impl Decision {
    /// The decision in one word.
    pub fn verdict(&self) -> Verdict {
        match (&self.refusal, self.ask.is_empty()) {
            (None, _) => Verdict::Allow,
            (Some(_), false) => Verdict::Confirm,
            (Some(_), true) => Verdict::Deny,
        }
    }

    fn deny(mut self, (rule, refusal): (&'static str, Refusal)) -> Self {
        self.rule = Some(rule);
        self.refusal = Some(refusal);
        self.ask.clear();
        self
    }
}

type Denied = (&'static str, Refusal);

/// Decides about one call. The order is fixed: what can never be, what may not be here, what may not be now, what must
/// be confirmed.
pub fn decide(
    policy: &DialPolicy,
    home: &str,
    usage: &Usage,
    asking: &Asking<'_>,
    called: &Called<'_>,
    wall: UnixMillis,
) -> Decision {
    let mut decision = Decision::default();
    if let Some(number) = called.number {
        decision.price = policy.price_of(&number.e164);
        decision.local_time = local_time(number, wall);
    }
    let price = decision.price.per_minute_milli;
    let fixed = check_never(called)
        .and_then(|()| if asking.own { Ok(()) } else { mode(policy, asking.user) })
        .and_then(|()| check_destination(policy, home, asking.user, called))
        .and_then(|asked| check_asking(asking, called).map(|()| asked))
        .and_then(|asked| check_rates(policy, usage, asking.user, called).map(|()| asked))
        .and_then(|asked| check_fraud(policy, usage, called).map(|()| asked))
        .and_then(|asked| check_budget(policy, usage, asking.user, called, price).map(|()| asked));
    let by_rule = match fixed {
        Ok(by_rule) => by_rule,
        Err(denied) => return decision.deny(denied),
    };
    decision.alarm = alarm(policy, usage, called);
    match check_hours(policy, &decision) {
        Ok(quiet) => ask(decision, policy, home, usage, called, (by_rule, quiet)),
        Err(denied) => decision.deny(denied),
    }
}

/// Whether a number may be called at all by this user, whoever is in the meeting and whatever was spent: the check of
/// a single number, and of a redirection.
///
/// # Errors
/// The refusal names the cause; `Ok` holds the reason of a rule that asks for confirmation.
pub fn check_number(
    policy: &DialPolicy,
    home: &str,
    user: Option<&UserId>,
    number: &PhoneNumber,
    blocked: bool,
) -> Result<Option<String>, Refusal> {
    let called = Called { number: Some(number), keys: None, blocked, confirmed: &BTreeSet::new() };
    check_never(&called)
        .and_then(|()| check_destination(policy, home, user, &called))
        .map_err(|(_, refusal)| refusal)
}

fn check_never(called: &Called<'_>) -> Result<(), Denied> {
    let Some(number) = called.number else { return Ok(()) };
    refuse_emergency(&number.e164).map_err(|refusal| ("emergency", refusal))?;
    let country = number.country.as_deref().unwrap_or_default();
    if called.keys.is_some_and(|keys| emergency::keys_might_reach(keys, country)) {
        let refusal = denied(Cause::Emergency)
            .detail("Keys that dial an emergency number are not sent from a meeting")
            .mend("Use a phone to call for help");
        return Err(("emergency", refusal));
    }
    if called.blocked {
        let refusal = denied(Cause::DoNotCall).mend("Ask the person to be taken off the do-not-call list");
        return Err(("do_not_call", refusal));
    }
    Ok(())
}

/// Whether this Host may call out at all (I47); `None` for one who came by a link.
///
/// # Errors
/// The refusal says who can change it.
pub fn check_mode(policy: &DialPolicy, user: Option<&UserId>) -> Result<(), Refusal> {
    mode(policy, user).map_err(|(_, refusal)| refusal)
}

fn mode(policy: &DialPolicy, user: Option<&UserId>) -> Result<(), Denied> {
    let own = user.and_then(|user| policy.users.get(user));
    let refusal = Refusal::call(RefusalKind::Forbidden, Cause::DialOutOff);
    match policy.mode {
        DialMode::Off => Err(("mode_off", refusal.mend("Ask your Tenant Admin to switch calling out on"))),
        DialMode::SignedInHosts if user.is_none() => {
            let refusal = refusal.detail("Only Hosts who have logged in may call out");
            Err((
                "mode_signed_in",
                refusal.mend("Log in, or ask your Tenant Admin to let all Hosts call out"),
            ))
        }
        DialMode::SignedInHosts | DialMode::AllHosts if own.is_some_and(|own| own.dial_out_off) => {
            let refusal = refusal.detail("You may not call out");
            Err(("user_off", refusal.mend("Ask your Tenant Admin")))
        }
        DialMode::SignedInHosts | DialMode::AllHosts => Ok(()),
    }
}

/// Rules by prefix come before class and country, so that single destinations can be allowed and denied. What a rule
/// wants confirmed is returned.
fn check_destination(
    policy: &DialPolicy,
    home: &str,
    user: Option<&UserId>,
    called: &Called<'_>,
) -> Result<Option<String>, Denied> {
    let Some(number) = called.number else { return Ok(None) };
    if let Some(rule) = policy.rule_for(user, &number.e164) {
        return match rule.action {
            RuleAction::Allow => Ok(None),
            RuleAction::Confirm => Ok(Some(rule.reason.clone())),
            RuleAction::Deny => {
                let why = if rule.reason.is_empty() { String::new() } else { format!(": {}", rule.reason) };
                let detail = format!("numbers beginning with {} may not be called{why}", rule.prefix);
                Err(("prefix_rule", denied(Cause::DestinationDenied).detail(detail).mend(ASK_ADMIN)))
            }
        };
    }
    let own = user.and_then(|user| policy.users.get(user));
    let classes = own.and_then(|own| own.allowed_classes.as_ref()).unwrap_or(&policy.allowed_classes);
    let class = number.class;
    if !class.is_ordinary() && !classes.contains(&class) {
        let refusal = denied(Cause::DestinationDenied)
            .detail(format!("{} numbers may not be called", class.words()))
            .mend("Ask your Tenant Admin to allow this class of numbers");
        return Err(("class", refusal));
    }
    let countries = own.and_then(|own| own.allowed_countries.as_ref()).unwrap_or(&policy.allowed_countries);
    match &number.country {
        Some(country) if !country.eq_ignore_ascii_case(home) && !countries.contains(country) => {
            let refusal = denied(Cause::DestinationDenied)
                .detail(format!("numbers of {country} may not be called"))
                .mend("Ask your Tenant Admin to allow this country");
            Err(("country", refusal))
        }
        _ => Ok(None),
    }
}

fn check_asking(asking: &Asking<'_>, called: &Called<'_>) -> Result<(), Denied> {
    check_caller_id(asking.caller_id, asking.owned_numbers).map_err(|refusal| ("caller_id", refusal))?;
    check_host_present(asking.host_present).map_err(|refusal| ("no_host", refusal))?;
    if called.number.is_some() && !asking.has_trunk {
        let refusal = Refusal::call(RefusalKind::Conflict, Cause::TrunkDown)
            .detail("No trunk to the telephone network is set up")
            .mend("Ask your Tenant Admin to set up a trunk");
        return Err(("no_trunk", refusal));
    }
    Ok(())
}

fn check_rates(
    policy: &DialPolicy,
    usage: &Usage,
    user: Option<&UserId>,
    called: &Called<'_>,
) -> Result<(), Denied> {
    let limits = &policy.limits;
    let own = user.and_then(|user| policy.users.get(user)).and_then(|own| own.per_minute);
    let per_minute = own.map_or(limits.host_per_minute, |own| own.min(limits.host_per_minute));
    let rates = [
        ("host_per_minute", usage.host_minute, per_minute, "You have placed", "within a minute", MINUTE),
        ("host_per_hour", usage.host_hour, limits.host_per_hour, "You have placed", "within an hour", HOUR),
        (
            "tenant_per_minute",
            usage.tenant_minute,
            limits.tenant_per_minute,
            EVERYBODY,
            "within a minute",
            MINUTE,
        ),
        ("tenant_per_hour", usage.tenant_hour, limits.tenant_per_hour, EVERYBODY, "within an hour", HOUR),
    ];
    if let Some((rule, count, _, who, when, mend)) =
        rates.into_iter().find(|(_, count, limit, ..)| count >= limit)
    {
        let detail = format!("{who} {count} calls {when}");
        return Err((rule, overload(Cause::RateLimited).detail(detail).mend(mend)));
    }
    if called.number.is_none() {
        return Ok(());
    }
    let at_once = [
        ("host_at_once", usage.host_at_once, limits.host_at_once, "You have"),
        ("tenant_at_once", usage.tenant_at_once, limits.tenant_at_once, "Your organisation has"),
    ];
    match at_once.into_iter().find(|(_, count, limit, _)| count >= limit) {
        Some((rule, count, _, who)) => {
            let detail = format!("{who} {count} calls at the same time");
            let mend = "Wait until some of the calls are over";
            Err((rule, overload(Cause::TooManyAtOnce).detail(detail).mend(mend)))
        }
        None => Ok(()),
    }
}

/// The breaker closes by itself as its window moves on.
fn check_fraud(policy: &DialPolicy, usage: &Usage, called: &Called<'_>) -> Result<(), Denied> {
    let Some(number) = called.number else { return Ok(()) };
    let breaker = &policy.breaker;
    let paused = |rule, detail: String, mend: String| {
        Err((rule, overload(Cause::CallsPaused).detail(detail).mend(mend)))
    };
    if usage.short_calls >= breaker.short_calls {
        let minutes = breaker.window_minutes;
        let detail = format!("{} calls of a few seconds within {minutes} minutes", usage.short_calls);
        return paused("short_calls", detail, format!("Wait {minutes} minutes, and look into those calls"));
    }
    if usage.not_confirmed >= breaker.not_confirmed {
        let detail = format!("{} people called into this meeting did not press 1", usage.not_confirmed);
        return paused("not_confirmed", detail, "Wait an hour, or send an invitation instead".to_owned());
    }
    let prefix = prefix_of(policy, &number.e164);
    let many = usage.prefixes.get(&prefix).copied().unwrap_or(0);
    if breaker.prefix_stop && many >= breaker.prefix_calls {
        let detail = format!("{many} calls to numbers beginning with {prefix} within an hour");
        return paused("prefix_calls", detail, "Ask your Tenant Admin to look into those calls".to_owned());
    }
    Ok(())
}

fn alarm(policy: &DialPolicy, usage: &Usage, called: &Called<'_>) -> Option<String> {
    let prefix = prefix_of(policy, &called.number?.e164);
    // Once per run-up: the call that reaches the number raises it, later ones do not.
    let reached = usage.prefixes.get(&prefix).copied().unwrap_or(0).saturating_add(1);
    (reached == policy.breaker.prefix_calls).then_some(prefix)
}

fn check_budget(
    policy: &DialPolicy,
    usage: &Usage,
    user: Option<&UserId>,
    called: &Called<'_>,
    price: u32,
) -> Result<(), Denied> {
    if called.number.is_none() {
        return Ok(());
    }
    match scopes(policy, user, usage).into_iter().find(|(_, left)| left.is_spent(price)) {
        Some((rule, _)) => {
            let detail = match rule {
                "meeting_budget" => "The budget of this meeting is spent",
                "host_budget" => "Your budget of today is spent",
                _ => "Your organisation's budget of today is spent",
            };
            Err((rule, denied(Cause::BudgetSpent).detail(detail).mend("Ask your Tenant Admin to raise it")))
        }
        None => Ok(()),
    }
}

/// Whether it is quiet there now; refused where nobody may confirm it.
fn check_hours(policy: &DialPolicy, decision: &Decision) -> Result<bool, Denied> {
    let (Some(hours), Some(time)) = (&policy.quiet_hours, &decision.local_time) else { return Ok(false) };
    let quiet = time.times.iter().any(|time| hours.contains(*time));
    if quiet && !hours.confirm {
        return Err((
            "quiet_hours",
            quiet_refusal(time).mend("Call between the hours your Tenant Admin allows"),
        ));
    }
    Ok(quiet)
}

fn quiet_refusal(time: &LocalTime) -> Refusal {
    denied(Cause::QuietHours).detail(format!("It is {} there", time.words()))
}

/// Gathers what must be confirmed, and what has been.
fn ask(
    mut decision: Decision,
    policy: &DialPolicy,
    home: &str,
    usage: &Usage,
    called: &Called<'_>,
    (by_rule, quiet): (Option<String>, bool),
) -> Decision {
    let country = called.number.and_then(|number| number.country.as_deref());
    let unheard_of = country
        .filter(|country| !country.eq_ignore_ascii_case(home) && !usage.countries.contains(*country))
        .filter(|_| policy.ask_new_country);
    let needed = [
        (Confirmation::QuietHours, quiet),
        (Confirmation::NewCountry, unheard_of.is_some()),
        (Confirmation::Rule, by_rule.is_some()),
    ];
    for (what, _) in needed.into_iter().filter(|(_, needed)| *needed) {
        if called.confirmed.contains(&what) {
            decision.confirmed.push(what);
        } else {
            decision.ask.push(what);
        }
    }
    let Some(first) = decision.ask.first() else { return decision };
    let (rule, refusal) = match first {
        Confirmation::QuietHours => (
            "quiet_hours",
            decision.local_time.as_ref().map_or_else(|| denied(Cause::QuietHours), quiet_refusal),
        ),
        Confirmation::NewCountry => {
            let detail = format!("Nobody here has called {} before", unheard_of.unwrap_or_default());
            ("new_country", denied(Cause::ConfirmNeeded).detail(detail))
        }
        Confirmation::Rule => {
            let reason = by_rule.unwrap_or_default();
            let detail = if reason.is_empty() { Cause::ConfirmNeeded.words().to_owned() } else { reason };
            ("prefix_rule", denied(Cause::ConfirmNeeded).detail(detail))
        }
    };
    decision.rule = Some(rule);
    decision.refusal = Some(refusal.mend("Confirm that you want to call now"));
    decision
}

const ASK_ADMIN: &str = "Ask your Tenant Admin to allow it";
const EVERYBODY: &str = "Your organisation has placed";
const MINUTE: &str = "Wait a minute and call again";
const HOUR: &str = "Wait, or ask your Tenant Admin to raise the limit";

fn denied(cause: Cause) -> Refusal {
    Refusal::call(RefusalKind::Forbidden, cause).field("number")
}

fn overload(cause: Cause) -> Refusal {
    Refusal::call(RefusalKind::Overload, cause)
}
