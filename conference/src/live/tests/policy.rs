//! Which numbers may be dialled, when, how often, for how much, and with which caller ID.

use super::dial::{Asking, Called, Confirmation, Decision, Verdict, check_number, decide};
use super::rules::{
    Allowance, Breaker, DialMode, DialPolicy, Limits, PrefixRule, PriceClass, QuietHours, RuleAction,
    TimeOfDay, UserPolicy,
};
use super::usage::{Left, Spent, Usage, left, prefix_of};
use super::*;
use crate::ids::UserId;
use crate::live::number::{Home, NumberClass, PhoneNumber, normalise};
use crate::vocabulary::UnixMillis;
use std::collections::BTreeSet;

const HANA: &str = "+12025550100";
/// 2026-01-15 17:00 UTC: noon in Washington.
const NOON: UnixMillis = UnixMillis(1_768_496_400_000);
/// 2026-01-15 04:10 UTC: 23:10 in Washington, 20:10 in California.
const NIGHT: UnixMillis = UnixMillis(1_768_450_200_000);

fn number(text: &str) -> PhoneNumber {
    normalise(text, &Home { country: "US", area_code: Some("202") }).unwrap()
}

fn hana() -> UserId {
    UserId::new("u-hana")
}

/// One judgement, with everything in order that the test does not name.
struct Case<'a> {
    policy: DialPolicy,
    usage: Usage,
    user: Option<UserId>,
    caller_id: Option<&'a str>,
    owned: Vec<String>,
    host_present: bool,
    has_trunk: bool,
    blocked: bool,
    confirmed: BTreeSet<Confirmation>,
    wall: UnixMillis,
}

impl Case<'_> {
    fn new() -> Self {
        Self {
            policy: DialPolicy::default(),
            usage: Usage { countries: ["GB".to_owned(), "JM".to_owned()].into(), ..Usage::default() },
            user: Some(hana()),
            caller_id: Some(HANA),
            owned: vec![HANA.to_owned()],
            host_present: true,
            has_trunk: true,
            blocked: false,
            confirmed: BTreeSet::new(),
            wall: NOON,
        }
    }

    fn decide(&self, number: Option<&PhoneNumber>) -> Decision {
        let asking = Asking {
            user: self.user.as_ref(),
            caller_id: self.caller_id,
            owned_numbers: &self.owned,
            host_present: self.host_present,
            has_trunk: self.has_trunk,
            own: false,
        };
        let keys = number.and_then(|number| number.keys.as_deref());
        let called = Called { number, keys, blocked: self.blocked, confirmed: &self.confirmed };
        decide(&self.policy, "US", &self.usage, &asking, &called, self.wall)
    }

    fn cause(&self, text: &str) -> Option<Cause> {
        self.decide(Some(&number(text))).refusal.and_then(|refusal| refusal.cause)
    }

    fn rule(&self, text: &str) -> Option<&'static str> {
        self.decide(Some(&number(text))).rule
    }
}

#[test]
fn i41_only_the_home_country_and_ordinary_numbers_by_default() {
    let case = Case::new();
    for allowed in ["+12025550177", "5550177", "+18005550199"] {
        assert_eq!(case.cause(allowed), None, "{allowed}");
    }
    for (denied, rule) in [
        ("+442079460958", "country"),  // another country
        ("+18765550123", "country"),   // Jamaica, though it is +1 too
        ("+16135550123", "country"),   // Canada, though it is +1 too
        ("+19005550199", "class"),     // premium rate
        ("+870773111632", "class"),    // Inmarsat
        ("+881612345678", "class"),    // a satellite network
        ("+883510012345678", "class"), // an international network
    ] {
        assert_eq!(case.cause(denied), Some(Cause::DestinationDenied), "{denied}");
        assert_eq!(case.rule(denied), Some(rule), "{denied}");
    }
}

