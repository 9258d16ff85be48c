//! The receiver function of one declared URL: verifies webhooks and queues them.

use std::process::ExitCode;

use claim_check::Bodies;
use gateway::BaseUrl;
use jiff::Timestamp;
use lifecycle::App;
use receiver::{Declared, Queue, receive};
use runtime::environment::{optional, parsed, required};
use tenants::{Cached, Secrets, Table};

/// Runs the function until Lambda stops it. The template sets its environment variables.
pub fn run() -> ExitCode {
    runtime::start(async {
        let declared: Declared = parsed(Declared::VARIABLE)?;
        let aws = runtime::aws::config()?;
        let secrets = Secrets::new(&aws, optional(Secrets::KEY), required(App::KEY)?);
        let table = Table::new(&aws, required(Table::VARIABLE)?, secrets);
        let queue = Queue::from_environment(&aws)?;
        let queue = queue.with(Bodies::from_environment(&aws));
        let base_url = optional(BaseUrl::VARIABLE);
        tokio::join!(table.warm_up(), queue.warm_up());
        let tenants = Cached::new(table);

        gateway::run(base_url, async |call| {
            let received = receive(call, &declared, &tenants, &queue, Timestamp::now()).await;
            received.map(|()| gateway::done())
        })
        .await
    })
}
