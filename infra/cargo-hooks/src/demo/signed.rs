//! The demo tenants of a local stack that sign their webhooks.

use std::time::Duration;

use anyhow::{Context as _, bail};
use atlassian_connect::event::{EventName, Product};
use atlassian_simulator::Answer;
use atlassian_simulator::signed::{SignedTenant, SignedWebhook, post, usual_event};
use inspector::{Declared, Tampering};
use jiff::{SignedDuration, Timestamp};
use signed_webhooks::{Declared as Url, Events, Kind, Proof};

use super::Demo;
use crate::transfer::{Store, signed};

impl Demo {
    /// Adds the tenants to the stack's table. One that an earlier stack had gets the new secret.
    ///
    /// # Errors
    ///
    /// Fails if the stack has no table of tenants, or the table or its key does not answer.
    pub async fn add_signed(&self) -> anyhow::Result<()> {
        if self.signed().is_empty() {
            return Ok(());
        }
        let tenants = self.inner.tenants.clone();
        let tenants = tenants.context(
            "the template has no table of tenants, which signed webhooks need; run \
             `cargo hooks template`",
        )?;
        let store = Store::of_local(tenants, self.declared().app());
        for SignedTenant { name, kind, secret } in self.signed() {
            match signed::find(&store, name).await? {
                Some(known) if known == *kind => {
                    signed::rotate(&store, name, secret, Duration::ZERO).await?;
                    continue;
                }
                Some(_) => signed::remove(&store, name).await?,
                None => {}
            }
            signed::add(&store, name, *kind, secret).await?;
        }
        Ok(())
    }

    /// Sends a webhook of a tenant, or one that is not to be trusted.
    ///
    /// # Errors
    ///
    /// Fails if no URL of its kind takes the event, the request cannot be wrong in this way, or it got no
    /// answer.
    pub async fn send_signed(
        &self,
        tenant: &SignedTenant,
        event: &EventName,
        body: String,
        tampering: Tampering,
    ) -> anyhow::Result<Answer> {
        let url = signed_url_of(&self.declared().signed, Some(tenant.kind), event);
        let url = url.with_context(|| undeclared(&self.declared().signed, event))?;
        let now = Timestamp::now();
        let has_time = tenant.kind.spec().proof == Proof::Token;
        let proof = match tampering {
            Tampering::None => Some(tenant.proof(&body, now)),
            Tampering::NoToken => None,
            Tampering::WrongSecret => {
                let stranger = SignedTenant { secret: signed::generated()?, ..tenant.clone() };
                Some(stranger.proof(&body, now))
            }
            Tampering::Expired if has_time => {
                Some(tenant.proof(&body, now - SignedDuration::from_hours(1)))
            }
            Tampering::Expired => bail!("a signature does not expire; choose another mistake"),
            Tampering::WrongQsh | Tampering::Browser => {
                bail!("nothing binds a signed webhook to its URL; choose another mistake")
            }
        };
        let base_url = &self.inner.base_url;
        let webhook = SignedWebhook { base_url, path: &url.path, event, body };
        post(self.atlassian().client(), webhook, tenant, proof).await
    }

    /// The tenant with this name.
    pub(super) fn signed_tenant(&self, name: &str) -> Option<&SignedTenant> {
        self.signed().iter().find(|tenant| tenant.name.as_str() == name)
    }
}

/// A new tenant of each declared kind: `demo`, or `demo-KIND` if there are several.
pub(super) fn tenants(declared: &Declared) -> anyhow::Result<Vec<SignedTenant>> {
    let is_declared = |kind: &Kind| declared.signed.iter().any(|url| url.kind == *kind);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(is_declared).collect();
    let tenant = |kind: &Kind| {
        let name = if kinds.len() == 1 { "demo".to_owned() } else { format!("demo-{kind}") };
        Ok(SignedTenant { name: name.parse()?, kind: *kind, secret: signed::generated()? })
    };
    kinds.iter().map(tenant).collect()
}

/// The URL of a kind, or of any, that takes an event: the first that lists it, or else that takes all
/// events of its product.
pub fn signed_url_of<'a>(
    urls: &'a [Url],
    kind: Option<Kind>,
    event: &EventName,
) -> Option<&'a Url> {
    let mut of_kind = urls.iter().filter(|url| kind.is_none_or(|kind| url.kind == kind));
    let lists = |url: &&Url| matches!(&url.events, Events::Only(events) if events.contains(event));
    // The tables have no event of Bitbucket's, so one that they do not list is rather such an event.
    let is_unlikely =
        |url: &&Url| event.products().is_empty() && url.kind.product() != Product::Bitbucket;
    let of_product =
        |url: &&Url| url.events == Events::All && event.may_come_from(url.kind.product());
    of_kind
        .clone()
        .find(lists)
        .or_else(|| of_kind.by_ref().filter(of_product).min_by_key(is_unlikely))
}

/// The events that a URL lists, or one if it takes all.
pub fn signed_events(url: &Url) -> Vec<EventName> {
    match &url.events {
        Events::Only(events) => events.clone(),
        Events::All => vec![usual_event(url.kind)],
    }
}

/// That no URL takes an event, and which events there are.
pub(crate) fn undeclared(urls: &[Url], event: &EventName) -> String {
    let known: Vec<String> =
        urls.iter().flat_map(signed_events).map(|event| event.to_string()).collect();
    format!(
        "no URL of signed webhooks takes {event}; add it to `webhooks` in infra/atlassian-hooks.yaml, or \
         name one that is there: {}",
        known.join(", "),
    )
}
