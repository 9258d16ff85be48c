//! Logging: one JSON object per line, in Lambda's JSON log format.
//!
//! A line with the field `metric` also counts: it has the members of CloudWatch's embedded metric
//! format, so that CloudWatch adds one to the metric of that name, and no service has to be called.
//! [`contract::metric`] has the names.
//!
//! Metrics have to survive every log level with their true level. Lambda drops lines by their level
//! before CloudWatch sees them ("Log-level filtering" in its Developer Guide), and knows nothing of
//! metrics. So the template lets every line pass there, and the level is applied here, from
//! [`variable::LOG_LEVEL`].

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::metric::{LOG_GROUP, NAMESPACE, REASON};
use contract::variable;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::environment;

/// Sends every event to standard output, with the fields of its span as `span`.
pub(crate) fn init() {
    let level = environment::optional(variable::LOG_LEVEL);
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let group = environment::optional("AWS_LAMBDA_LOG_GROUP_NAME").unwrap_or_default();
    // A second call can only come from a test; the first subscriber serves it as well.
    let _ = tracing::subscriber::set_global_default(subscriber(level, group, std::io::stdout));
}

fn subscriber<W>(level: LevelFilter, group: String, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let passes = filter_fn(move |line| passes(line, level));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(LevelFilter::TRACE)
        .map_event_format(|lines| Metrics { lines, group })
        .with_writer(writer)
        .finish()
        .with(passes.with_max_level_hint(level.max(LevelFilter::INFO)))
}

/// Whether a line is written. The runtime's own span would add its request id and ARN to every
/// line.
fn passes(line: &Metadata<'_>, level: LevelFilter) -> bool {
    let is_of_the_runtime = line.target().starts_with("lambda_runtime");
    let level = if is_of_the_runtime { level.min(LevelFilter::WARN) } else { level };
    line.level() <= &level || line.fields().field(METRIC).is_some()
}

/// The field of a line that counts.
const METRIC: &str = "metric";

/// Adds the members of the embedded metric format to lines that count.
struct Metrics<F> {
    lines: F,
    group: String,
}

impl<S, N, F> FormatEvent<S, N> for Metrics<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut counted = Counted::default();
        event.record(&mut counted);
        let Some(name) = counted.metric else {
            return self.lines.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let members = members(&name, counted.has_reason, &self.group, now).to_string();
        let line = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(writer, "{line},{}", members.strip_prefix('{').ok_or(fmt::Error)?)
    }
}

/// What a line says about its metric.
#[derive(Default)]
struct Counted {
    metric: Option<String>,
    has_reason: bool,
}

impl Visit for Counted {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            METRIC => self.metric = Some(value.to_owned()),
            REASON => self.has_reason = true,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// "Embedded metric format specification" in the CloudWatch User Guide: the names in `_aws` are
/// members of the same object, and a reason is one word of a short list.
fn members(name: &str, has_reason: bool, group: &str, milliseconds: u64) -> serde_json::Value {
    let mut dimensions = vec![vec![LOG_GROUP]];
    if has_reason {
        dimensions.push(vec![LOG_GROUP, REASON]);
    }
    json!({
        LOG_GROUP: group,
        name: 1,
        "_aws": {
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};

    use contract::metric::{DUPLICATES, REJECTED};
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Printed(Arc<Mutex<Vec<u8>>>);

    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn printed(level: LevelFilter, log: impl FnOnce()) -> Vec<Value> {
        let printed = Printed::default();
        let writer = printed.clone();
        let subscriber = subscriber(level, "hooks-Logs".into(), move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = printed.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn counts_in_the_line_itself_by_names_that_are_in_it() {
        let lines = printed(LevelFilter::INFO, || {
            tracing::info!(metric = DUPLICATES, delivery.id = "a", "duplicate delivery skipped");
            tracing::warn!(metric = REJECTED, reason = "qsh", "request rejected");
            tracing::info!("tenant recorded");
        });
        let [skipped, rejected, recorded] = &lines[..] else { panic!("{lines:#?}") };
        assert_eq!(
            (&skipped["level"], &skipped["message"]),
            (&"INFO".into(), &"duplicate delivery skipped".into())
        );
        assert_eq!((&skipped["delivery.id"], &skipped[DUPLICATES]), (&"a".into(), &1.into()));
        assert_eq!(rejected["level"], "WARN");
        assert!(recorded.get("_aws").is_none() && recorded.get(LOG_GROUP).is_none(), "{recorded}");
        for (line, sets) in [(skipped, 1), (rejected, 2)] {
            let now = line["_aws"]["Timestamp"].as_u64().unwrap();
            assert!((1_700_000_000_000..4_000_000_000_000).contains(&now), "milliseconds: {now}");
            let described = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(line[described["Metrics"][0]["Name"].as_str().unwrap()], 1);
            let dimensions = described["Dimensions"].as_array().unwrap();
            assert_eq!(dimensions.len(), sets);
            for dimension in dimensions.iter().flat_map(|set| set.as_array().unwrap()) {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}: {line}");
            }
        }
    }

    #[test]
    fn metrics_survive_every_level_and_nothing_else_does() {
        for level in [LevelFilter::DEBUG, LevelFilter::INFO, LevelFilter::WARN, LevelFilter::ERROR]
        {
            let lines = printed(level, || {
                tracing::info!(metric = DUPLICATES, "duplicate delivery skipped");
                tracing::info!("delivery handled");
                tracing::error!("delivery failed");
            });
            let said: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
            let handled = (level >= LevelFilter::INFO).then_some("delivery handled");
            let wanted: Vec<_> = ["duplicate delivery skipped"]
                .into_iter()
                .chain(handled)
                .chain(["delivery failed"])
                .collect();
            assert_eq!(said, wanted, "{level}");
        }
    }
}
