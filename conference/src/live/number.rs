//! Phone numbers: from what a person types to E.164, with the number's country and class.

use crate::live::refusal::{Refusal, RefusalKind};
use crate::vocabulary::Cause;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, Type, country};
use serde::{Deserialize, Serialize};

/// The longest text that is looked at.
const TEXT_LIMIT: usize = 64;
/// The most keys sent after an answer, waits included.
const KEYS_LIMIT: usize = 48;
/// E.164 allows 15 digits after the `+`.
const E164_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Where the person who types is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home<'a> {
    /// The tenant's country (ISO 3166, such as `US`): national input is read by its rules.
    pub country: &'a str,
    /// The user's or tenant's area code, put before local input of seven digits.
    pub area_code: Option<&'a str>,
}

/// What sort of number it is, which decides whether it may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NumberClass {
    /// A landline, or a number that cannot be told from one.
    Ordinary,
    /// A mobile phone.
    Mobile,
    /// Free for the caller.
    TollFree,
    /// Costs extra.
    Premium,
    /// The cost is shared.
    SharedCost,
    /// Follows a person.
    Personal,
    /// Ends on the Internet.
    Voip,
    /// A satellite phone.
    Satellite,
    /// An international network without a country.
    International,
    /// A company's universal number.
    Universal,
    /// Pagers, voice mailboxes and whatever else is no person's phone.
    Other,
}

impl NumberClass {
    /// Whether such numbers are called without having been allowed by name.
    pub fn is_ordinary(self) -> bool {
        matches!(self, Self::Ordinary | Self::Mobile | Self::TollFree | Self::Voip)
    }

    /// The class in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Mobile => "mobile",
            Self::TollFree => "toll-free",
            Self::Premium => "premium-rate",
            Self::SharedCost => "shared-cost",
            Self::Personal => "personal",
            Self::Voip => "Internet telephony",
            Self::Satellite => "satellite",
            Self::International => "international network",
            Self::Universal => "universal access",
            Self::Other => "special",
        }
    }
}

/// A number that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhoneNumber {
    /// In E.164 with `+`: how it is stored and compared.
    pub e164: String,
    /// How people read it ("+1 202 555 0177").
    pub display: String,
    /// The country (ISO 3166). Same-code countries are told apart: `+1 876` is `JM`.
    pub country: Option<String>,
    /// Its class.
    pub class: NumberClass,
    /// The keys to press after the answer, for an extension behind it: `,` waits two seconds, `w` half a second.
    pub keys: Option<String>,
}

/// Reads a number as a person types it.
///
/// # Errors
/// The refusal names the field `number` and says what would mend the text.
pub fn normalise(text: &str, home: &Home<'_>) -> Result<PhoneNumber, Refusal> {
    let text = text.trim();
    if text.chars().count() > TEXT_LIMIT {
        return Err(not_working("the number is too long", "Type one number"));
    }
    let (head, keys) = split_keys(text);
    if let Some(keys) = keys {
        return Ok(PhoneNumber { keys: Some(check_keys(&keys)?), ..whole_number(head, home)? });
    }
    whole_number(text, home).or_else(|refusal| behind_hyphen(text, home).ok_or(refusal))
}

/// Parts a number from the keys behind it: `+12025550177,,123#`, `+12025550177w12`. A number has at least seven digits
/// before they begin.
pub fn split_keys(text: &str) -> (&str, Option<String>) {
    let mut digits = 0;
    for (at, c) in text.char_indices() {
        digits += usize::from(c.is_ascii_digit());
        if digits >= *E164_DIGITS.start() && matches!(c, ',' | 'w' | 'W' | 'p' | 'P') {
            let (head, keys) = text.split_at(at);
            // Letters begin keys only if nothing but keys follows: "please" does not.
            if c != ',' && !keys.chars().all(|c| c.is_ascii_digit() || "*#,wWpP ".contains(c)) {
                return (text, None);
            }
            let keys =
                keys.chars().map(|c| if matches!(c, 'p' | 'P') { ',' } else { c.to_ascii_lowercase() });
            return (head.trim(), Some(keys.filter(|c| !c.is_whitespace()).collect()));
        }
    }
    (text, None)
}

