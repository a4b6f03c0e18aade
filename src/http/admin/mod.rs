//! `/v1/admin/…`: what operators do. Served where they call, never at the address of a gateway in production; guarded all the same.

pub(super) mod issuers;
pub(super) mod view;
