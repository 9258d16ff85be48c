use std::collections::BTreeMap;

use atlassian_connect::descriptor::Descriptor;
use atlassian_forge::manifest::Manifest;
use sam_template::parse;
use serde_json::json;

use super::*;
use crate::configuration::Configuration;
use crate::render;

/// An app with two URLs, each with a handler.
fn template(configuration: &str) -> Value {
    let document = json!({
        "key": "com.example.hooks",
        "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
        "modules": {"webhooks": [
            {"event": "jira:issue_created", "url": "/issue-created"},
            {"event": "page_created", "url": "/page-created"},
        ]},
    });
    let descriptor = Descriptor::parse(&document.to_string()).unwrap();
    let configuration = Configuration::parse(configuration).unwrap();
    parse(&render(&descriptor, &configuration).unwrap()).unwrap()
}

fn try_bill(
    configuration: &str,
    parameters: &[(&str, &str)],
    workload: &Workload,
) -> Result<Bill, CostError> {
    let values: BTreeMap<String, String> =
        parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let resources = Resources::of(&template(configuration), &values).unwrap();
    Bill::of(&resources, workload, Rates::us_east_1())
}

fn bill(configuration: &str, parameters: &[(&str, &str)], workload: &Workload) -> Bill {
    try_bill(configuration, parameters, workload).unwrap()
}

fn defaults(workload: &Workload) -> Bill {
    bill("", &[], workload)
}

fn line<'b>(bill: &'b Bill, component: &str) -> &'b Line {
    let found = bill.lines.iter().find(|line| line.component == component);
    found.unwrap_or_else(|| panic!("no line {component}"))
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.005 * b.abs().max(0.01)
}

const BUSY: Workload = Workload {
    events: 100e6,
    tenants: 100.0,
    urls: None,
    size: 10.0,
    idempotency: Idempotency::Run,
};

/// The page that users read has the output of the command.
#[test]
fn the_table_in_the_documentation_is_that_of_the_model() {
    let operations = concat!(env!("CARGO_MANIFEST_DIR"), "/../OPERATIONS.md");
    let operations = std::fs::read_to_string(operations).unwrap();
    let table = defaults(&Workload::default()).table();
    assert!(
        operations.contains(&table),
        "put this into the section Cost of OPERATIONS.md:\n{table}"
    );
}

#[test]
fn sums_are_those_of_the_lines() {
    let bill = defaults(&Workload { events: 4e6, ..Workload::default() });
    let sum = |occurs| {
        let lines = bill.lines.iter().filter(|line| line.occurs == occurs);
        lines.map(|line| line.month).sum::<f64>()
    };
    let Totals { usage, usage_million, without_api_million, idle, month } = bill.totals;
    assert!(is_near(usage, sum(Occurs::Usage)) && is_near(idle, sum(Occurs::Idle)));
    assert!(is_near(usage_million, usage / 4.0) && is_near(month, usage + idle));
    assert!(is_near(usage_million - without_api_million, 1.0), "a dollar for a million requests");
    for line in &bill.lines {
        let Price { usd, per, .. } = line.price;
        assert!(is_near(line.month, line.quantity * usd / per), "{line:?}");
        assert!(line.month >= 0.0, "{line:?}");
    }
}

/// A stack that nobody sends to costs its idle sum, whatever the workload.
#[test]
fn idle_does_not_grow_with_events() {
    let few = defaults(&Workload { events: 1.0, ..Workload::default() }).totals;
    let many = defaults(&BUSY).totals;
    assert!(is_near(few.idle, many.idle) && few.idle > 1.0);
    assert!(few.usage < 0.2 && many.usage > 100.0, "{few:?} {many:?}");
}

/// A review had worked these shares out, for a million events a month and two URLs.
#[test]
fn tenants_that_rarely_send_are_rarely_cached() {
    for (tenants, wanted) in [(1.0, 0.03), (10.0, 0.19), (100.0, 0.70), (1000.0, 0.96)] {
        let bill = defaults(&Workload { tenants, ..Workload::default() });
        let reads = line(&bill, "DynamoDB, reads of tenants").quantity / 1e6;
        assert!((reads - wanted).abs() < 0.02, "{tenants}: {reads}");
    }
    // One URL finds in its cache what two have to ask for each.
    let one = defaults(&Workload { urls: Some(1), ..Workload::default() });
    let two = defaults(&Workload { urls: Some(2), ..Workload::default() });
    let reads = |bill| line(bill, "DynamoDB, reads of tenants").quantity;
    assert!(reads(&one) < reads(&two));
}

/// A hundred million events, and no more than one decryption for each environment and hour.
#[test]
fn a_data_key_is_decrypted_for_all_tenants_of_an_environment() {
    let decrypted =
        |workload: Workload| line(&defaults(&workload), "KMS, data keys decrypted").quantity;
    let of = |tenants| decrypted(Workload { tenants, ..Workload::default() });
    assert!(is_near(of(1.0), of(10_000.0)));
    let environments = 2.0 * (1.2 + 50e6 / (730.0 * 3600.0) * 0.01);
    assert!(decrypted(BUSY) <= 730.0 * environments);
}

