//! What has been dialled and spent so far, as the database counts it: the limits therefore hold over a restart.

use super::rules::{Allowance, DialPolicy};
use crate::ids::UserId;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of outside calls, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// From the answer on, all calls together.
    pub seconds: u64,
    /// In thousandths of the currency's unit.
    pub milli: u64,
}

/// Everything that bounds look at. Calls that run now are in it as far as they have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of this Host within the last minute.
    pub host_minute: u32,
    /// Calls of this Host within the last hour.
    pub host_hour: u32,
    /// Calls of the tenant within the last minute.
    pub tenant_minute: u32,
    /// Calls of the tenant within the last hour.
    pub tenant_hour: u32,
    /// Outside calls of this Host that are not over.
    pub host_at_once: u32,
    /// Outside calls of the tenant that are not over.
    pub tenant_at_once: u32,
    /// Outside calls of the meeting within the last day.
    pub meeting: Spent,
    /// Outside calls of this Host within the last day.
    pub host: Spent,
    /// Outside calls of the tenant within the last day.
    pub tenant: Spent,
    /// Short outside calls of the tenant within the breaker's window.
    pub short_calls: u32,
    /// People of this meeting who did not press 1 within the last hour.
    pub not_confirmed: u32,
    /// Calls of the tenant within the last hour, by prefix.
    pub prefixes: BTreeMap<String, u32>,
    /// Countries the tenant has called before.
    pub countries: BTreeSet<String>,
}

impl Usage {
    /// Counts one more call, so that the next target of the same press is judged with it.
    pub fn count(&mut self, policy: &DialPolicy, number: Option<&str>, country: Option<&str>) {
        for counter in
            [&mut self.host_minute, &mut self.host_hour, &mut self.tenant_minute, &mut self.tenant_hour]
        {
            *counter = counter.saturating_add(1);
        }
        let Some(number) = number else { return };
        self.host_at_once = self.host_at_once.saturating_add(1);
        self.tenant_at_once = self.tenant_at_once.saturating_add(1);
        let prefix = self.prefixes.entry(prefix_of(policy, number)).or_default();
        *prefix = prefix.saturating_add(1);
        if let Some(country) = country {
            self.countries.insert(country.to_owned());
        }
    }
}

/// The prefix under which a number is counted.
pub fn prefix_of(policy: &DialPolicy, e164: &str) -> String {
    e164.chars().take(usize::from(policy.breaker.prefix_digits) + 1).collect()
}

/// What is left of an allowance; `None` where nothing bounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Seconds.
    pub seconds: Option<u64>,
    /// In thousandths of the currency's unit.
    pub milli: Option<u64>,
}

impl Left {
    /// What an allowance leaves after so much was spent.
    pub fn of(allowance: &Allowance, spent: Spent) -> Self {
        Self {
            seconds: allowance.minutes.map(|minutes| (u64::from(minutes) * 60).saturating_sub(spent.seconds)),
            milli: allowance.money_milli.map(|milli| milli.saturating_sub(spent.milli)),
        }
    }

    /// The smaller of two, each kind for itself.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Self { seconds: least(self.seconds, other.seconds), milli: least(self.milli, other.milli) }
    }

    /// How long one call at this price may last, in seconds; `None` for ever.
    pub fn call_seconds(&self, per_minute_milli: u32) -> Option<u64> {
        let price = u64::from(per_minute_milli);
        let by_money = self.milli.and_then(|milli| milli.saturating_mul(60).checked_div(price));
        self.seconds.into_iter().chain(by_money).min()
    }

    /// Whether nothing is left for a call at this price.
    pub fn is_spent(&self, per_minute_milli: u32) -> bool {
        self.call_seconds(per_minute_milli) == Some(0) || self.milli == Some(0)
    }
}

/// Whose money it is: the scopes of a budget, with what each has left.
pub fn scopes(policy: &DialPolicy, user: Option<&UserId>, usage: &Usage) -> [(&'static str, Left); 3] {
    let own = user.and_then(|user| policy.users.get(user)).map(|user| user.budget).unwrap_or_default();
    let host = Left::of(&policy.budgets.host, usage.host).and(Left::of(&own, usage.host));
    [
        ("meeting_budget", Left::of(&policy.budgets.meeting, usage.meeting)),
        ("host_budget", host),
        ("tenant_budget", Left::of(&policy.budgets.tenant, usage.tenant)),
    ]
}

/// What a Host has left, all bounds together.
pub fn left(policy: &DialPolicy, user: Option<&UserId>, usage: &Usage) -> Left {
    scopes(policy, user, usage).into_iter().fold(Left::default(), |left, (_, scope)| left.and(scope))
}