#[test]
fn i41_countries_classes_and_prefixes_of_tenant_and_user() {
    let mut case = Case::new();
    case.policy.allowed_countries = ["gb".to_owned(), "JM".to_owned()].into();
    case.policy = case.policy.checked().unwrap();
    assert_eq!(case.cause("+442079460958"), None);
    assert_eq!(case.cause("+18765550123"), None);
    assert_eq!(case.cause("+16135550123"), Some(Cause::DestinationDenied));
    assert_eq!(case.cause("+449098790123"), Some(Cause::DestinationDenied), "premium rate there");
    case.policy.allowed_classes = [NumberClass::Premium].into();
    assert_eq!(case.cause("+449098790123"), None);

    let rule =
        |prefix: &str, action| PrefixRule { prefix: prefix.into(), action, reason: "see the wiki".into() };
    case.policy.rules = vec![
        rule("+44", RuleAction::Deny),
        rule("+442079", RuleAction::Allow),
        rule("+1900", RuleAction::Confirm),
        rule("+9198", RuleAction::Allow),
    ];
    assert_eq!(case.cause("+442079460958"), None, "the longest prefix wins");
    case.usage.countries.insert("IN".to_owned());
    assert_eq!(case.cause("+919876543210"), None, "a rule allows what no list does");
    let denied = case.decide(Some(&number("+447400123456")));
    assert!(denied.refusal.as_ref().unwrap().detail.contains("see the wiki"), "{denied:?}");
    let asked = case.decide(Some(&number("+19005550199")));
    assert_eq!((asked.verdict(), asked.ask.as_slice()), (Verdict::Confirm, &[Confirmation::Rule][..]));

    let own = UserPolicy {
        rules: vec![rule("+4474", RuleAction::Allow)],
        allowed_countries: Some(["CA".to_owned()].into()),
        ..UserPolicy::default()
    };
    case.policy.users.insert(hana(), own);
    assert_eq!(case.cause("+447400123456"), None, "a user's rules come first");
    assert_eq!(
        case.cause("+18765550123"),
        Some(Cause::DestinationDenied),
        "a user's list replaces the tenant's"
    );
    case.user = Some(UserId::new("u-pia"));
    assert_eq!(case.cause("+447400123456"), Some(Cause::DestinationDenied), "and is nobody else's");
}

#[test]
fn i41_a_refusal_says_what_and_whom_to_ask() {
    let refusal = Case::new().decide(Some(&number("+442079460958"))).refusal.unwrap();
    assert_eq!((refusal.kind, refusal.field), (RefusalKind::Forbidden, Some("number")));
    assert!(refusal.detail.contains("GB") && refusal.mend.contains("Tenant Admin"));
}

#[test]
fn i42_a_number_on_the_do_not_call_list_is_refused_with_words() {
    let case = Case { blocked: true, ..Case::new() };
    assert_eq!(case.cause("(202) 555-0177"), Some(Cause::DoNotCall));
    assert_eq!(case.decide(None).refusal, None, "a device is no number");
}

#[test]
fn a60_d34_s5_the_caller_id_must_be_set_and_owned() {
    let mut case = Case::new();
    assert_eq!(case.cause("5550177"), None);
    for (caller_id, cause) in [
        (None, Cause::NoCallerId),
        (Some(""), Cause::NoCallerId),
        (Some("+12025550199"), Cause::CallerIdNotOwned),
    ] {
        case.caller_id = caller_id;
        assert_eq!(case.cause("5550177"), Some(cause));
        assert_eq!(case.decide(None).refusal.unwrap().cause, Some(cause), "for devices too");
    }
}

#[test]
fn i46_no_host_no_call() {
    let case = Case { host_present: false, ..Case::new() };
    assert_eq!(case.cause("5550177"), Some(Cause::NoHost));
}

#[test]
fn i47_off_signed_in_hosts_all_hosts() {
    let mut case = Case::new();
    for (mode, signed_in, allowed) in [
        (DialMode::Off, true, false),
        (DialMode::Off, false, false),
        (DialMode::SignedInHosts, true, true),
        (DialMode::SignedInHosts, false, false),
        (DialMode::AllHosts, true, true),
        (DialMode::AllHosts, false, true),
    ] {
        case.policy.mode = mode;
        case.user = signed_in.then(hana);
        let expected = (!allowed).then_some(Cause::DialOutOff);
        assert_eq!(case.cause("5550177"), expected, "{mode:?} {signed_in}");
        assert_eq!(case.decide(None).refusal.and_then(|refusal| refusal.cause), expected);
    }
    case.user = Some(hana());
    case.policy.users.insert(hana(), UserPolicy { dial_out_off: true, ..UserPolicy::default() });
    assert_eq!(case.rule("5550177"), Some("user_off"));
}

