//! Dead letters: messages that a handler could not handle, with the reasons.

mod letter;
mod queues;
mod replay;

pub use letter::DeadLetter;
pub use queues::{Pair, Queues};
pub use replay::{Moved, Replay, replay};

use std::io::Write;

use crate::terminal::{escaped_json, write_table};

/// A filter for dead letters.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only letters of this event.
    pub event: Option<String>,
    /// Only letters of this tenant.
    pub tenant: Option<String>,
    /// Only the letter of this delivery.
    pub delivery: Option<String>,
}

impl Filter {
    /// Whether a letter passes the filter.
    pub fn takes(&self, letter: &DeadLetter) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        same(&self.event, &letter.event)
            && same(&self.tenant, &letter.tenant)
            && same(&self.delivery, &letter.delivery)
    }
}

/// The format of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// A table for people.
    Table,
    /// One JSON object per line.
    Json,
}

/// Lists dead letters, and leaves them in their queues.
///
/// SQS cannot list messages. So the letters are received, read, and made visible again. For those
/// seconds no other consumer receives them.
///
/// # Errors
///
/// Fails if a queue does not answer, or the list cannot be written.
pub async fn list(
    queues: &Queues,
    filter: &Filter,
    limit: usize,
    form: Form,
    out: &mut impl Write,
) -> anyhow::Result<usize> {
    let mut letters = Vec::new();
    for pair in queues.pairs() {
        let mut held = Vec::new();
        let mut complete = Ok(());
        while held.len() < limit {
            match queues.receive(&pair.dead_letters).await {
                Ok(received) if received.is_empty() => break,
                Ok(received) => held.extend(received),
                Err(error) => {
                    complete = Err(error);
                    break;
                }
            }
        }
        queues.release(&pair.dead_letters, &held).await;
        complete?;
        let found = held.iter().map(|message| DeadLetter::of(message, &pair.handler));
        letters.extend(found.filter(|letter| filter.takes(letter)));
    }
    letters.truncate(limit);
    match form {
        Form::Json => {
            for letter in &letters {
                writeln!(out, "{}", escaped_json(&serde_json::to_string(letter)?))?;
            }
        }
        Form::Table => table(&letters, out)?,
    }
    Ok(letters.len())
}

fn table(letters: &[DeadLetter], out: &mut impl Write) -> std::io::Result<()> {
    let unsaid = || "?".to_owned();
    let rows: Vec<[String; 7]> = letters
        .iter()
        .map(|letter| {
            [
                letter.handler.clone(),
                letter.event.clone().unwrap_or_else(unsaid),
                letter.tenant.clone().unwrap_or_else(unsaid),
                letter.first_seen.map_or_else(unsaid, |time| time.strftime("%F %T").to_string()),
                letter.receives.map_or_else(unsaid, |receives| receives.to_string()),
                letter.bytes.to_string(),
                letter.reason.clone().unwrap_or_else(|| {
                    "none: SQS moved it, because the function could not start or was killed each time".into()
                }),
            ]
        })
        .collect();
    if rows.is_empty() {
        return writeln!(out, "no dead letters");
    }
    let heads = ["HANDLER", "EVENT", "TENANT", "FIRST SEEN (UTC)", "TRIES", "BYTES", "REASON"];
    write_table(heads, rows, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_one_dead_letter_per_line_with_control_characters_escaped() {
        let forged = "a\nERROR forged \u{1b}[31m\u{9b}2J";
        let letter = DeadLetter {
            handler: "scripted".into(),
            message: "1".into(),
            delivery: None,
            event: Some(forged.into()),
            tenant: Some(forged.into()),
            first_seen: None,
            receives: Some(5),
            bytes: 2,
            reason: Some(forged.into()),
        };
        let mut out = Vec::new();
        table(&[letter], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
        assert_eq!(text.matches(r"a\nERROR forged \u{1b}[31m\u{9b}2J").count(), 3, "{text}");
    }
}
