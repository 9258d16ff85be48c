//! What is measured: each function of this project beside its floor and its peers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::forge::{Installation, SigningKey};
use atlassian_simulator::{Atlassian, InstallKey};
use contract::variable;
use serde_json::{Value, json};

use crate::environment::{Environment, Program, Tool};
use crate::figures::{ARCHIVE, Figure, Growth, Unit};
use crate::measure::{self, Rounds};
use crate::peers::Peers;
use crate::services::{BY_HAND_TABLE, KEY_ID, PLAIN_TABLE, SEALED_TABLE, Services, Transport};
use crate::webhook::{
    self, APP_KEY, BASE_URL, ENDPOINT, FORGE_APP, INSTALLED, PATH, SECRET, SIZES, TENANT,
};
use crate::{local_queues, programs};

/// The programs whose figures do not depend on the machine, and are checked.
pub(crate) const CHECKED_PROGRAMS: [&str; 4] = [RECEIVER, LIFECYCLE, RUN, EVERY_TIME];
/// The others.
pub(crate) const FURTHER_PROGRAMS: [&str; 5] =
    [DESCRIPTOR, FORGE_RECEIVER, MODES, SIGNED_RECEIVER, VERIFY];

const RECEIVER: &str = "receiver";
const FORGE_RECEIVER: &str = "forge-receiver";
const SIGNED_RECEIVER: &str = "signed-receiver";
const LIFECYCLE: &str = "lifecycle";
const DESCRIPTOR: &str = "descriptor";

/// The handler of this repository's app that is called once for each webhook.
const RUN: &str = "issue-created";
const EVERY_TIME: &str = "every-time";
/// A handler whose variables say how it is run.
const MODES: &str = "modes";
const FLOOR_RECEIVER: &str = "floor-receiver";
const FLOOR_HANDLER: &str = "floor-handler";
const VERIFY: &str = "verify";

/// The numbers of messages in a batch.
const BATCHES: [usize; 3] = [1, 10, 100];

/// Everything that takes part.
pub(crate) struct Suite {
    /// Where logs are written.
    folder: PathBuf,
    services: Services,
    programs: BTreeMap<String, PathBuf>,
    /// Whether instructions can be counted.
    has_valgrind: bool,
    peers: Option<Peers>,
    /// What a receiver has sent to its queue, one request for each webhook.
    sent: Vec<Value>,
}

impl Suite {
    /// Starts the services, and lets the receiver make the messages that handlers get.
    pub(crate) async fn start(
        folder: &Path,
        programs: BTreeMap<String, PathBuf>,
        has_valgrind: bool,
        peers: Option<Peers>,
    ) -> anyhow::Result<Self> {
        let folder = folder.to_owned();
        let services = Services::start(&folder).await?;
        let mut suite = Self { folder, services, programs, has_valgrind, peers, sent: Vec::new() };
        suite.install().await?;
        let most = BATCHES.into_iter().max().unwrap_or_default();
        suite.services.keep_sent();
        let receiver = suite.receiver(Transport::Plain);
        let mut receiver = Environment::start(&receiver, Tool::None, &suite.folder).await?;
        let body = webhook::body(SIZES[0])?;
        let events = || webhook::request(TENANT, &body);
        measure::invoke(&mut receiver, &events, u32::try_from(most)?).await?;
        receiver.stop().await?;
        suite.sent = suite.services.take_sent();
        Ok(suite)
    }

    /// Lets the lifecycle function record the tenant, with a secret that KMS has encrypted.
    async fn install(&self) -> anyhow::Result<()> {
        let atlassian = Atlassian::start(InstallKey::generate()?).await?;
        let installed = json!({ "installed": INSTALLED }).to_string();
        let lifecycle = self.own(LIFECYCLE, Transport::Plain).with(owned([
            (variable::INSTALL_KEYS_URL, atlassian.url()),
            (variable::LIFECYCLE, &*installed),
            (variable::TENANT_HOSTS, ".atlassian.net"),
            (variable::TENANTS_KEY, KEY_ID),
            (variable::TENANTS_TABLE, SEALED_TABLE),
        ]));
        let mut lifecycle = Environment::start(&lifecycle, Tool::None, &self.folder).await?;
        let events = || webhook::install(&atlassian, TENANT);
        measure::invoke(&mut lifecycle, &events, 1).await?;
        lifecycle.stop().await?;
        atlassian.stop_serving();
        Ok(())
    }

