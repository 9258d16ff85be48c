//! Logging: one JSON object per line, in Lambda's JSON log format.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::environment;

/// Sends every event to standard output, with the fields of its span as `span`.
///
/// Lambda's documentation, "Advanced logging controls": the template sets `AWS_LAMBDA_LOG_LEVEL`,
/// and Lambda filters lines by their `level`.
pub(crate) fn init() {
    let level = environment::optional("AWS_LAMBDA_LOG_LEVEL");
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .finish()
        // The runtime's own span would add its request id and ARN to every line.
        .with(Targets::new().with_default(level).with_target("lambda_runtime", LevelFilter::WARN));
    // A second call can only come from a test; the first subscriber serves it as well.
    let _ = tracing::subscriber::set_global_default(logs);
}
