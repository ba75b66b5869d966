//! Numbers that might reach an emergency service. They are never dialled by a meeting.
//!
//! This is code, not data, on purpose: no administrator can switch it off. The line is drawn where libphonenumber
//! draws "connects to an emergency number": not only the exact code, also any text that begins with one once dialling
//! prefixes and formatting are taken away. Whole valid numbers are not caught by that: `+91 11 2345 6789` is a landline
//! in Delhi, though its digits begin with 911.

use std::borrow::Cow;

/// Codes that some network somewhere treats as an emergency call wherever it is dialled from (3GPP TS 22.101 names
/// 000, 08, 110, 112, 118, 119, 911 and 999), and the test code of North America.
const UNIVERSAL: &[&str] = &["911", "112", "999", "000", "110", "119", "118", "933"];

/// The codes of each country beyond the universal ones (ISO 3166, codes).
const NATIONAL: &[(&str, &[&str])] = &[
    ("AR", &["100", "101", "107"]),
    ("AT", &["122", "133", "144", "140"]),
    ("AU", &["106"]),
    ("BE", &["100", "101"]),
    ("BR", &["190", "192", "193"]),
    ("CH", &["117", "118", "144", "1414"]),
    ("CL", &["131", "132", "133"]),
    ("CN", &["120", "122"]),
    ("CZ", &["150", "155", "156", "158"]),
    ("DE", &["110"]),
    ("DK", &["114"]),
    ("EG", &["122", "123", "180"]),
    ("ES", &["061", "062", "080", "085", "091", "092"]),
    ("FR", &["15", "17", "18", "114", "115", "191", "196", "197"]),
    ("GR", &["100", "166", "199"]),
    ("HU", &["104", "105", "107"]),
    ("IL", &["100", "101", "102"]),
    ("IN", &["100", "101", "102", "108"]),
    ("IT", &["113", "115", "117", "1530"]),
    ("JP", &["118"]),
    ("KR", &["113", "117", "125"]),
    ("MX", &["060", "065", "066", "068"]),
    ("NO", &["113"]),
    ("NZ", &["111"]),
    ("PL", &["997", "998"]),
    ("RU", &["01", "02", "03", "04", "101", "102", "103"]),
    ("SG", &["995"]),
    ("TR", &["155", "156", "177"]),
    ("UA", &["101", "102", "103", "104"]),
    ("ZA", &["10111", "10177"]),
];

/// What people or PBXs put before a number: outside lines, trunk and international prefixes.
const PREFIXES: &[&str] = &[
    "", "9", "0", "8", "1", "7", "99", "90", "91", "00", "001", "01", "011", "0111", "0011", "010", "9011",
    "900", "09",
];

/// Whether a text, in any form, might reach an emergency service of any country when it is dialled.
///
/// Exact codes of single countries beyond the universal ones are asked for by [`is_code_of`]: they are short, and
/// short digits that are no extension never reach a trunk anyway.
pub fn might_reach(text: &str) -> bool {
    let text = decode_percent(text.trim()).to_lowercase();
    if is_service_urn(&text) {
        return true;
    }
    let user = user_part(&text);
    if user == "sos" || user.starts_with("sos.") {
        return true;
    }
    let international = user.trim_start().starts_with(['+', '\u{ff0b}']);
    readings(user).iter().any(|digits| reaches(digits, international))
}

/// Whether these digits are an emergency code of this country (ISO 3166), universal ones included.
pub fn is_code_of(digits: &str, country: &str) -> bool {
    let national =
        NATIONAL.iter().find(|(id, _)| id.eq_ignore_ascii_case(country)).map_or(&[][..], |(_, codes)| codes);
    UNIVERSAL.contains(&digits) || national.contains(&digits)
}