    /// The figures that do not depend on the machine.
    pub(crate) async fn checked(&self) -> anyhow::Result<Vec<Figure>> {
        let mut figures = Vec::new();
        if self.has_valgrind {
            self.webhook_instructions(&mut figures).await?;
            self.batch_instructions(&mut figures).await?;
            self.cold_instructions(&mut figures).await?;
        }
        self.archives(&mut figures)?;
        Ok(figures)
    }

    /// The figures that depend on the machine and on what else it does, or that have no floor.
    pub(crate) async fn timed(&self) -> anyhow::Result<Vec<Figure>> {
        let mut figures = Vec::new();
        self.webhook_times(&mut figures).await?;
        self.sender_times(&mut figures).await?;
        self.batch_times(&mut figures).await?;
        self.batch_waits(&mut figures).await?;
        self.cold_times(&mut figures).await?;
        self.first_times(&mut figures).await?;
        if self.has_valgrind {
            let verify = self.verify_instructions().await?;
            figures.push(Figure::new("verification of a token", Unit::Instructions, verify));
        }
        figures.push(self.verify_time().await?);
        Ok(figures)
    }

    /// What grows, and what should not.
    pub(crate) async fn growth(&self) -> anyhow::Result<Vec<Growth>> {
        let mut growth = Vec::new();
        self.tenants_growth(&mut growth).await?;
        if self.has_valgrind {
            growth.push(self.declared_growth().await?);
        }
        growth.extend(local_queues::growth().await?);
        Ok(growth)
    }

    fn receiver(&self, transport: Transport) -> Program {
        let tenants = match transport {
            Transport::Plain => vec![(variable::TENANTS_TABLE, PLAIN_TABLE)],
            Transport::Tls => {
                vec![(variable::TENANTS_TABLE, SEALED_TABLE), (variable::TENANTS_KEY, KEY_ID)]
            }
        };
        self.own(RECEIVER, transport).with(owned(tenants))
    }

    fn handler(&self, name: &str, transport: Transport) -> Program {
        self.own(name, transport)
    }

    fn peer(&self, name: &str, transport: Transport) -> Option<Program> {
        let program = self.peers.as_ref()?.program(name).with(self.variables(transport));
        let local = [
            (variable::TENANTS_TABLE, BY_HAND_TABLE),
            (variable::TENANTS_KEY, KEY_ID),
            ("AC_LOCAL_BASE_URL", BASE_URL),
        ];
        Some(program.with(owned(local)))
    }

    fn own(&self, name: &str, transport: Transport) -> Program {
        Program {
            name: name.to_owned(),
            executable: self.programs.get(name).cloned().unwrap_or_default(),
            folder: self.folder.clone(),
            arguments: Vec::new(),
            variables: self.variables(transport),
        }
    }

    /// What the template sets for receivers and for handlers.
    fn variables(&self, transport: Transport) -> Vec<(String, String)> {
        let queue = self.services.queue_url(transport);
        let mut variables = self.services.variables(transport);
        variables.extend(owned([
            (variable::APP_KEY, APP_KEY),
            (variable::WEBHOOKS, &declared(&[EventName::IssueCreated])),
            (variable::QUEUE_URL, &queue),
            (variable::DEAD_LETTER_QUEUE_URL, &format!("{queue}-dead")),
            (variable::IDEMPOTENCY_TABLE, "idempotency"),
            (variable::MAX_ATTEMPTS, "5"),
            (variable::MAX_RECEIVES, "100"),
            (variable::RETRY_DELAY, "30"),
            (variable::LOG_LEVEL, "INFO"),
        ]));
        variables
    }

    async fn webhook_instructions(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        for ((bytes, name), (few, many)) in sizes().zip([(20, 120), (10, 60), (4, 16)]) {
            progress(&format!("counting the instructions of webhooks of {name}"));
            let body = webhook::body(bytes)?;
            let count = async |program: Program| {
                let events = || webhook::request(TENANT, &body);
                let counted =
                    measure::warm_instructions(&program, events, few, many, &self.folder).await?;
                anyhow::Ok(number(counted))
            };
            let product = count(self.receiver(Transport::Plain)).await?;
            let floor = count(self.own(FLOOR_RECEIVER, Transport::Plain)).await?;
            let figure = Figure::new(format!("a webhook of {name}"), Unit::Instructions, product);
            figures.push(figure.floor(Some(floor)));
        }
        Ok(())
    }

