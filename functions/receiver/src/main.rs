//! Lambda: one declared URL.

use std::process::ExitCode;

use gateway::{BaseUrl, Call};
use jiff::Timestamp;
use lambda::environment::{optional, parsed, required};
use lambda_http::{Request, service_fn};
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
        let base_url = optional(BaseUrl::VARIABLE);
        tokio::join!(table.warm_up(), queue.warm_up());
        let tenants = Cached::new(table);

        lambda_http::run(service_fn(async |request: Request| {
            let call = Call::new(request, base_url.as_deref());
            let path = call.path.clone();
            let received = receive(call, &declared, &tenants, &queue, Timestamp::now()).await;
            Ok::<_, lambda::Error>(gateway::answer(&path, received.map(|()| gateway::done())))
        }))
        .await
    })
}
