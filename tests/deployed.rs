//! A stack that was really deployed: `sam deploy`, then this. It is the app of this checkout.
//!
//! Runs where `HOOKS_DEPLOYED` is the base URL of a stack, `HOOKS_STACK` its name, and
//! `HOOKS_ATLASSIAN` the address that its parameters `InstallKeysUrl` and `AtlassianUrl` name. A stack that trusts
//! Atlassian's own keys cannot be tested so, which is as it should be.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use atlassian_connect::descriptor::{Descriptor, Webhook as Declared};
use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use atlassian_simulator::samples::fresh;
use atlassian_simulator::{Atlassian, Caller, InstallKey, Site, Webhook};
use aws_sdk_sqs::types::QueueAttributeName;
use cargo_hooks::app::App;
use jiff::Timestamp;
use runtime::environment::required;
use serde_json::Value;

/// How long a delivery may take to its handler, with the start of its process.
const PATIENCE: Duration = Duration::from_secs(60);

/// The app of this repository, whose handler `issue-updated` comments on the issue of the sample.
const OWN_APP: &str = "com.example.atlassian-hooks";

#[tokio::test]
#[ignore = "needs a deployed stack, whose base URL is HOOKS_DEPLOYED"]
async fn a_deployed_stack_handles_only_signed_events() {
    let deployed = Deployed::from_env().await;
    let base_url = &deployed.base_url;

    let served = deployed.atlassian.client().get(format!("{base_url}/atlassian-connect.json"));
    let served = served.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
    assert!(served.contains(&format!("\"baseUrl\":\"{base_url}\"")), "{served}");

    for webhook in &deployed.descriptor.modules.webhooks {
        // A host of its own, by which the simulator knows who is called.
        let site = Site::new(product(webhook), &format!("demo-{}", uuid::Uuid::new_v4().simple()));
        let status = deployed.send(webhook, &site).await.0;
        assert_eq!(status, 401, "{} of a site that is not installed", webhook.event);
        deployed.install(&site).await;
        let status = deployed.send(webhook, &site.with_new_secret()).await.0;
        assert_eq!(status, 401, "{} with a forged signature", webhook.event);
        deployed.handles(webhook, &site).await;
    }
}

/// Runs where `HOOKS_TENANTS` is a file that `cargo hooks tenants export --with-secrets` has written.
#[tokio::test]
#[ignore = "needs a deployed stack with tenants, which are in the file HOOKS_TENANTS"]
async fn a_deployed_stack_knows_its_tenants() {
    let deployed = Deployed::from_env().await;
    let exported = std::fs::read_to_string(required("HOOKS_TENANTS").unwrap()).unwrap();
    let tenants: Vec<Site> = exported.lines().map(tenant).collect();
    for webhook in &deployed.descriptor.modules.webhooks {
        let product = product(webhook);
        let site = tenants.iter().find(|tenant| tenant.product == product);
        let site = site.unwrap_or_else(|| panic!("HOOKS_TENANTS has no tenant of {product}"));
        deployed.atlassian.has_installed(&deployed.descriptor.key, site);
        deployed.handles(webhook, site).await;
    }
}

/// A product that sends a webhook.
fn product(webhook: &Declared) -> Product {
    *webhook.event.products().first().unwrap_or(&Product::Jira)
}

/// A site from a line of an export.
fn tenant(line: &str) -> Site {
    let line: HashMap<String, Value> = serde_json::from_str(line).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    Site {
        product: serde_json::from_value(line["productType"].clone()).unwrap(),
        client_key: ClientKey::new(text("clientKey")).unwrap(),
        secret: SharedSecret::new(text("sharedSecret")),
        base_url: text("baseUrl"),
    }
}

/// A deployed stack, and the simulated Atlassian that it knows.
struct Deployed {
    base_url: String,
    descriptor: Descriptor,
    atlassian: Atlassian,
    queues: Queues,
}

