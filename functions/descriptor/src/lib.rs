//! The app descriptor that is served, with the base URL it is served from.

use connect::descriptor::Descriptor;

/// `infra/atlassian-connect.json`, as it was when this was built. It is too long for an environment
/// variable, and a deployment changes both or neither.
pub const SOURCE: &str = include_str!("../../../infra/atlassian-connect.json");

/// Reads [`SOURCE`].
///
/// # Errors
///
/// A sentence that says what to do, if it is not a descriptor.
pub fn embedded() -> Result<Descriptor, String> {
    Descriptor::parse(SOURCE).map_err(|error| {
        format!(
            "infra/atlassian-connect.json is not a descriptor: {error}; run `cargo hooks check`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_the_base_url_it_is_given() {
        let served = embedded().unwrap().served("https://hooks.example.com");
        assert_eq!(served["baseUrl"], "https://hooks.example.com");
    }
}
