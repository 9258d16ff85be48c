//! A stack that was really deployed: `sam deploy`, then this. It is the repository's own app.
//!
//! Runs where `HOOKS_DEPLOYED` is the base URL of a stack, `HOOKS_STACK` its name, and
//! `HOOKS_ATLASSIAN` the address that its parameters `InstallKeysUrl` and `AtlassianUrl` name. A stack that trusts
//! Atlassian's own keys cannot be tested so, which is as it should be.

use std::net::SocketAddr;
use std::time::Duration;

use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_simulator::samples::sample;
use atlassian_simulator::{Atlassian, InstallKey, Site, Webhook};
use aws_sdk_sqs::types::QueueAttributeName;
use runtime::environment::required;

/// How long a delivery may take to its handler, with the start of its process.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
#[ignore = "needs a deployed stack, whose base URL is HOOKS_DEPLOYED"]
async fn a_deployed_stack_handles_only_signed_events() {
    let base_url = required("HOOKS_DEPLOYED").unwrap();
    let stack = required("HOOKS_STACK").unwrap();
    let address: SocketAddr = required("HOOKS_ATLASSIAN").unwrap().parse().unwrap();
    let descriptor = cargo_hooks::app::App::find().unwrap().descriptor().unwrap();
    let atlassian = Atlassian::start_on(address, InstallKey::generate().unwrap()).await.unwrap();
    let queues = Queues::of(&stack);

    let served = atlassian.client().get(format!("{base_url}/atlassian-connect.json"));
    let served = served.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
    assert!(served.contains(&format!("\"baseUrl\":\"{base_url}\"")), "{served}");

    for webhook in &descriptor.modules.webhooks {
        let product = *webhook.event.products().first().unwrap_or(&Product::Jira);
        // A site of its own for each: a call by the app is known by its host.
        let site = Site::new(product, &webhook.handler());
        let send = async |site: &Site| {
            let body = sample(product, &webhook.event).unwrap().into();
            let url = &webhook.url;
            let webhook = Webhook { base_url: &base_url, url, body, identifier: None };
            atlassian.send(webhook, site).await.unwrap().status.as_u16()
        };
        assert_eq!(send(&site).await, 401, "{} of a site that is not installed", webhook.event);

        let installed = descriptor.lifecycle.installed.as_deref().unwrap();
        let answer =
            atlassian.call_back(Callback::Installed, &descriptor.key, &base_url, installed, &site);
        let answer = answer.await.unwrap();
        assert!(answer.status.is_success(), "the install: {} {}", answer.status, answer.body);

        assert_eq!(
            send(&site.with_new_secret()).await,
            401,
            "{} with a forged signature",
            webhook.event
        );
        assert_eq!(send(&site).await, 204, "{}", webhook.event);
        let handled = async {
            let mut poll = tokio::time::interval(Duration::from_millis(200));
            while queues.depth(&webhook.handler()).await > 0 {
                poll.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, handled).await.expect("the handler empties its queue");
        let dead = queues.depth(&format!("{}-dead", webhook.handler())).await;
        assert_eq!(dead, 0, "dead letters of {}", webhook.handler());
    }
}

/// The queues of a deployed stack.
struct Queues {
    client: aws_sdk_sqs::Client,
    stack: String,
}

impl Queues {
    /// With region, credentials and endpoint from the environment, as a function finds them.
    fn of(stack: &str) -> Self {
        let client = aws_sdk_sqs::Client::new(&runtime::aws::config().unwrap());
        Self { client, stack: stack.into() }
    }

    /// How many messages a queue holds, in flight and delayed included.
    async fn depth(&self, queue: &str) -> u32 {
        let name = format!("{}-{queue}", self.stack);
        let url = self.client.get_queue_url().queue_name(name).send().await.unwrap().queue_url;
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().set_queue_url(url);
        let attributes = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = attributes.attributes.unwrap();
        names.iter().map(|name| attributes[name].parse::<u32>().unwrap()).sum()
    }
}
