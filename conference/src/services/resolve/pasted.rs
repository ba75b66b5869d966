//! A pasted list of addresses and numbers, taken apart (B41).

use crate::services::error::ServiceError;

/// The longest text taken apart.
const TEXT_MAX: usize = 64 * 1024;

/// The entries of a list parted by commas, semicolons or line breaks, blanks dropped. An address in the form of a mail
/// program, `"Paz, Pia" <pia@acme.test>`, is that address: commas within quotes part nothing.
///
/// # Errors
/// Invalid for a text that is too long.
pub(super) fn split(text: &str) -> Result<Vec<String>, ServiceError> {
    if text.len() > TEXT_MAX {
        return Err(ServiceError::invalid("text", "This text is too long")
            .mend(format!("Paste at most {} KiB at once", TEXT_MAX / 1024)));
    }
    // A quote that is never closed quotes nothing, or it would swallow the rest.
    let quotes = text.matches('"').count().is_multiple_of(2);
    let (mut entries, mut entry, mut quoted) = (Vec::new(), String::new(), false);
    for sign in text.chars() {
        match sign {
            '"' if quotes => {
                quoted = !quoted;
                entry.push(sign);
            }
            ',' | ';' | '\n' | '\r' if !quoted => entries.push(std::mem::take(&mut entry)),
            _ => entry.push(sign),
        }
    }
    entries.push(entry);
    Ok(entries.iter().map(|entry| bare(entry)).filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
}

/// The address within angle brackets, if there is one at the end.
fn bare(entry: &str) -> &str {
    let entry = entry.trim();
    let inner = entry.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')).map(|(_, inner)| inner.trim());
    inner.filter(|inner| inner.contains('@')).unwrap_or(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b41_a_pasted_list_becomes_separate_entries() {
        let table: [(&str, &[&str]); 8] = [
            ("a@acme.test,b@acme.test, b@acme.test", &["a@acme.test", "b@acme.test", "b@acme.test"]),
            ("a@acme.test\r\n\r\nb@acme.test\n", &["a@acme.test", "b@acme.test"]),
            ("a@acme.test; +1 202 555 0177 ,", &["a@acme.test", "+1 202 555 0177"]),
            ("\"Paz, Pia\" <pia@acme.test>, Ari <ari@acme.test>", &["pia@acme.test", "ari@acme.test"]),
            ("\"open, pia@acme.test", &["\"open", "pia@acme.test"]),
            (" ,;\n, ", &[]),
            ("", &[]),
            ("13245768342@collaborate.center", &["13245768342@collaborate.center"]),
        ];
        for (text, entries) in table {
            assert_eq!(split(text).unwrap(), entries, "{text:?}");
        }
        assert!(split(&"x".repeat(TEXT_MAX + 1)).is_err());
    }
}
