//! Events that invoke functions: routes of the HTTP API and event sources.

use std::time::Duration;

use serde_json::{Map, Value};

use super::properties::{Properties, known_keys};
use super::resources::Resource;
use super::{API_ID, Deployment, Function, unsupported};
use sam_template::{Resolver, TemplateError};

/// A route of the HTTP API: an event of type `HttpApi`, or a path of the API's definition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The method in capitals, or `ANY`.
    pub method: String,
    /// The path, with `{name}` for one segment and `{name+}` for all that follow, or
    /// [`Route::DEFAULT`].
    pub path: String,
    /// What answers its requests.
    pub integration: Integration,
    /// How long the API waits for the response.
    pub timeout: Duration,
}

impl Route {
    /// The path of the route for requests that no other route fits.
    pub const DEFAULT: &str = "$default";

    /// How long an HTTP API waits at most, which is also its default, in milliseconds.
    pub(super) const MAX_TIMEOUT: u64 = 30_000;
}

/// What answers the requests of a route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Integration {
    /// A function, by its logical id.
    Function(String),
    /// A server that gets the request as it is, by its origin: scheme, host and port.
    Server(String),
}

/// A queue that a function is invoked from: an event of type `SQS`.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The logical id of the function.
    pub function: String,
    /// The logical id of the queue.
    pub queue: String,
    /// The maximum number of messages in one invocation.
    pub batch_size: usize,
    /// How long to wait for a batch to fill after its first message.
    pub batching_window: Duration,
    /// Whether the function reports which messages of a batch failed.
    pub reports_batch_item_failures: bool,
    /// The maximum number of concurrent invocations.
    pub maximum_concurrency: Option<usize>,
    /// Whether the queue is read at all.
    pub enabled: bool,
}

impl Deployment {
    /// Adds the events of a function: routes and event sources.
    ///
    /// The queues have been read, because events refer to them.
    pub(super) fn add_events(
        &mut self,
        resource: &Resource<'_>,
        function: &Function,
        events: Map<String, Value>,
        resolver: &Resolver,
    ) -> Result<(), TemplateError> {
        for (name, event) in events {
            let place = format!("{}.Events.{name}", resource.place);
            known_keys(&place, &event, &["Type", "Properties"])?;
            let values = event.get("Properties").and_then(Value::as_object).cloned();
            let values = values.unwrap_or_default();
            let place = format!("{place}.Properties");
            match event.get("Type").and_then(Value::as_str) {
                Some("HttpApi") => {
                    let event = Properties::new(&place, "an HttpApi event", values, resolver);
                    self.add_route(event, function)?;
                }
                Some("SQS") => {
                    let event = Properties::new(&place, "an SQS event", values, resolver);
                    self.add_event_source(event, function)?;
                }
                Some(kind) if unsupported::EVENT_TYPES.contains(&kind) => {
                    self.skipped.push(format!("{} of {} ({kind})", name, function.logical_id));
                }
                _ => {
                    let problem = "this is no type of an event that SAM knows; correct it";
                    return Err(TemplateError::refused(place, problem));
                }
            }
        }
        Ok(())
    }

    fn add_route(
        &mut self,
        mut event: Properties<'_>,
        function: &Function,
    ) -> Result<(), TemplateError> {
        let method = event.required("Method")?.to_ascii_uppercase();
        let method = if method == "*" { "ANY".to_owned() } else { method };
        let path = event.required("Path")?;
        if !path.starts_with('/') {
            return Err(event.refused("Path", "a path starts with `/`"));
        }
        if path.split_once("+}").is_some_and(|(_, rest)| !rest.is_empty()) {
            return Err(event.refused("Path", "nothing can follow a `{name+}`"));
        }
        let timeout = event.whole("TimeoutInMillis", 50..=Route::MAX_TIMEOUT)?;
        if event.text("PayloadFormatVersion")?.is_some_and(|version| version != "2.0") {
            return Err(event.refused("PayloadFormatVersion", "the local stack speaks 2.0 only"));
        }
        if let Some(api) = event.text("ApiId")?
            && api != API_ID
        {
            let problem = format!("`{api}` is not an HttpApi of this template: use `!Ref`");
            return Err(event.refused("ApiId", &problem));
        }
        event.skip(&["RouteSettings"]);
        if let Some(other) =
            self.routes.iter().find(|route| route.method == method && route.path == path)
        {
            let other = match &other.integration {
                Integration::Function(other) | Integration::Server(other) => other,
            };
            let problem = format!("`{method} {path}` leads to {other} already");
            return Err(event.refused("Path", &problem));
        }
        event.finish()?;
        self.routes.push(Route {
            method,
            path,
            integration: Integration::Function(function.logical_id.clone()),
            timeout: Duration::from_millis(timeout.unwrap_or(Route::MAX_TIMEOUT)),
        });
        Ok(())
    }

    fn add_event_source(
        &mut self,
        mut event: Properties<'_>,
        function: &Function,
    ) -> Result<(), TemplateError> {
        let arn = event.required("Queue")?;
        let Some((queue_id, queue)) = self.queues.iter().find(|(_, queue)| queue.arn == arn) else {
            let problem = format!("`{arn}` is not the ARN of a queue of this template");
            return Err(event.refused("Queue", &problem));
        };
        let visibility = queue.attributes.get("VisibilityTimeout").and_then(|s| s.parse().ok());
        if Duration::from_secs(visibility.unwrap_or(30)) < function.timeout {
            let problem = format!(
                "Lambda refuses a queue whose visibility timeout is shorter than the function's \
                 timeout, {} s: raise VisibilityTimeout of {queue_id}",
                function.timeout.as_secs()
            );
            return Err(event.refused("Queue", &problem));
        }
        let batch_size = event.whole("BatchSize", 1..=10_000)?.unwrap_or(10);
        let window = event.whole("MaximumBatchingWindowInSeconds", 0..=300)?.unwrap_or(0);
        if batch_size > 10 && window == 0 {
            let problem = "more than 10 needs a MaximumBatchingWindowInSeconds of 1 or more";
            return Err(event.refused("BatchSize", problem));
        }
        let response_types = event.value("FunctionResponseTypes")?;
        let reports_batch_item_failures = match &response_types {
            None => false,
            Some(Value::Array(types)) if types.as_slice() == ["ReportBatchItemFailures"] => true,
            Some(_) => {
                let problem = "the only type of response is [ReportBatchItemFailures]";
                return Err(event.refused("FunctionResponseTypes", problem));
            }
        };
        let maximum_concurrency = match event.nested("ScalingConfig", "ScalingConfig")? {
            None => None,
            Some(mut scaling) => {
                let maximum = scaling.whole("MaximumConcurrency", 2..=1_000)?;
                scaling.finish()?;
                maximum.and_then(|maximum| usize::try_from(maximum).ok())
            }
        };
        let source = EventSource {
            function: function.logical_id.clone(),
            queue: queue_id.clone(),
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            batching_window: Duration::from_secs(window),
            reports_batch_item_failures,
            maximum_concurrency,
            enabled: event.flag("Enabled")?.unwrap_or(true),
        };
        event.finish()?;
        self.event_sources.push(source);
        Ok(())
    }
}
