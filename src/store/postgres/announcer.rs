//! What other gateways are told of what changes here: hints, many in one message, outside of every transaction that changes something.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::{Client, Error};

use super::pause;
use crate::core::clock::Timestamp;
use crate::core::ports::Change;
use crate::core::request::{Request, RequestId};

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
pub(super) struct News(mpsc::Sender<Hint>);

/// What others may want to know.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    /// This request is other than before.
    Changed(RequestId),
    /// There may be work of this type from then on.
    Ready(String, Timestamp),
}

impl News {
    pub(super) fn new() -> (Self, mpsc::Receiver<Hint>) {
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
            self.hint(Hint::Changed(request.id));
            self.ready(request);
        }
    }

    fn ready(&self, request: &Request) {
        if let Some(at) = request.ready_at() {
            self.hint(Hint::Ready(request.kind.clone(), at));
        }
    }

    fn hint(&self, hint: Hint) {
        // When nobody takes them, because the server is away or there are too many, everybody looks at everything soon anyway.
        self.0.try_send(hint).ok();
    }
}

/// Sends what is waiting, at its pace. Ends when a message can not be sent.
pub(super) async fn announce(client: &Client, waiting: &mut mpsc::Receiver<Hint>) -> Result<(), Error> {
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

/// Few long messages. Of each type only the next time counts: whoever looks then is told of the one after.
fn messages(hints: BTreeSet<Hint>) -> Vec<String> {
    let (mut lines, mut last) = (Vec::new(), None);
    for hint in hints {
        match hint {
            Hint::Changed(id) => lines.push(format!("r{id}")),
            Hint::Ready(kind, _) if last.as_ref() == Some(&kind) => {}
            Hint::Ready(kind, at) => {
                lines.push(format!("k{} {kind}", at.millis()));
                last = Some(kind);
            }
        }
    }
    let mut messages: Vec<String> = Vec::new();
    for line in lines {
        match messages.last_mut().filter(|message| message.len() + line.len() < MESSAGE_BYTES) {
            Some(message) => {
                message.push('\n');
                message.push_str(&line);
            }
            None => messages.push(line),
        }
    }
    let fits = messages.len() <= MESSAGES && messages.iter().all(|message| message.len() < MESSAGE_BYTES);
    if fits { messages } else { vec![ANYTHING.into()] }
}

/// What a message says.
pub(super) fn changes(message: &str) -> impl Iterator<Item = Change> {
    message.split('\n').filter_map(|line| match line.split_at_checked(1)? {
        ("r", id) => id.parse().ok().map(Change::Request),
        ("k", ready) => {
            let (at, kind) = ready.split_once(' ')?;
            Some(Change::Ready(kind.to_owned(), Timestamp::from_millis(at.parse().ok()?)))
        }
        (ANYTHING, _) => Some(Change::Anything),
        _ => None,
    })
}
