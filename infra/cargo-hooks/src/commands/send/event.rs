//! Events of Forge, which only the local stack can be sent.

use anyhow::{Context as _, bail, ensure};
use atlassian_connect::event::EventName;
use atlassian_forge::event::PRE_UNINSTALL;
use atlassian_simulator::forge::{Endpoint, Forge, Installation, MAX_RETRIES, SigningKey};
use atlassian_simulator::{Answer, client};
use inspector::Declared;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::body::Body;
use super::{Args, journey, refusal};
use crate::app::App;
use crate::demo::endpoint_of;
use crate::session::Session;

/// Whose token goes with an event of Forge.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Holder {
    /// A user of the app, from a page in a browser
    Browser,
    /// Another Forge app
    OtherApp,
    /// Another endpoint of the app
    OtherEndpoint,
    /// Somebody who found a token that has expired
    Expired,
    /// Somebody with a key of their own
    Stranger,
}

/// Whether an event is one of Forge, by its name.
pub(super) fn is_of_forge(event: &str) -> bool {
    event.starts_with("avi:") || event == PRE_UNINSTALL
}

/// Sends an event of Forge, and prints what was answered.
///
/// # Errors
///
/// Fails if it could not be sent, or was refused although it had the right token, or taken although it
/// had not.
pub(super) async fn run(args: &Args, event: &str) -> anyhow::Result<()> {
    if args.url.is_some() {
        bail!(
            "only Atlassian can sign events of Forge, so a deployed app cannot be sent one; leave --url \
             out to send it to the local stack, or cause it on a site that has the app installed"
        );
    }
    ensure!(
        !args.load.is_wanted(1),
        "events of Forge are sent one after the other; leave out the options of a load"
    );
    let event = EventName::from(event);
    let manifest = App::find()?.manifest()?;
    let declared = Declared { manifest, ..Declared::default() };
    let (key, path) = endpoint_of(&declared, &event)?;
    let session = Session::read(args.port)?;
    let local = session.forge.as_ref().context(
        "the local stack plays no Forge, because the app had no manifest when it started; start it again \
         with `cargo hooks local`",
    )?;
    let installation =
        local.installation(args.tenant.as_deref(), &event).with_context(|| match &args.tenant {
            Some(tenant) => format!(
                "the local stack has no installation {tenant}; leave --tenant out, or give one that \
                 `cargo hooks local` printed"
            ),
            None => format!("no product that the local stack plays sends {event}"),
        })?;
    let client = client()?;
    let forge = Forge::new(client.clone(), &session.url);
    forge.rotate(local.key()?);
    let url = format!("{}{path}", session.url.trim_end_matches('/'));
    let bodies = Bodies::of(args, installation, event.clone())?;
    for _ in 0..args.count {
        let body = bodies.next()?;
        let endpoint = Endpoint { key, url: &url };
        let attempts = match args.holder {
            Some(holder) => vec![tampered(&forge, installation, endpoint, &body, holder).await?],
            None => attempts(&forge, installation, endpoint, &body, args.retry).await?,
        };
        for (number, sent) in attempts.iter().enumerate() {
            let which = if number == 0 { String::new() } else { format!(" again ({number})") };
            println!(
                "{event}{which} to {url} for installation {}: {} in {} ms",
                installation.id,
                sent.status,
                sent.took.as_millis(),
            );
            if let (false, Some(request)) = (args.no_wait, &sent.request_id) {
                journey::follow(&client, &session, request).await?;
            }
            match args.holder {
                Some(_) if sent.status.is_success() => {
                    bail!("the app took an event that it must not trust; check its receiver")
                }
                Some(_) => {}
                None if sent.status.is_success() => {}
                None => bail!("{}", refusal::of_forge(sent.status)),
            }
        }
    }
    Ok(())
}

/// The first attempt of an event, and these more, as if the answers were lost.
async fn attempts(
    forge: &Forge,
    installation: &Installation,
    endpoint: Endpoint<'_>,
    body: &str,
    retries: u32,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    // A body that is no object is sent as it is, and can have no retry context.
    let Ok(event @ Value::Object(_)) = serde_json::from_str(body) else {
        ensure!(retries == 0, "the body is no JSON object, so --retry can add nothing to it");
        let claims = installation.event_claims(endpoint.key, Timestamp::now());
        let authorization = format!("Bearer {}", forge.sign(&claims)?);
        answers.push(forge.post(endpoint.url, Some(&authorization), body.to_owned()).await?);
        return Ok(answers);
    };
    let mut outgoing = forge.event(installation, endpoint, event);
    for _ in 0..=retries.min(MAX_RETRIES) {
        answers.push(outgoing.attempt().await?);
    }
    Ok(answers)
}

/// An event with a token that must not be trusted.
async fn tampered(
    forge: &Forge,
    installation: &Installation,
    endpoint: Endpoint<'_>,
    body: &str,
    holder: Holder,
) -> anyhow::Result<Answer> {
    let now = Timestamp::now();
    let mut claims = installation.event_claims(endpoint.key, now);
    match holder {
        Holder::Browser => claims = installation.browser_claims(endpoint.key, now),
        Holder::OtherApp => {
            let other = "ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000";
            claims["aud"] = other.into();
            claims["app"]["id"] = other.into();
        }
        Holder::OtherEndpoint => claims["app"]["module"]["key"] = "another-endpoint".into(),
        Holder::Expired => {
            claims = installation.event_claims(endpoint.key, now - SignedDuration::from_hours(1));
        }
        Holder::Stranger => {}
    }
    let token = if holder == Holder::Stranger {
        SigningKey::generate()?.sign(&claims)?
    } else {
        forge.sign(&claims)?
    };
    forge.post(endpoint.url, Some(&format!("Bearer {token}")), body.to_owned()).await
}

/// The body of each event.
enum Bodies<'a> {
    /// Those of a file.
    File(Body),
    /// New samples.
    Samples { args: &'a Args, installation: &'a Installation, event: EventName },
}

impl<'a> Bodies<'a> {
    fn of(
        args: &'a Args,
        installation: &'a Installation,
        event: EventName,
    ) -> anyhow::Result<Self> {
        if let Some(path) = &args.body {
            return Ok(Self::File(Body::read(path, args.fresh, &args.assignments)?));
        }
        // Once in advance: a mistake costs no delivery, and what is added is said once.
        let mut trial = Forge::sample(installation, &event);
        for assignment in &args.assignments {
            if let Some(note) = assignment.apply(&mut trial)? {
                eprintln!("note: {note}");
            }
        }
        Ok(Self::Samples { args, installation, event })
    }

    fn next(&self) -> anyhow::Result<String> {
        match self {
            Self::File(body) => body.next(),
            Self::Samples { args, installation, event } => {
                let mut body = Forge::sample(installation, event);
                for assignment in &args.assignments {
                    assignment.apply(&mut body)?;
                }
                Ok(body.to_string())
            }
        }
    }
}
