//! The function that serves the app descriptor.

use std::process::ExitCode;

use atlassian_connect::descriptor::Descriptor;
use contract::variable;
use runtime::environment::optional;

/// Serves a descriptor, the content of `infra/atlassian-connect.json`, with the base URL of the
/// request. The descriptor is part of the binary: it would not fit an environment variable, and a
/// deployment changes both or neither.
pub fn run(descriptor: &'static str) -> ExitCode {
    runtime::start(async {
        let descriptor = Descriptor::parse(descriptor).map_err(|error| {
            format!(
                "infra/atlassian-connect.json is not a descriptor: {error}; run `cargo hooks check`"
            )
        })?;
        let configured = optional(variable::BASE_URL);

        gateway::run(configured, async |call| {
            Ok(gateway::json(descriptor.served(call.base_url.as_str()).to_string()))
        })
        .await
    })
}
