//! `/v1/admin/requests`: anybody's requests, with what their owners do not see.

pub(in crate::http) mod get;
pub(in crate::http) mod list;
mod view;
