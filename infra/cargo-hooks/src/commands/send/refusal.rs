//! Advice about refused deliveries.

use reqwest::StatusCode;

use super::Target;

/// The same about an event of Forge.
pub(super) fn of_forge(status: StatusCode) -> String {
    let code = status.as_u16();
    let next = match code {
        401 => {
            "the app does not trust the token; start `cargo hooks local` again, which has a new key"
        }
        400 | 413 => "correct the body, or declare its event in infra/manifest.yml",
        403 | 404 => {
            "no receiver has this URL; run `cargo hooks template` and start the stack again"
        }
        500..=599 => "the app could not fetch the key set or store the event; send it again",
        _ => "see the local stack",
    };
    format!("refused with {code}: {next}; `cargo hooks logs` shows the reason")
}

/// The same about a signed webhook.
pub(super) fn of_signed(status: StatusCode, target: &Target) -> String {
    let code = status.as_u16();
    let is_local = target.session.is_some();
    let next = match code {
        401 if is_local => {
            "the app does not trust it; start `cargo hooks local` again, which makes new secrets"
        }
        401 => {
            "the app does not trust it; check that --tenant is a name that `cargo hooks tenants list` has, \
             of this kind, and HOOKS_SHARED_SECRET its secret"
        }
        400 => "correct the body, or add its event to `webhooks` in infra/atlassian-hooks.yaml",
        _ => return explained(status, target),
    };
    let of_stack = if is_local { "" } else { " --stack NAME" };
    format!("refused with {code}: {next}; `cargo hooks logs{of_stack}` shows the reason")
}

/// One sentence: the status, what it means, and what to do next.
pub(super) fn explained(status: StatusCode, target: &Target) -> String {
    let code = status.as_u16();
    let log = if target.session.is_some() {
        "`cargo hooks logs` shows the reason"
    } else {
        "`cargo hooks logs --stack NAME` shows the reason"
    };
    match code {
        401 if target.session.is_some() => format!(
            "refused with 401: the app does not trust the token; {log}, and starting `cargo hooks local` \
             again installs its demo sites again"
        ),
        401 => format!(
            "refused with 401: the app does not trust the token; check that --tenant, --url and \
             HOOKS_SHARED_SECRET are those of the last install; {log}"
        ),
        400 | 413 => format!(
            "refused with {code}: correct the body, because the same one is always refused; {log}"
        ),
        403 | 404 => format!(
            "refused with {code}: no receiver has this URL; check --url, and deploy the template that \
             `cargo hooks template` writes"
        ),
        429 => "refused with 429: requests are throttled; lower --rate, or send it later".into(),
        300..=399 => format!(
            "refused with {code}: Atlassian follows no redirect; give the final address as --url"
        ),
        500..=599 => {
            format!("refused with {code}: the app could not store the event; send it again; {log}")
        }
        _ => format!("refused with {code}; {log}"),
    }
}
