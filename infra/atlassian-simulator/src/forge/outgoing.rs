//! Events on their way to a remote.

use atlassian_forge::event::Form;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Forge, Installation};
use crate::client::Answer;

/// How many times Forge tries again after a failure, by the table in its documentation. Another page
/// has it that there are four attempts in all. There is a minute before each.
pub const MAX_RETRIES: u32 = 4;

/// An endpoint of the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The key.
    pub key: &'a str,
    /// The URL: that of the remote, with the path of the route.
    pub url: &'a str,
}

/// An event on its way to an endpoint, over several attempts.
#[derive(Debug)]
pub struct Outgoing<'a> {
    forge: &'a Forge,
    installation: &'a Installation,
    endpoint: Endpoint<'a>,
    body: Value,
    form: Form,
    /// How many attempts there were, and why Forge would not be content with the last one.
    failed: Option<(u32, &'static str)>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(
        forge: &'a Forge,
        installation: &'a Installation,
        endpoint: Endpoint<'a>,
        body: Value,
    ) -> Self {
        Self { forge, installation, endpoint, body, form: Form::Root, failed: None }
    }

    /// Sends the event as a member `payload`, which the documentation shows on another page.
    #[must_use]
    pub fn wrapped(self) -> Self {
        Self { form: Form::Wrapped, ..self }
    }

    /// The body of the next attempt.
    pub fn next_body(&self) -> String {
        let mut event = self.body.clone();
        if let Some((count, reason)) = self.failed {
            let retry = json!({ "retryCount": count, "retryReason": reason, "retryData": null });
            event["retryContext"] = retry;
        }
        match self.form {
            Form::Root => event.to_string(),
            Form::Wrapped => json!({ "payload": event }).to_string(),
        }
    }

    /// Makes the next attempt, with a token of its own. Whether there is another one, and when, the
    /// caller decides; Forge waits for a minute and makes it after any failure. After a success, the
    /// next one is what Forge does if the answer was lost.
    ///
    /// # Errors
    ///
    /// Fails if the request got no response, or if there were too many attempts.
    pub async fn attempt(&mut self) -> anyhow::Result<Answer> {
        let before = self.failed.map_or(0, |(count, _)| count);
        anyhow::ensure!(before <= MAX_RETRIES, "Forge gives an event up after {before} attempts");
        let claims = self.installation.event_claims(self.endpoint.key, Timestamp::now());
        let authorization = format!("Bearer {}", self.forge.sign(&claims)?);
        let body = self.next_body();
        let answer = self.forge.post(self.endpoint.url, Some(&authorization), body).await;
        let reason = match &answer {
            Ok(answer) if answer.status == 401 => "INVALID_FORGE_INVOCATION_TOKEN",
            Ok(answer) if !answer.status.is_success() => "INVALID_REMOTE_INVOCATION_ERROR",
            Ok(_) | Err(_) => "TIMEOUT_ERROR",
        };
        self.failed = Some((before + 1, reason));
        answer
    }
}
