//! The bill as a table for people.

use std::fmt::Write as _;

use super::{Bill, Idempotency, Line, Occurs, Price, Totals, Workload};

impl Bill {
    /// The bill as a table: a row for each component, and the sums.
    pub fn table(&self) -> String {
        let Self { region, workload, lines, totals, rates, .. } = self;
        let mut rows = vec![HEAD.map(str::to_owned)];
        let of = |occurs| lines.iter().filter(move |line| line.occurs == occurs).map(row);
        rows.extend(of(Occurs::Usage));
        let Totals { usage, usage_million, without_api_million, idle, month } = *totals;
        let millions = workload.events / 1e6;
        rows.push(sum("usage", usage, Some(usage_million)));
        let without_api = without_api_million * millions;
        rows.push(sum("usage without API Gateway", without_api, Some(without_api_million)));
        rows.push(EMPTY.map(str::to_owned));
        rows.extend(of(Occurs::Idle));
        rows.push(sum("idle", idle, None));
        rows.push(EMPTY.map(str::to_owned));
        rows.push(sum("usage and idle", month, None));
        let dates = rates.prices.all().map(|(_, price)| &*price.date);
        let date = dates.max().unwrap_or_default();
        format!(
            "{}\n\n{}\nList prices of {region}, {date}, without free tiers. Events come evenly. The \
             assumptions are in --json.\n",
            described(workload),
            aligned(&rows),
        )
    }
}

const HEAD: [&str; 5] = ["component", "a month", "price", "$ a month", "$ a million"];
const EMPTY: [&str; 5] = [""; 5];

fn described(workload: &Workload) -> String {
    let Workload { events, tenants, urls, size, idempotency } = workload;
    let urls = urls.map_or_else(String::new, |urls| format!(", {urls} URLs"));
    let mode = match idempotency {
        Idempotency::Run => "run",
        Idempotency::ClaimOnce => "claim-once",
        Idempotency::Deduplicate => "deduplicate",
        Idempotency::EveryTime => "every-time",
    };
    format!(
        "{} events of {size} KB a month, {} tenants{urls}, handlers in the mode {mode}",
        whole(*events),
        whole(*tenants),
    )
}

fn row(line: &Line) -> [String; 5] {
    let million = match line.occurs {
        Occurs::Usage => dollars(line.million),
        Occurs::Idle => String::new(),
    };
    let component = line.component.to_owned();
    [component, quantity(line.quantity), price(&line.price), dollars(line.month), million]
}

fn sum(name: &str, month: f64, million: Option<f64>) -> [String; 5] {
    let million = million.map_or_else(String::new, dollars);
    [name.to_owned(), String::new(), String::new(), dollars(month), million]
}

/// Lines of columns: texts to the left, numbers to the right.
fn aligned(rows: &[[String; 5]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(width);
    let mut text = String::new();
    for [a, b, c, d, e] in rows {
        let line = format!("{a:first$}  {b:>second$}  {c:third$}  {d:>fourth$}  {e:>fifth$}");
        writeln!(text, "{}", line.trim_end()).expect("a String takes any text");
    }
    text
}

fn price(price: &Price) -> String {
    let Price { usd, per, unit, .. } = price;
    let usd = if *usd >= 0.01 && (usd * 100.0).fract() < 1e-9 {
        format!("{usd:.2}")
    } else {
        usd.to_string()
    };
    let per = match *per {
        1.0 => String::new(),
        1e6 => "million ".to_owned(),
        per => format!("{} ", whole(per)),
    };
    format!("${usd} / {per}{unit}")
}

fn dollars(amount: f64) -> String {
    format!("{amount:.2}")
}

fn quantity(amount: f64) -> String {
    if amount == 0.0 {
        "0".to_owned()
    } else if amount >= 100.0 {
        whole(amount)
    } else {
        format!("{amount:.2}")
    }
}

/// A rounded number with its thousands apart.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
