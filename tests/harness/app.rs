//! The tests' app on a local stack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::event::Product;
use atlassian_connect::lifecycle::Callback;
use atlassian_forge::manifest::Manifest;
use atlassian_simulator::forge::SigningKey;
use atlassian_simulator::{Answer, Atlassian, InstallKey, Site, Webhook};
use aws_sdk_sqs::types::QueueAttributeName;
use cargo_hooks::app::App;
use cargo_hooks::binaries::{self, Profile};
use cargo_hooks::template;
use cargo_hooks::template::configuration::Configuration;
use cargo_hooks::template::plan::Declarations;
use sam_template_runner::{Options, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::log::Logged;
use super::tamper::Tamper as _;

/// The descriptor of the tests' app. Its handler `scripted` does what the payload says.
pub(crate) static DESCRIPTOR: LazyLock<Descriptor> =
    LazyLock::new(|| Descriptor::parse(DESCRIPTOR_FILE).unwrap());

/// The manifest of the tests' app. Its events go to the handler `scripted` as well.
pub(crate) static MANIFEST: LazyLock<Manifest> =
    LazyLock::new(|| template::forge::read(MANIFEST_FILE, Path::new("manifest.yml")).unwrap());

/// The file that [`MANIFEST`] is.
pub(crate) const MANIFEST_FILE: &str = include_str!("../app/manifest.yml");

/// The configuration that names the handlers of its endpoints.
pub(crate) const OF_ENDPOINTS: &str = "forge:
  endpoints:
    issue-changed: { handler: scripted }
    life: { handler: scripted }
    policy: { handler: scripted }
webhooks:
  /hooks/{tenant}/jira: { kind: jira, events: [jira:issue_updated], handler: scripted }
";

/// The key that signs installs. It is always the same one, because a new one takes a second to make.
pub(crate) static INSTALL_KEY: LazyLock<InstallKey> =
    LazyLock::new(|| InstallKey::from_pem("install-key", include_str!("install_key.pem")).unwrap());

/// Another key that says it is [`INSTALL_KEY`], for forged tokens.
pub(crate) static FORGED_KEY: LazyLock<InstallKey> = LazyLock::new(|| {
    InstallKey::from_pem(INSTALL_KEY.id(), include_str!("forged_key.pem")).unwrap()
});

/// The key that signs events of Forge.
pub(crate) static FORGE_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let id = "forge/invocation-token/wf-0e50fccb-239d-4991-a5db-dc850ba3f236";
    SigningKey::from_pem(id, include_str!("forge_key.pem")).unwrap()
});

/// The key that signs them after [`FORGE_KEY`].
pub(crate) static NEXT_FORGE_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let id = "forge/invocation-token/wf-5a2f7d1c-7a2b-4e5f-8293-a4b5c6d7e8f9";
    SigningKey::from_pem(id, include_str!("forge_next_key.pem")).unwrap()
});

/// The file that [`DESCRIPTOR`] is.
pub(crate) const DESCRIPTOR_FILE: &str = include_str!("../app/atlassian-connect.json");

/// The functions of the tests' app, which cargo builds before the tests: the name in the template, and
/// the file.
const FUNCTIONS: [(&str, &str); 9] = [
    ("receiver", env!("CARGO_BIN_EXE_app-receiver")),
    ("forge-receiver", env!("CARGO_BIN_EXE_app-forge-receiver")),
    ("signed-receiver", env!("CARGO_BIN_EXE_app-signed-receiver")),
    ("lifecycle", env!("CARGO_BIN_EXE_app-lifecycle")),
    ("descriptor", env!("CARGO_BIN_EXE_app-descriptor")),
    ("scripted", env!("CARGO_BIN_EXE_app-scripted")),
    ("issue-created", env!("CARGO_BIN_EXE_app-issue-created")),
    ("issue-change", env!("CARGO_BIN_EXE_app-issue-change")),
    ("page-created", env!("CARGO_BIN_EXE_app-page-created")),
];

/// How long anything may take before a test says that it does not happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running app with two tenants: a Jira and a Confluence.
pub(crate) struct TestApp {
    pub(crate) stack: Stack,
    pub(crate) atlassian: Atlassian,
    pub(crate) jira: Site,
    pub(crate) confluence: Site,
    log: watch::Receiver<Vec<Value>>,
    key: String,
    options: Options,
    folder: TempDir,
}

