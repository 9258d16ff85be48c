//! Replacement of lone surrogates in JSON.
//!
//! Escapes in a JSON string are UTF-16, and can contain half of a surrogate pair without the other
//! (RFC 8259, section 8.2). That happens when a product cuts a text in the middle of an emoji.
//! `serde_json` refuses the whole text then.

use memchr::memchr;

/// The JSON text with every lone surrogate replaced by `\ufffd`, or `None` if there is none. The
/// length does not change, so every other character keeps its position.
pub(super) fn replaced(json: &str) -> Option<Box<str>> {
    let mut replaced: Option<Vec<u8>> = None;
    let mut from = 0;
    // A backslash is always inside a string, before the character that it escapes.
    while let Some(at) = json.as_bytes().get(from..).and_then(|rest| memchr(b'\\', rest)) {
        let at = from + at;
        from = at + 2;
        let Some(unit) = escaped(json, at) else { continue };
        match unit {
            0xD800..0xDC00 if matches!(escaped(json, at + 6), Some(0xDC00..0xE000)) => {
                from = at + 12;
            }
            0xD800..0xE000 => {
                let replaced = replaced.get_or_insert_with(|| json.as_bytes().to_vec());
                replaced[at..at + 6].copy_from_slice(br"\ufffd");
            }
            _ => {}
        }
    }
    let text = String::from_utf8(replaced?).expect("ASCII stands for ASCII");
    Some(text.into())
}

/// The UTF-16 code unit of an escape at this position, if there is one.
fn escaped(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(r"\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_lone_surrogates_only() {
        let rows = [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00 \uD83D""#, r#""\ufffd \ufffd""#),
            (r#"{"a\ud83d":"\ud83d\ud83d\ude00"}"#, r#"{"a\ufffd":"\ufffd\ud83d\ude00"}"#),
            (r#""\ud83dé\\ud83d\\\ud83d\n""#, r#""\ufffdé\\ud83d\\\ufffd\n""#),
            (r#"["\ud83d","\ude00"]"#, r#"["\ufffd","\ufffd"]"#),
            (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
        ];
        for (json, expected) in rows {
            assert_eq!(replaced(json).as_deref(), Some(expected));
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
        for json in
            [r#""""#, r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e9\"\\""#, "7", "{}", "\\"]
        {
            assert_eq!(replaced(json), None, "{json}");
        }
    }
}
