//! What other gateways are told of what changes here: hints, many in one message, outside of every transaction that changes something.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::{Client, Error};

use super::pause;
use crate::core::ports::Change;
use crate::core::request::{Request, Status};

/// The channel of all gateways that share a database.
pub(super) const CHANNEL: &str = "anteroom";
/// So many hints wait; what is more is one hint to look at everything.
const WAITING: usize = 4096;
/// How often messages are sent at most: the server lets only one transaction at a time commit with one.
const PACE: Duration = Duration::from_millis(50);
/// PostgreSQL takes less than 8000 bytes in one message.
const MESSAGE_BYTES: usize = 7_900;
/// The most messages at once.
const MESSAGES: usize = 8;
/// What stands for a change of which nothing more is known.
const ANYTHING: &str = "*";

/// Where changes are put down.
pub(super) struct News(mpsc::Sender<String>);

impl News {
    pub(super) fn new() -> (Self, mpsc::Receiver<String>) {
        let (hints, waiting) = mpsc::channel(WAITING);
        (Self(hints), waiting)
    }

    /// Requests were submitted: of interest where workers wait for their type.
    pub(super) fn submitted<'a>(&self, requests: impl Iterator<Item = &'a Arc<Request>>) {
        requests.for_each(|request| self.ready(request));
    }

    /// Requests have changed.
    pub(super) fn changed<'a>(&self, requests: impl Iterator<Item = &'a Arc<Request>>) {
        for request in requests {
            self.hint(format!("r{}", request.id));
            self.ready(request);
        }
    }

    fn ready(&self, request: &Request) {
        if super::rows::is_open(request) && request.phase(0).is_some_and(|phase| phase.status != Status::Running) {
            self.hint(format!("k{}", request.kind));
        }
    }

    fn hint(&self, hint: String) {
        // When nobody takes them, because the server is away or there are too many, everybody looks at everything soon anyway.
        self.0.try_send(hint).ok();
    }
}

/// Sends what is waiting, at its pace. Ends when a message can not be sent.
pub(super) async fn announce(client: &Client, waiting: &mut mpsc::Receiver<String>) -> Result<(), Error> {
    let notify = client.prepare("SELECT pg_notify($1, message) FROM unnest($2::text[]) AS message").await?;
    while let Some(first) = waiting.recv().await {
        let is_overrun = waiting.len() + 1 >= WAITING;
        let mut hints = BTreeSet::from([first]);
        while let Ok(hint) = waiting.try_recv() {
            hints.insert(hint);
        }
        let messages = if is_overrun { vec![ANYTHING.to_owned()] } else { messages(hints) };
        client.query(&notify, &[&CHANNEL, &messages]).await?;
        pause(PACE).await;
    }
    Ok(())
}

/// Few long messages.
fn messages(hints: BTreeSet<String>) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for hint in hints {
        match messages.last_mut().filter(|message| message.len() + hint.len() < MESSAGE_BYTES) {
            Some(message) => {
                message.push('\n');
                message.push_str(&hint);
            }
            None => messages.push(hint),
        }
    }
    let fits = messages.len() <= MESSAGES && messages.iter().all(|message| message.len() < MESSAGE_BYTES);
    if fits { messages } else { vec![ANYTHING.into()] }
}

/// What a message says.
pub(super) fn changes(message: &str) -> impl Iterator<Item = Change> {
    message.split('\n').filter_map(|hint| match hint.split_at_checked(1)? {
        ("r", id) => id.parse().ok().map(Change::Request),
        ("k", kind) => Some(Change::Ready(kind.to_owned())),
        (ANYTHING, _) => Some(Change::Anything),
        _ => None,
    })
}
