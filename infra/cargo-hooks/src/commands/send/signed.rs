//! Webhooks that a tenant signs with a secret.

use anyhow::{Context as _, bail, ensure};
use atlassian_connect::event::EventName;
use atlassian_simulator::client;
use atlassian_simulator::signed::{SignedTenant, SignedWebhook, send};
use signed_webhooks::Declared;

use super::body::Body;
use super::{Args, Target, refusal, secret_of_deployed};
use crate::app::App;
use crate::demo::{signed_url_of, undeclared};
use crate::session::Session;

/// Who sends a webhook.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Sender {
    /// A site that has the Connect app installed
    Connect,
    /// A tenant that signs its webhooks with a secret
    Signed,
}

/// The app's URLs of signed webhooks, if the event is to be sent to one of them: because it was asked for,
/// or because the descriptor does not declare the event.
///
/// # Errors
///
/// Fails if something that the app declares is wrong.
pub(super) fn urls(args: &Args, event: &EventName) -> anyhow::Result<Option<Vec<Declared>>> {
    let app = App::find()?;
    let is_connect = app.descriptor_path().exists();
    match args.sender {
        Some(Sender::Connect) => return Ok(None),
        Some(Sender::Signed) => {}
        None if is_connect && super::declared(&app.descriptor()?, event).is_ok() => {
            return Ok(None);
        }
        None => {}
    }
    let declared = app.declarations()?;
    let urls = app.configuration(&declared)?.signed();
    let is_only = !is_connect && !urls.is_empty();
    let takes = signed_url_of(&urls, None, event).is_some();
    Ok((takes || is_only || args.sender.is_some()).then_some(urls))
}

/// Sends a signed webhook, and prints what was answered.
///
/// # Errors
///
/// Fails if no URL takes the event, or it could not be sent, or was refused.
pub(super) async fn run(args: &Args, event: &EventName, urls: &[Declared]) -> anyhow::Result<()> {
    ensure!(
        !args.load.is_wanted(args.count),
        "signed webhooks are sent one after the other; leave out the options of a load, and --count above 10"
    );
    let target = Target::of(args)?;
    let (tenant, url) = match &target.session {
        Some(session) => of_session(session, args, event, urls)?,
        None => of_deployed(args, event, urls)?,
    };
    let body = match &args.body {
        Some(path) => Body::read(path, args.fresh, &args.assignments)?,
        None => Body::signed(tenant.kind, event, &args.assignments)?,
    };
    let client = client()?;
    for _ in 0..args.count {
        let base_url = &target.base_url;
        let webhook = SignedWebhook { base_url, path: &url.path, event, body: body.next()? };
        let sent = target.answered(send(&client, webhook, &tenant).await)?;
        println!(
            "{event} to {}{} signed as {}: {} in {} ms",
            base_url.trim_end_matches('/'),
            url.path.of(&tenant.name),
            tenant.kind,
            sent.status,
            sent.took.as_millis(),
        );
        target.follow(args, &client, &sent).await?;
        if !sent.status.is_success() {
            bail!("{}", refusal::of_signed(sent.status, &target));
        }
    }
    Ok(())
}

/// A demo tenant of the local stack, and the URL of its kind.
fn of_session<'a>(
    session: &Session,
    args: &Args,
    event: &EventName,
    urls: &'a [Declared],
) -> anyhow::Result<(SignedTenant, &'a Declared)> {
    let named = args.tenant.as_deref();
    let named = named.map(|name| {
        let tenant = session.signed().find(|tenant| tenant.name.as_str() == name);
        tenant.with_context(|| {
            format!(
                "the local stack has no demo tenant {name}; leave --tenant out, or give one that \
                 `cargo hooks local` printed. For one that you added, give --url as well"
            )
        })
    });
    let named = named.transpose()?;
    let kind = named.as_ref().map(|tenant| tenant.kind);
    let url = signed_url_of(urls, kind, event).with_context(|| undeclared(urls, event))?;
    let tenant = named.or_else(|| session.signed().find(|tenant| tenant.kind == url.kind));
    let tenant = tenant.with_context(|| {
        format!(
            "the local stack has no tenant of the kind {}, because the app had no such URL when it started; \
             start it again with `cargo hooks local`",
            url.kind
        )
    })?;
    Ok((tenant, url))
}

/// The tenant that is named, with the secret of the environment.
fn of_deployed<'a>(
    args: &Args,
    event: &EventName,
    urls: &'a [Declared],
) -> anyhow::Result<(SignedTenant, &'a Declared)> {
    let url = signed_url_of(urls, None, event).with_context(|| undeclared(urls, event))?;
    let name = args.tenant.as_deref().context(
        "a deployed app needs --tenant: give a name that `cargo hooks tenants list --stack NAME` prints",
    )?;
    let secret = secret_of_deployed()?;
    Ok((SignedTenant { name: name.parse()?, kind: url.kind, secret }, url))
}
