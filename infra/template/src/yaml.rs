//! YAML of the app's own values, with CloudFormation's functions in their short form.

use serde_json::{Map, Value};

/// A text as a YAML scalar: single-quoted, or, if it contains characters that YAML does not print,
/// double-quoted with JSON's escapes.
pub(crate) fn quoted(text: &str) -> String {
    let printable = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{2028}'..='\u{2029}' | '\u{FEFF}' | '\u{FFFE}'..='\u{FFFF}')
    };
    if text.chars().all(printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let json = Value::from(text).to_string();
    json.chars().fold(String::new(), |mut escaped, c| {
        match u16::try_from(u32::from(c)) {
            Ok(code) if !c.is_ascii() || c == '\u{7f}' => escaped += &format!("\\u{code:04x}"),
            _ => escaped.push(c),
        }
        escaped
    })
}

/// A value of one line, or a list or a map as lines that are indented by so many spaces.
pub(crate) fn block(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(entries) if is_block(value) => {
            // What a thing is comes first. The other keys have the order of the alphabet.
            let leads = |key: &str| key == "Type" || key == "Effect";
            let first = entries.iter().filter(|(key, _)| leads(key));
            let lines = first.chain(entries.iter().filter(|(key, _)| !leads(key)));
            let lines = lines.map(|(key, value)| {
                format!("{:indent$}{}:{}", "", scalar(key), after_key(value, indent + 2))
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) if is_block(value) => {
            let lines = items.iter().map(|item| {
                if is_block(item) {
                    // The first entry of a map, or item of a list, is in the line of the dash.
                    let block = block(item, indent + 2);
                    format!("{:indent$}- {}", "", block.trim_start())
                } else {
                    format!("{:indent$}- {}", "", flow(item))
                }
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        _ => flow(value),
    }
}

fn after_key(value: &Value, indent: usize) -> String {
    if is_block(value) {
        format!("\n{}", block(value, indent))
    } else {
        format!(" {}", flow(value))
    }
}

/// Whether a value is written in several lines: a map, or a list with maps.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty() && function(entries).is_none(),
        Value::Array(items) => items.iter().any(is_block),
        _ => false,
    }
}

/// A value in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => match function(entries) {
            Some((name, argument)) => called(name, argument),
            None if entries.is_empty() => "{}".to_owned(),
            None => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
        },
        other => other.to_string(),
    }
}

/// A call of a function in its short form.
fn called(name: &str, argument: &Value) -> String {
    let is_call = argument.as_object().is_some_and(|entries| function(entries).is_some());
    if is_call {
        // YAML has no two tags in a row.
        return format!("{{ {}: {} }}", scalar(name), flow(argument));
    }
    let short = name.strip_prefix("Fn::").unwrap_or(name);
    match (short, argument.as_array().map(Vec::as_slice)) {
        ("GetAtt", Some([Value::String(resource), Value::String(attribute)])) => {
            format!("!GetAtt {resource}.{attribute}")
        }
        _ => format!("!{short} {}", flow(argument)),
    }
}

/// The function and the argument, if a map is a call of a function of CloudFormation.
fn function(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = entries.iter().next().filter(|_| entries.len() == 1)?;
    let is_function =
        name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string());
    is_function.then_some((name, argument))
}

/// A text as it is if every reader takes it for a text, otherwise quoted.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@*-".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use sam_template::parse;
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_all_values_of_a_descriptor() {
        for text in [
            "",
            "plain",
            "it's",
            "a: b # c",
            "{\"a\":\"'\"}",
            "tab\there\u{85}",
            "é\u{FFFE}😀",
            "\\u0041",
        ] {
            let yaml = format!("a: {}\n", quoted(text));
            let read: std::collections::BTreeMap<String, String> =
                serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read["a"], text, "{yaml}");
        }
    }

    #[test]
    fn writes_what_is_read_again() {
        let value = json!({
            "Ref": {"a": 1}, "empty": {}, "none": null, "list": [], "on": "on", "2": "2012-10-17",
            "statements": [
                {"Effect": "Allow", "Action": ["s3:Get*", "a:*"], "Resource": {"Ref": "A"}},
                [{"nested": [1, -2.5, true]}, "x"],
            ],
            "functions": {
                "a": {"Fn::GetAtt": ["Table", "Arn"]},
                "b": {"Fn::If": ["Is", {"Fn::Sub": "${A}/*"}, {"Ref": "AWS::NoValue"}]},
                "c": {"Fn::Base64": {"Fn::Sub": ["${x}", {"x": {"Ref": "Q"}}]}},
                "d": {"Fn::Not": [{"Condition": "Is"}]},
            },
            "text": "two\nlines: # no comment",
        });
        let yaml = block(&value, 4);
        assert_eq!(parse(&format!("root:\n{yaml}\n")).unwrap()["root"], value, "{yaml}");
    }

    #[test]
    fn writes_short_forms_in_one_line() {
        let value = json!({
            "Notes": {"Ref": "NotesTable"},
            "Statement": [{"Action": ["dynamodb:PutItem"], "Resource": {"Fn::GetAtt": ["N", "Arn"]}}],
        });
        let yaml = "  Notes: !Ref NotesTable\n  Statement:\n    - Action: [dynamodb:PutItem]\n      \
                    Resource: !GetAtt N.Arn";
        assert_eq!(block(&value, 2), yaml);
    }
}
