//! Deliveries as the type that the handler takes.

use atlassian_connect::delivery::Delivery;
use atlassian_connect::event::{FromPayload, Reading, Unreadable};
use contract::metric;

use crate::message::Message;

/// Reads the payload of a delivery. Logs and counts a body that was not read as a whole, at its first
/// attempt.
pub(crate) fn typed<T: FromPayload>(
    delivery: Delivery,
    message: &Message,
) -> Result<Delivery<T>, Unreadable> {
    let (id, event) = (delivery.id.clone(), delivery.event.clone());
    // What an older receiver read stays in a plain delivery.
    let said = delivery.reading.clone();
    let typed = delivery.read::<T>();
    if message.attempts() > 1 {
        return typed;
    }
    match &typed {
        Ok(Delivery { reading: reading @ Reading::Partly(left_out), .. }) if *reading != said => {
            tracing::warn!(
                metric = metric::PARTLY_TYPED,
                delivery.id = id,
                delivery.event = %event,
                delivery.reading = reading.as_str(),
                %left_out,
                "delivery partly typed"
            );
        }
        Err(unreadable @ Unreadable::Form { .. }) if !matches!(said, Reading::Unreadable(_)) => {
            tracing::warn!(
                metric = metric::UNTYPED,
                delivery.id = id,
                delivery.event = %event,
                delivery.reading = "unreadable",
                detail = unreadable.to_string(),
                "delivery untyped"
            );
        }
        _ => {}
    }
    typed
}
