//! The verifiers: what they are made of, and each of their parts under test.

mod configuration;
mod discovery;
pub(crate) mod fake_provider;
mod floods;
pub(crate) mod keys;
mod network;
mod options;
mod outages;
mod provider;
mod published_keys;
mod remote_keys;
pub(crate) mod subjects;