    async fn batch_instructions(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        for (messages, (few, many)) in BATCHES.into_iter().zip([(20, 120), (5, 25), (4, 20)]) {
            progress(&format!("counting the instructions of batches of {messages}"));
            let count = async |program: &str| {
                let program = self.handler(program, Transport::Plain);
                let events = || webhook::batch(&self.sent, messages);
                let counted =
                    measure::warm_instructions(&program, events, few, many, &self.folder).await?;
                anyhow::Ok(number(counted) / number_of(messages))
            };
            let floor = count(FLOOR_HANDLER).await?;
            for (program, mode) in [(EVERY_TIME, "every_time"), (RUN, "run")] {
                let what = format!("an event for `{mode}`, in batches of {messages}");
                let figure = Figure::new(what, Unit::Instructions, count(program).await?);
                figures.push(figure.floor(Some(floor)));
            }
        }
        Ok(())
    }

    async fn cold_instructions(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("counting the instructions of cold starts, with TLS");
        let body = webhook::body(SIZES[0])?;
        let webhooks = || webhook::request(TENANT, &body);
        let batches = || webhook::batch(&self.sent, 1);
        type Made = anyhow::Result<String>;
        let count = async |program: Program, events: &dyn Fn() -> Made, connected| {
            let (services, folder) = (&self.services, &self.folder);
            measure::cold_instructions(&program, events, services, connected, folder).await
        };
        // DynamoDB, KMS and SQS.
        let receiver = count(self.receiver(Transport::Tls), &webhooks, 3).await?;
        let floor = count(self.own(FLOOR_RECEIVER, Transport::Tls), &webhooks, 1).await?;
        // DynamoDB and SQS.
        let handler = count(self.handler(RUN, Transport::Tls), &batches, 2).await?;
        let handler_floor = count(self.handler(FLOOR_HANDLER, Transport::Tls), &batches, 0).await?;
        let counted = [
            ("a receiver's cold start and first webhook", receiver, floor),
            ("the cold start of a `run` handler and its first event", handler, handler_floor),
        ];
        for (what, product, floor) in counted {
            match (product, floor) {
                (Some(product), Some(floor)) => {
                    let figure = Figure::new(what, Unit::Instructions, number(product));
                    figures.push(figure.floor(Some(number(floor))));
                }
                _ => eprintln!("{what}: not counted, because this machine is too busy"),
            }
        }
        Ok(())
    }

    fn archives(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("compressing the programs");
        let length = |name: &str| {
            self.programs.get(name).map(|path| anyhow::Ok(number(programs::archived(path)?)))
        };
        let floors = [FLOOR_RECEIVER, FLOOR_HANDLER].map(|name| length(name).transpose());
        let [receiver_floor, handler_floor] = floors;
        let (receiver_floor, handler_floor) = (receiver_floor?, handler_floor?);
        let functions = [
            (RECEIVER, "receiver", receiver_floor),
            (RUN, "`run` handler", handler_floor),
            (EVERY_TIME, "`every_time` handler", handler_floor),
            (LIFECYCLE, "lifecycle function", None),
            (DESCRIPTOR, "descriptor function", None),
        ];
        for (program, what, floor) in functions {
            let Some(length) = length(program).transpose()? else { continue };
            let figure = Figure::new(format!("{what}, {ARCHIVE}"), Unit::Bytes, length);
            figures.push(figure.floor(floor));
        }
        Ok(())
    }

    async fn webhook_times(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        let rounds = [
            Rounds { before: 300, rounds: 9, invocations: 100 },
            Rounds { before: 100, rounds: 9, invocations: 40 },
            Rounds { before: 10, rounds: 5, invocations: 5 },
        ];
        let mut memory = Vec::new();
        for ((bytes, name), rounds) in sizes().zip(rounds) {
            progress(&format!("timing webhooks of {name}"));
            let body = webhook::body(bytes)?;
            let floor = self.own(FLOOR_RECEIVER, Transport::Plain);
            let mut programs = vec![self.receiver(Transport::Plain), floor];
            programs.extend(self.receiver_peers(Transport::Plain));
            let events = || webhook::request(TENANT, &body);
            let used = measure::warm(&programs, events, rounds, &self.folder).await?;
            let seconds: Vec<f64> = used.iter().map(|used| used.cpu.as_secs_f64()).collect();
            let what = format!("a webhook of {name}, CPU");
            figures.push(beside(what, Unit::Seconds, &seconds));
            let bytes: Vec<f64> = used.iter().map(|used| number(used.memory)).collect();
            let what = format!("a receiver of {name}, memory");
            memory.push(beside(what, Unit::Bytes, &bytes));
        }
        memory.remove(1);
        figures.extend(memory);
        Ok(())
    }

