//! Formatted text, in either of the formats that Atlassian writes.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::left_out::LeftOut;
use super::lenient::{self, At, Lenient, Taken};
use super::object::{alone, object};

/// Formatted text: wiki markup, or a document.
///
/// Webhooks mostly contain wiki markup, as version 2 of Jira's REST API writes it, and sometimes
/// the Atlassian Document Format of version 3. [`plain_text`](Self::plain_text) returns the words
/// of either.
#[derive(Clone, Debug)]
pub enum RichText {
    /// Text, with or without wiki markup.
    Text(Box<str>),
    /// A document in the Atlassian Document Format, as it came.
    Document(Box<RawValue>),
}

impl RichText {
    /// The text without formatting.
    ///
    /// Wiki markup is returned as it is. Of a document, paragraphs are separated by a blank line,
    /// lists have a line for each item, and tables a line for each row; mentions, emojis, dates and
    /// links are returned as they are displayed. Of an unknown node, its children are returned.
    /// Nodes nested more than about fifty levels deep are left out.
    pub fn plain_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Document(json) => {
                let root = lenient::read(json.get(), &mut LeftOut::default());
                Cow::Owned(root.map(|root: Node| root.render().text).unwrap_or_default())
            }
        }
    }
}

impl Lenient for RichText {
    const EXPECTED: &'static str = "a text or a document";

    fn take<'de, D: Deserializer<'de>>(json: D, _: &At<'_>) -> Result<Taken<Self>, D::Error> {
        #[derive(Deserialize)]
        struct Root<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
        }
        let Some(json) = Option::<Box<RawValue>>::deserialize(json)? else {
            return Ok(Taken::Null);
        };
        if let Ok(text) = serde_json::from_str(json.get()) {
            return Ok(Taken::Value(Self::Text(text)));
        }
        let is_document =
            serde_json::from_str::<Root<'_>>(json.get()).is_ok_and(|root| root.kind == "doc");
        Ok(if is_document { Taken::Value(Self::Document(json)) } else { Taken::Odd })
    }
}

alone!(RichText);

object! {
    /// A node of a document.
    ///
    /// Atlassian's documentation, "Atlassian Document Format".
    struct Node {
        /// What it is.
        "type" => kind: Option<String>,
        /// The text of a text node.
        "text" => text: Option<String>,
        /// What is particular to its kind.
        "attrs" => attrs: Option<Attributes>,
        /// What is in it.
        "content" => content: Vec<Node>,
    }
}

object! {
    /// What is particular to some kinds of nodes.
    struct Attributes {
        /// What people see: of a mention, an emoji, a status, a placeholder or an extension.
        "text" => text: Option<String>,
        /// The name of an emoji, as in `:smile:`.
        "shortName" => short_name: Option<String>,
        /// The address of a link that is shown as a card.
        "url" => url: Option<String>,
        /// What stands for a picture.
        "alt" => alt: Option<String>,
        /// What stands over what can be folded.
        "title" => title: Option<String>,
        /// Whether a task is done: `DONE` or `TODO`.
        "state" => state: Option<String>,
        /// A day, in milliseconds since 1970, as text.
        "timestamp" => timestamp: Option<String>,
        /// The number of the first item of a list.
        "order" => order: Option<i64>,
    }
}

/// The plain text of a node.
struct Rendered {
    text: String,
    /// Whether it begins and ends a line.
    is_block: bool,
}

