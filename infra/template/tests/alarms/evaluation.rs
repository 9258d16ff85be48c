//! What CloudWatch makes of an alarm: metric filters, periods and statistics, the expression, and the
//! comparison. It knows as much of each as the template uses, and panics over anything else.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A metric: namespace, name, and the value of its dimension, which is empty if it has none.
pub(crate) type Metric = (String, String, String);

/// Values of metrics, each with its time in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(BTreeMap<Metric, Vec<(i64, f64)>>);

impl Samples {
    /// Adds a value.
    pub(crate) fn add(
        &mut self,
        namespace: &str,
        name: &str,
        dimension: &str,
        at: i64,
        value: f64,
    ) {
        let metric = (namespace.to_owned(), name.to_owned(), dimension.to_owned());
        self.0.entry(metric).or_default().push((at, value));
    }

    /// Adds what metric filters make of a line. `filters` are the properties of `AWS::Logs::MetricFilter`,
    /// and `group` is the log group as the template refers to it.
    pub(crate) fn count<'f>(
        &mut self,
        filters: impl IntoIterator<Item = &'f Map<String, Value>>,
        group: &str,
        line: &Value,
        at: i64,
    ) {
        for filter in filters {
            let pattern = filter["FilterPattern"].as_str().unwrap();
            if filter["LogGroupName"] != group || !Pattern::matches(pattern, line) {
                continue;
            }
            let counts = &filter["MetricTransformations"][0];
            let text = |name: &str| counts[name].as_str().unwrap();
            let value = text("MetricValue").parse().unwrap();
            self.add(text("MetricNamespace"), text("MetricName"), "", at, value);
        }
    }

    /// The values of a metric in periods of so many seconds: one for each start of a period.
    fn periods(&self, metric: &Metric, statistic: &str, seconds: i64, starts: &[i64]) -> Series {
        let samples = self.0.get(metric).map(Vec::as_slice).unwrap_or_default();
        let in_period = |start: i64| {
            let values =
                samples.iter().filter(move |(at, _)| (start..start + seconds).contains(at));
            let values: Vec<f64> = values.map(|(_, value)| *value).collect();
            match statistic {
                _ if values.is_empty() => None,
                "Sum" => Some(values.iter().sum()),
                "Maximum" => values.iter().copied().reduce(f64::max),
                other => panic!("the statistic {other} is not known here"),
            }
        };
        starts.iter().map(|start| in_period(*start)).collect()
    }
}

/// A value for each period. `None` if there is none.
type Series = Vec<Option<f64>>;

/// The values of an entry of `Metrics`, by its id.
type Names<'n> = &'n dyn Fn(&str) -> Series;