/// Keys as they are sent: `0` to `9`, `*`, `#`, and the waits `,` and `w`.
///
/// # Errors
/// The refusal names the field `keys`.
pub fn check_keys(keys: &str) -> Result<String, Refusal> {
    let known = |c: char| c.is_ascii_digit() || "*#,w".contains(c);
    if keys.len() <= KEYS_LIMIT && keys.chars().all(known) && keys.contains(|c: char| !",w".contains(c)) {
        return Ok(keys.to_owned());
    }
    Err(not_working(
        "these are not keys of a phone",
        "Type digits, * and #; a comma waits two seconds, w half a second",
    )
    .field("keys"))
}

/// `+1 202 555 0177-123`: what stands behind the last hyphen of a number that is none as a whole.
fn behind_hyphen(text: &str, home: &Home<'_>) -> Option<PhoneNumber> {
    let (head, extension) = text.rsplit_once('-')?;
    let short = (1..=6).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_digit());
    let number = short.then(|| whole_number(head, home).ok()).flatten()?;
    Some(PhoneNumber { keys: Some(format!(",{extension}")), ..number })
}

fn whole_number(text: &str, home: &Home<'_>) -> Result<PhoneNumber, Refusal> {
    if let Some(stranger) = text.chars().find(|c| !is_number_char(*c)) {
        let words = format!("{stranger:?} does not belong in a number");
        return Err(not_working(words, "Type digits, with + and the country code for other countries"));
    }
    let country: country::Id = home.country.parse().map_err(|_| {
        Refusal::new(RefusalKind::Invalid, format!("{:?} is not a country", home.country))
            .field("country")
            .mend("Set the tenant's country to a two-letter code such as US")
    })?;
    let whole = with_area_code(text, home.area_code);
    let parsed = phonenumber::parse(Some(country), &whole).map_err(|error| {
        let mend = "Type all its digits, with + and the country code for other countries";
        not_working(format!("{text:?} is not a phone number ({error})"), mend)
    })?;
    if !parsed.is_valid() {
        let mend = "Check the digits; leave out prefixes for an outside line; type + and the country code for \
                    other countries";
        return Err(not_working(format!("{text:?} is not a working number"), mend));
    }
    Ok(describe(&parsed))
}

/// How people of a country dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialling {
    /// The country's code, e.g. `49`.
    pub country_code: String,
    /// What stands before a number of the country, e.g. `0`; nothing in North America, where carriers want ten digits.
    pub national_prefix: String,
    /// What stands before the code of another country, e.g. `00`.
    pub international_prefix: String,
}

/// How people of this country (ISO 3166) dial.
pub fn dialling_of(country: &str) -> Option<Dialling> {
    let plan = DATABASE.by_id(country)?;
    let code = plan.country_code();
    let (national, international) = match code {
        1 => ("", "011"),
        _ => (plan.national_prefix().unwrap_or(""), plan.preferred_international_prefix().unwrap_or("00")),
    };
    Some(Dialling {
        country_code: code.to_string(),
        national_prefix: national.to_owned(),
        international_prefix: international.to_owned(),
    })
}

/// Whether a text is a number in E.164 form: `+`, then 7 to 15 digits, not beginning with 0.
///
/// # Errors
/// The refusal names the field `number`.
pub fn check_e164(text: &str) -> Result<(), Refusal> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain && E164_DIGITS.contains(&digits.len()) {
        return Ok(());
    }
    Err(not_working("the number is not in E.164", "Write + and the country code before it"))
}

/// A number in E.164 as people read it; anything else as it stands.
pub fn display_of(e164: &str) -> String {
    match phonenumber::parse(None, e164) {
        Ok(parsed) => display(&parsed),
        Err(_) => e164.to_owned(),
    }
}