#[test]
fn the_template_s_parameters_count() {
    let workload = Workload::default();
    let month = |parameter: &str, value: &str, component: &str| {
        line(&bill("", &[(parameter, value)], &workload), component).month
    };
    assert_eq!(month("Tracing", "PassThrough", "X-Ray"), 0.0);
    // Nearly each request is the first of its second.
    assert!(month("Tracing", "Active", "X-Ray") > 8.0);
    for component in ["Logs, receivers", "Logs, handlers"] {
        assert_eq!(month("LogLevel", "WARN", component), 0.0);
        assert!(month("LogLevel", "INFO", component) > 0.1);
    }
    let duration = |architecture| month("Architecture", architecture, "Lambda, handlers' duration");
    assert!(is_near(duration("x86_64") / duration("arm64"), 1.25));
    let polling = |most| month("HandlerConcurrency", most, "SQS, idle polling");
    assert!(is_near(polling("2") / polling("20"), 0.4));
    let kept = |days| month("LogRetentionDays", days, "Logs, kept");
    assert!(is_near(kept("60") / kept("30"), 2.0));
}

#[test]
fn a_stack_costs_less_than_three_dollars_without_events() {
    let workload = Workload::default();
    let idle = |parameters: &[(&str, &str)]| bill("", parameters, &workload).totals.idle;
    assert!(idle(&[]) <= 3.0);
    assert!(is_near(idle(&[("WithDashboard", "true")]) - idle(&[]), 3.0));
}

#[test]
fn an_adopted_key_costs_what_an_own_one_does() {
    let adopted = [
        ("TenantsTableName", "old-tenants"),
        ("TenantsKeyArn", "arn:aws:kms:eu-west-1:111122223333:key/mrk-1"),
    ];
    let (own, adopted) = (defaults(&Workload::default()), bill("", &adopted, &Workload::default()));
    for component in ["KMS, keys", "KMS, data keys decrypted", "DynamoDB, reads of tenants"] {
        let month = line(&own, component).month;
        assert!(month > 0.0 && is_near(line(&adopted, component).month, month), "{component}");
    }
}

#[test]
fn x_ray_traces_a_busy_app_s_share() {
    let bill = bill("", &[("Tracing", "Active")], &BUSY);
    let traces = line(&bill, "X-Ray").quantity;
    assert!(traces < 0.15 * 200e6, "{traces}");
}

#[test]
fn a_batching_window_fills_batches_and_nothing_else() {
    let workload = Workload { events: 10e6, ..Workload::default() };
    let at_once = defaults(&workload);
    let text =
        "handlers: { issue-created: { batchWindow: 20 }, page-created: { batchWindow: 20 } }";
    let waits = bill(text, &[], &workload);
    for component in ["Lambda, handlers' requests", "SQS, deletes"] {
        let [at_once, waits] = [&at_once, &waits].map(|bill| line(bill, component).quantity);
        assert!(waits < at_once / 5.0 && waits >= 10e6 / 10.0, "{component}: {waits} {at_once}");
    }
    // A poller still gets each message as it comes.
    let receives = "SQS, receives beyond idle polling";
    assert!(is_near(line(&waits, receives).quantity, line(&at_once, receives).quantity));
}

#[test]
fn large_bodies_take_several_requests_or_an_object() {
    let of = |size| Workload { size, ..Workload::default() };
    let sends = |size| line(&defaults(&of(size)), "SQS, sends").quantity;
    assert!(is_near(sends(63.0), 1e6) && is_near(sends(64.0), 2e6) && is_near(sends(1000.0), 16e6));
    // It is compressed.
    assert!(is_near(sends(1100.0), 5e6));
    assert!(is_near(line(&defaults(&of(513.0)), "API Gateway").month, 2.0));
    assert_eq!(try_bill("", &[], &of(5000.0)).unwrap_err(), CostError::TooLarge(5000));
    let stored = bill("template: { bodies: true }", &[], &of(5000.0));
    assert!(is_near(line(&stored, "S3, bodies written").month, 5.0));
    assert!(is_near(line(&stored, "SQS, sends").quantity, 1e6));
    assert_eq!(try_bill("", &[], &of(7000.0)).unwrap_err(), CostError::BeyondLambda(7000));
}

#[test]
fn each_further_url_comes_with_a_handler() {
    let of = |urls| defaults(&Workload { urls: Some(urls), ..Workload::default() });
    let [two, four] = [2, 4].map(of);
    let quantity = |bill, component| line(bill, component).quantity;
    let alarms = "Alarms";
    assert!(is_near(quantity(&four, alarms) - quantity(&two, alarms), 4.0), "two a handler");
    let polling = "SQS, idle polling";
    assert!(is_near(quantity(&four, polling), 2.0 * quantity(&two, polling)));
    for component in ["API Gateway", "SQS, sends", "DynamoDB, idempotency writes"] {
        assert!(is_near(quantity(&four, component), quantity(&two, component)), "{component}");
    }
    assert!(is_near(of(2).totals.month, defaults(&Workload::default()).totals.month));
}

