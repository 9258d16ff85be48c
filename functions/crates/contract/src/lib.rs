//! The names that the functions and the template share.
//!
//! The functions read them at run time, the generator writes them into `template.yaml`, and the
//! checks look for them there. A change of a name changes an account: a table's key cannot be
//! renamed in place, and an alarm on a metric that is gone stays silent.

pub mod bodies_bucket;
pub mod idempotency_table;
pub mod message_attribute;
pub mod metric;
pub mod tenants_table;
pub mod variable;