impl TestApp {
    /// The app as its template describes it.
    pub(crate) async fn new() -> Self {
        Self::with(|template| template).await
    }

    /// The app, but a failed message is retried at once, and one whose function was killed in
    /// two seconds.
    pub(crate) async fn in_haste() -> Self {
        Self::with(in_haste).await
    }

    /// The app without its handlers: what is queued stays queued.
    pub(crate) async fn without_handlers() -> Self {
        Self::with(|template| {
            template.tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
        })
        .await
    }

    /// The app without its handlers, whose functions have these variables besides. Nobody has
    /// installed it: what the variables name may not be there yet.
    pub(crate) async fn without_handlers_behind(variables: &[(&str, &str)]) -> Self {
        Self::empty(|template| {
            with_variables(&template, variables)
                .tamper("BatchSize: 10", "BatchSize: 10\n            Enabled: false")
        })
        .await
    }

    /// The app with a template that was tampered with.
    pub(crate) async fn with(tamper: impl FnOnce(String) -> String) -> Self {
        let mut app = Self::empty(tamper).await;
        app.jira = app.installed(Product::Jira).await;
        app.confluence = app.installed(Product::Confluence).await;
        app
    }

    /// The app before any site installed it.
    pub(crate) async fn empty(tamper: impl FnOnce(String) -> String) -> Self {
        Self::with_concurrency(2, tamper).await
    }

    /// The app before any site installed it, with a maximum number of environments for each function.
    pub(crate) async fn with_concurrency(
        concurrency: usize,
        tamper: impl FnOnce(String) -> String,
    ) -> Self {
        let text = template::render(&*DESCRIPTOR, &Configuration::default()).unwrap();
        Self::start(&DESCRIPTOR.key, &tamper(text), functions(), concurrency).await
    }

    /// The repository's own app instead, with its template and its functions as cargo builds them,
    /// before any site installed it.
    pub(crate) async fn of_the_repository(tamper: impl FnOnce(String) -> String) -> Self {
        let app = App::find().unwrap();
        let functions = binaries::build(app, Profile::Dev).await.unwrap();
        let text = std::fs::read_to_string(app.template_path()).unwrap();
        let key = app.descriptor().unwrap().key;
        Self::start(&key, &tamper(text), &functions, 2).await
    }

    /// The app with the endpoints of its manifest besides, before any site installed it.
    pub(crate) async fn with_endpoints(tamper: impl FnOnce(String) -> String) -> Self {
        let declared = Declarations { descriptor: Some(&DESCRIPTOR), manifest: Some(&MANIFEST) };
        let configuration = Configuration::parse(OF_ENDPOINTS).unwrap();
        let text = template::render(declared, &configuration).unwrap();
        Self::start(&DESCRIPTOR.key, &tamper(text), functions(), 1).await
    }

