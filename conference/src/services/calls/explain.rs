//! Why a call went the way it did: the rules and trunks there are, which of them counted, and what was said on the wire.

use crate::ids::CallId;
use crate::live::ladder::Rung;
use crate::live::policy::rules::{PrefixRule, RuleAction};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::record_views::Cdr;
use crate::services::records::cdr_view;
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
        let (row, _) = self.reach_call(actor, id).await?;
        self.reach(actor, &row.meeting).await?.require_invite()?;
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
        let own = policy.users.get(&row.acting_host).map(|user| user.rules.as_slice()).unwrap_or_default();
        Ok(CallExplanation {
            rules: explain_rules(row.number.as_deref(), own, &policy.rules),
            trunks: explain_trunks(&row, &events, trunks),
            ladder,
            ladder_source,
            legs: legs.into_iter().map(|leg| cdr_view(leg, &BTreeMap::new(), &names)).collect(),
            call: self.call(actor, id).await?,
        })
    }
}

fn explain_rules(number: Option<&str>, own: &[PrefixRule], tenant: &[PrefixRule]) -> Vec<RuleExplanation> {
    let Some(number) = number else { return Vec::new() };
    let best = |rules: &[PrefixRule]| {
        let fitting = rules.iter().filter(|rule| number.starts_with(&rule.prefix));
        fitting.map(|rule| rule.prefix.clone()).max_by_key(String::len)
    };
    let (best_own, best_tenant) = (best(own), best(tenant));
    let explain = |rule: &PrefixRule, of: &'static str, best: Option<&String>, beaten: bool| {
        let fits = number.starts_with(&rule.prefix);
        let applies = fits && !beaten && best == Some(&rule.prefix);
        let why = if !fits {
            format!("{number} does not begin with {}", rule.prefix)
        } else if beaten {
            "a rule of the host's own comes first".to_owned()
        } else if applies {
            "the longest prefix that fits".to_owned()
        } else {
            format!("{} fits longer", best.map_or("another prefix", String::as_str))
        };
        RuleExplanation { of, prefix: rule.prefix.clone(), action: rule.action, applies, why }
    };
    let beaten = best_own.is_some();
    let own = own.iter().map(|rule| explain(rule, "host", best_own.as_ref(), false));
    own.chain(tenant.iter().map(|rule| explain(rule, "tenant", best_tenant.as_ref(), beaten))).collect()
}

fn explain_trunks(
    row: &CallRow,
    events: &[CallEventRow],
    mut trunks: Vec<TrunkRow>,
) -> Vec<TrunkExplanation> {
    trunks.sort_by_key(|trunk| (!trunk.settings.enabled, trunk.settings.priority, trunk.id));
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
        let tenant = [rule("+1"), rule("+1202"), rule("+44")];
        let explained = explain_rules(Some("+12025550177"), &[], &tenant);
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
        let explained = explain_rules(Some("+12025550177"), &[rule("+1")], &tenant);
        assert!(explained[0].applies && explained[0].of == "host");
        assert!(explained[1..].iter().all(|rule| !rule.applies));
        assert_eq!(explain_rules(None, &[], &tenant).len(), 0);
    }
}