/// The country of a number in E.164 (ISO 3166), if it has one.
pub fn country_of(e164: &str) -> Option<String> {
    let parsed = phonenumber::parse(None, e164).ok()?;
    parsed.country().id().map(|id| id.as_ref().to_owned())
}

fn describe(parsed: &phonenumber::PhoneNumber) -> PhoneNumber {
    PhoneNumber {
        e164: parsed.format().mode(Mode::E164).to_string(),
        display: display(parsed),
        country: parsed.country().id().map(|id| id.as_ref().to_owned()),
        class: class_of(parsed),
        keys: parsed.extension().map(|extension| format!(",{extension}")),
    }
}

fn display(parsed: &phonenumber::PhoneNumber) -> String {
    let text = parsed.format().mode(Mode::International).to_string();
    let main = text.split(" ext. ").next().unwrap_or_default();
    main.replace(['-', '(', ')'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// ITU-T E.164 gives codes of their own to satellite systems and international networks.
fn class_of(parsed: &phonenumber::PhoneNumber) -> NumberClass {
    match parsed.code().value() {
        870 | 881 => return NumberClass::Satellite,
        878 | 882 | 883 | 888 | 991 => return NumberClass::International,
        979 => return NumberClass::Premium,
        800 => return NumberClass::TollFree,
        808 => return NumberClass::SharedCost,
        _ => {}
    }
    match parsed.number_type(&DATABASE) {
        Type::FixedLine | Type::FixedLineOrMobile | Type::StandardRate => NumberClass::Ordinary,
        Type::Mobile => NumberClass::Mobile,
        Type::TollFree => NumberClass::TollFree,
        Type::PremiumRate => NumberClass::Premium,
        Type::SharedCost => NumberClass::SharedCost,
        Type::PersonalNumber => NumberClass::Personal,
        Type::Voip => NumberClass::Voip,
        Type::Uan => NumberClass::Universal,
        Type::Pager
        | Type::Emergency
        | Type::Voicemail
        | Type::ShortCode
        | Type::Carrier
        | Type::NoInternational
        | Type::Unknown => NumberClass::Other,
    }
}

/// Seven digits are local where the area code is known.
fn with_area_code(text: &str, area_code: Option<&str>) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match area_code {
        Some(area_code) if digits.len() == 7 && !text.contains('+') => format!("{area_code}{digits}"),
        _ => text.to_owned(),
    }
}

/// Digits, the usual separators, and the letters of "ext", "tel:" and ";ext=".
fn is_number_char(c: char) -> bool {
    c.is_ascii_digit() || "+()-./ \u{a0}\u{2009}\u{2010}\u{2011}\u{2012}\u{2013}xetl:;=,#".contains(c)
}

fn not_working(detail: impl Into<String>, mend: &str) -> Refusal {
    Refusal::call(RefusalKind::Invalid, Cause::NotWorkingNumber).field("number").detail(detail).mend(mend)
}

/// The last four digits only (I60).
pub fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    let shown = digits.len().saturating_sub(4);
    digits.iter().enumerate().map(|(at, digit)| if at < shown { '\u{2022}' } else { *digit }).collect()
}

/// A text that gives `number` away, in whatever way it is written, becomes the masked number; others stay.
pub fn masked_within(text: &str, number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let secret = digits(number);
    if !secret.is_empty() && digits(text).contains(&secret) { masked(number) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home<'_> = Home { country: "US", area_code: Some("202") };

    fn e164(text: &str) -> String {
        normalise(text, &HOME)
            .map(|number| number.e164)
            .unwrap_or_else(|refusal| format!("refused: {refusal}"))
    }

    #[test]
    fn i32_a50_national_and_local_input_gives_the_same_number() {
        for text in [
            "(202) 555-0177",
            "5550177",
            "555-0177",
            "202.555.0177",
            "1 202 555 0177",
            "+1 202 555 0177",
            "+12025550177",
            "tel:+1-202-555-0177",
            "011 1 202 555 0177",
        ] {
            assert_eq!(e164(text), "+12025550177", "{text}");
        }
        assert_eq!(normalise("(202) 555-0177", &HOME).unwrap().display, "+1 202 555 0177");
    }

    #[test]
    fn i32_another_area_code_or_country_reads_otherwise() {
        let chicago = Home { country: "US", area_code: Some("312") };
        assert_eq!(normalise("5550177", &chicago).unwrap().e164, "+13125550177");
        let london = Home { country: "GB", area_code: None };
        assert_eq!(normalise("020 7946 0958", &london).unwrap().e164, "+442079460958");
        let no_area = Home { country: "US", area_code: None };
        assert!(normalise("5550177", &no_area).is_err());
    }

    #[test]
    fn bad_input_names_the_field_and_the_mend() {
        for text in
            ["", "abc", "12", "+", "202555017", "+999 12345678", "9 1 202 555 0177", "2025550177 please"]
        {
            let refusal = normalise(text, &HOME).unwrap_err();
            assert_eq!(refusal.field, Some("number"), "{text}");
            assert_eq!(refusal.cause, Some(Cause::NotWorkingNumber), "{text}");
            assert!(!refusal.mend.is_empty() && !refusal.detail.is_empty(), "{text}");
        }
        let nowhere = Home { country: "Atlantis", area_code: None };
        assert_eq!(normalise("5550177", &nowhere).unwrap_err().field, Some("country"));
    }

    #[test]
    fn i34_an_extension_behind_a_number_becomes_keys() {
        for (text, number, keys) in [
            ("+12025550177,,123#", "+12025550177", ",,123#"),
            ("(202) 555-0177, 123", "+12025550177", ",123"),
            ("+12025550177w12w3", "+12025550177", "w12w3"),
            ("+12025550177p5", "+12025550177", ",5"),
            ("+1 202 555 0177-123", "+12025550177", ",123"),
            ("202-555-0177-9", "+12025550177", ",9"),
            ("+1 202 555 0177 ext. 12", "+12025550177", ",12"),
            ("tel:+1-202-555-0177;ext=77", "+12025550177", ",77"),
            ("5550177,*1#", "+12025550177", ",*1#"),
        ] {
            let read = normalise(text, &HOME).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
            assert_eq!((read.e164.as_str(), read.keys.as_deref()), (number, Some(keys)), "{text}");
        }
        for text in ["202-555-0177", "+1 202 555 0177", "555-0177"] {
            assert_eq!(normalise(text, &HOME).unwrap().keys, None, "{text}");
        }
        for text in ["+12025550177,", "+12025550177,,ww", "+12025550177,12x", "+12025550177,abc"] {
            assert_eq!(normalise(text, &HOME).unwrap_err().field, Some("keys"), "{text}");
        }
    }

    #[test]
    fn i41_classes_and_same_code_countries() {
        let cases = [
            ("+12025550177", Some("US"), NumberClass::Ordinary),
            ("+19005550199", Some("US"), NumberClass::Premium),
            ("+18005550199", Some("US"), NumberClass::TollFree),
            ("+18765550123", Some("JM"), NumberClass::Mobile),
            ("+16135550123", Some("CA"), NumberClass::Ordinary),
            ("+447400123456", Some("GB"), NumberClass::Mobile),
            ("+449098790123", Some("GB"), NumberClass::Premium),
            ("+870773111632", None, NumberClass::Satellite),
            ("+881612345678", None, NumberClass::Satellite),
            ("+883510012345678", None, NumberClass::International),
        ];
        for (text, country, class) in cases {
            let number = match normalise(text, &HOME) {
                Ok(number) => number,
                Err(refusal) => panic!("{text}: {refusal}"),
            };
            assert_eq!(number.class, class, "{text}");
            if country.is_some() {
                assert_eq!(number.country.as_deref(), country, "{text}");
            }
        }
    }

    #[test]
    fn every_number_of_the_demo_carrier_is_a_working_one() {
        for last in ["0100", "0110", "0120", "0121", "0122", "0123", "0124", "0125", "0126", "0130", "0177"] {
            assert_eq!(e164(&format!("+1202555{last}")), format!("+1202555{last}"));
        }
    }
}
