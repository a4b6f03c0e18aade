//! Anteroom: the gateway between a Provider and its Clients.

pub mod core;
pub mod net;
pub mod secret;
pub mod verify;
