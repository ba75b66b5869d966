//! Tables for spreadsheets (RFC 4180), in which no cell of a stranger's becomes a formula (I90, W8).

/// One row: cells apart by commas, ended by CRLF.
pub fn row<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, cell);
    }
    out.push_str("\r\n");
}

/// What begins a formula.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'];

/// A cell that a spreadsheet would take for a formula gets an apostrophe, which says "text" there. Numbers in E.164 begin
/// with a plus and are no exception: as `'+12025550177` they stay readable and whole.
fn push(out: &mut String, cell: &str) {
    // Some programs skip spaces before a formula, some take the wide signs of East Asian keyboards for the usual ones.
    let risky = cell.starts_with(['\t', '\r', '\n', '\'']) || cell.trim_start().starts_with(FORMULA);
    let quoted =
        risky || cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ');
    if !quoted {
        out.push_str(cell);
        return;
    }
    out.push('"');
    if risky {
        out.push('\'');
    }
    out.push_str(&cell.replace('"', "\"\""));
    out.push('"');
}

/// What was meant by a cell of a table that [`row`] wrote: the way back, for whoever reads such a table again.
pub fn meant(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i90_w8_no_cell_is_a_formula_and_every_value_comes_back() {
        for (value, written) in [
            ("Ana", "Ana"),
            ("=1+1", "\"'=1+1\""),
            ("+12025550177", "\"'+12025550177\""),
            ("-2", "\"'-2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("=HYPERLINK(\"http://x.test\",\"x\")", "\"'=HYPERLINK(\"\"http://x.test\"\",\"\"x\"\")\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1;=2", "\"'+1;=2\""),
            ("  =1+1", "\"'  =1+1\""),
            ("\u{A0}@x", "\"'\u{A0}@x\""),
            ("\u{FF1D}1+1", "\"'\u{FF1D}1+1\""),
            ("\u{FF0B}1", "\"'\u{FF0B}1\""),
            ("\u{FF0D}1", "\"'\u{FF0D}1\""),
            ("\u{FF20}x", "\"'\u{FF20}x\""),
            ("\t=1", "\"'\t=1\""),
            ("\n=1", "\"'\n=1\""),
            ("\r=1", "\"'\r=1\""),
            ("'=1", "\"''=1\""),
            ("Paz, Pia", "\"Paz, Pia\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" x", "\" x\""),
            ("", ""),
            ("\u{1F980} Ünal", "\u{1F980} Ünal"),
        ] {
            let mut out = String::new();
            row(&mut out, [value]);
            assert_eq!(out, format!("{written}\r\n"), "{value:?}");
            let cell = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(written);
            assert_eq!(meant(&cell.replace("\"\"", "\"")), value);
        }
    }
}
