//! Webhooks in the database: [`told`] writes deliveries in the commit of the change that they tell of, [`endpoints`] and [`sending`]
//! do what their owners and the sender ask for, and [`rows`] says how it all lies there.

mod endpoints;
mod port;
mod rows;
mod sending;
mod told;

pub(super) use port::PostgresWebhooks;
pub(super) use told::{Change, acted};
