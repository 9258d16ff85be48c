//! A realistic body for an event, to be sent where no other is at hand.

use connect::event::EventName;

/// Events and their bodies, from `tests/fixtures`.
const SAMPLES: [(&str, &str); 2] = [
    ("jira:issue_created", include_str!("../../tests/fixtures/jira/jira_issue_created.json")),
    ("page_created", include_str!("../../tests/fixtures/confluence/page_created.json")),
];

/// The sample of an event; `None` for one that has none yet.
pub fn sample(event: &EventName) -> Option<&'static str> {
    SAMPLES.iter().find(|(name, _)| *name == event.as_str()).map(|(_, body)| *body)
}
