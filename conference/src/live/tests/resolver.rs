//! What texts mean in the tenant acme.

use super::*;

fn user(login: &str, first: &str, extension: &str) -> DirectoryUser {
    DirectoryUser {
        user: UserId::new(format!("u-{login}")),
        first: first.into(),
        last: String::new(),
        display_name: first.into(),
        extension: Some(extension.into()),
        mails: vec![format!("{login}@acme.test")],
        dids: vec![format!("+12025550{extension}")],
        phones: Vec::new(),
        devices: vec![DeviceName::new(format!("{extension}a"))],
    }
}

fn acme() -> Vec<DirectoryUser> {
    let mut users = vec![
        user("hana", "Hana", "100"),
        user("pia", "Pia", "101"),
        user("ari", "Ari", "102"),
        user("uma", "Uma", "103"),
        user("rene", "René", "110"),
    ];
    users[2].phones = vec!["+12025550199".into()];
    users[3].devices.push("103b".into());
    users[4].last = "Núñez".into();
    users
}

fn ask(text: &str, purpose: Purpose) -> Vec<Match> {
    resolve(text, purpose, &of(&acme()), Some(&"u-hana".into()))
}

fn first(text: &str, purpose: Purpose) -> (MatchKind, String) {
    let found = ask(text, purpose).remove(0);
    let what = match (&found.number, &found.user, &found.mail) {
        (Some(number), None, _) => number.e164.clone(),
        (_, Some(user), _) => user.to_string(),
        (_, _, Some(mail)) => mail.clone(),
        _ => found
            .refusal
            .and_then(|refusal| refusal.cause)
            .map(|cause| format!("{cause:?}"))
            .unwrap_or_default(),
    };
    (found.kind, what)
}

#[test]
fn i30_table_of_inputs() {
    use MatchKind::{Device, Email, Extension, Number, PhoneAddress, Refused, Unknown, User};
    let table: &[(&str, MatchKind, &str)] = &[
        // names, case and accents apart
        ("pi", User, "u-pia"),
        ("PIA", User, "u-pia"),
        ("uma", User, "u-uma"),
        ("rene", User, "u-rene"),
        ("René", User, "u-rene"),
        ("nunez", User, "u-rene"),
        ("ren nun", User, "u-rene"),
        ("zzzz", Unknown, ""),
        ("hana", Unknown, ""),
        ("", Unknown, ""),
        ("   ", Unknown, ""),
        ("!!", Refused, "NotWorkingNumber"),
        // extensions
        ("101", Extension, "u-pia"),
        ("110", Extension, "u-rene"),
        ("10", User, "u-hana"),
        ("104", Refused, "NoSuchExtension"),
        ("9999", Refused, "Emergency"),
        ("12345", Refused, "NoSuchExtension"),
        ("555-01", Refused, "NoSuchExtension"),
        // devices
        ("103a", Device, "u-uma"),
        ("103B", Device, "u-uma"),
        ("sip:103a@acme.test", Device, "u-uma"),
        ("103c", Unknown, ""),
        ("sip:101@acme.test", Extension, "u-pia"),
        ("sips:101@ACME.test;transport=tcp", Extension, "u-pia"),
        ("sip:pia@else.test", Refused, "DestinationDenied"),
        ("sip:+12025550177@acme.test", Number, "+12025550177"),
        ("sip:", Refused, "DestinationDenied"),
        // numbers
        ("(202) 555-0177", Number, "+12025550177"),
        ("5550177", Number, "+12025550177"),
        ("+1 202 555 0177", Number, "+12025550177"),
        ("tel:+12025550177", Number, "+12025550177"),
        ("1 202 555 0177", Number, "+12025550177"),
        ("+44 20 7946 0958", Number, "+442079460958"),
        ("202555017", Refused, "NotWorkingNumber"),
        ("+1 202 555 0177 ext 12", Number, "+12025550177"),
        ("+999123456789", Refused, "Emergency"),
        ("5550177@collaborate.test", PhoneAddress, "+12025550177"),
        ("12025550177@COLLABORATE.test", PhoneAddress, "+12025550177"),
        ("12025550103@collaborate.test", User, "u-uma"),
        ("104@collaborate.test", Refused, "NoSuchExtension"),
        ("abc@collaborate.test", Refused, "NotWorkingNumber"),
        // numbers of the house, and a user's own
        ("(202) 555-0101", User, "u-pia"),
        ("+12025550102", User, "u-ari"),
        ("5550103", User, "u-uma"),
        ("5550199", Number, "u-ari"),
        // mail
        ("pia@acme.test", User, "u-pia"),
        ("PIA@ACME.TEST", User, "u-pia"),
        ("guest@else.test", Email, "guest@else.test"),
        ("nobody@acme.test", Email, "nobody@acme.test"),
        ("not an address@x", Refused, ""),
        ("@acme.test", Refused, ""),
        ("a@b", Refused, ""),
        ("112@else.test", Email, "112@else.test"),
        // emergency
        ("911", Refused, "Emergency"),
        ("9-911", Refused, "Emergency"),
        ("112", Refused, "Emergency"),
        ("+1911", Refused, "Emergency"),
        ("sip:911@acme.test", Refused, "Emergency"),
        ("911@acme.test", Refused, "Emergency"),
        ("tel:112", Refused, "Emergency"),
        ("urn:service:sos", Refused, "Emergency"),
        ("call 911", Refused, "Emergency"),
        ("911@collaborate.test", Refused, "Emergency"),
        ("urn:isbn:1", Unknown, ""),
    ];
    assert!(table.len() >= 60, "{}", table.len());
    for (text, kind, what) in table {
        assert_eq!(first(text, Purpose::Call), (*kind, (*what).to_owned()), "{text:?}");
    }
}