impl Deployed {
    async fn from_env() -> Self {
        let address: SocketAddr = required("HOOKS_ATLASSIAN").unwrap().parse().unwrap();
        Self {
            base_url: required("HOOKS_DEPLOYED").unwrap(),
            descriptor: App::find().unwrap().descriptor().unwrap(),
            atlassian: Atlassian::start_on(address, InstallKey::generate().unwrap()).await.unwrap(),
            queues: Queues::of(&required("HOOKS_STACK").unwrap()),
        }
    }

    async fn install(&self, site: &Site) {
        let (key, base_url) = (&self.descriptor.key, &self.base_url);
        let installed = self.descriptor.lifecycle.installed.as_deref().unwrap();
        let answer = self.atlassian.call_back(Callback::Installed, key, base_url, installed, site);
        let answer = answer.await.unwrap();
        assert!(answer.status.is_success(), "the install: {} {}", answer.status, answer.body);
    }

    /// Sends a new webhook. Returns the status and the body that was sent.
    async fn send(&self, webhook: &Declared, site: &Site) -> (u16, Value) {
        let sent = fresh(site.product, &webhook.event, Timestamp::now()).unwrap();
        let (base_url, url, body) = (&*self.base_url, &*webhook.url, sent.to_string());
        let webhook = Webhook { base_url, url, body, identifier: None };
        (self.atlassian.send(webhook, site).await.unwrap().status.as_u16(), sent)
    }

    /// Sends a new webhook of a tenant, and waits until its handler has done what it does.
    async fn handles(&self, webhook: &Declared, site: &Site) {
        let (event, handler) = (&webhook.event, webhook.handler());
        let (status, sent) = self.send(webhook, site).await;
        assert_eq!(status, 204, "{event}");
        let handled = async {
            let mut poll = tokio::time::interval(Duration::from_millis(200));
            while self.queues.depth(&handler).await > 0 {
                poll.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, handled).await.expect("the handler empties its queue");
        let dead = self.queues.dead_letters(&handler).await;
        assert_eq!(dead, 0, "dead letters of {handler}");

        let mut calls = self.atlassian.calls();
        calls.retain(|call| call.site == site.base_url);
        let are_known = calls.iter().all(|call| !matches!(call.caller, Caller::Stranger(_)));
        assert!(are_known, "the site does not know who calls: {calls:?}");
        if self.descriptor.key == OWN_APP && handler == "issue-updated" {
            let issue = sent["issue"]["key"].as_str().unwrap();
            let comments = self.atlassian.comments(site, issue);
            assert_eq!(comments.len(), 1, "comments of {issue}: {comments:?}, {calls:?}");
        }
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

    /// How many messages the queue of a handler holds, in flight and delayed included.
    async fn depth(&self, handler: &str) -> u32 {
        self.depth_of(&format!("{}-{handler}", self.stack)).await
    }

    /// How many messages the dead-letter queue of a handler holds. Its name can have a suffix.
    async fn dead_letters(&self, handler: &str) -> u32 {
        let url = self.url(&format!("{}-{handler}", self.stack)).await;
        let request = self.client.get_queue_attributes().queue_url(url);
        let request = request.attribute_names(QueueAttributeName::RedrivePolicy);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        let policy = &attributes[&QueueAttributeName::RedrivePolicy];
        let policy: Value = serde_json::from_str(policy).unwrap();
        let arn = policy["deadLetterTargetArn"].as_str().unwrap();
        self.depth_of(arn.rsplit(':').next().unwrap()).await
    }

    async fn depth_of(&self, queue: &str) -> u32 {
        let url = self.url(queue).await;
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().queue_url(url);
        let attributes = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = attributes.attributes.unwrap();
        names.iter().map(|name| attributes[name].parse::<u32>().unwrap()).sum()
    }

    async fn url(&self, queue: &str) -> String {
        let request = self.client.get_queue_url().queue_name(queue);
        request.send().await.unwrap().queue_url.unwrap()
    }
}
