//! What the functions of the tests' app log.

use serde_json::Value;

/// A line of log, by its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Logged {
    DeliveryQueued,
    DeliveryHandled,
    DeliveryFailed,
    DeliveryDeadLettered,
    DeliveryDuplicate,
    DeliveryUntyped,
    DeliveryPartlyTyped,
    RequestRejected,
    RequestFailed,
    InstallRejected,
    Metric,
    CouldNotStart,
    /// Of the tests' own handler, before it does what its script says.
    ScriptBegun,
    /// Of the tests' own handler, after a script that succeeded.
    ScriptDone,
    IssueCreated,
    IssueChanged,
    PageCreated,
}

impl Logged {
    /// What the framework logs, and the crate that does.
    const BY_FRAMEWORK: [(Self, &str); 12] = [
        (Self::DeliveryQueued, "receiver"),
        (Self::DeliveryHandled, "handler"),
        (Self::DeliveryFailed, "handler"),
        (Self::DeliveryDeadLettered, "handler"),
        (Self::DeliveryDuplicate, "handler"),
        (Self::DeliveryUntyped, "handler"),
        (Self::DeliveryPartlyTyped, "handler"),
        (Self::RequestRejected, "gateway"),
        (Self::RequestFailed, "gateway"),
        (Self::InstallRejected, "lifecycle"),
        (Self::Metric, "runtime"),
        (Self::CouldNotStart, "runtime"),
    ];

    /// Whether a line is such a line.
    pub(crate) fn is(self, line: &Value) -> bool {
        match self {
            Self::Metric => line.get("_aws").is_some(),
            _ => line["message"] == self.message(),
        }
    }

    /// The field `message`.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::DeliveryQueued => "delivery queued",
            Self::DeliveryHandled => "delivery handled",
            Self::DeliveryFailed => "delivery failed",
            Self::DeliveryDeadLettered => "delivery dead-lettered",
            Self::DeliveryDuplicate => "duplicate delivery skipped",
            Self::DeliveryUntyped => "delivery untyped",
            Self::DeliveryPartlyTyped => "delivery partly typed",
            Self::RequestRejected => "request rejected",
            Self::RequestFailed => "request failed",
            Self::InstallRejected => "install rejected",
            // A field and no message: it is in lines that say something else.
            Self::Metric => "metric",
            Self::CouldNotStart => "the function could not start",
            Self::ScriptBegun => "script begun",
            Self::ScriptDone => "script done",
            Self::IssueCreated => "issue created",
            Self::IssueChanged => "issue changed",
            Self::PageCreated => "page created",
        }
    }
}

/// A test that expects no line of a message cannot fail once the message is renamed.
#[test]
fn every_message_is_logged_by_its_crate() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/crates");
    for (logged, name) in Logged::BY_FRAMEWORK {
        let literal = format!("\"{}\"", logged.message());
        let files = std::fs::read_dir(format!("{crates}/{name}/src")).unwrap();
        let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
        let mut sources = files.map(|file| std::fs::read_to_string(file).unwrap());
        assert!(sources.any(|source| source.contains(&literal)), "{name} does not log {literal}");
    }
}
