//! The bodies that are sent.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::{samples, signed};
use jiff::Timestamp;
use serde_json::{Value, json};
use signed_webhooks::Kind;

use super::assignment::Assignment;

/// The body of each delivery of one event.
pub(super) enum Body {
    /// A file, byte for byte.
    AsItIs(String),
    /// A body that is changed before it is sent.
    Changed { value: Value, fresh: bool, assignments: Vec<Assignment> },
}

impl Body {
    /// A new sample each time, or for an unknown event a body that says no more than that it happened.
    pub(super) fn sample(
        product: Product,
        event: &EventName,
        assignments: &[Assignment],
    ) -> anyhow::Result<Self> {
        let value = match samples::sample(product, event) {
            Some(sample) => serde_json::from_str(sample)?,
            None => json!({ "timestamp": 0, "webhookEvent": event }),
        };
        Self::changed(value, true, assignments)
    }

    /// A new sample of what a product of this kind signs each time.
    pub(super) fn signed(
        kind: Kind,
        event: &EventName,
        assignments: &[Assignment],
    ) -> anyhow::Result<Self> {
        Self::changed(signed::sample(kind, event), true, assignments)
    }

    /// The body in a file.
    pub(super) fn read(
        path: &Path,
        fresh: bool,
        assignments: &[Assignment],
    ) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("the body {} cannot be read; give a file of UTF-8 text", path.display())
        })?;
        if !fresh && assignments.is_empty() {
            return Ok(Self::AsItIs(text));
        }
        let value = serde_json::from_str(&text).with_context(|| {
            format!(
                "the body {} is not JSON; correct it, or send it as it is, without --set and --fresh",
                path.display()
            )
        })?;
        Self::changed(value, fresh, assignments)
    }

    fn changed(value: Value, fresh: bool, assignments: &[Assignment]) -> anyhow::Result<Self> {
        // Once in advance: a mistake costs no delivery, and what is added is said once.
        let mut trial = value.clone();
        for assignment in assignments {
            if let Some(note) = assignment.apply(&mut trial)? {
                eprintln!("note: {note}");
            }
        }
        Ok(Self::Changed { value, fresh, assignments: assignments.to_vec() })
    }

    /// The text of the next delivery.
    pub(super) fn next(&self) -> anyhow::Result<String> {
        match self {
            Self::AsItIs(text) => Ok(text.clone()),
            Self::Changed { value, fresh, assignments } => {
                let mut value = value.clone();
                if *fresh {
                    samples::renew(&mut value, Timestamp::now());
                }
                for assignment in assignments {
                    assignment.apply(&mut value)?;
                }
                Ok(value.to_string())
            }
        }
    }
}