#[test]
fn i31_short_digits_never_become_a_number() {
    for digits in 0..=9999_u32 {
        for found in ask(&digits.to_string(), Purpose::Call) {
            assert_ne!(found.kind, MatchKind::Number, "{digits}");
        }
    }
}

#[test]
fn i33_a_number_of_the_house_is_its_user_and_a_mobile_is_dialled() {
    let did = ask("+12025550102", Purpose::Call).remove(0);
    assert_eq!((did.kind, did.user), (MatchKind::User, Some("u-ari".into())));
    let mobile = ask("+12025550199", Purpose::Call).remove(0);
    assert_eq!((mobile.kind, mobile.user), (MatchKind::Number, Some("u-ari".into())));
}

#[test]
fn a12_a_users_number_offers_the_user_to_invite() {
    let found = ask("5550199", Purpose::People).remove(0);
    assert_eq!((found.kind, found.user), (MatchKind::User, Some("u-ari".into())));
}

#[test]
fn a38_a_number_in_the_invite_tab_points_to_the_call_tab() {
    let found = ask("+1 202 555 0177", Purpose::Invite).remove(0);
    assert_eq!(found.kind, MatchKind::Refused);
    assert!(found.refusal.unwrap().mend.contains("CALL"));
    assert_eq!(ask("+1 202 555 0177", Purpose::People).remove(0).kind, MatchKind::Number);
}

#[test]
fn a11_the_exact_extension_comes_before_longer_ones() {
    let mut users = acme();
    users[0].extension = Some("1011".into());
    let directory = Directory {
        home: Home { country: "US", area_code: None },
        domain: "acme.test",
        phone_address_domain: None,
        users: &users,
    };
    let found = resolve("101", Purpose::People, &directory, None);
    let kinds: Vec<_> = found.iter().map(|found| (found.kind, found.display.as_str())).collect();
    assert_eq!(kinds, [(MatchKind::Extension, "Pia"), (MatchKind::User, "Hana")]);
}

