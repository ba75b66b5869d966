//! Which numbers may be dialled, and with which caller ID.

use super::*;
use crate::live::number::{Home, normalise};

const HANA: &str = "+12025550100";

fn number(text: &str) -> PhoneNumber {
    normalise(text, &Home { country: "US", area_code: Some("202") }).unwrap()
}

fn cause(policy: &DialPolicy, text: &str) -> Option<Cause> {
    policy.check_number(&number(text)).err().and_then(|refusal| refusal.cause)
}

#[test]
fn i41_only_the_home_country_and_ordinary_numbers_by_default() {
    let policy = DialPolicy::home_only("us");
    for allowed in ["+12025550177", "5550177", "+18005550199"] {
        assert_eq!(cause(&policy, allowed), None, "{allowed}");
    }
    for denied in [
        "+442079460958",    // another country
        "+18765550123",     // Jamaica, though it is +1 too
        "+16135550123",     // Canada, though it is +1 too
        "+19005550199",     // premium rate
        "+870773111632",    // Inmarsat
        "+881612345678",    // a satellite network
        "+883510012345678", // an international network
    ] {
        assert_eq!(cause(&policy, denied), Some(Cause::DestinationDenied), "{denied}");
    }
}

#[test]
fn i41_countries_and_classes_are_allowed_by_name() {
    let mut policy = DialPolicy::home_only("US").with_countries(["gb", "JM"]);
    assert_eq!(cause(&policy, "+442079460958"), None);
    assert_eq!(cause(&policy, "+18765550123"), None);
    assert_eq!(cause(&policy, "+16135550123"), Some(Cause::DestinationDenied));
    assert_eq!(cause(&policy, "+449098790123"), Some(Cause::DestinationDenied), "premium rate there");
    policy.allowed_classes.insert(NumberClass::Premium);
    assert_eq!(cause(&policy, "+449098790123"), None);
}

#[test]
fn i41_a_refusal_says_what_and_whom_to_ask() {
    let refusal = DialPolicy::home_only("US").check_number(&number("+442079460958")).unwrap_err();
    assert_eq!((refusal.kind, refusal.field), (RefusalKind::Forbidden, Some("number")));
    assert!(refusal.detail.contains("GB") && refusal.mend.contains("Tenant Admin"));
}

#[test]
fn i42_a_number_on_the_do_not_call_list_is_refused_with_words() {
    let mut policy = DialPolicy::home_only("US");
    policy.do_not_call.insert("+12025550177".into());
    assert_eq!(cause(&policy, "(202) 555-0177"), Some(Cause::DoNotCall));
    assert_eq!(cause(&policy, "(202) 555-0178"), None);
}

fn dial(
    number: Option<&PhoneNumber>,
    caller_id: Option<&str>,
    owned: &[String],
    host: bool,
) -> Option<Cause> {
    let request = DialRequest { number, caller_id, owned_numbers: owned, host_present: host };
    check_dial(&DialPolicy::home_only("US"), &request).err().and_then(|refusal| refusal.cause)
}

#[test]
fn a60_d34_the_caller_id_must_be_set_and_owned() {
    let tom = number("+12025550177");
    let owned = [HANA.to_owned()];
    assert_eq!(dial(Some(&tom), Some(HANA), &owned, true), None);
    assert_eq!(dial(Some(&tom), None, &owned, true), Some(Cause::NoCallerId));
    assert_eq!(dial(Some(&tom), Some(""), &owned, true), Some(Cause::NoCallerId));
    assert_eq!(dial(Some(&tom), Some("+12025550199"), &owned, true), Some(Cause::CallerIdNotOwned));
    assert_eq!(dial(None, None, &owned, true), Some(Cause::NoCallerId), "for devices too");
}

#[test]
fn i46_no_host_no_call() {
    let tom = number("+12025550177");
    assert_eq!(dial(Some(&tom), Some(HANA), &[HANA.to_owned()], false), Some(Cause::NoHost));
}

#[test]
fn i40_emergency_comes_before_every_other_reason() {
    for text in ["911", "+1911", "+112"] {
        let refusal = refuse_emergency(text).unwrap_err();
        assert_eq!(refusal.cause, Some(Cause::Emergency));
        assert!(refusal.mend.contains("Use a phone"), "the message says what to do instead");
    }
    let sneaky = PhoneNumber { e164: "+1911".into(), ..number("+12025550177") };
    assert_eq!(dial(Some(&sneaky), None, &[], false), Some(Cause::Emergency));
}
