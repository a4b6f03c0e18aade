//! Whose turn it is: no endpoint keeps another waiting.

use std::collections::VecDeque;

use super::{Delivery, Endpoint};

/// What is due to one endpoint, the longest due first, no more than it has room for.
#[derive(Clone, Debug)]
pub struct DueTo {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How many are on their way to it already.
    pub on_their_way: usize,
    /// What is due.
    pub deliveries: Vec<Delivery>,
}

/// One of each endpoint in turn, at most so many in all. First come the endpoints that have the fewest on their way, and of those the
/// ones that have waited longest.
pub fn in_turn(mut queues: Vec<DueTo>, most: usize) -> impl Iterator<Item = (Delivery, Endpoint)> {
    queues.sort_by_key(|queue| (queue.on_their_way, queue.deliveries.first().map(|first| (first.due_at, first.id))));
    let queues = queues.into_iter().map(|queue| (queue.endpoint, VecDeque::from(queue.deliveries)));
    let mut queues: VecDeque<_> = queues.filter(|(_, due)| !due.is_empty()).collect();
    std::iter::from_fn(move || {
        let (endpoint, mut due) = queues.pop_front()?;
        let delivery = due.pop_front()?;
        if !due.is_empty() {
            queues.push_back((endpoint.clone(), due));
        }
        Some((delivery, endpoint))
    })
    .take(most)
}
