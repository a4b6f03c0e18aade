//! `/v1/admin/…`: what operators do. Served where they call, never at the address of a gateway in production; guarded all the same.

pub(super) mod accounts;
pub(in crate::http) mod audit;
pub(super) mod clients;
pub(super) mod issuers;
pub(super) mod keys;
pub(super) mod requests;
pub(super) mod socket;
pub(super) mod view;
