//! Sites of Jira and Confluence.

use atlassian_connect::event::Product;
use atlassian_connect::tenant::{ClientKey, SharedSecret};
use uuid::Uuid;

/// A simulated site that has the app installed: a tenant with its secret.
#[derive(Clone, Debug)]
pub struct Site {
    /// The product.
    pub product: Product,
    /// The client key.
    pub client_key: ClientKey,
    /// The shared secret.
    pub secret: SharedSecret,
    /// The base URL, as in `https://demo.atlassian.net`.
    pub base_url: String,
}

impl Site {
    /// A new site with a new client key and secret.
    pub fn new(product: Product, name: &str) -> Self {
        let path = product.base_path();
        Self {
            product,
            client_key: ClientKey::new(Uuid::new_v4().to_string()).expect("a UUID is a client key"),
            secret: SharedSecret::new(format!("{}{}", Uuid::new_v4(), Uuid::new_v4())),
            base_url: format!("https://{name}.atlassian.net{path}"),
        }
    }

    /// The OAuth 2.0 client of the app on this site, by which it acts as a user.
    pub fn oauth_client_id(&self) -> String {
        format!("client-{}", self.client_key)
    }

    /// The same site with a new secret, as after a re-install.
    pub fn with_new_secret(&self) -> Self {
        Self { secret: Self::new(self.product, "").secret, ..self.clone() }
    }
}