/// An operator and what it does.
type Operator = (&'static str, fn(f64, f64) -> f64);

/// Whether an alarm is on at a time, by its properties in the template, to which references are texts
/// such as `${Api}`. The period in which the time is counts as the last one.
pub(crate) fn is_on(alarm: &Map<String, Value>, samples: &Samples, now: i64) -> bool {
    let number = |name: &str| alarm.get(name).and_then(Value::as_f64);
    let evaluated = number("EvaluationPeriods").unwrap() as usize;
    let needed = number("DatapointsToAlarm").map_or(evaluated, |needed| needed as usize);
    let threshold = number("Threshold").unwrap();
    // CloudWatch retrieves more than it evaluates, so the first value has one before it.
    let values = series(alarm, samples, now, evaluated + 1).split_off(1);
    let breaches = |value: f64| match alarm["ComparisonOperator"].as_str().unwrap() {
        "GreaterThanThreshold" => value > threshold,
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        other => panic!("the comparison {other} is not known here"),
    };
    assert_eq!(alarm["TreatMissingData"], "notBreaching");
    values.into_iter().flatten().filter(|value| breaches(*value)).count() >= needed
}

/// The values that an alarm compares.
fn series(alarm: &Map<String, Value>, samples: &Samples, now: i64, periods: usize) -> Series {
    let starts = |seconds: i64| -> Vec<i64> {
        let last = now - now.rem_euclid(seconds);
        (0..periods as i64).rev().map(|before| last - before * seconds).collect()
    };
    let metric_of = |of: &Value| -> Metric {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let dimension = &of["Dimensions"][0]["Value"];
        (text(&of["Namespace"]), text(&of["MetricName"]), text(dimension))
    };
    let Some(entries) = alarm.get("Metrics").and_then(Value::as_array) else {
        let seconds = alarm["Period"].as_i64().unwrap();
        let metric = metric_of(&Value::Object(alarm.clone()));
        let statistic = alarm["Statistic"].as_str().unwrap();
        return samples.periods(&metric, statistic, seconds, &starts(seconds));
    };
    let period = |entry: &Value| entry.pointer("/MetricStat/Period").and_then(Value::as_i64);
    let seconds = entries.iter().find_map(period).unwrap();
    let starts = starts(seconds);
    let value_of = |entry: &Value, names: Names<'_>| match &entry["Expression"] {
        Value::String(expression) => Expression::value(expression, &starts, names),
        _ => {
            let stat = &entry["MetricStat"];
            assert_eq!(period(entry), Some(seconds), "all metrics of an alarm have one period");
            let statistic = stat["Stat"].as_str().unwrap();
            samples.periods(&metric_of(&stat["Metric"]), statistic, seconds, &starts)
        }
    };
    fn named(
        id: &str,
        entries: &[Value],
        value_of: &dyn Fn(&Value, Names<'_>) -> Series,
    ) -> Series {
        let entry = entries.iter().find(|entry| entry["Id"] == id);
        let entry = entry.unwrap_or_else(|| panic!("no entry of Metrics is {id}"));
        value_of(entry, &|other| named(other, entries, value_of))
    }
    let returned = entries.iter().find(|entry| entry.get("ReturnData") != Some(&false.into()));
    named(returned.unwrap()["Id"].as_str().unwrap(), entries, &value_of)
}

/// Splits a text into words, numbers, quoted texts and signs.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
        let is_sign = |c: char| "<>=!&|".contains(c);
        let end = match first {
            '"' => rest[1..].find('"').map(|end| end + 2),
            first if is_word(first) => rest.find(|c| !is_word(c)),
            first if is_sign(first) => rest.find(|c| !is_sign(c)),
            _ => Some(1),
        };
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// A filter pattern for lines in JSON ("Filter pattern syntax" in the CloudWatch Logs User Guide).
struct Pattern<'t> {
    tokens: &'t [&'t str],
    line: &'t Value,
}

impl Pattern<'_> {
    fn matches(pattern: &str, line: &Value) -> bool {
        let tokens = tokens(pattern);
        let [open, inner @ .., close] = &tokens[..] else { panic!("{pattern} is empty") };
        assert!((*open, *close) == ("{", "}"), "{pattern} is not for JSON");
        let mut pattern = Pattern { tokens: inner, line };
        let matches = pattern.any();
        assert!(pattern.tokens.is_empty(), "not read: {:?}", pattern.tokens);
        matches
    }

    fn next(&mut self) -> &str {
        let (first, rest) = self.tokens.split_first().expect("the pattern ends too early");
        self.tokens = rest;
        first
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.tokens.first() == Some(&token);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn any(&mut self) -> bool {
        let mut matches = self.all();
        while self.takes("||") {
            matches |= self.all();
        }
        matches
    }

    fn all(&mut self) -> bool {
        let mut matches = self.one();
        while self.takes("&&") {
            matches &= self.one();
        }
        matches
    }

    fn one(&mut self) -> bool {
        if self.takes("(") {
            let matches = self.any();
            assert!(self.takes(")"), "a parenthesis is open");
            return matches;
        }
        let path = self.next().strip_prefix("$.").expect("a selector begins with $.").to_owned();
        let equal = match self.next() {
            "=" => true,
            "!=" => false,
            other => panic!("{other} is not known here"),
        };
        let wanted = self.next().trim_matches('"').to_owned();
        // A line without the field matches neither.
        let found = path.split('.').try_fold(self.line, |value, name| value.get(name));
        found.and_then(Value::as_str).is_some_and(|found| (found == wanted) == equal)
    }
}