impl Node {
    fn render(&self) -> Rendered {
        let kind = self.kind.as_deref().unwrap_or_default();
        let inline = |text: String| Rendered { text, is_block: false };
        let block = |text: String| Rendered { text, is_block: true };
        match kind {
            "text" => inline(self.text.clone().unwrap_or_default()),
            "hardBreak" => inline("\n".into()),
            "rule" => block("---".into()),
            "paragraph" | "heading" | "codeBlock" | "caption" => block(self.inside("\n")),
            "bulletList" | "decisionList" => block(self.list(|_| "- ".into())),
            "orderedList" => {
                let first = self.attrs.as_ref().and_then(|attrs| attrs.order).unwrap_or(1);
                block(self.list(|number| format!("{}. ", first.saturating_add(number))))
            }
            "taskList" => block(self.list(|_| String::new())),
            "taskItem" | "blockTaskItem" => {
                let done = self.attribute(|attrs| attrs.state.as_ref()) == Some("DONE");
                let mark = if done { "[x] " } else { "[ ] " };
                block(hung(mark, &self.inside("\n")))
            }
            "listItem" | "decisionItem" => block(self.inside("\n")),
            "blockquote" => block(prefixed("> ", "> ", &self.inside("\n\n"))),
            "table" => block(self.inside("\n")),
            "tableRow" => {
                let cells: Vec<_> =
                    self.content.iter().map(|cell| one_line(&cell.render().text)).collect();
                block(cells.join(" | "))
            }
            _ if !self.content.is_empty() => {
                let title = self.attribute(|attrs| attrs.title.as_ref());
                let inside = self.inside("\n\n");
                let parts = [title.unwrap_or_default(), &inside].map(str::to_owned);
                let parts = parts.into_iter().filter(|part| !part.is_empty());
                block(parts.collect::<Vec<_>>().join("\n\n"))
            }
            "blockCard" | "embedCard" | "extension" | "media" => block(self.shown()),
            _ => inline(self.shown()),
        }
    }

    /// What people see of a node without children.
    fn shown(&self) -> String {
        let shown = |of: fn(&Attributes) -> Option<&String>| self.attribute(of);
        let text = self.text.as_deref().or_else(|| shown(|attrs| attrs.text.as_ref()));
        let text = text
            .filter(|text| !text.is_empty())
            .or_else(|| shown(|attrs| attrs.short_name.as_ref()))
            .or_else(|| shown(|attrs| attrs.alt.as_ref()))
            .or_else(|| shown(|attrs| attrs.url.as_ref()))
            .or_else(|| shown(|attrs| attrs.title.as_ref()));
        if let Some(text) = text {
            return text.into();
        }
        let day = shown(|attrs| attrs.timestamp.as_ref()).and_then(|time| time.parse().ok());
        let day = day.and_then(|time| Timestamp::from_millisecond(time).ok());
        day.map(|day| day.to_zoned(TimeZone::UTC).date().to_string()).unwrap_or_default()
    }

    fn attribute(&self, of: fn(&Attributes) -> Option<&String>) -> Option<&str> {
        self.attrs.as_ref().and_then(of).map(String::as_str)
    }

    /// The children: what is in a line together, and blocks with this between them.
    fn inside(&self, between: &str) -> String {
        let mut text = String::new();
        let mut after_block = false;
        for child in &self.content {
            let Rendered { text: child, is_block } = child.render();
            if child.is_empty() {
                continue;
            }
            if (is_block || after_block) && !text.is_empty() {
                text.push_str(between);
            }
            text.push_str(&child);
            after_block = is_block;
        }
        text
    }

    /// The children, each behind its mark.
    fn list(&self, mark: impl Fn(i64) -> String) -> String {
        let items = self.content.iter().zip(0..).map(|(item, number)| {
            let text = item.render().text;
            // A list right in a list belongs to the item before it.
            let is_list = item.kind.as_deref().is_some_and(|kind| kind.ends_with("List"));
            if is_list { prefixed("  ", "  ", &text) } else { hung(&mark(number), &text) }
        });
        items.collect::<Vec<_>>().join("\n")
    }
}

/// A text behind a mark, and its other lines below the first.
fn hung(mark: &str, text: &str) -> String {
    prefixed(mark, &" ".repeat(mark.len()), text)
}

