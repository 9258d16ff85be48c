//! The log of a deployed stack: the lines about deliveries, from CloudWatch Logs.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use crate::account::{self, Account, Service};
use crate::deliveries::{Line, MESSAGES};
use crate::terminal::escaped;

/// The log of a deployed stack.
#[derive(Debug)]
pub struct Log<'a> {
    config: &'a SdkConfig,
    stack: &'a str,
    group: String,
    /// Lines from then on are read next.
    start: Timestamp,
    /// Lines from then on that were read.
    seen: BTreeSet<(i64, String)>,
}

impl<'a> Log<'a> {
    /// The log of the stack with this name, from a time on.
    ///
    /// # Errors
    ///
    /// Fails if there is no such stack, or AWS cannot be asked.
    pub async fn of(
        config: &'a SdkConfig,
        stack: &'a str,
        start: Timestamp,
    ) -> anyhow::Result<Self> {
        let group = Account::resource(config, stack, "Logs").await?;
        Ok(Self { config, stack, group, start, seen: BTreeSet::new() })
    }

    /// Hands over the lines that came since the last time, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if AWS does not answer, or `each` fails.
    pub async fn read(
        &mut self,
        mut each: impl FnMut(Line<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut token = None;
        let mut newest = self.start;
        loop {
            let page = self.page(token.as_deref()).await?;
            for event in page.events {
                if !self.seen.insert((event.timestamp, event.event_id)) {
                    continue;
                }
                let time = Timestamp::from_millisecond(event.timestamp)?;
                newest = newest.max(time);
                let function = function(&event.log_stream_name, self.stack);
                each(Line { function, time, text: &event.message })?;
            }
            // A page can be empty and not the last.
            match page.next_token {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => break,
            }
        }
        self.start = self.start.max(newest - LATE);
        self.seen = self.seen.split_off(&(self.start.as_millisecond(), String::new()));
        Ok(())
    }

    async fn page(&self, token: Option<&str>) -> anyhow::Result<Page> {
        let mut request = json!({
            "logGroupName": self.group,
            "startTime": self.start.as_millisecond(),
            "filterPattern": pattern(),
        });
        if let Some(token) = token {
            request["nextToken"] = token.into();
        }
        let headers = [
            (CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
            ("x-amz-target", "Logs_20140328.FilterLogEvents"),
        ];
        for _ in 0..ATTEMPTS {
            let (status, text) =
                account::post(self.config, LOGS, &headers, request.to_string()).await?;
            if status.is_success() {
                return serde_json::from_str(&text)
                    .context("CloudWatch Logs answered what cannot be read; try again later");
            }
            let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
            let kind = problem.kind.rsplit('#').next().unwrap_or_default().to_owned();
            if status.is_server_error() || kind == "ThrottlingException" {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let what =
                if problem.message.is_empty() { status.to_string() } else { problem.message };
            let advice = match kind.as_str() {
                "ResourceNotFoundException" => {
                    "deploy the stack again, which creates its log group"
                }
                "AccessDeniedException" => "allow logs:FilterLogEvents, or name another --profile",
                "UnrecognizedClientException" | "ExpiredTokenException" => {
                    "sign in again with `aws sso login`"
                }
                _ => "are region and profile right?",
            };
            bail!("CloudWatch Logs does not read {}: {}; {advice}", self.group, escaped(&what));
        }
        bail!("CloudWatch Logs is too busy; try again later, or ask for less with --since")
    }
}

/// The filter for the lines that are read ("Filter pattern syntax" in the documentation of CloudWatch
/// Logs). It does not choose a delivery: some lines of a handler name the message alone.
fn pattern() -> String {
    let terms = MESSAGES.map(|message| format!("($.message = \"{message}\")"));
    format!("{{ {} }}", terms.join(" || "))
}

/// How much later than others a line can arrive and be read all the same.
const LATE: SignedDuration = SignedDuration::from_secs(60);

const ATTEMPTS: usize = 5;

/// How long to wait when AWS is busy. An account has five such requests a second.
const PAUSE: Duration = Duration::from_secs(1);

const LOGS: Service = Service { id: "CloudWatch Logs", host: "logs", signing: "logs" };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_id: String,
    #[serde(default)]
    log_stream_name: String,
    /// In milliseconds since 1970.
    timestamp: i64,
    message: String,
}

/// What CloudWatch Logs says in place of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

/// The function that writes to a log stream, by its name in the template.
///
/// AWS Lambda's documentation, "Configuring CloudWatch log groups": in a group of several functions,
/// a stream is `2026/11/25/STACK-IssueCreatedHandler-4BF2[$LATEST]8c5…`.
fn function<'s>(stream: &'s str, stack: &str) -> &'s str {
    let name = stream.rsplit('/').next().unwrap_or(stream);
    let name = name.split('[').next().unwrap_or(name);
    let Some(rest) = name.strip_prefix(stack).and_then(|rest| rest.strip_prefix('-')) else {
        return name;
    };
    rest.split('-').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_function_as_the_template_does() {
        let rows = [
            ("2026/11/25/my-app-IssueCreatedHandler-4BF2[$LATEST]8c5", "IssueCreatedHandler"),
            ("2026/11/25/my-app-IssueCreatedHandler-4BF2[12]8c5", "IssueCreatedHandler"),
            ("2026/11/25/other[$LATEST]8c5", "other"),
            ("", ""),
        ];
        for (stream, name) in rows {
            assert_eq!(function(stream, "my-app"), name);
        }
    }
}
