//! Lambda: `/installed`, `/uninstalled`, `/enabled`, `/disabled`.

use std::process::ExitCode;

use connect::descriptor::Lifecycle;
use gateway::{BaseUrl, Call};
use jiff::Timestamp;
use lambda::environment::{optional, required};
use lambda_http::{Request, service_fn};
use tenants::install_keys::InstallKeys;
use tenants::lifecycle::{App, receive};
use tenants::{Secrets, Table};

fn main() -> ExitCode {
    lambda::start(async {
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
        let aws = lambda::aws::config()?;
        let secrets = Secrets::new(&aws, optional(Secrets::KEY), &app.key);
        let table = Table::new(&aws, required(Table::VARIABLE)?, secrets);
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