fn prefixed(first: &str, others: &str, text: &str) -> String {
    format!("{first}{}", text.replace('\n', &format!("\n{others}")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(content: Value) -> RichText {
        let document = json!({"version": 1, "content": content, "type": "doc"});
        serde_json::from_str(&document.to_string()).unwrap()
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text, "marks": [{"type": "strong"}]})
    }

    fn paragraph(words: &str) -> Value {
        json!({"type": "paragraph", "content": [text(words)]})
    }

    fn item(content: Value) -> Value {
        json!({"type": "listItem", "content": content})
    }

    #[test]
    fn reads_a_document_as_people_do() {
        let mention = json!({"type": "mention", "attrs": {"id": "5b10", "text": "@Emma"}});
        let emoji = json!({"type": "emoji", "attrs": {"shortName": ":tea:", "text": "🍵"}});
        let custom = json!({"type": "emoji", "attrs": {"shortName": ":kettle:"}});
        let status = json!({"type": "status", "attrs": {"text": "DONE", "color": "green"}});
        let date = json!({"type": "date", "attrs": {"timestamp": "1795392000000"}});
        let card = json!({"type": "inlineCard", "attrs": {"url": "https://example.net/1"}});
        let cell = |words: &str| json!({"type": "tableCell", "content": [paragraph(words)]});
        let rows = [
            (json!([paragraph("one"), {"type": "paragraph"}, paragraph("two")]), "one\n\ntwo"),
            (
                json!([{"type": "heading", "attrs": {"level": 2}, "content": [text("Title")]},
                       {"type": "paragraph", "content": [
                           text("a"), {"type": "hardBreak"}, text("b "), mention, text(" "), emoji,
                           custom]},
                       {"type": "rule"}]),
                "Title\n\na\nb @Emma 🍵:kettle:\n\n---",
            ),
            (
                json!([{"type": "paragraph", "content": [
                    status, text(" on "), date, text(", see "), card]}]),
                "DONE on 2026-11-23, see https://example.net/1",
            ),
            (
                json!([{"type": "bulletList", "content": [
                          item(json!([paragraph("tea"), {"type": "orderedList",
                              "attrs": {"order": 3}, "content": [
                                  item(json!([paragraph("black"), paragraph("strong")])),
                                  item(json!([paragraph("green")]))]}])),
                          item(json!([paragraph("coffee")]))]}]),
                "- tea\n  3. black\n     strong\n  4. green\n- coffee",
            ),
            (
                json!([{"type": "taskList", "content": [
                {"type": "taskItem", "attrs": {"state": "DONE"}, "content": [text("fill")]},
                {"type": "taskList", "content": [
                    {"type": "taskItem", "attrs": {"state": "TODO"}, "content": [text("boil")]}
                ]}]}]),
                "[x] fill\n  [ ] boil",
            ),
            (
                json!([{"type": "codeBlock", "content": [text("if (hot) {\n  pour();\n}")]},
                       {"type": "blockquote", "content": [paragraph("a"), paragraph("b")]}]),
                "if (hot) {\n  pour();\n}\n\n> a\n> \n> b",
            ),
            (
                json!([{"type": "table", "content": [
                    {"type": "tableRow", "content": [cell("a"), cell("b\nc")]},
                    {"type": "tableRow", "content": [cell(""), cell("d")]}]}]),
                "a | b c\n | d",
            ),
            (
                json!([{"type": "expand", "attrs": {"title": "More"}, "content": [paragraph("a")]},
                       {"type": "mediaSingle", "content": [
                           {"type": "media", "attrs": {"id": "1", "alt": "a kettle"}}]}]),
                "More\n\na\n\na kettle",
            ),
            (
                json!([{"type": "holograph", "content": [paragraph("seen"), paragraph("heard")]}]),
                "seen\n\nheard",
            ),
            (
                json!([null, 7, {"type": 7, "content": {"a": 1}}, {"type": "paragraph",
                       "attrs": {"x": 1e300}, "content": [7, text("left"), {"type": "text"}]}]),
                "left",
            ),
        ];
        for (content, expected) in rows {
            assert_eq!(document(content).plain_text(), expected);
        }
    }

    #[test]
    fn reads_a_document_of_any_depth() {
        let (open, close) = (r#"{"type":"blockquote","content":["#, "]}");
        let levels = 200_000;
        let json = format!(
            r#"{{"type":"doc","content":[{{"type":"text","text":"top"}},{}{}]}}"#,
            open.repeat(levels),
            close.repeat(levels)
        );
        let deep: RichText = serde_json::from_str(&json).unwrap();
        assert!(deep.plain_text().starts_with("top"));
    }

    #[test]
    fn takes_texts_and_documents_and_nothing_else() {
        let wiki: RichText = serde_json::from_str(r#""*bold*\n""#).unwrap();
        assert_eq!(wiki.plain_text(), "*bold*\n");
        for json in ["7", "[]", "{}", "true", r#"{"type":"paragraph"}"#, r#"{"type":["doc"]}"#] {
            assert!(serde_json::from_str::<RichText>(json).is_err(), "{json}");
        }
    }
}