    /// What the other senders cost, beside the same floor.
    async fn sender_times(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("timing events of Forge and signed webhooks");
        let atlassian = Atlassian::start(InstallKey::generate()?).await?;
        let forge = atlassian.forge();
        forge.rotate(SigningKey::generate()?);
        let installation = Installation::new(Product::Jira, FORGE_APP);
        let body = webhook::body(SIZES[0])?;
        let event = "avi:jira:created:issue";
        let of_forge = body.replacen('{', &format!("{{\"eventType\":\"{event}\","), 1);
        let endpoint = json!({ "app": FORGE_APP, "key": ENDPOINT, "events": [event] }).to_string();
        let declared = json!({ "path": "/hooks/{tenant}/jira", "kind": "jira", "events": "all" });
        let floor = || self.own(FLOOR_RECEIVER, Transport::Plain);
        let rounds = Rounds { before: 300, rounds: 9, invocations: 100 };

        let receiver = self.own(FORGE_RECEIVER, Transport::Plain).with(owned([
            (variable::ENDPOINT, &*endpoint),
            (variable::KEY_SET_URL, forge.key_set_url()),
        ]));
        let events = || webhook::of_forge(forge, &installation, &of_forge);
        let used = measure::warm(&[receiver, floor()], events, rounds, &self.folder).await?;
        let seconds: Vec<f64> = used.iter().map(|used| used.cpu.as_secs_f64()).collect();
        figures.push(beside("an event of Forge of 2 KB, CPU".into(), Unit::Seconds, &seconds));

        let receiver = self.own(SIGNED_RECEIVER, Transport::Plain).with(owned([
            (variable::SIGNED_WEBHOOK, &*declared.to_string()),
            (variable::TENANTS_TABLE, PLAIN_TABLE),
        ]));
        let events = || Ok(webhook::signed(&body));
        let used = measure::warm(&[receiver, floor()], events, rounds, &self.folder).await?;
        let seconds: Vec<f64> = used.iter().map(|used| used.cpu.as_secs_f64()).collect();
        figures.push(beside("a signed webhook of 2 KB, CPU".into(), Unit::Seconds, &seconds));
        atlassian.stop_serving();
        Ok(())
    }

    fn receiver_peers(&self, transport: Transport) -> impl Iterator<Item = Program> {
        ["receiver-by-hand", "receiver-express"]
            .into_iter()
            .filter_map(move |name| self.peer(name, transport))
    }

    async fn batch_times(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("timing batches of 10");
        let events = || webhook::batch(&self.sent, 10);
        let rounds = Rounds { before: 100, rounds: 9, invocations: 30 };
        let floor = self.own(FLOOR_HANDLER, Transport::Plain);
        for (program, mode) in [(EVERY_TIME, "every_time"), (RUN, "run")] {
            let mut programs = vec![self.handler(program, Transport::Plain), floor.clone()];
            // The one by hand does not know what it has handled.
            let by_hand = self.peer("handler-by-hand", Transport::Plain);
            let framework = self.peer("handler-powertools", Transport::Plain);
            if program == EVERY_TIME {
                programs.extend(by_hand);
                let every_time = owned([("DUPLICATES", "handled")]);
                programs.extend(framework.map(|peer| peer.with(every_time)));
            } else {
                programs.extend(framework);
            }
            let used = measure::warm(&programs, events, rounds, &self.folder).await?;
            let of = |values: Vec<f64>, what: String, unit| match program {
                EVERY_TIME => beside(what, unit, &values),
                _ => Figure::new(what, unit, values[0])
                    .floor(values.get(1).copied())
                    .framework(values.get(2).copied()),
            };
            let seconds = used.iter().map(|used| used.cpu.as_secs_f64() / 10.0).collect();
            let what = format!("an event for `{mode}`, in batches of 10, CPU");
            figures.push(of(seconds, what, Unit::Seconds));
            let memory = used.iter().map(|used| number(used.memory)).collect();
            figures.push(of(memory, format!("a handler of `{mode}`, memory"), Unit::Bytes));
        }
        Ok(())
    }

