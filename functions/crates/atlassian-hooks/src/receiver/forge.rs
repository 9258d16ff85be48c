//! The receiver function of one endpoint of a Forge app: verifies events and queues them.

use std::process::ExitCode;

use contract::variable;
use jiff::Timestamp;
use receiver::Queue;
use receiver::forge::{Endpoint, ForgeKeys, KeyServer, receive};
use runtime::environment::{parsed, required};

/// Runs the function until Lambda stops it. The template sets its environment variables.
pub fn run() -> ExitCode {
    runtime::start(async {
        let endpoint: Endpoint = parsed(variable::ENDPOINT)?;
        let keys = ForgeKeys::new(KeyServer::new(required(variable::KEY_SET_URL)?));
        let aws = runtime::aws::config()?;
        // Without a bucket: Forge delivers no event of more than 200 KB.
        let queue = Queue::from_environment(&aws)?;
        tokio::join!(keys.warm_up(Timestamp::now()), queue.warm_up());

        gateway::run(None, async |call| {
            let received = receive(call, &endpoint, &keys, &queue, Timestamp::now()).await;
            // Forge expects a JSON document.
            received.map(|()| gateway::json("{}".to_owned()))
        })
        .await
    })
}
