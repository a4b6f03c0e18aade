//! Anteroom: the gateway between a Provider and its Clients.

pub mod core;
pub mod secret;
pub mod store;
