//! The integration tests, one binary that mirrors the public surface.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can not go on has failed, and says where")]

mod admin;
mod architecture;
mod auth;
mod cli;
mod crash;
mod explain;
mod gateway;
mod guard;
mod health;
mod idp;
mod metrics;
mod oauth;
mod openapi;
mod partner;
mod patience;
mod problems;
mod process;
mod ready_configurations;
mod refusal_log;
mod requests;
mod serving;
mod settings;
mod sqlite;
mod sqlite_damage;
mod sqlite_faults;
mod sqlite_reference;
mod store_contract;
mod store_time;
mod stores;
mod token_places;
mod types;
mod ui;
mod verifier_contract;
mod verify;
mod view;
mod webhooks;
mod well_known;
mod whoami;