/// Whether keys pressed after an answer might be taken for an emergency call by whatever answered: a switchboard that
/// gives a line is one. `country` is where it stands. Only whole codes count, alone or behind a line prefix: an
/// extension that merely begins with one (1121) is an extension.
pub fn keys_might_reach(keys: &str, country: &str) -> bool {
    let groups: Vec<String> = keys
        .split([',', 'w', 'W', 'p', 'P', ' ', '*', '#', ';'])
        .map(|group| group.chars().filter_map(decimal).collect::<String>())
        .filter(|group| !group.is_empty())
        .collect();
    let is_code = |digits: &str| {
        matches!(digits, "911" | "112")
            || is_own_code(digits, country)
            || (country.is_empty() && is_code_of(digits, ""))
    };
    let reaches =
        |digits: &str| PREFIXES.iter().any(|prefix| digits.strip_prefix(prefix).is_some_and(is_code));
    // Any run of groups may be dialled as one: "9,911" is a line and then the code.
    (0..groups.len()).any(|from| {
        (from..groups.len()).any(|to| groups.get(from..=to).is_some_and(|run| reaches(&run.concat())))
    })
}

/// Whether a tenant of this country may give out this extension. One that equals an emergency code would make a call
/// for help ring on somebody's desk.
pub fn may_be_extension(extension: &str, country: &str) -> bool {
    let digits: String = extension.chars().filter_map(decimal).collect();
    !matches!(digits.as_str(), "911" | "112") && !is_own_code(&digits, country)
}

/// The universal codes that are in force in this country, and its own. The rest are free for extensions: 110 is the
/// police in Germany and an ordinary extension in the United States.
fn is_own_code(digits: &str, country: &str) -> bool {
    let universal: &[&str] = match country.to_ascii_uppercase().as_str() {
        "US" | "CA" => &["933"],
        "GB" | "IE" | "MY" | "SG" | "HK" | "PL" | "KE" | "AE" => &["999"],
        "AU" => &["000"],
        "DE" | "CN" | "JP" | "TW" | "IR" => &["110", "119"],
        "KR" | "JM" => &["119"],
        "IT" | "CH" => &["118"],
        _ => &[],
    };
    universal.contains(&digits) || (is_code_of(digits, country) && !UNIVERSAL.contains(&digits))
}

/// `urn:service:sos` and everything below it (RFC 5031).
fn is_service_urn(text: &str) -> bool {
    text.strip_prefix("urn:service:").is_some_and(|service| service == "sos" || service.starts_with("sos."))
        || text.contains("urn:service:sos")
}

/// What would be dialled of a URI or an address: no scheme, no host, no parameters.
fn user_part(text: &str) -> &str {
    let mut rest = text.trim_start_matches('<');
    for scheme in ["tel:", "sip:", "sips:", "callto:", "phone:", "dial:"] {
        rest = rest.strip_prefix(scheme).unwrap_or(rest);
    }
    rest = rest.trim_start_matches('/');
    let user = rest.split('@').next().unwrap_or_default();
    user.split([';', '?', '>']).next().unwrap_or_default().trim()
}

/// The ways in which a text can be read as digits: as it stands, with letters that look like digits, and with the
/// letters of a keypad.
fn readings(user: &str) -> Vec<String> {
    let user = strip_service_code(user);
    let plain: String = user.chars().filter_map(decimal).collect();
    let mut readings = vec![plain.clone()];
    if plain.is_empty() && !is_lookalike_only(user) {
        return readings;
    }
    readings.push(user.chars().filter_map(|c| decimal(c).or_else(|| lookalike(c))).collect());
    if !plain.is_empty() {
        readings.push(user.chars().filter_map(|c| decimal(c).or_else(|| keypad(c))).collect());
    }
    readings
}

/// Star and number-sign codes that hide or show a caller ID: `*67`, `*82`, `#31#`, `*31#`.
fn strip_service_code(user: &str) -> &str {
    let Some(rest) = user.strip_prefix(['*', '#']) else { return user };
    let rest = rest.trim_start_matches(['*', '#']);
    for code in ["67", "82", "31", "30", "70", "141", "1470"] {
        if let Some(after) = rest.strip_prefix(code) {
            return after;
        }
    }
    rest
}