#[test]
fn a09_nobody_is_offered_to_themselves() {
    for text in ["hana", "100", "hana@acme.test", "+12025550100", "100a"] {
        for purpose in [Purpose::People, Purpose::Invite] {
            let found = ask(text, purpose);
            assert!(found.iter().all(|one| one.user != Some("u-hana".into())), "{text}: {found:?}");
        }
    }
    let found = ask("10", Purpose::People);
    assert_eq!(found.len(), 3, "Pia, Ari and Uma: {found:?}");
    assert_eq!(ask("100", Purpose::Call).remove(0).user, Some("u-hana".into()), "Call me");
}

#[test]
fn b30_b31_b32_strangers_are_flagged_each_in_their_variant() {
    let flagged = [
        ("new@else.test", MatchKind::Email),
        ("+12025550177", MatchKind::Number),
        ("12025550177@collaborate.test", MatchKind::PhoneAddress),
    ];
    for (text, kind) in flagged {
        let found = ask(text, Purpose::Multi).remove(0);
        assert_eq!(found.kind, kind, "{text}");
        assert_eq!(found.refusal.unwrap().detail, "not registered with your company");
    }
    for text in ["pia@acme.test", "12025550103@collaborate.test", "5550199", "101"] {
        let found = ask(text, Purpose::Multi).remove(0);
        assert!(found.user.is_some() && found.refusal.is_none(), "{text}: {found:?}");
    }
}

/// Whether the keys touch a user, as the store asks its indexes.
fn touched(user: &DirectoryUser, keys: &Keys) -> bool {
    let names: String = words(&format!("{} {} {}", user.first, user.last, user.display_name))
        .iter()
        .map(|word| format!(" {word}"))
        .collect();
    let extension = user.extension.as_deref().unwrap_or_default();
    user.mails.iter().any(|mail| keys.mails.contains(mail))
        || user.dids.iter().chain(&user.phones).any(|number| keys.numbers.contains(number))
        || user.devices.iter().any(|device| keys.devices.contains(&device.as_str().to_lowercase()))
        || keys.extensions.iter().any(|key| key == extension)
        || keys.beginnings.iter().any(|key| extension.starts_with(key.as_str()))
        || keys.names.iter().any(|key| key.iter().all(|word| names.contains(&format!(" {word}"))))
}

fn of(users: &[DirectoryUser]) -> Directory<'_> {
    Directory {
        home: Home { country: "US", area_code: Some("202") },
        domain: "acme.test",
        phone_address_domain: Some("collaborate.test"),
        users,
    }
}

#[test]
fn a10_a11_a12_a13_a_text_means_the_same_to_those_it_touches_as_to_the_whole_tenant() {
    let pieces = [
        "pi",
        "PIA",
        "hana",
        "ren",
        "nun",
        "é",
        "101",
        "10",
        "1",
        "103a",
        "103B",
        "+1202555",
        "0101",
        "(202) 555-0199",
        "@acme.test",
        "@collaborate.test",
        "@ACME.TEST",
        "sip:",
        "tel:",
        "urn:",
        "ext 12",
        ";x=1",
        "?y",
        " ",
        ".",
        "@",
        "911",
        "0",
        "pia@acme.test",
        "+12025550103",
        "5550199",
        "uma",
    ];
    let users = acme();
    let home = Home { country: "US", area_code: Some("202") };
    let mut texts: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    for first in pieces {
        for second in pieces {
            texts.push(format!("{first}{second}"));
            texts.extend(
                ["", "@acme.test", "@collaborate.test"].map(|end| format!("sip:{first}{second}{end}")),
            );
            texts.extend(pieces.map(|third| format!("{first}{second}{third}")));
        }
    }
    for text in &texts {
        let mut keys = Keys::default();
        keys.parts(text, &home);
        let some: Vec<DirectoryUser> = users.iter().filter(|user| touched(user, &keys)).cloned().collect();
        for purpose in [Purpose::People, Purpose::Call, Purpose::Multi] {
            let all = resolve(text, purpose, &of(&users), None);
            assert_eq!(resolve(text, purpose, &of(&some), None), all, "{text:?}");
        }
    }
}
