//! Installations of a Forge app.

use atlassian_connect::event::{EventName, Product};
use atlassian_forge::token::{ENDPOINT_MODULE, ISSUER};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// An installation of a Forge app on a site: a tenant. It has no secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Installation {
    /// The product.
    pub product: Product,
    /// The id, as in `ari:cloud:ecosystem::installation/UUID`.
    pub id: String,
    /// The id of the app, as the manifest has it.
    pub app: String,
    /// The id of the site.
    pub cloud_id: String,
    /// The id of the environment: a UUID.
    environment: String,
}

impl Installation {
    /// How long a token lives, in seconds.
    pub const LIFETIME: i64 = 25;

    /// A new installation of an app on a new site.
    pub fn new(product: Product, app: &str) -> Self {
        Self {
            product,
            id: format!("{INSTALLATION}{}", Uuid::new_v4()),
            app: app.to_owned(),
            cloud_id: Uuid::new_v4().to_string(),
            environment: Uuid::new_v4().to_string(),
        }
    }

    /// Whether an event may come from here: it is one of the product's, or of none.
    pub fn may_send(&self, event: &EventName) -> bool {
        use atlassian_forge::event::Product as Of;
        match Of::of(event.as_str()) {
            Some(Of::Jira | Of::JiraSoftware | Of::JiraServiceManagement) => {
                self.product == Product::Jira
            }
            Some(Of::Confluence) => self.product == Product::Confluence,
            Some(Of::Bitbucket) => self.product == Product::Bitbucket,
            Some(Of::Compass) => false,
            Some(Of::AppPolicy | Of::Forge) | None => true,
        }
    }

    /// The claims of the token that goes with an event to an endpoint.
    pub fn event_claims(&self, endpoint: &str, now: Timestamp) -> Value {
        self.claims(ENDPOINT_MODULE, endpoint, now)
    }

    /// The claims of the token that a page of the app gets in a user's browser. Its user can send it,
    /// with any body, to any URL of the remote.
    pub fn browser_claims(&self, page: &str, now: Timestamp) -> Value {
        let mut claims = self.claims(&format!("{}:globalPage", self.product), page, now);
        claims["principal"] = format!("712020:{}", Uuid::new_v4()).into();
        claims["context"] = json!({ "cloudId": self.cloud_id, "moduleKey": page });
        claims
    }

    fn claims(&self, module: &str, key: &str, now: Timestamp) -> Value {
        let Self { product, id, app, cloud_id, environment } = self;
        let now = now.as_second();
        let api = format!("https://api.atlassian.com/ex/{product}/{cloud_id}");
        let of_app = uuid_of(app);
        let environment = format!("ari:cloud:ecosystem::environment/{of_app}/{environment}");
        json!({
            "iss": ISSUER,
            "aud": app,
            "iat": now,
            "nbf": now,
            "exp": now + Self::LIFETIME,
            "jti": format!("{:040x}", rand::random::<u128>()),
            "app": {
                "id": app,
                "appVersion": "2.0.0",
                "installationId": id,
                "apiBaseUrl": api,
                "environment": { "type": "PRODUCTION", "id": environment },
                "module": { "type": module, "key": key },
                "installation": {
                    "id": id,
                    "contexts": [{ "name": product, "apiBaseUrl": api, "cloudId": cloud_id }],
                },
            },
        })
    }

    /// Makes the body of a lifecycle event or of a module that of this installation.
    pub(super) fn own(&self, body: &mut Value) {
        let site = format!("ari:cloud:{}::site/{}", self.product, self.cloud_id);
        let of_any = [
            ("/context/cloudId", self.cloud_id.as_str()),
            ("/data/workspace/cloudId", &self.cloud_id),
        ];
        let of_app = [
            ("/id", uuid_of(&self.id)),
            ("/context", &site),
            ("/app/id", uuid_of(&self.app)),
            ("/environment/id", &self.environment),
        ];
        let names_an_app = body.get("app").is_some();
        let of_app = of_app.into_iter().filter(|_| names_an_app);
        for (pointer, value) in of_any.into_iter().chain(of_app) {
            if let Some(place) = body.pointer_mut(pointer).filter(|place| place.is_string()) {
                *place = value.into();
            }
        }
    }
}

const INSTALLATION: &str = "ari:cloud:ecosystem::installation/";

/// The last part of a resource identifier.
fn uuid_of(ari: &str) -> &str {
    ari.rsplit('/').next().unwrap_or(ari)
}
