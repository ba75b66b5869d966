//! Why a call went the way it did: the rules and trunks there are, which of them counted, and what was said on the wire.

use crate::ids::{CallId, UserId};
use crate::live::ladder::Rung;
use crate::live::policy::rules::{DialPolicy, PrefixRule, RuleAction};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::record_views::Cdr;
use crate::services::records::cdr_view;
use crate::services::trunk_order::{Lots, in_order};
use crate::services::views::CallRecord;
use crate::store::{CallEventRow, CallRow, CdrFilter, TrunkRow};
use crate::vocabulary::Cause;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a call went the way it did.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallExplanation {
    /// The call with all its times.
    pub call: CallRecord,
    /// The tenant's dial rules as they are now, and the host's own before them; the first that says `applies` counts.
    pub rules: Vec<RuleExplanation>,
    /// The tenant's trunks in the order in which they are tried.
    pub trunks: Vec<TrunkExplanation>,
    /// The SIP messages, without secrets.
    pub ladder: Vec<Rung>,
    /// Where the messages are from: `running` (still in memory), `stored`, or `none`: too old, or no message was sent.
    pub ladder_source: &'static str,
    /// What was heard, one record for each leg that came to be.
    pub legs: Vec<Cdr>,
}

/// One dial rule.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleExplanation {
    /// `host` or `tenant`.
    pub of: &'static str,
    /// The numbers it is about.
    pub prefix: String,
    /// What it says.
    pub action: RuleAction,
    /// Whether it is the one that counts.
    pub applies: bool,
    /// Why, or why not.
    pub why: String,
}

/// One trunk.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrunkExplanation {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Whether the call was offered to it.
    pub tried: bool,
    /// Whether it is the one the call went over in the end.
    pub used: bool,
    /// What came of it, or why it was not tried.
    pub why: String,
}

impl Services {
    /// Explains a call.
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts.
    pub async fn explain_call(&self, actor: &Actor, id: &CallId) -> Result<CallExplanation, ServiceError> {
        let (row, reach) = self.reach_call(actor, id).await?;
        reach.require_invite()?;
        let events = self.store.call_events(actor.tenant(), id).await?;
        let policy = self.policy_of(actor.tenant()).await?;
        let trunks = self.store.trunks(actor.tenant()).await?;
        let running = self.live.ladder(id.clone()).await;
        let (ladder, ladder_source) = if !running.is_empty() {
            (running, "running")
        } else {
            let stored = self.store.ladder(actor.tenant(), id).await?;
            stored.map_or((Vec::new(), "none"), |rungs| (rungs, "stored"))
        };
        let filter = CdrFilter { call: Some(id.clone()), limit: 10, ..CdrFilter::default() };
        let legs = self.store.cdrs(actor.tenant(), &filter).await?;
        let names: BTreeMap<u64, String> =
            trunks.iter().map(|trunk| (trunk.id, trunk.name.clone())).collect();
        Ok(CallExplanation {
            rules: explain_rules(row.number.as_deref(), &policy, &row.acting_host),
            trunks: explain_trunks(&row, &events, trunks),
            ladder,
            ladder_source,
            legs: legs.into_iter().map(|leg| cdr_view(leg, &BTreeMap::new(), &names)).collect(),
            call: self.call(actor, id).await?,
        })
    }
}

/// The rules and whether they count, by the choice the dial itself makes.
fn explain_rules(number: Option<&str>, policy: &DialPolicy, host: &UserId) -> Vec<RuleExplanation> {
    let Some(number) = number else { return Vec::new() };
    let own = policy.users.get(host).map(|user| user.rules.as_slice()).unwrap_or_default();
    let chosen = policy.rule_for(Some(host), number);
    let own_counts = own.iter().any(|rule| number.starts_with(&rule.prefix));
    let explain = |rule: &PrefixRule, of: &'static str, beaten: bool| {
        let applies = chosen.is_some_and(|chosen| std::ptr::eq(chosen, rule));
        let why = if !number.starts_with(&rule.prefix) {
            format!("{number} does not begin with {}", rule.prefix)
        } else if beaten {
            "a rule of the host's own comes first".to_owned()
        } else if applies {
            "the longest prefix that fits".to_owned()
        } else {
            format!("{} fits longer", chosen.map_or("another prefix", |chosen| chosen.prefix.as_str()))
        };
        RuleExplanation { of, prefix: rule.prefix.clone(), action: rule.action, applies, why }
    };
    let own = own.iter().map(|rule| explain(rule, "host", false));
    own.chain(policy.rules.iter().map(|rule| explain(rule, "tenant", own_counts))).collect()
}

fn explain_trunks(
    row: &CallRow,
    events: &[CallEventRow],
    mut trunks: Vec<TrunkRow>,
) -> Vec<TrunkExplanation> {
    let order = in_order(&trunks, Lots::of(&row.meeting, row.number.as_deref().unwrap_or_default()));
    let place = |trunk: &TrunkRow| order.iter().position(|id| id.0 == trunk.id).unwrap_or(order.len());
    trunks.sort_by_key(|trunk| (place(trunk), trunk.id));
    let explain = |trunk: TrunkRow| {
        let of_trunk: Vec<&CallEventRow> =
            events.iter().filter(|event| event.over_trunk == Some(trunk.id)).collect();
        let last = of_trunk.last();
        let (tried, used) = (last.is_some(), row.over_trunk == Some(trunk.id));
        let why = match last {
            Some(event) if used => format!("the call went over it: {}", event.state.words()),
            Some(event) => {
                let code = event.sip_code.map(|code| format!(" ({code})")).unwrap_or_default();
                let cause = event.cause.map_or_else(|| event.state.words(), Cause::words);
                format!("tried, and left for the next one: {cause}{code}")
            }
            None if row.number.is_none() => "the call went to a registered device".to_owned(),
            None if !trunk.settings.enabled => "it is switched off".to_owned(),
            None if row.over_trunk.is_some() => "another one took the call before its turn came".to_owned(),
            None => "the call ended before any trunk was tried".to_owned(),
        };
        TrunkExplanation {
            id: trunk.id,
            name: trunk.name,
            priority: trunk.settings.priority,
            tried,
            used,
            why,
        }
    };
    trunks.into_iter().map(explain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> PrefixRule {
        PrefixRule { prefix: prefix.into(), action: RuleAction::Allow, reason: String::new() }
    }

    #[test]
    fn a_rule_is_explained_whether_it_applies_or_not() {
        let (hana, number) = (UserId::new("hana"), Some("+12025550177"));
        let rules = vec![rule("+1"), rule("+1202"), rule("+44")];
        let mut policy = DialPolicy { rules, ..DialPolicy::default() };
        let explained = explain_rules(number, &policy, &hana);
        let words: Vec<(bool, &str)> =
            explained.iter().map(|rule| (rule.applies, rule.why.as_str())).collect();
        assert_eq!(
            words,
            [
                (false, "+1202 fits longer"),
                (true, "the longest prefix that fits"),
                (false, "+12025550177 does not begin with +44")
            ]
        );
        policy.users.entry(hana.clone()).or_default().rules.push(rule("+1"));
        let explained = explain_rules(number, &policy, &hana);
        assert!(explained[0].applies && explained[0].of == "host");
        assert!(explained[1..].iter().all(|rule| !rule.applies));
        assert_eq!(explain_rules(None, &policy, &hana).len(), 0);
    }
}
