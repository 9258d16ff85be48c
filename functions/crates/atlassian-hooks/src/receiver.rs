//! The receiver function of one declared URL: verifies webhooks and queues them.
//!
//! [`run`] serves a webhook of a Connect app, [`forge::run`] an endpoint of a Forge app, and
//! [`signed::run`] a webhook that an administrator or an OAuth 2.0 app registered.

pub mod forge;
pub mod signed;

use std::process::ExitCode;

use claim_check::ObjectStore;
use contract::variable;
use jiff::Timestamp;
use receiver::{Declared, Queue, receive};
use runtime::environment::{optional, parsed, required};
use tenants::{Cached, Secrets, Table};

/// Runs the function until Lambda stops it. The template sets its environment variables.
pub fn run() -> ExitCode {
    runtime::start(async {
        let declared: Declared = parsed(variable::WEBHOOKS)?;
        let aws = runtime::aws::config()?;
        let secrets =
            Secrets::new(&aws, optional(variable::TENANTS_KEY), required(variable::APP_KEY)?);
        let table = Table::new(&aws, required(variable::TENANTS_TABLE)?, secrets);
        let queue = Queue::from_environment(&aws)?;
        let queue = queue.with_object_store(ObjectStore::from_environment(&aws));
        let base_url = optional(variable::BASE_URL);
        tokio::join!(table.warm_up(), queue.warm_up());
        let tenants = Cached::new(table);

        gateway::run(base_url, async |call| {
            let received = receive(call, &declared, &tenants, &queue, Timestamp::now()).await;
            received.map(|()| gateway::done())
        })
        .await
    })
}