#[test]
fn alarms_cost_by_the_metrics_that_they_read() {
    let bill = defaults(&Workload::default());
    // Two for each handler, three of answers of the API, two that are counted from lines, and throttles.
    assert!(is_near(line(&bill, "Alarms").quantity, 4.0 + 3.0 + 2.0 + 1.0));
}

#[test]
fn reports_of_lambda_cost_when_they_are_asked_for() {
    let reports = |bill: &Bill| line(bill, "Logs, reports of Lambda").month;
    let plain = Workload::default();
    assert_eq!(reports(&defaults(&plain)), 0.0);
    assert!(reports(&bill("", &[("WithReports", "true")], &plain)) > 0.3);
}

#[test]
fn the_sample_app_costs_at_most_three_dollars_without_events() {
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let template = sam_template::parse(&std::fs::read_to_string(text).unwrap()).unwrap();
    for address in ["", "on-call@example.com"] {
        let values = BTreeMap::from([("AlarmEmail".to_owned(), address.to_owned())]);
        let resources = Resources::of(&template, &values).unwrap();
        let workload = Workload { urls: Some(3), ..Workload::default() };
        let bill = Bill::of(&resources, &workload, Rates::us_east_1()).unwrap();
        assert!(bill.totals.idle <= 3.0, "{}", bill.table());
    }
}

#[test]
fn a_mode_without_idempotency_writes_nothing() {
    let of = |idempotency| defaults(&Workload { idempotency, ..Workload::default() });
    let writes = |bill: &Bill| line(bill, "DynamoDB, idempotency writes").quantity;
    assert!(is_near(writes(&of(Idempotency::Run)), 2e6));
    // Batches of one, or nearly.
    assert!(is_near(writes(&of(Idempotency::Deduplicate)), 1e6));
    let none = of(Idempotency::EveryTime);
    assert_eq!(writes(&none), 0.0);
    assert_eq!(line(&none, "DynamoDB, idempotency rows kept").quantity, 0.0);
}

#[test]
fn says_why_there_is_no_bill() {
    let nothing = |workload| try_bill("", &[], &workload).unwrap_err();
    let plain = Workload::default;
    assert_eq!(nothing(Workload { events: 0.0, ..plain() }), CostError::Nothing("events"));
    assert_eq!(nothing(Workload { tenants: 0.0, ..plain() }), CostError::Nothing("tenants"));
    assert_eq!(nothing(Workload { urls: Some(0), ..plain() }), CostError::Nothing("URLs"));
    assert_eq!(nothing(Workload { size: f64::NAN, ..plain() }), CostError::Nothing("KB"));
    let empty = Resources::of(&json!({"Resources": {}}), &BTreeMap::new()).unwrap();
    let refused = Bill::of(&empty, &plain(), Rates::us_east_1()).unwrap_err();
    assert_eq!(refused, CostError::NoReceiver);
}

#[test]
fn the_table_has_every_line_and_no_negative_sum() {
    let bill = defaults(&Workload { events: 3.0, ..Workload::default() });
    let table = bill.table();
    for line in &bill.lines {
        assert!(table.contains(line.component), "{table}");
    }
    assert!(!table.contains("-0") && !table.contains("NaN"), "{table}");
}

#[test]
fn a_forge_app_pays_for_no_tenants() {
    let manifest = serde_json::from_value::<Manifest>(json!({
        "modules": {
            "endpoint": [{"key": "changed", "remote": "hooks", "route": {"path": "/changed"}}],
            "trigger": [
                {"key": "t", "endpoint": "changed", "events": ["avi:jira:created:issue"]},
            ],
        },
    }));
    let text = render(&manifest.unwrap(), &Configuration::default()).unwrap();
    let resources = Resources::of(&parse(&text).unwrap(), &BTreeMap::new()).unwrap();
    let bill = Bill::of(&resources, &BUSY, Rates::us_east_1()).unwrap();
    let of_tenants = bill
        .lines
        .iter()
        .filter(|line| line.component.contains("tenants") || line.component.starts_with("KMS"));
    let of_tenants: Vec<f64> = of_tenants.map(|line| line.month).collect();
    assert_eq!(of_tenants, [0.0; 6]);
    assert_eq!(line(&bill, "Lambda, receivers' requests").quantity, BUSY.events);
    // What is left is what a Connect app pays for the same events.
    let connect = defaults(&BUSY);
    for component in ["API Gateway", "SQS, sends", "DynamoDB, idempotency writes"] {
        assert!(is_near(line(&bill, component).month, line(&connect, component).month));
    }
    assert!(bill.totals.month < connect.totals.month);
}
