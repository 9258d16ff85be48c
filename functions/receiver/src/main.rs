//! Lambda: one declared URL.

use std::process::ExitCode;

use bodies::Bodies;
use gateway::BaseUrl;
use jiff::Timestamp;
use lambda::environment::{optional, parsed, required};
use receiver::{Declared, Queue, receive};
use tenants::lifecycle::App;
use tenants::{Cached, Secrets, Table};

fn main() -> ExitCode {
    lambda::start(async {
        let declared: Declared = parsed(Declared::VARIABLE)?;
        let aws = lambda::aws::config()?;
        let secrets = Secrets::new(&aws, optional(Secrets::KEY), required(App::KEY)?);
        let table = Table::new(&aws, required(Table::VARIABLE)?, secrets);
        let queue = Queue::new(aws_sdk_sqs::Client::new(&aws), required(Queue::VARIABLE)?);
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