    async fn start(key: &str, template: &str, binaries: &Path, concurrency: usize) -> Self {
        let atlassian = Atlassian::start(INSTALL_KEY.clone()).await.unwrap();
        atlassian.forge().rotate(FORGE_KEY.clone());
        let mut parameters =
            BTreeMap::from([("InstallKeysUrl".to_owned(), atlassian.url().to_owned())]);
        // The minimum of an event source.
        let of_handlers = concurrency.max(2).to_string();
        parameters.insert("HandlerConcurrency".to_owned(), of_handlers);
        if template.contains("AtlassianUrl") {
            parameters.insert("AtlassianUrl".into(), atlassian.url().into());
        }
        if template.contains("KeySetUrl") {
            parameters.insert("KeySetUrl".into(), atlassian.forge().key_set_url().into());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("template.yaml");
        std::fs::write(&path, template).unwrap();
        let options = Options {
            template: path,
            binaries: binaries.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            parameters,
            url_parameter: Some("BaseUrl".to_owned()),
            variables: BTreeMap::new(),
            state: None,
            concurrency,
        };
        let stack = Stack::start(options.clone()).await.unwrap();
        let log = collect(&stack, Vec::new());
        Self {
            stack,
            atlassian,
            jira: Site::new(Product::Jira, "stranger"),
            confluence: Site::new(Product::Confluence, "stranger"),
            log,
            key: key.to_owned(),
            options,
            folder,
        }
    }

    /// The same app with tables and queues on disk, where they outlive [`TestApp::restarted`].
    pub(crate) async fn on_disk(mut self) -> Self {
        self.options.state = Some(self.folder.path().join("state"));
        self.restarted().await
    }

    /// The same app, stopped and started again, with what it has logged.
    pub(crate) async fn restarted(self) -> Self {
        self.stack.stop().await;
        let mut log = self.log;
        let ended = async { while log.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, ended).await.expect("a stack that was stopped logs no more");
        let logged = log.borrow().clone();
        let stack = Stack::start(self.options.clone()).await.unwrap();
        let log = collect(&stack, logged);
        Self { stack, log, ..self }
    }

    /// Another stack in place of this one, in the same account: another template, and values of its
    /// parameters. What the old one kept on disk is still there.
    pub(crate) async fn replaced_by(mut self, template: &str, parameters: &[(&str, &str)]) -> Self {
        std::fs::write(&self.options.template, template).unwrap();
        let given = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.options.parameters.extend(given);
        self.restarted().await
    }

    /// A new tenant.
    pub(crate) async fn installed(&self, product: Product) -> Site {
        let site = Site::new(product, "site");
        assert_eq!(self.call_back(Callback::Installed, &site).await.status, 204);
        site
    }

    pub(crate) async fn call_back(&self, callback: Callback, site: &Site) -> Answer {
        let url = format!("/{callback}");
        self.atlassian.call_back(callback, &self.key, self.stack.url(), &url, site).await.unwrap()
    }

    /// Sends a body as a site does.
    pub(crate) async fn send(&self, url: &str, body: impl ToString, site: &Site) -> Answer {
        let body = body.to_string();
        let webhook = Webhook { base_url: self.stack.url(), url, body, identifier: None };
        self.atlassian.send(webhook, site).await.unwrap()
    }

    /// Sends a script to the scripted handler.
    pub(crate) async fn script(&self, script: Value) -> Answer {
        let mut body = script;
        body["webhookEvent"] = "jira:issue_updated".into();
        self.send("/scripted", body, &self.jira).await
    }

    /// Waits until so many lines with this message were logged, and returns them.
    pub(crate) async fn logged(&self, what: Logged, count: usize) -> Vec<Value> {
        let matching = |lines: &Vec<Value>| -> Vec<Value> {
            lines.iter().filter(|line| what.is(line)).cloned().collect()
        };
        let mut log = self.log.clone();
        let waited =
            tokio::time::timeout(PATIENCE, log.wait_for(|lines| matching(lines).len() >= count));
        let Ok(Ok(lines)) = waited.await.map(|lines| lines.map(|lines| matching(&lines))) else {
            let lines = self.log.borrow();
            let found = matching(&lines).len();
            panic!("{what:?} was logged {found} times, not {count}, in {lines:#?}");
        };
        lines
    }

    /// All that was printed so far, by any function.
    pub(crate) fn printed(&self) -> String {
        self.log.borrow().iter().map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws(self.stack.sqs_endpoint()))
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.aws(self.stack.dynamodb_endpoint()))
    }

    /// What leads an SDK client to the stack.
    pub(crate) fn aws(&self, endpoint: &str) -> aws_types::SdkConfig {
        use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, SharedCredentialsProvider};
        let credentials = Credentials::new("t", "t", None, None, "t");
        aws_types::SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws_types::region::Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .build()
    }

    /// The table of tenants, as a tool reads it.
    pub(crate) fn tenants(&self) -> tenants::Table {
        let lifecycle = &self.stack.deployment().functions["Lifecycle"].environment;
        let key = lifecycle.get("TENANTS_KEY").cloned();
        let kms = self.aws(self.stack.kms_endpoint());
        let secrets = tenants::Secrets::new(&kms, key, &self.key);
        let dynamodb = self.aws(self.stack.dynamodb_endpoint());
        tenants::Table::new(&dynamodb, &lifecycle["TENANTS_TABLE"], secrets)
    }

    /// The URL of a queue, by its logical id.
    pub(crate) fn queue(&self, id: &str) -> &str {
        &self.stack.deployment().queues[id].url
    }

    /// How many messages a queue holds, in flight and delayed ones included.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.sqs().get_queue_attributes().queue_url(self.queue(queue));
        let attributes =
            request.set_attribute_names(Some(names.to_vec())).send().await.unwrap().attributes;
        let attributes = attributes.unwrap();
        names.iter().map(|name| attributes[name].parse::<u32>().unwrap()).sum()
    }

    /// How many messages all queues hold together.
    pub(crate) async fn total_depth(&self) -> u32 {
        let mut total = 0;
        for queue in self.stack.deployment().queues.keys() {
            total += self.depth(queue).await;
        }
        total
    }

    /// Waits until a queue is empty: what was handled is deleted a moment later.
    pub(crate) async fn drained(&self, queue: &str) {
        self.drained_within(queue, PATIENCE).await;
    }

    pub(crate) async fn drained_within(&self, queue: &str, patience: Duration) {
        let empty = async {
            let mut poll = tokio::time::interval(Duration::from_millis(20));
            while self.depth(queue).await > 0 {
                poll.tick().await;
            }
        };
        tokio::time::timeout(patience, empty).await.expect("every message is handled and deleted");
    }

    /// All messages of a queue that are visible; they are not afterwards.
    pub(crate) async fn all(&self, queue: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let mut all = Vec::new();
        loop {
            let request = self
                .sqs()
                .receive_message()
                .queue_url(self.queue(queue))
                .max_number_of_messages(10)
                .visibility_timeout(600)
                .message_system_attribute_names("All".into())
                .message_attribute_names("All");
            let messages = request.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    /// Makes messages visible again.
    pub(crate) async fn visible(&self, queue: &str, messages: &[aws_sdk_sqs::types::Message]) {
        for message in messages {
            let change = self.sqs().change_message_visibility().queue_url(self.queue(queue));
            let change = change.set_receipt_handle(message.receipt_handle.clone());
            change.visibility_timeout(0).send().await.unwrap();
        }
    }

    /// Waits for one message in a queue, and returns it.
    pub(crate) async fn receive(&self, queue: &str) -> aws_sdk_sqs::types::Message {
        let sqs = self.sqs();
        let receive = async {
            loop {
                let request = sqs
                    .receive_message()
                    .queue_url(self.queue(queue))
                    .message_system_attribute_names("All".into())
                    .message_attribute_names("All")
                    .wait_time_seconds(20);
                if let Some(message) =
                    request.send().await.unwrap().messages.unwrap_or_default().pop()
                {
                    return message;
                }
            }
        };
        tokio::time::timeout(PATIENCE, receive).await.expect("a message in the queue")
    }
}

/// A template in which a failed message is retried at once, and one whose function was killed
/// in two seconds.
pub(crate) fn in_haste(template: impl AsRef<str>) -> String {
    template
        .as_ref()
        .tamper("RETRY_DELAY: !Ref RetryDelay", "RETRY_DELAY: '0'")
        .tamper("VisibilityTimeout: 180", "VisibilityTimeout: 2")
        .tamper("Timeout: 30", "Timeout: 2")
}

/// A template whose functions have these variables besides.
pub(crate) fn with_variables(template: impl AsRef<str>, variables: &[(&str, &str)]) -> String {
    let global = "        LOG_LEVEL: !Ref LogLevel\n";
    let variables = variables.iter().map(|(name, value)| format!("        {name}: '{value}'\n"));
    template.as_ref().tamper(global, &format!("{global}{}", variables.collect::<String>()))
}

/// A folder with the built functions, by their names in the template.
pub(crate) fn functions() -> &'static Path {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for (name, file) in FUNCTIONS {
            std::os::unix::fs::symlink(file, folder.path().join(name)).unwrap();
        }
        folder
    });
    FOLDER.path()
}

fn collect(stack: &Stack, logged: Vec<Value>) -> watch::Receiver<Vec<Value>> {
    let mut lines = stack.subscribe();
    let (sender, log) = watch::channel(logged);
    tokio::spawn(async move {
        loop {
            match lines.recv().await {
                Ok(line) => sender.send_modify(|log| {
                    let mut fields = serde_json::from_str(&line.text)
                        .unwrap_or_else(|_| json!({ "message": line.text }));
                    fields["function"] = (*line.function).into();
                    log.push(fields);
                }),
                Err(RecvError::Lagged(lines)) => panic!("{lines} lines of log were lost"),
                Err(RecvError::Closed) => break,
            }
        }
    });
    log
}
