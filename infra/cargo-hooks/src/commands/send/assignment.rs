//! `--set PATH=VALUE`

use std::str::FromStr;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::terminal::escaped;

/// A new value for a field of a body.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    path: String,
    value: Value,
}

impl FromStr for Assignment {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (path, value) = text
            .split_once('=')
            .filter(|(path, _)| path.split('.').all(|name| !name.is_empty()))
            .context("write it as PATH=VALUE, as in issue.key=ABC-1")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { path: path.into(), value })
    }
}

impl Assignment {
    /// Changes the body. Returns a note if that adds a field.
    ///
    /// # Errors
    ///
    /// Fails if the body has no such object or item, with the nearest name that it has.
    pub(super) fn apply(&self, body: &mut Value) -> anyhow::Result<Option<String>> {
        let (parents, last) = self.path.rsplit_once('.').unwrap_or(("", &self.path));
        let (mut place, mut path) = (body, String::from("the body"));
        for name in parents.split('.').filter(|name| !name.is_empty()) {
            let (names, items) = (nearest(place, name), length(place));
            place = match place {
                Value::Object(fields) => fields.get_mut(name),
                Value::Array(items) => {
                    name.parse().ok().and_then(|index: usize| items.get_mut(index))
                }
                _ => None,
            }
            .with_context(|| self.missing(&path, name, names, items))?;
            path = if path == "the body" { name.into() } else { format!("{path}.{name}") };
        }
        let (near, items) = (nearest(place, last), length(place));
        match place {
            Value::Object(fields) => {
                if fields.insert(last.into(), self.value.clone()).is_some() {
                    return Ok(None);
                }
                let near = near.map(|near| format!(", beside {near}")).unwrap_or_default();
                Ok(Some(escaped(&format!("{last} is added to {path}{near}")).into_owned()))
            }
            Value::Array(values) => {
                let index: Option<usize> = last.parse().ok();
                let value = index.and_then(|index| values.get_mut(index));
                *value.with_context(|| self.missing(&path, last, None, items))? =
                    self.value.clone();
                Ok(None)
            }
            _ => bail!("{}", self.missing(&path, last, None, None)),
        }
    }

    fn missing(
        &self,
        place: &str,
        name: &str,
        near: Option<String>,
        items: Option<usize>,
    ) -> String {
        let advice = match (near, items) {
            (Some(near), _) => format!("the nearest is {near}"),
            (None, Some(0)) => "it is an empty array: set the whole of it, as in PATH=[1]".into(),
            (None, Some(items)) => {
                format!("it is an array, so give an index from 0 to {}", items - 1)
            }
            (None, None) => {
                "it is no object with fields: set the whole of it, as in PATH={}".into()
            }
        };
        escaped(&format!("--set {}: {place} has no {name}; {advice}", self.path)).into_owned()
    }
}

/// The most similar name of a field of an object.
fn nearest(value: &Value, name: &str) -> Option<String> {
    let names = value.as_object()?.keys();
    names.min_by_key(|other| strsim::damerau_levenshtein(other, name)).cloned()
}

fn length(value: &Value) -> Option<usize> {
    value.as_array().map(Vec::len)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(text: &str) -> anyhow::Result<(Value, Option<String>)> {
        let mut body =
            json!({ "issue": { "key": "A-1", "labels": ["a", "b"], "none": [] }, "n": 1 });
        let note = text.parse::<Assignment>()?.apply(&mut body)?;
        Ok((body, note))
    }

    #[test]
    fn changes_what_its_path_names() {
        let rows = [
            ("issue.key=ABC-1", "/issue/key", json!("ABC-1")),
            ("issue.key=a=b", "/issue/key", json!("a=b")),
            ("issue.labels.1=\"7\"", "/issue/labels/1", json!("7")),
            ("issue.labels.0=7", "/issue/labels/0", json!(7)),
            ("issue.labels=[]", "/issue/labels", json!([])),
            ("n=", "/n", json!("")),
        ];
        for (text, pointer, value) in rows {
            let (body, note) = set(text).unwrap();
            assert_eq!((body.pointer(pointer), note), (Some(&value), None), "{text}");
        }
        let (body, note) = set("issue.kye=X").unwrap();
        assert_eq!(body["issue"]["kye"], "X");
        assert_eq!(note.unwrap(), "kye is added to issue, beside key");
    }

    #[test]
    fn says_what_is_there_instead() {
        let rows = [
            ("isue.key=X", "the body has no isue; the nearest is issue"),
            (
                "issue.labels.2=X",
                "issue.labels has no 2; it is an array, so give an index from 0 to 1",
            ),
            ("issue.labels.x.y=X", "issue.labels has no x; it is an array"),
            ("issue.none.0=X", "issue.none has no 0; it is an empty array: set the whole of it"),
            (
                "issue.key.x=X",
                "issue.key has no x; it is no object with fields: set the whole of it",
            ),
            ("issue.key.x.y=X", "issue.key has no x; it is no object with fields"),
            ("issue", "write it as PATH=VALUE"),
            ("issue..key=X", "write it as PATH=VALUE"),
        ];
        for (text, words) in rows {
            let error = set(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
