//! The floor of a handler: a function that reads the records of a batch, and does nothing with them.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        drop(event.payload.records);
        Ok::<_, Error>(SqsBatchResponse::default())
    }))
    .await
}