/// An expression of metric math ("Using metric math" in the CloudWatch User Guide).
struct Expression<'t> {
    tokens: &'t [&'t str],
    /// The starts of the periods.
    starts: &'t [i64],
    names: Names<'t>,
}

impl Expression<'_> {
    fn value(text: &str, starts: &[i64], names: Names<'_>) -> Series {
        let tokens = tokens(text);
        let mut expression = Expression { tokens: &tokens, starts, names };
        let value = expression.either();
        assert!(expression.tokens.is_empty(), "not read: {:?}", expression.tokens);
        value
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.tokens.first() == Some(&token);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    /// Operands of one precedence, from left to right.
    fn operands(&mut self, operators: &[Operator], operand: fn(&mut Self) -> Series) -> Series {
        let mut value = operand(self);
        while let Some((_, apply)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            let right = operand(self);
            value = value
                .iter()
                .zip(right)
                .map(|(left, right)| Some(apply((*left)?, right?)))
                .collect();
        }
        value
    }

    fn either(&mut self) -> Series {
        self.operands(&[("OR", |a, b| truth(a != 0.0 || b != 0.0))], Self::both)
    }

    fn both(&mut self) -> Series {
        self.operands(&[("AND", |a, b| truth(a != 0.0 && b != 0.0))], Self::comparison)
    }

    fn comparison(&mut self) -> Series {
        let operators: [Operator; 5] = [
            (">", |a, b| truth(a > b)),
            (">=", |a, b| truth(a >= b)),
            ("<", |a, b| truth(a < b)),
            ("<=", |a, b| truth(a <= b)),
            ("==", |a, b| truth(a == b)),
        ];
        self.operands(&operators, Self::sum)
    }

    fn sum(&mut self) -> Series {
        self.operands(&[("+", |a, b| a + b), ("-", |a, b| a - b)], Self::product)
    }

    fn product(&mut self) -> Series {
        self.operands(&[("*", |a, b| a * b), ("/", |a, b| a / b)], Self::operand)
    }

    fn operand(&mut self) -> Series {
        if self.takes("(") {
            let value = self.either();
            assert!(self.takes(")"), "a parenthesis is open");
            return value;
        }
        let (first, rest) = self.tokens.split_first().expect("the expression ends too early");
        self.tokens = rest;
        if let Ok(number) = first.parse() {
            return vec![Some(number); self.starts.len()];
        }
        if !self.takes("(") {
            return (self.names)(first);
        }
        let mut arguments = vec![self.either()];
        while self.takes(",") {
            arguments.push(self.either());
        }
        assert!(self.takes(")"), "the arguments of {first} are open");
        self.call(first, &arguments)
    }

    fn call(&self, function: &str, arguments: &[Series]) -> Series {
        let of_time = |part: fn(i64) -> i64| {
            self.starts.iter().map(|start| Some(part(*start) as f64)).collect()
        };
        match (function, arguments) {
            ("IF", [condition, then, otherwise]) => condition
                .iter()
                .zip(then.iter().zip(otherwise))
                .map(
                    |(condition, (then, otherwise))| {
                        if (*condition)? == 0.0 { *otherwise } else { *then }
                    },
                )
                .collect(),
            ("FILL", [values, by]) => {
                values.iter().zip(by).map(|(value, by)| value.or(*by)).collect()
            }
            // The first value has none before it.
            ("DIFF", [values]) => {
                let before = [None].into_iter().chain(values.iter().copied());
                values.iter().zip(before).map(|(value, before)| Some((*value)? - before?)).collect()
            }
            // 1970 began on a Thursday, and Monday is the first day.
            ("DAY", [_]) => of_time(|at| (at.div_euclid(86_400) + 3).rem_euclid(7) + 1),
            ("HOUR", [_]) => of_time(|at| at.rem_euclid(86_400) / 3600),
            ("MINUTE", [_]) => of_time(|at| at.rem_euclid(3600) / 60),
            _ => panic!("{function} of {} arguments is not known here", arguments.len()),
        }
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
