//! Anteroom: the gateway between a Provider and its Clients.

pub mod app;
pub mod cli;
pub mod core;
pub mod http;
pub mod net;
pub mod oauth;
pub mod queue;
pub mod secret;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod verify;
