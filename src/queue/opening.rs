//! Which requests a permit opens: a type may name the scope that its requests need.

use std::borrow::Cow;

use super::types::{RequestType, Types};
use crate::core::error::Error;
use crate::core::policy::{Permit, Policy, ReadRequests};
use crate::core::ports::requests::Filter;

impl Types {
    /// Judges whether the permit opens the requests of that type. One that is configured no more names no scope.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`], naming the scope.
    pub(super) fn open<P: Policy>(&self, permit: &Permit<P>, kind: &str) -> Result<(), Error> {
        permit.open(self.get(kind).and_then(|kind| kind.scope.as_deref()))
    }

    /// The filter that lets through what the permit opens, of what `filter` does; none when that is nothing.
    pub(super) fn seen_by<'a>(&self, permit: &Permit<ReadRequests>, filter: &'a Filter) -> Option<Cow<'a, Filter>> {
        let (opened, closed): (Vec<_>, Vec<_>) =
            self.iter().partition(|kind| permit.open(kind.scope.as_deref()).is_ok());
        if permit.open(None).is_ok() {
            if closed.is_empty() {
                return Some(Cow::Borrowed(filter));
            }
            let closed_kinds = closed.into_iter().map(|kind| kind.name.clone()).collect();
            return Some(Cow::Owned(Filter { closed_kinds, ..filter.clone() }));
        }
        let is_asked_for = |kind: &&RequestType| filter.kinds.is_empty() || filter.kinds.contains(&kind.name);
        let kinds: Vec<_> = opened.into_iter().filter(is_asked_for).map(|kind| kind.name.clone()).collect();
        // A filter without types would let all of them through.
        (!kinds.is_empty()).then(|| Cow::Owned(Filter { kinds, ..filter.clone() }))
    }
}
