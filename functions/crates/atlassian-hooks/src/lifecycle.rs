//! The lifecycle function: records who installs and uninstalls the app, and tells a handler and the
//! server that the app ran on before.

use std::process::ExitCode;

use atlassian_connect::descriptor::Lifecycle;
use contract::variable;
use jiff::Timestamp;
use lifecycle::install_keys::InstallKeys;
use lifecycle::{App, receive};
use receiver::Queue;
use runtime::environment::{listed, optional, parsed, required};
use tenants::{Secrets, Table};

/// Runs the function until Lambda stops it. The template sets its environment variables.
pub fn run() -> ExitCode {
    runtime::start(async {
        let lifecycle: Lifecycle = serde_json::from_str(&required(variable::LIFECYCLE)?)?;
        let app = App {
            key: required(variable::APP_KEY)?,
            lifecycle,
            tenant_hosts: listed(&required(variable::TENANT_HOSTS)?),
            other_base_urls: listed(&optional(variable::OTHER_BASE_URLS).unwrap_or_default()),
            // Only an app that moves has one.
            existing_server: optional(variable::EXISTING_SERVER)
                .map(|_| parsed(variable::EXISTING_SERVER))
                .transpose()?,
        };
        let aws = runtime::aws::config()?;
        let secrets = Secrets::new(&aws, optional(variable::TENANTS_KEY), &app.key);
        let table = Table::new(&aws, required(variable::TENANTS_TABLE)?, secrets);
        // Only an app with a handler for lifecycle callbacks has one.
        let queue =
            optional(variable::QUEUE_URL).map(|_| Queue::from_environment(&aws)).transpose()?;
        let warm_up = async {
            if let Some(queue) = &queue {
                queue.warm_up().await;
            }
        };
        tokio::join!(table.warm_up(), warm_up);
        let keys = InstallKeys::new(&required(variable::INSTALL_KEYS_URL)?);
        let base_url = optional(variable::BASE_URL);

        gateway::run(base_url, async |call| {
            let queue = queue.as_ref();
            let recorded = receive(call, &app, &keys, &table, queue, Timestamp::now()).await;
            recorded.map(|()| gateway::done())
        })
        .await
    })
}