    async fn batch_waits(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("timing batches of 10, with writes that take their time");
        let events = || webhook::batch(&self.sent, 10);
        let rounds = Rounds { before: 100, rounds: 9, invocations: 10 };
        self.services.delay_dynamodb(WRITE);
        for mode in ["run", "deduplicate", "every_time"] {
            for (order, concurrency, at_once) in
                [("one after another", "1", "false"), ("all at once", "10", "true")]
            {
                let variables = [("MODE", mode), ("CONCURRENCY", concurrency)];
                let mut programs =
                    vec![self.handler(MODES, Transport::Plain).with(owned(variables))];
                let duplicates = if mode == "every_time" { "handled" } else { "" };
                let variables = [("DUPLICATES", duplicates), ("AT_ONCE", at_once)];
                let peer = self.peer("handler-powertools", Transport::Plain);
                programs.extend(peer.map(|peer| peer.with(owned(variables))));
                let used = measure::warm(&programs, events, rounds, &self.folder).await?;
                let seconds: Vec<f64> = used.iter().map(|used| used.wall.as_secs_f64()).collect();
                let what = format!("10 events for `{mode}`, {order}, with {WRITE:?} a write");
                let figure = Figure::new(what, Unit::Seconds, seconds[0]);
                figures.push(figure.framework(seconds.get(1).copied()));
            }
        }
        self.services.delay_dynamodb(Duration::ZERO);
        Ok(())
    }

    async fn cold_times(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("timing cold starts, with TLS");
        let body = webhook::body(SIZES[0])?;
        let mut programs =
            vec![self.receiver(Transport::Tls), self.own(FLOOR_RECEIVER, Transport::Tls)];
        programs.extend(self.receiver_peers(Transport::Tls));
        let events = || webhook::request(TENANT, &body);
        let times = measure::cold(&programs, events, 7, &self.folder).await?;
        let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        let what = "a receiver's cold start and first webhook, CPU".to_owned();
        figures.push(beside(what, Unit::Seconds, &seconds));
        Ok(())
    }

    async fn first_times(&self, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        progress("timing first invocations, with TLS");
        let body = webhook::body(SIZES[0])?;
        let mut programs = vec![self.receiver(Transport::Tls)];
        programs.push(self.own(FLOOR_RECEIVER, Transport::Tls));
        programs.extend(self.receiver_peers(Transport::Tls));
        let events = || webhook::request(TENANT, &body);
        let times = measure::first(&programs, events, STARTS, SMALLEST, &self.folder).await?;
        let Some(times) = times else {
            eprintln!("First webhooks are not timed: nobody can make control groups here.");
            return Ok(());
        };
        let middle = usize::try_from(STARTS / 2)?;
        for (which, place) in [("median", middle), ("slowest", usize::try_from(STARTS - 1)?)] {
            let seconds: Vec<f64> = times.iter().map(|times| times[place].as_secs_f64()).collect();
            let what = format!("a receiver's first webhook at {SMALLEST} MB, {which} of {STARTS}");
            figures.push(beside(what, Unit::Seconds, &seconds));
        }
        Ok(())
    }

    async fn verify_instructions(&self) -> anyhow::Result<f64> {
        progress("counting the instructions of a verification");
        let (url, token) = (format!("{BASE_URL}{PATH}"), webhook::token(TENANT)?);
        let count = async |times: u32| {
            let arguments = [&*url, &*token, SECRET, &*times.to_string()];
            measure::whole_run(&self.own(VERIFY, Transport::Plain), arguments, &self.folder).await
        };
        Ok(number(count(1_100).await?.saturating_sub(count(100).await?)) / 1_000.0)
    }

    async fn verify_time(&self) -> anyhow::Result<Figure> {
        progress("timing verifications");
        let (url, token) = (format!("{BASE_URL}{PATH}"), webhook::token(TENANT)?);
        let arguments = |times| [&*url, &*token, SECRET, times];
        let (mut own, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let program = self.own(VERIFY, Transport::Plain);
            own.push(measure::printed(&program.executable, None, arguments("100000")).await?);
            if let Some(peers_on_node) = &self.peers {
                let file = peers_on_node.file("verify");
                let node = Path::new("node");
                peers.push(measure::printed(node, Some(&file), arguments("20000")).await?);
            }
        }
        let seconds = |times| measure::median(times).as_secs_f64();
        let peer = (!peers.is_empty()).then(|| seconds(peers));
        let what = "verification of a token; atlassian-jwt";
        Ok(Figure::new(what, Unit::Seconds, seconds(own)).framework(peer))
    }

