//! What the domain asks of a store, one file per aggregate.
//!
//! To add an aggregate: a file here with its trait, a getter in [`Store`], and its cases in the contract suite that every store
//! passes. Four rules: what is not there is `None`, not an error; time is an argument or comes from the clock the store was opened
//! with; an operation is one commit; and its answer means that the commit is durable.

use std::sync::Arc;

use super::BoxFuture;
use super::clock::Timestamp;
use super::request::RequestId;

pub mod records;
pub mod requests;
pub mod webhooks;

/// What a store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreDescription {
    /// The scheme of its URL.
    pub scheme: &'static str,
    /// What a crash of the process or of the machine leaves of what was answered, in a few words.
    pub durability: &'static str,
}

/// An open store.
pub trait Store: Send + Sync {
    /// The requests.
    fn requests(&self) -> Arc<dyn requests::Requests>;

    /// The webhooks.
    fn webhooks(&self) -> Arc<dyn webhooks::Webhooks>;

    /// The records of the authorization server.
    fn records(&self) -> Arc<dyn records::Records>;

    /// What it is, and what it promises.
    fn describe(&self) -> StoreDescription;

    /// Whether it can be used.
    fn is_ready(&self) -> bool;

    /// Completes, with what happened, when the store can not be used any more and the process has to end.
    fn failure(&self) -> BoxFuture<'static, String>;

    /// Tells `listener` of what others change who share the store, as far as it hears of it. A hint: what is not told may have
    /// changed all the same, and what is told may not have.
    fn on_change(&self, listener: Box<dyn Fn(Change) + Send + Sync>) {
        // Of a store that is not shared there is nothing to tell.
        drop(listener);
    }

    /// Finishes what it was given and closes. Nothing may be asked of it afterwards.
    fn close(&self) -> BoxFuture<'static, ()>;
}

/// What others have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This request.
    Request(RequestId),
    /// There may be work of this type from then on.
    Ready(String, Timestamp),
    /// Nobody knows what.
    Anything,
}
