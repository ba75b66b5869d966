//! The few lexical rules all header fields share (RFC 3261 section 25.1).

/// Whether the text is a non-empty `token`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Whether the byte may stand in a `token`.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Splits at every separator that stands outside quoted strings and angle brackets.
///
/// `None` if a quoted string or an angle bracket is left open: such a value has no safe reading.
pub(crate) fn split_outside(text: &str, separator: u8) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut bracketed) = (0, false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'<' if !bracketed => bracketed = true,
            b'>' if bracketed => bracketed = false,
            _ if byte == separator && !bracketed => {
                parts.push(text.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted || bracketed {
        return None;
    }
    parts.push(text.get(start..)?.trim());
    Some(parts)
}

/// Splits a text that starts with a quoted string into its unescaped content and what follows it.
pub(crate) fn take_quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut content = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((content, inner.get(at + 1..)?)),
            '\\' => content.push(chars.next()?.1),
            _ => content.push(char),
        }
    }
    None
}

/// The content of a quoted string, or the text itself if it is not one.
pub(crate) fn unquote(text: &str) -> String {
    match take_quoted(text) {
        Some((content, "")) => content,
        Some(_) | None => text.to_owned(),
    }
}

/// Writes a quoted string. Control characters are left out: none of them can be shown, and CR and LF would
/// start a new header field.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars().filter(|char| !char.is_control() || *char == '\t') {
        if matches!(char, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted.push('"');
    quoted
}

/// Reads a decimal number; a number too large for 32 bits becomes `u32::MAX`, anything but digits is `None`.
pub(crate) fn saturating_u32(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_quotes_and_brackets_do_not_split() {
        let parts = split_outside(r#""a,\",b" <sip:x,y@z>;p, c , "d""#, b',').unwrap();
        assert_eq!(parts, [r#""a,\",b" <sip:x,y@z>;p"#, "c", r#""d""#]);
        assert_eq!(split_outside("", b','), Some(vec![""]));
    }

    #[test]
    fn open_quotes_and_brackets_have_no_reading() {
        for text in ["\"a", "a, \"b\\\"", "<sip:a@b", "\"a\" <x"] {
            assert_eq!(split_outside(text, b','), None, "{text}");
        }
    }

    #[test]
    fn i93_quoting_removes_what_could_end_the_line() {
        assert_eq!(quote("A\r\nB: \"c\\"), r#""AB: \"c\\""#);
        assert_eq!(unquote(&quote("x\"y\\z")), "x\"y\\z");
    }
}
