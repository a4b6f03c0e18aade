//! The line before the hashing of passwords, in which no network takes the place of another.
//!
//! Hashing takes 19 MiB and tens of milliseconds each, by intent, so there is one turn for every core, and who comes first has it first.
//! A network has few places in that line, and a few more callers who wait for one of these: however many of them it sends, whoever
//! comes from elsewhere finds at most those few places before them. Beyond that one is sent away at once, so that neither memory nor
//! waiting grows with the number of callers.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::oauth::network::Network;

/// So many of a network are in the line before the turns, or have one.
const PLACES: usize = 4;
/// So many of a network are here at all: in the line, or waiting for a place in it.
const OF_NETWORK: usize = 32;
/// So many for each turn are here of all networks together.
const IN_ALL: usize = 128;

/// Too many wait already.
#[derive(Debug)]
pub(super) struct Busy;

/// The line.
pub(super) struct Line {
    turns: Arc<Semaphore>,
    in_all: usize,
    visits: Arc<Mutex<Visits>>,
}

/// Who is here.
#[derive(Default)]
struct Visits {
    in_all: usize,
    by_network: HashMap<Network, Lane>,
}

struct Lane {
    places: Arc<Semaphore>,
    callers: usize,
}

/// Somebody who is here, until this is dropped.
struct Visit {
    visits: Arc<Mutex<Visits>>,
    network: Network,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.in_all = visits.in_all.saturating_sub(1);
        if let Some(lane) = visits.by_network.get_mut(&self.network) {
            lane.callers = lane.callers.saturating_sub(1);
            if lane.callers == 0 {
                visits.by_network.remove(&self.network);
            }
        }
    }
}

impl Line {
    /// One with a turn for every core.
    pub(super) fn new() -> Self {
        Self::of(available_parallelism().map_or(1, NonZero::get))
    }

    fn of(turns: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(turns)), in_all: IN_ALL * turns, visits: Arc::default() }
    }

    /// Does it on a thread of its own, when it is this network's turn. Who goes away meanwhile leaves the turn taken until it is done.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        network: &Network,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (visit, places) = self.enter(network)?;
        let place = places.acquire_owned().await.map_err(|_| Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (turn, place, visit);
            work()
        });
        done.await.map_err(|_| Busy)
    }

    fn enter(&self, network: &Network) -> Result<(Visit, Arc<Semaphore>), Busy> {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = visits.by_network.get(network).map_or(0, |lane| lane.callers);
        if visits.in_all >= self.in_all || of_network >= OF_NETWORK {
            return Err(Busy);
        }
        visits.in_all += 1;
        let new = || Lane { places: Arc::new(Semaphore::new(PLACES)), callers: 0 };
        let lane = visits.by_network.entry(network.clone()).or_insert_with(new);
        lane.callers += 1;
        let places = Arc::clone(&lane.places);
        drop(visits);
        Ok((Visit { visits: Arc::clone(&self.visits), network: network.clone() }, places))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::{Arc, Mutex, mpsc};

    use super::{IN_ALL, Line, OF_NETWORK, PLACES};
    use crate::oauth::network::Network;

    fn network(number: u32) -> Network {
        Network::of(Some(IpAddr::from(number.to_be_bytes())))
    }

    /// Comes to the line, notes its name when it has its turn, and is answered there whether it came to one.
    async fn come(line: &Arc<Line>, from: u32, work: impl FnOnce() + Send + 'static) -> tokio::task::JoinHandle<bool> {
        let (line, own) = (Arc::clone(line), Arc::clone(line));
        let here = line.visits.lock().unwrap().in_all;
        let caller = tokio::spawn(async move { own.in_turn(&network(from), work).await.is_ok() });
        while line.visits.lock().unwrap().in_all == here && !caller.is_finished() {
            tokio::task::yield_now().await;
        }
        caller
    }

    #[tokio::test]
    async fn a_network_has_few_places_before_whoever_comes_from_elsewhere() {
        let line = Arc::new(Line::of(1));
        let (go_on, wait) = mpsc::channel::<()>();
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let done = Arc::clone(&done);
            move || done.lock().unwrap().push(name)
        };
        let mut callers = vec![come(&line, 1, move || wait.recv().unwrap()).await];
        for _ in 1..OF_NETWORK {
            callers.push(come(&line, 1, note("crowd")).await);
        }
        assert!(!come(&line, 1, note("crowd")).await.await.unwrap(), "one more of the crowd is sent away");
        callers.push(come(&line, 2, note("victim")).await);
        go_on.send(()).unwrap();
        for caller in callers {
            assert!(caller.await.unwrap(), "who waits comes to a turn");
        }
        let before = done.lock().unwrap().iter().position(|name| *name == "victim").unwrap();
        assert!(before < PLACES, "{before} before the victim");
        assert!(line.visits.lock().unwrap().by_network.is_empty(), "who has gone is forgotten");
    }

    #[tokio::test]
    async fn who_goes_away_leaves_no_trace_and_the_line_has_an_end() {
        let line = Line::of(1);
        let networks = (0..).map(network);
        let entered: Vec<_> = networks.map_while(|network| line.enter(&network).ok()).collect();
        assert_eq!(entered.len(), IN_ALL);
        drop(entered);
        assert_eq!(line.visits.lock().unwrap().in_all, 0);
        assert!(line.in_turn(&network(1), || ()).await.is_ok());
    }
}
