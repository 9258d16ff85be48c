//! What a refused delivery needs.

use reqwest::StatusCode;

use super::Target;

/// One sentence: the status, what it means, and what to do next.
pub(super) fn explained(status: StatusCode, target: &Target) -> String {
    let code = status.as_u16();
    let log = if target.session.is_some() {
        "the terminal of `cargo hooks local` says why"
    } else {
        "the receiver's log says why"
    };
    match code {
        401 if target.session.is_some() => format!(
            "it was refused with 401, because the app does not trust the token: {log}, and a restart \
             of the stack installs its demo sites again"
        ),
        401 => format!(
            "it was refused with 401, because the app does not trust the token: check that --tenant, \
             --url and HOOKS_SHARED_SECRET are those of the last install; {log}"
        ),
        400 | 413 => format!(
            "it was refused with {code}, as the same body always will be: correct the body, {log}"
        ),
        403 | 404 => format!(
            "it was refused with {code}, because no receiver has this URL: check --url, and deploy the \
             template that `cargo hooks template` writes"
        ),
        429 => "it was refused with 429, because requests are throttled: lower --rate, or send it later"
            .into(),
        300..=399 => format!(
            "it was refused with {code}, a redirect, which Atlassian does not follow: give the final \
             address as --url"
        ),
        500..=599 => format!(
            "it was refused with {code}, because the app could not store it: send it again, and {log}"
        ),
        _ => format!("it was refused with {code}; {log}"),
    }
}