#[test]
fn i40_emergency_comes_before_every_other_reason() {
    for text in ["911", "+1911", "+112"] {
        let refusal = refuse_emergency(text).unwrap_err();
        assert_eq!(refusal.cause, Some(Cause::Emergency));
        assert!(refusal.mend.contains("Use a phone"), "the message says what to do instead");
    }
    let allow_all = PrefixRule { prefix: "+1".into(), action: RuleAction::Allow, reason: String::new() };
    let mut case = Case { caller_id: None, host_present: false, ..Case::new() };
    case.policy.rules.push(allow_all);
    case.policy.mode = DialMode::Off;
    let sneaky = PhoneNumber { e164: "+1911".into(), ..number("+12025550177") };
    assert_eq!(case.decide(Some(&sneaky)).rule, Some("emergency"));
    let keys = number("+12025550177,,911#");
    assert_eq!(case.decide(Some(&keys)).refusal.unwrap().cause, Some(Cause::Emergency), "typed keys too");
}

#[test]
fn i43_s8_each_limit_has_its_own_word_and_cause() {
    let limits = Limits {
        host_per_minute: 3,
        host_per_hour: 5,
        tenant_per_minute: 7,
        tenant_per_hour: 9,
        host_at_once: 2,
        tenant_at_once: 4,
    };
    let table: [(Usage, &str, Cause); 8] = [
        (Usage { host_minute: 3, ..Usage::default() }, "host_per_minute", Cause::RateLimited),
        (Usage { host_hour: 5, ..Usage::default() }, "host_per_hour", Cause::RateLimited),
        (Usage { tenant_minute: 7, ..Usage::default() }, "tenant_per_minute", Cause::RateLimited),
        (Usage { tenant_hour: 9, ..Usage::default() }, "tenant_per_hour", Cause::RateLimited),
        (Usage { host_at_once: 2, ..Usage::default() }, "host_at_once", Cause::TooManyAtOnce),
        (Usage { tenant_at_once: 4, ..Usage::default() }, "tenant_at_once", Cause::TooManyAtOnce),
        (Usage { short_calls: 4, ..Usage::default() }, "short_calls", Cause::CallsPaused),
        (Usage { not_confirmed: 3, ..Usage::default() }, "not_confirmed", Cause::CallsPaused),
    ];
    let mut words = BTreeSet::new();
    for (usage, rule, cause) in table {
        let mut case = Case { usage, ..Case::new() };
        case.policy.limits = limits;
        case.policy.breaker = Breaker { short_calls: 4, not_confirmed: 3, ..Breaker::default() };
        let decision = case.decide(Some(&number("5550177")));
        let refusal = decision.refusal.unwrap();
        assert_eq!((decision.rule, refusal.cause), (Some(rule), Some(cause)));
        assert!(!refusal.mend.is_empty() && words.insert(refusal.detail), "{rule} has a sentence of its own");
    }
    let mut case = Case::new();
    case.policy.limits = Limits { host_per_minute: 0, ..limits };
    assert_eq!(case.rule("5550177"), Some("host_per_minute"), "none allowed means none");
    case.policy.limits = limits;
    case.policy.users.insert(hana(), UserPolicy { per_minute: Some(0), ..UserPolicy::default() });
    assert_eq!(case.rule("5550177"), Some("host_per_minute"), "a user's own limit");
}