    async fn tenants_growth(&self, growth: &mut Vec<Growth>) -> anyhow::Result<()> {
        progress("timing webhooks of one tenant and of many");
        let body = webhook::body(SIZES[0])?;
        let next = std::cell::Cell::new(0);
        let mut used = Vec::new();
        for tenants in [1, MANY_TENANTS] {
            let events = || {
                next.set((next.get() + 1) % tenants);
                webhook::request(&format!("{TENANT}-{}", next.get()), &body)
            };
            let rounds = Rounds { before: tenants.max(300), rounds: 9, invocations: 200 };
            let receiver = [self.receiver(Transport::Plain)];
            used.extend(measure::warm(&receiver, events, rounds, &self.folder).await?);
        }
        let of = || "cached tenants".to_owned();
        if let [few, many] = used.as_slice() {
            let (one, other) = (few.cpu.as_secs_f64(), many.cpu.as_secs_f64());
            let what = "CPU of a webhook of 2 KB".into();
            let (few_of, many_of) = ((1, one), (MANY_TENANTS, other));
            growth.push(Growth { what, unit: Unit::Seconds, of: of(), few: few_of, many: many_of });
            let what = "memory of a receiver".into();
            let (few, many) = ((1, number(few.memory)), (MANY_TENANTS, number(many.memory)));
            growth.push(Growth { what, unit: Unit::Bytes, of: of(), few, many });
        }
        Ok(())
    }

    /// URLs are functions of their own, so what there can be many of is the webhooks of one URL.
    async fn declared_growth(&self) -> anyhow::Result<Growth> {
        progress("counting webhooks of a URL with many declared events");
        let body = webhook::body(SIZES[0])?;
        let mut all = EventName::ALL.to_vec();
        // The last one is found last.
        all.retain(|event| *event != EventName::IssueCreated);
        all.push(EventName::IssueCreated);
        let count = async |events: &[EventName]| {
            let webhooks = owned([(variable::WEBHOOKS, &*declared(events))]);
            let receiver = self.receiver(Transport::Plain).with(webhooks);
            let events = || webhook::request(TENANT, &body);
            measure::warm_instructions(&receiver, events, 20, 120, &self.folder).await
        };
        let few = (1, number(count(&[EventName::IssueCreated]).await?));
        let many = (u32::try_from(all.len())?, number(count(&all).await?));
        let (what, of) = ("a webhook of 2 KB".into(), "events declared for its URL".into());
        Ok(Growth { what, unit: Unit::Instructions, of, few, many })
    }
}

const MANY_TENANTS: u32 = 10_000;

/// How long a write to DynamoDB takes where the time of a batch is measured.
const WRITE: Duration = Duration::from_millis(5);

/// The memory of the smallest function, in megabytes.
const SMALLEST: u32 = 128;
/// How many of its first invocations are timed.
const STARTS: u32 = 8;

/// The sizes of bodies, and what they are called.
fn sizes() -> impl Iterator<Item = (usize, &'static str)> {
    SIZES.into_iter().zip(["2 KB", "20 KB", "1 MB"])
}

/// Webhooks of the one URL, as the template writes them.
fn declared(events: &[EventName]) -> String {
    let webhooks = events.iter().map(|event| json!({ "event": event.as_str(), "url": PATH }));
    Value::from_iter(webhooks).to_string()
}

/// A figure of values in the order in which programs are measured.
fn beside(what: String, unit: Unit, values: &[f64]) -> Figure {
    let value = |place: usize| values.get(place).copied();
    Figure::new(what, unit, value(0).unwrap_or_default())
        .floor(value(1))
        .node(value(2))
        .framework(value(3))
}

fn owned<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Numbers are far below 2^53 here.
fn number(count: u64) -> f64 {
    count as f64
}

fn number_of(count: usize) -> f64 {
    count as f64
}

fn progress(what: &str) {
    eprintln!("... {what}");
}
