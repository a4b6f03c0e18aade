//! The verifiers: what they are made of, and each of their parts under test.

mod ambiguities;
mod cold_start;
pub(crate) mod configuration;
mod discovery;
pub(crate) mod fake_provider;
mod faults;
mod floods;
mod hs256;
mod introspection;
pub(crate) mod keys;
mod network;
mod options;
mod outages;
mod provider;
mod provider_trust;
mod published_keys;
pub(crate) mod real_provider;
mod remote_keys;
pub(crate) mod subjects;
mod trust;
pub(crate) mod wire;