#[test]
fn i43_many_calls_to_one_prefix_raise_the_alarm_once_and_may_stop() {
    let mut case = Case::new();
    case.policy.breaker = Breaker { prefix_calls: 3, prefix_digits: 7, ..Breaker::default() };
    let mut alarms = Vec::new();
    for last in 10..16 {
        let called = number(&format!("+120255501{last}"));
        alarms.push(case.decide(Some(&called)).alarm);
        case.usage.count(&case.policy.clone(), Some(&called.e164), Some("US"));
    }
    let raised = Some("+1202555".to_owned());
    assert_eq!(alarms, [None, None, raised, None, None, None]);
    case.policy.breaker.prefix_stop = true;
    assert_eq!(case.rule("+12025550177"), Some("prefix_calls"));
    assert_eq!(case.rule("+13125550177"), None, "others go on");
    assert_eq!(prefix_of(&case.policy, "+12025550177"), "+1202555");
}

#[test]
fn i43_the_budget_bounds_minutes_and_money_of_meeting_host_and_tenant() {
    let minutes = |minutes| Allowance { minutes: Some(minutes), money_milli: None };
    let money = |milli| Allowance { minutes: None, money_milli: Some(milli) };
    let mut case = Case::new();
    case.policy.prices =
        vec![PriceClass { prefix: "+1202".into(), class: "local".into(), per_minute_milli: 50 }];
    case.policy.budgets.meeting = minutes(10);
    case.policy.budgets.host = money(1_000);
    case.policy.budgets.tenant = minutes(100);
    case.usage.meeting = Spent { seconds: 600, milli: 0 };
    assert_eq!(case.rule("5550177"), Some("meeting_budget"));
    case.usage.meeting.seconds = 599;
    assert_eq!(case.rule("5550177"), None);
    case.usage.host = Spent { seconds: 1, milli: 1_000 };
    assert_eq!(case.rule("5550177"), Some("host_budget"));
    case.usage.host.milli = 999;
    case.usage.tenant.seconds = 6_000;
    assert_eq!(case.rule("5550177"), Some("tenant_budget"));
    case.usage.tenant.seconds = 0;
    assert_eq!(case.cause("5550177"), None, "one thousandth buys a second");
    case.usage.host.milli = 1_000;
    assert_eq!(case.cause("5550177"), Some(Cause::BudgetSpent));
    case.usage.host.milli = 900;
    assert_eq!(case.decide(None).refusal, None, "calls to devices cost nothing");

    let left = left(&case.policy, Some(&hana()), &case.usage);
    assert_eq!(left, Left { seconds: Some(1), milli: Some(100) });
    assert_eq!(Left { seconds: None, milli: Some(100) }.call_seconds(50), Some(120));
    assert_eq!(Left { seconds: Some(30), milli: Some(100) }.call_seconds(50), Some(30));
    assert_eq!(Left { seconds: None, milli: Some(100) }.call_seconds(0), None, "free of charge");
    assert_eq!(Left::default().call_seconds(50), None);
}

#[test]
fn i43_the_price_class_is_that_of_the_longest_prefix() {
    let price = |prefix: &str, class: &str, per_minute_milli| PriceClass {
        prefix: prefix.into(),
        class: class.into(),
        per_minute_milli,
    };
    let policy = DialPolicy {
        prices: vec![price("+44", "UK", 20), price("+447", "UK mobile", 90)],
        other_per_minute_milli: 7,
        ..DialPolicy::default()
    };
    for (number, class, milli) in [
        ("+442079460958", Some("UK"), 20),
        ("+447400123456", Some("UK mobile"), 90),
        ("+12025550177", None, 7),
    ] {
        let price = policy.price_of(number);
        assert_eq!((price.class.as_deref(), price.per_minute_milli), (class, milli), "{number}");
    }
}

