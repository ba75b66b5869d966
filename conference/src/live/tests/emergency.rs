//! The table of forms that must never be dialled, and of those that must stay callable.

use super::*;

const FORMS: &[&str] = &[
    // as they stand
    "911",
    "112",
    "999",
    "000",
    "110",
    "119",
    "118",
    "933",
    // with prefixes for an outside line, a trunk, another country
    "9911",
    "9-911",
    "9,911",
    "0911",
    "8911",
    "1911",
    "1-911",
    "0-112",
    "00112",
    "001911",
    "0011911",
    "00 911",
    "011911",
    "011 999",
    "0011000",
    "9112",
    "99911",
    "90112",
    "9011911",
    "91911",
    // with formatting
    " 911 ",
    "9 1 1",
    "9-1-1",
    "9.1.1",
    "(911)",
    "9/1/1",
    "\u{a0}911",
    "911#",
    "911*",
    "#911",
    "*911",
    "9\u{2011}1\u{2011}1",
    // with more digits behind: "might connect"
    "9111",
    "911 5",
    "911,,1",
    "911w1",
    "911x23",
    "911;ext=5",
    "112#",
    "1121",
    "9990",
    "91155501",
    "110 0",
    // with a country code
    "+911",
    "+112",
    "+1911",
    "+1 911",
    "+1-9-1-1",
    "+44999",
    "+44 112",
    "+61000",
    "+49110",
    "+49 112",
    "+81119",
    "+8110",
    "+3317",
    "+1 911 555 0177",
    "+44 999 123",
    // hiding or showing the caller ID
    "*67911",
    "*67 911",
    "*82911",
    "#31#112",
    "*31#112",
    "#31#911",
    // as URIs and addresses
    "tel:911",
    "tel:+1911",
    "TEL:112",
    "tel:911;phone-context=+1",
    "sip:911@acme.test",
    "sips:112@acme.test",
    "sip:9-911@acme.test;user=phone",
    "sip:+1911@carrier.test",
    "<sip:999@acme.test>",
    "911@acme.test",
    "callto:911",
    "urn:service:sos",
    "URN:service:SOS",
    "urn:service:sos.police",
    "urn:service:sos.fire",
    "sip:sos@acme.test",
    "sip:urn:service:sos@acme.test",
    "sip:%39%31%31@acme.test",
    "tel:9%311",
    // with letters and with digits of other scripts
    "9II",
    "9ll",
    "ll2",
    "II9",
    "OOO",
    "9l1",
    "1I2",
    "O00",
    "９１１",
    "١١٢",
    "९११",
    "⑨①①",
    "⁹¹¹",
    "911 police",
    "call 911",
];

const ORDINARY: &[&str] = &[
    "(202) 555-0177",
    "2025550177",
    "5550177",
    "555-0199",
    "12025550177",
    "+12025550177",
    "+1 202 555 0112",
    "+1 202 555 0199",
    "+1 202 911 2345",
    "+442079460958",
    "+91 11 2345 6789",
    "+91 98765 43210",
    "+49 30 901820",
    "+33 1 70 18 99 11",
    "+81 3 1234 5678",
    "+8613800138000",
    "100",
    "101",
    "102",
    "103",
    "104",
    "Uma",
    "Sam",
    "Wanda",
    "uma@acme.test",
    "sip:uma@acme.test",
    "tel:+12025550177",
    "1-800-555-0199",
    "+18005550199",
    "+46 8 123 456 78",
    "",
];

#[test]
fn i40_eighty_forms_that_might_reach_an_emergency_service_are_caught() {
    assert!(FORMS.len() >= 80, "{}", FORMS.len());
    let missed: Vec<_> = FORMS.iter().filter(|form| !might_reach(form)).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn i40_ordinary_numbers_extensions_and_names_stay_callable() {
    let caught: Vec<_> = ORDINARY.iter().filter(|form| might_reach(form)).collect();
    assert!(caught.is_empty(), "caught by mistake: {caught:?}");
}

#[test]
fn i40_no_extension_equals_an_emergency_number_of_the_tenants_country() {
    for (extension, country) in
        [("911", "US"), ("112", "US"), ("933", "US"), ("999", "GB"), ("110", "DE"), ("17", "FR")]
    {
        assert!(!may_be_extension(extension, country), "{extension} {country}");
    }
    for (extension, country) in [("100", "US"), ("103", "US"), ("110", "US"), ("999", "US"), ("2911", "US")] {
        assert!(may_be_extension(extension, country), "{extension} {country}");
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    for text in [
        "%", "%%", "%4", "%zz", "+", "++", "*", "#", "*67", "sip:", "@", ";", "tel:;", "\u{0}", "🦀",
        "+🦀911",
    ] {
        let _ = might_reach(text);
    }
}

#[test]
fn i40_i34_keys_after_the_answer_reach_no_emergency_service() {
    for (keys, country) in [
        (",911", "US"),
        (",,911#", "US"),
        ("w9w1w1", "US"),
        (",9,911", "US"),
        ("9911", "US"),
        (",112", "DE"),
        (",112", "US"),
        (",110", "DE"),
        (",0,110#", "DE"),
        (",17", "FR"),
        (",999", "GB"),
        (",123,*,911#", "GB"),
        (",000", "AU"),
        (",119", ""),
    ] {
        assert!(keys_might_reach(keys, country), "{keys} {country}");
    }
    for (keys, country) in
        [(",123#", "US"), (",110", "US"), (",1121", "US"), (",4911#", "US"), (",100", "GB"), (",5", "")]
    {
        assert!(!keys_might_reach(keys, country), "{keys} {country}");
    }
}
