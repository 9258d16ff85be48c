//! Lambda: `/installed`, `/uninstalled`, `/enabled`, `/disabled`.

use std::process::ExitCode;

use connect::descriptor::Lifecycle;
use gateway::{BaseUrl, Call};
use jiff::Timestamp;
use lambda::environment::{optional, required};
use lambda_http::{Request, service_fn};
use tenants::Table;
use tenants::install_keys::InstallKeys;
use tenants::lifecycle::{App, receive};

fn main() -> ExitCode {
    lambda::start(async {
        let lifecycle: Lifecycle = serde_json::from_str(&required(App::LIFECYCLE)?)?;
        let tenant_hosts = required(App::TENANT_HOSTS)?;
        let app = App {
            key: required(App::KEY)?,
            lifecycle,
            tenant_hosts: tenant_hosts.split(',').map(|host| host.trim().to_owned()).collect(),
        };
        let client = aws_sdk_dynamodb::Client::new(&lambda::aws::config()?);
        let table = Table::new(client, required(Table::VARIABLE)?);
        table.warm_up().await;
        let keys = InstallKeys::new(&required(InstallKeys::VARIABLE)?);
        let base_url = optional(BaseUrl::VARIABLE);

        lambda_http::run(service_fn(async |request: Request| {
            let call = Call::new(request, base_url.as_deref());
            let path = call.path.clone();
            let recorded = receive(call, &app, &keys, &table, Timestamp::now()).await;
            Ok::<_, lambda::Error>(gateway::answer(&path, recorded.map(|()| gateway::done())))
        }))
        .await
    })
}
