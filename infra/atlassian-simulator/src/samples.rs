//! Sample bodies of events.

use atlassian_connect::event::{EventName, Product};
use include_dir::{Dir, include_dir};

/// The sample body of an event of a product. `None` if the tables do not list the event for the
/// product.
pub fn sample(product: Product, event: &EventName) -> Option<&'static str> {
    let file = format!("{product}/{}.json", event.as_str().replace(':', "_"));
    SAMPLES.get_file(file)?.contents_utf8()
}

/// The bodies of the folder `samples`, by product.
static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

#[cfg(test)]
mod tests {
    use atlassian_connect::event::TABLE;

    use super::*;

    #[test]
    fn has_a_body_for_every_event_of_every_product() {
        for line in TABLE {
            assert!(sample(line.product, &line.event).is_some(), "{} {}", line.product, line.event);
        }
        assert!(sample(Product::Jira, &EventName::PageCreated).is_none());
        assert!(sample(Product::Jira, &"../jira/user_created".into()).is_none());
    }
}
