//! The handler of the webhook inspector: logs every event that a site sends.

use std::process::ExitCode;

use atlassian_connect::delivery::Delivery;
use atlassian_connect::event::Reading;
use contract::variable;
use handler::Error;
use runtime::environment::optional;
use serde_json::{Map, Value};

/// Runs the function until Lambda stops it.
///
/// Each event is a log line with its tenant, how its body was read, and the body. A body contains what
/// users wrote and who they are. So only its shape is logged, with the type of each value in its place,
/// unless the variable `SHOW_BODIES` is `true`. The parameter `ShowBodies` of a template written with
/// `--inspector` sets it.
pub fn run() -> ExitCode {
    let shows = optional(variable::SHOW_BODIES).is_some_and(|shows| shows == "true");
    handler::run(move |delivery: Delivery| async move {
        log(&delivery, shows);
        Ok::<(), Error>(())
    })
}

fn log(delivery: &Delivery, shows: bool) {
    let body = delivery.payload.as_str();
    let shown = if shows { body.to_owned() } else { shape_of(body) };
    // CloudWatch takes 256 KB a line, and JSON escapes what is in it.
    let end = (0..=shown.len().min(MAX_SHOWN)).rev().find(|&end| shown.is_char_boundary(end));
    tracing::info!(
        event = %delivery.event,
        product = %delivery.product,
        tenant.key = %delivery.tenant,
        reading = Reading::of(delivery.product, &delivery.event, &delivery.payload).as_str(),
        bytes = body.len(),
        body = &shown[..end.unwrap_or_default()],
        "event inspected"
    );
}

/// The most bytes of a body in a line.
const MAX_SHOWN: usize = 100 * 1024;

/// A body with the type of each value in its place. What is not JSON has no shape.
fn shape_of(body: &str) -> String {
    serde_json::from_str(body).map_or_else(|_| String::new(), |body| redacted(body).to_string())
}

fn redacted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, redacted(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(redacted).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Null => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_shape_and_no_value() {
        let body = r#"{"a":[{"b":"Mia","c":1.5},true,null],"d":{}}"#;
        let shape = r#"{"a":[{"b":"text","c":"number"},"boolean",null],"d":{}}"#;
        assert_eq!(shape_of(body), shape);
        assert_eq!(shape_of("Mia"), "");
    }
}
