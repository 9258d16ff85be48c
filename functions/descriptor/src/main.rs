//! Lambda: `GET /atlassian-connect.json`.

use std::process::ExitCode;

use gateway::BaseUrl;
use lambda::environment::optional;
use lambda_http::{Request, service_fn};

fn main() -> ExitCode {
    lambda::start(async {
        let descriptor = descriptor::embedded()?;
        let configured = optional(BaseUrl::VARIABLE);

        lambda_http::run(service_fn(async |request: Request| {
            let base_url = BaseUrl::of(&request, configured.as_deref());
            Ok::<_, lambda::Error>(descriptor.served(base_url.as_str()))
        }))
        .await
    })
}
