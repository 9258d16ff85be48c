//! The lifecycle function: records who installs and uninstalls the app.

use std::process::ExitCode;

use atlassian_connect::descriptor::Lifecycle;
use gateway::BaseUrl;
use jiff::Timestamp;
use lifecycle::install_keys::InstallKeys;
use lifecycle::{App, receive};
use runtime::environment::{optional, required};
use tenants::{Secrets, Table};

/// Runs the function until Lambda stops it. The template sets its environment variables.
pub fn run() -> ExitCode {
    runtime::start(async {
        let lifecycle: Lifecycle = serde_json::from_str(&required(App::LIFECYCLE)?)?;
        let listed = |list: &str| -> Vec<String> {
            list.split(',').map(|item| item.trim().to_owned()).filter(|i| !i.is_empty()).collect()
        };
        let app = App {
            key: required(App::KEY)?,
            lifecycle,
            tenant_hosts: listed(&required(App::TENANT_HOSTS)?),
            other_base_urls: listed(&optional(App::OTHER_BASE_URLS).unwrap_or_default()),
        };
        let aws = runtime::aws::config()?;
        let secrets = Secrets::new(&aws, optional(Secrets::KEY), &app.key);
        let table = Table::new(&aws, required(Table::VARIABLE)?, secrets);
        table.warm_up().await;
        let keys = InstallKeys::new(&required(InstallKeys::VARIABLE)?);
        let base_url = optional(BaseUrl::VARIABLE);

        gateway::run(base_url, async |call| {
            let recorded = receive(call, &app, &keys, &table, Timestamp::now()).await;
            recorded.map(|()| gateway::done())
        })
        .await
    })
}
