//! Prices and assumptions: the data of the model.

use std::sync::LazyLock;

use sam_template::parse;
use serde::{Deserialize, Serialize};

/// Prices and assumptions of one region.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The region.
    pub region: String,
    /// What AWS charges.
    pub prices: Prices,
    /// What is assumed about the app and about services.
    pub assumptions: Assumptions,
}

impl Rates {
    /// Those of us-east-1.
    pub fn us_east_1() -> &'static Self {
        static RATES: LazyLock<Rates> = LazyLock::new(|| {
            let data = parse(include_str!("us-east-1.yaml")).expect("a test reads it");
            serde_json::from_value(data).expect("a test reads it")
        });
        &RATES
    }
}

/// What AWS charges for one thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars.
    pub usd: f64,
    /// For how many units.
    pub per: f64,
    /// The unit.
    pub unit: String,
    /// The month of the figure.
    pub date: String,
    /// The page on which AWS states it.
    pub source: String,
}

/// Something that is assumed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Assumption {
    /// The value.
    pub value: f64,
    /// The unit of the value.
    pub unit: String,
    /// Where the value comes from.
    pub basis: Basis,
    /// What it is.
    pub why: String,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// It was measured on the functions.
    Measured,
    /// AWS documents it.
    Documented,
    /// The code sets it.
    Code,
    /// It is an estimate.
    Estimate,
}

macro_rules! data {
    ($(#[$about:meta])* $name:ident of $kind:ident { $($field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "each entry of us-east-1.yaml says what it is")]
        pub struct $name {
            $(pub $field: $kind,)*
        }

        impl $name {
            /// All of them, with their names.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, &$kind)> {
                [$((stringify!($field), &self.$field),)*].into_iter()
            }
        }
    };
}

data! {
    /// What AWS charges.
    Prices of Price {
        http_api_requests,
        lambda_requests,
        lambda_arm64,
        lambda_x86_64,
        sqs_requests,
        sqs_fair_requests,
        dynamodb_reads,
        dynamodb_writes,
        dynamodb_storage,
        dynamodb_backup,
        kms_requests,
        kms_keys,
        log_ingestion,
        log_storage,
        metrics,
        alarms,
        dashboards,
        xray_traces,
        s3_puts,
        s3_gets,
        s3_storage,
        secrets,
        egress,
    }
}

data! {
    /// What is assumed about the app and about services.
    Assumptions of Assumption {
        month_hours,
        receiver_ms,
        tenant_read_ms,
        decrypt_ms,
        handler_ms,
        write_ms,
        batch_ms,
        spare_environments,
        environment_s,
        tenant_lifetime_s,
        data_key_lifetime_s,
        pollers,
        long_poll_s,
        receive_ms,
        largest_receive,
        envelope_bytes,
        message_limit_kb,
        compression,
        idempotency_row_bytes,
        idempotency_days,
        tenant_row_bytes,
        table_key_requests,
        queued_line_bytes,
        handled_line_bytes,
        access_line_bytes,
        report_line_bytes,
        line_overhead_bytes,
        log_compression,
        failure_hours,
        trace_share,
        response_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_price_has_a_unit_a_date_and_a_page_of_aws() {
        let Rates { prices, assumptions, .. } = Rates::us_east_1();
        for (name, price) in prices.all() {
            assert!(price.usd > 0.0 && price.per > 0.0 && !price.unit.is_empty(), "{name}");
            assert!(price.source.starts_with("https://aws.amazon.com/"), "{name}");
            let (year, month) = price.date.split_once('-').unwrap();
            assert!(year.parse::<u32>().unwrap() >= 2026, "{name}");
            assert!((1..=12).contains(&month.parse::<u32>().unwrap()), "{name}");
        }
        for (name, assumption) in assumptions.all() {
            assert!(assumption.value > 0.0, "{name}");
            assert!(!assumption.unit.is_empty() && assumption.why.ends_with('.'), "{name}");
        }
    }
}
