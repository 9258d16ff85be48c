//! Environment variables, which the template sets.

use std::str::FromStr;

/// The value of a required variable.
///
/// # Errors
///
/// Returns [`Misconfigured::Missing`] if the variable is not set or empty.
pub fn required(name: &'static str) -> Result<String, Misconfigured> {
    optional(name).ok_or(Misconfigured::Missing { name })
}

/// The value of an optional variable. An empty one counts as absent.
pub fn optional(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that the others are sent to")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value of a required variable, parsed as a `T`.
///
/// # Errors
///
/// Returns [`Misconfigured`] if the variable is missing or cannot be parsed. The error has the name
/// of the variable and never its value, which may be a secret.
pub fn parsed<T>(name: &'static str) -> Result<T, Misconfigured>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let value = required(name)?;
    value
        .parse()
        .map_err(|error: T::Err| Misconfigured::Invalid { name, reason: error.to_string() })
}

/// The items of a list that is separated by commas. Spaces around an item do not belong to it, and
/// empty items are left out.
pub fn listed(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// A variable that is missing or invalid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misconfigured {
    /// The variable is not set, or empty.
    #[error("the environment variable {name} is not set; deploy the app's template, which sets it")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// The value cannot be parsed.
    #[error("the environment variable {name} is not valid: {reason}; correct it in the template")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_variable_that_is_missing() {
        let error = required("SURELY_NOBODY_SETS_THIS").unwrap_err();
        assert!(error.to_string().contains("SURELY_NOBODY_SETS_THIS"), "{error}");
        assert_eq!(optional("SURELY_NOBODY_SETS_THIS"), None);
    }

    #[test]
    fn keeps_the_value_out_of_the_error() {
        // PATH is set wherever cargo runs.
        let error = parsed::<u32>("PATH").unwrap_err().to_string();
        assert!(error.contains("PATH") && !error.contains("/bin"), "{error}");
    }
}
