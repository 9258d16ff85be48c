//! placeholder

mod events;
