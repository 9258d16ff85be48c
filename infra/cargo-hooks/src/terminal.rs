//! Untrusted text for a terminal: escaped, and in tables.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The text with control characters escaped.
///
/// The name of an event, a tenant or a reason can contain a line break, which could forge a line of
/// output, or an escape sequence, which could hide one.
pub fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.escape_default().to_string())
}

/// A JSON text on one line, with the same characters escaped in JSON's way. `serde_json` escapes
/// only those that JSON requires.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    replaced(json, |c| {
        c.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |mut text, unit| {
            write!(text, "\\u{unit:04x}").expect("a String takes any text");
            text
        })
    })
}

/// Writes a table with a heading, one line a row. Cells are escaped.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_table<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows = rows.into_iter().map(|row| row.map(|cell| escaped(&cell).into_owned()));
    let rows: Vec<_> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn replaced(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            safe += &escape(c);
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

/// Whether a terminal interprets a character: control characters, line separators, and characters
/// that change the direction of text (Unicode Standard Annex 9).
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}')
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_characters() {
        let rows = [
            ("a\nERROR forged", r"a\nERROR forged"),
            ("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("\r\t\u{7f}\u{9b}2J", r"\r\t\u{7f}\u{9b}2J"),
            ("\u{202e}txt.exe\u{2069}\u{2028}", r"\u{202e}txt.exe\u{2069}\u{2028}"),
            ("plain \"ключ\" 😀 \\n", "plain \"ключ\" 😀 \\n"),
        ];
        for (text, shown) in rows {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn leaves_json_the_same_value() {
        let value = serde_json::json!("a\n\u{1b}[31m \u{9b}2J \u{202e} \u{7f} 😀 \\");
        let json = value.to_string();
        let safe = escaped_json(&json);
        assert!(!safe.chars().any(is_obeyed), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
