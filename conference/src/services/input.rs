//! Texts from outside, checked before anything else sees them.

use super::error::ServiceError;

/// Names and titles.
pub(crate) const NAME_MAX: usize = 120;

/// A name or title: trimmed, not empty, of bounded length, without control characters. A CR or LF in a name would
/// otherwise end up in a SIP or mail header (I93).
pub(crate) fn name(field: &str, text: &str) -> Result<String, ServiceError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ServiceError::invalid(field, "This must not be empty").mend("Write a name"));
    }
    if text.chars().count() > NAME_MAX {
        return Err(ServiceError::invalid(field, "This is too long")
            .mend(format!("Write at most {NAME_MAX} characters")));
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(ServiceError::invalid(field, "This holds control characters")
            .mend("Write it on one line, without control characters"));
    }
    Ok(text.to_owned())
}

/// Characters that turn the reading direction or take no room: they make one name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// An e-mail address, roughly: the mail server has the last word. Small letters, so that one address is one person.
pub(crate) fn mail(field: &str, text: &str) -> Result<String, ServiceError> {
    let text = text.trim().to_lowercase();
    let plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '\\');
    let well_formed = text.len() <= 254
        && text.chars().all(plain)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.contains('@') && !domain.is_empty() && !domain.starts_with('.')
        });
    if well_formed {
        return Ok(text);
    }
    Err(ServiceError::invalid(field, "This is not an e-mail address").mend("Write it as name@domain"))
}

/// A list must not be longer than `max`.
pub(crate) fn length(field: &str, length: usize, max: usize) -> Result<(), ServiceError> {
    if length > max {
        return Err(ServiceError::invalid(field, format!("{length} entries are too many"))
            .mend(format!("Send at most {max} at once")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i93_control_characters_in_names_are_refused() {
        for text in ["a\r\nb", "a\0b", "\u{202E}anaH", "   ", ""] {
            assert_eq!(name("title", text).unwrap_err().field.as_deref(), Some("title"), "{text:?}");
        }
        assert_eq!(name("title", " O'Neil \"North\"; -- ").unwrap(), "O'Neil \"North\"; --");
    }

    #[test]
    fn addresses() {
        assert_eq!(mail("email", " Guest@Else.test ").unwrap(), "guest@else.test");
        for text in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: c@d"] {
            assert!(mail("email", text).is_err(), "{text:?}");
        }
    }
}
