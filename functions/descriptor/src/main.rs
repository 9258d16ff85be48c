//! Lambda: `GET /atlassian-connect.json`.

use std::process::ExitCode;

use gateway::BaseUrl;
use lambda::environment::optional;

fn main() -> ExitCode {
    lambda::start(async {
        let descriptor = descriptor::embedded()?;
        let configured = optional(BaseUrl::VARIABLE);

        gateway::run(configured, async |call| {
            Ok(gateway::json(descriptor.served(call.base_url.as_str()).to_string()))
        })
        .await
    })
}
