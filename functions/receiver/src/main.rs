//! Lambda: one declared URL.

use std::process::ExitCode;
use std::time::Duration;

use connect::tenant::ClientKey;
use gateway::{BaseUrl, Call};
use jiff::Timestamp;
use lambda::environment::{optional, parsed, required};
use lambda_http::{Request, service_fn};
use receiver::{Declared, Queue, receive};
use tenants::{Find, Table};

fn main() -> ExitCode {
    lambda::start(async {
        let declared: Declared = parsed(Declared::VARIABLE)?;
        let aws = lambda::aws::config()?;
        let table = Table::new(aws_sdk_dynamodb::Client::new(&aws), required(Table::VARIABLE)?);
        let queue = Queue::new(aws_sdk_sqs::Client::new(&aws), required(Queue::VARIABLE)?);
        let base_url = optional(BaseUrl::VARIABLE);
        warm_up(&table, &queue).await;

        lambda_http::run(service_fn(async |request: Request| {
            let call = Call::new(request, base_url.as_deref());
            let path = call.path.clone();
            let received = receive(call, &declared, &table, &queue, Timestamp::now()).await;
            Ok::<_, lambda::Error>(gateway::answer(&path, received.map(|()| gateway::done())))
        }))
        .await
    })
}

/// Opens both connections while Lambda still gives the start its burst of CPU: a handshake costs ten
/// times as long in the first invocation. A failure here is one that the invocation reports better.
async fn warm_up(table: &Table, queue: &Queue) {
    let nobody = ClientKey::new("warm-up").expect("a plain word");
    let both = async { tokio::join!(table.find(&nobody), queue.warm_up()) };
    let _ = tokio::time::timeout(Duration::from_secs(1), both).await;
}
