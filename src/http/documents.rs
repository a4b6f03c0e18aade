//! The contract and the page that shows it, as they are now: they are made anew when it turns out where else people can log in.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::document::Contract;
use super::ui::{Assets, UiLogin};
use crate::verify::{Chain, LoginOffer};

/// The contract, the page, and what both are made of.
pub(super) struct Documents {
    base: Contract,
    /// The ways to log in that there are at any time.
    logins: Vec<UiLogin>,
    latest: ArcSwap<Edition>,
    /// What the page has that was loaded last. Its parts are loaded one after another, and each must know of the same logins.
    shown: ArcSwap<Edition>,
}

/// One state of them.
pub(super) struct Edition {
    offers: Vec<Arc<LoginOffer>>,
    pub(super) contract: Contract,
    pub(super) assets: Assets,
}

impl Documents {
    /// What they are as long as no other issuer has told where people log in.
    pub(super) fn new(base: Contract, logins: Vec<UiLogin>) -> Self {
        let first = Arc::new(Edition::new(base.clone(), &logins, Vec::new()));
        Self { base, logins, latest: ArcSwap::new(Arc::clone(&first)), shown: ArcSwap::new(first) }
    }

    /// What they are now.
    pub(super) fn latest(&self, chain: &Chain) -> Arc<Edition> {
        let (offers, latest) = (chain.login_offers(), self.latest.load_full());
        if latest.offers == offers {
            return latest;
        }
        match self.base.offering(&offers) {
            Ok(contract) => {
                let next = Arc::new(Edition::new(contract, &self.logins, offers));
                self.latest.store(Arc::clone(&next));
                next
            }
            Err(error) => {
                tracing::error!(%error, "the contract can not be written anew");
                latest
            }
        }
    }

    /// The page that somebody begins to load.
    pub(super) fn show(&self, chain: &Chain) -> Arc<Edition> {
        let latest = self.latest(chain);
        self.shown.store(Arc::clone(&latest));
        latest
    }

    /// The page that the rest of it is loaded of.
    pub(super) fn shown(&self) -> Arc<Edition> {
        self.shown.load_full()
    }
}

impl Edition {
    fn new(contract: Contract, logins: &[UiLogin], offers: Vec<Arc<LoginOffer>>) -> Self {
        let logins: Vec<_> = logins.iter().cloned().chain(offers.iter().map(|offer| UiLogin::at(offer))).collect();
        Self { assets: Assets::load(&contract, &logins, &offers), offers, contract }
    }
}
