//! What an app declares to Atlassian, as far as its journeys tell it.

use atlassian_connect::descriptor::{Descriptor, Webhook};
use atlassian_forge::manifest::{Endpoint, Manifest};
use signed_webhooks::Declared as Signed;

/// What an app declares: a Connect app by its descriptor, a Forge app by its manifest, URLs of signed
/// webhooks by its configuration, and one that is several of them by each.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The descriptor.
    pub descriptor: Option<Descriptor>,
    /// The manifest.
    pub manifest: Option<Manifest>,
    /// The URLs of signed webhooks.
    pub signed: Vec<Signed>,
    /// What the configuration calls an app that has neither a descriptor nor a manifest.
    pub name: Option<String>,
}

impl From<Descriptor> for Declared {
    fn from(descriptor: Descriptor) -> Self {
        Self { descriptor: Some(descriptor), ..Self::default() }
    }
}

impl Declared {
    /// The name of the app: its key in Connect, or else its id in Forge, or else what it is called.
    pub fn app(&self) -> &str {
        let key = self.descriptor.as_ref().map(|descriptor| descriptor.key.as_str());
        let id = self.manifest.as_ref().map(|manifest| manifest.app.id.as_str());
        key.or(id).or(self.name.as_deref()).unwrap_or_default()
    }

    /// The webhooks of the descriptor.
    pub fn webhooks(&self) -> &[Webhook] {
        self.descriptor.as_ref().map_or(&[], |descriptor| &descriptor.modules.webhooks)
    }

    /// The endpoints of the manifest to which events are sent, with their paths and their events.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Endpoint, &str, Vec<&str>)> {
        self.manifest.iter().flat_map(|manifest| {
            manifest.modules.endpoint.iter().filter_map(|endpoint| {
                let events = manifest.modules.sent_to(&endpoint.key);
                let path = endpoint.route.as_ref()?.path.as_str();
                (!events.is_empty()).then_some((endpoint, path, events))
            })
        })
    }

    /// The URL of signed webhooks that a path is of, and the tenant that the path names.
    pub(crate) fn signed_at<'p>(&self, path: &'p str) -> Option<(&Signed, &'p str)> {
        self.signed.iter().find_map(|signed| Some((signed, signed.path.tenant(path)?)))
    }
}