#[test]
fn i44_quiet_hours_are_asked_for_by_the_clock_there_and_may_be_confirmed() {
    let mut case = Case { wall: NIGHT, ..Case::new() };
    let hours = QuietHours { from: "21:00".parse().unwrap(), until: "08:00".parse().unwrap(), confirm: true };
    assert_eq!(case.cause("5550177"), None, "off unless set");
    case.policy.quiet_hours = Some(hours);
    let decision = case.decide(Some(&number("5550177")));
    assert_eq!((decision.verdict(), decision.rule), (Verdict::Confirm, Some("quiet_hours")));
    assert_eq!(decision.ask, [Confirmation::QuietHours]);
    let refusal = decision.refusal.unwrap();
    assert_eq!(refusal.cause, Some(Cause::QuietHours));
    assert!(refusal.detail.contains("23:10"), "{}", refusal.detail);
    assert_eq!(case.cause("+14155550177"), None, "20:10 in California");
    case.confirmed.insert(Confirmation::QuietHours);
    let decision = case.decide(Some(&number("5550177")));
    assert_eq!((decision.verdict(), decision.confirmed), (Verdict::Allow, vec![Confirmation::QuietHours]));
    case.policy.quiet_hours = Some(QuietHours { confirm: false, ..hours });
    assert_eq!(case.decide(Some(&number("5550177"))).verdict(), Verdict::Deny, "where nobody may confirm it");
    assert_eq!(case.decide(None).verdict(), Verdict::Allow, "a colleague's device is no outside number");
}

#[test]
fn i41_the_first_call_to_a_new_country_asks_once() {
    let mut case = Case::new();
    case.policy.allowed_countries = ["CA".to_owned()].into();
    let canada = number("+16135550123");
    let decision = case.decide(Some(&canada));
    assert_eq!((decision.verdict(), decision.rule), (Verdict::Confirm, Some("new_country")));
    assert_eq!(decision.refusal.unwrap().cause, Some(Cause::ConfirmNeeded));
    case.confirmed.insert(Confirmation::NewCountry);
    assert_eq!(case.decide(Some(&canada)).verdict(), Verdict::Allow);
    case.confirmed.clear();
    case.usage.count(&case.policy.clone(), Some("+16135550123"), Some("CA"));
    assert_eq!(case.decide(Some(&canada)).verdict(), Verdict::Allow, "once");
    case.usage.countries.clear();
    case.policy.ask_new_country = false;
    assert_eq!(case.decide(Some(&canada)).verdict(), Verdict::Allow);
}

#[test]
fn i45_a_redirection_is_judged_by_the_same_rules() {
    let policy = DialPolicy::default();
    let user = hana();
    let judge = |text: &str, blocked| check_number(&policy, "US", Some(&user), &number(text), blocked);
    assert_eq!(judge("+12025550110", false), Ok(None));
    assert_eq!(judge("+12025550110", true).unwrap_err().cause, Some(Cause::DoNotCall));
    assert_eq!(judge("+19005550199", false).unwrap_err().cause, Some(Cause::DestinationDenied));
}

#[test]
fn i41_what_cannot_work_in_a_policy_is_named() {
    let wrong: [(&str, DialPolicy); 6] = [
        (
            "allowed_countries",
            DialPolicy { allowed_countries: ["Atlantis".to_owned()].into(), ..DialPolicy::default() },
        ),
        (
            "rules",
            DialPolicy {
                rules: vec![PrefixRule {
                    prefix: "900".into(),
                    action: RuleAction::Deny,
                    reason: String::new(),
                }],
                ..DialPolicy::default()
            },
        ),
        ("currency", DialPolicy { currency: "dollars".into(), ..DialPolicy::default() }),
        ("ring_timeout_s", DialPolicy { ring_timeout_s: Some(2), ..DialPolicy::default() }),
        ("max_call_minutes", DialPolicy { max_call_minutes: Some(0), ..DialPolicy::default() }),
        ("service_caller_id", DialPolicy { service_caller_id: Some("100".into()), ..DialPolicy::default() }),
    ];
    for (field, policy) in wrong {
        let refusal = policy.checked().unwrap_err();
        assert_eq!(refusal.field, Some(field));
        assert!(!refusal.mend.is_empty(), "{field}");
    }
    for text in ["24:00", "7:00", "0700", "12:60", ""] {
        assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
    }
    assert!(
        serde_json::from_str::<DialPolicy>(r#"{"allowed_contries":[]}"#).is_err(),
        "a typing error is named"
    );
    let policy = DialPolicy::default();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<DialPolicy>(&text).unwrap(), policy);
}
