//! Text within the XML bodies of event packages.

/// `text` with what would be markup escaped (XML 1.0, section 2.4) and control characters left out.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}