fn reaches(digits: &str, international: bool) -> bool {
    if digits.is_empty() {
        return false;
    }
    let ordinary = is_ordinary_number(digits, international);
    let begins = |rest: &str| UNIVERSAL.iter().any(|code| rest.starts_with(code));
    let is_code = |rest: &str| UNIVERSAL.contains(&rest);
    if PREFIXES.iter().any(|prefix| digits.strip_prefix(prefix).is_some_and(is_code)) {
        return true;
    }
    if !ordinary && PREFIXES.iter().any(|prefix| digits.strip_prefix(prefix).is_some_and(begins)) {
        return true;
    }
    international && !ordinary && behind_country_code(digits, begins)
}

/// `+1 911`, `+44 999`, `+33 17`: a code behind a country code of one to three digits.
fn behind_country_code(digits: &str, begins: impl Fn(&str) -> bool) -> bool {
    (1..=3)
        .filter_map(|length| digits.get(length..))
        .any(|rest| begins(rest) || NATIONAL.iter().any(|(_, codes)| codes.contains(&rest)))
}

/// A whole working number in E.164, or one of North America written without `+`: its digits are dialled as E.164 and
/// cannot be taken for a short code.
fn is_ordinary_number(digits: &str, international: bool) -> bool {
    let whole = match (international, digits.len()) {
        (true, _) => format!("+{digits}"),
        (false, 10) => format!("+1{digits}"),
        (false, 11) if digits.starts_with('1') => format!("+{digits}"),
        (false, _) => return false,
    };
    phonenumber::parse(None, &whole).is_ok_and(|number| number.is_valid())
}

/// Whether a text without any digit is made of look-alikes only ("lI2" has a digit; "OOO" and "ll" have none).
fn is_lookalike_only(user: &str) -> bool {
    let mut letters = user.chars().filter(|c| c.is_alphanumeric()).peekable();
    letters.peek().is_some() && letters.all(|c| lookalike(c).is_some())
}

/// The decimal value of a digit of any common script, as a digit of ours.
fn decimal(c: char) -> Option<char> {
    /// The zeros of the scripts whose digits follow each other (Unicode general category Nd).
    const ZEROS: &[u32] = &[
        0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
        0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC,
        0x1D7F6,
    ];
    /// Circled and superscript digits from one on.
    const ONES: &[u32] = &[0x2460, 0x2474, 0x2488, 0x2776, 0x2780, 0x278A];
    let point = u32::from(c);
    let of_zero = ZEROS.iter().find_map(|zero| point.checked_sub(*zero).filter(|value| *value < 10));
    let of_one = || {
        ONES.iter().find_map(|one| point.checked_sub(*one).filter(|value| *value < 9).map(|value| value + 1))
    };
    let superscript = || match c {
        '⁰' | '₀' => Some(0),
        '¹' | '₁' => Some(1),
        '²' | '₂' => Some(2),
        '³' | '₃' => Some(3),
        '⁹' | '₉' => Some(9),
        _ => None,
    };
    char::from_digit(of_zero.or_else(of_one).or_else(superscript)?, 10)
}

fn lookalike(c: char) -> Option<char> {
    match c {
        'o' | 'ο' | 'о' => Some('0'),
        'i' | 'l' | '|' | 'ı' => Some('1'),
        'q' => Some('9'),
        'z' => Some('2'),
        _ => None,
    }
}

/// The letters of a telephone keypad (ITU-T E.161).
fn keypad(c: char) -> Option<char> {
    match c {
        'a'..='c' => Some('2'),
        'd'..='f' => Some('3'),
        'g'..='i' => Some('4'),
        'j'..='l' => Some('5'),
        'm'..='o' => Some('6'),
        'p'..='s' => Some('7'),
        't'..='v' => Some('8'),
        'w'..='z' => Some('9'),
        _ => None,
    }
}

/// `%39%31%31`: an escaped digit is a digit (RFC 3986 section 2.1).
fn decode_percent(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[path = "tests/emergency.rs"]
mod tests;
