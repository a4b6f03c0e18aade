//! What every store promises: one suite, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::ports::requests::{Claim, Outcome};
use anteroom::core::request::{Act, Output, Owner, Refused, Request, RequestId};

use crate::stores::{Opened, START, by, order, request, worked_on, worker};

mod acts;
mod batches;
mod erasure;
mod leases;
mod lists;
mod records;
mod retention;
mod settling;
mod submissions;
pub(crate) mod webhooks;

/// Runs every case against every store, and what `store_time` and `store_model` promise. A new store is one more row: a name, and
/// an expression (it may await) that makes a place for it, [`crate::stores::Place`].
macro_rules! contract {
    ($($group:ident { $($case:ident)* })*) => {
        contract! { @store memory [crate::stores::Place::of("memory:")] $($group { $($case)* })* }
        contract! { @store sqlite [crate::stores::Place::of("sqlite:requests.db")] $($group { $($case)* })* }
        contract! { @store postgres [crate::postgres_server::place()] $($group { $($case)* })* }
    };
    (@store $store:ident [$place:expr] $($group:ident { $($case:ident)* })*) => {
        mod $store {
            async fn place() -> crate::stores::Place {
                $place
            }

            $($(#[tokio::test]
            async fn $case() {
                super::$group::$case(crate::stores::Opened::at(place().await)).await;
            })*)*

            #[test]
            fn a_status_filter_lets_through_what_view_says() {
                crate::store_time::a_status_filter_lets_through_what_view_says(place);
            }

            #[test]
            fn no_reader_sees_an_end_that_a_cancellation_undoes() {
                crate::store_time::no_reader_sees_an_end_that_a_cancellation_undoes(place);
            }

            #[test]
            fn it_does_what_the_reference_does() {
                crate::store_model::it_does_what_the_reference_does(place);
            }

            #[test]
            fn records_are_what_the_reference_has() {
                crate::store_model::records_are_what_the_reference_has(place);
            }
        }
    };
}

contract! {
    records {
        a_record_is_found_as_it_was_written
        every_kind_of_record_has_its_own_keys
        records_are_listed_by_their_keys_page_by_page
        a_record_changes_only_from_the_version_that_was_read
        several_records_change_together_or_not_at_all
        of_changes_of_one_record_one_is_made
        records_are_forgotten_when_they_have_expired
    }
    webhooks {
        what_workers_do_is_told_as_it_happens
        a_stage_is_told_when_it_has_begun_and_once
        every_end_is_told_once
        what_is_erased_is_forgotten
        an_endpoint_belongs_to_its_owner
        the_configuration_knows_its_endpoints_by_name
        what_is_due_is_taken_in_turn
        a_delivery_is_sent_again_when_nothing_is_heard_of_it
        old_deliveries_are_forgotten
    }
    submissions {
        a_submitted_request_is_found_as_it_was
        what_is_not_there_is_none
        what_another_owner_has_is_not_there
        a_key_replays_its_request
        a_key_with_another_body_is_refused
        a_key_counts_within_its_owner_and_route
        an_alias_replays_its_request
        a_key_is_looked_at_before_an_alias
        a_burst_of_one_key_stores_one_request
        a_burst_of_one_alias_stores_one_request
        an_id_that_is_taken_changes_nothing
        a_store_is_ready_and_has_not_failed
    }
    batches {
        a_batch_has_an_outcome_for_each
        a_batch_replays_what_it_holds_itself
        a_batch_with_an_id_that_is_taken_changes_nothing
        an_empty_batch_is_nothing
        a_payload_is_kept_as_it_came
    }
    lists {
        a_list_is_newest_first
        pages_join_to_the_whole_list
        filters_restrict_a_list
        every_filter_restricts_a_list
        everybodys_requests_are_one_list
        a_walk_misses_nothing_that_was_there
        open_requests_are_counted_until_their_end
    }
    acts {
        a_request_is_cancelled_until_its_end
        a_cancelled_request_is_not_cancelled_again
        a_clock_that_went_back_cancels_at_the_submission
        an_attempt_is_leased_reported_and_completed
        an_attempt_that_fails_is_tried_again_until_there_are_no_more
        a_lease_that_is_given_back_costs_no_attempt
        a_worker_is_asked_to_stop_and_stops
        a_state_that_is_over_is_not_cancelled
        a_completion_wins_over_the_wish_to_cancel
        the_worker_of_an_older_lease_is_refused
        acts_are_carried_out_in_their_order
        a_timeline_is_advanced_in_one_commit
        what_is_refused_writes_the_end_that_was_there
    }
    erasure {
        what_is_erased_leaves_a_tombstone
        what_has_not_ended_is_not_erased
        an_erased_key_and_alias_are_free_again
    }
    leases {
        a_claim_takes_what_is_ready_longest
        owners_take_turns
        types_take_turns
        a_claim_says_when_there_is_more
        a_lease_that_lapses_is_given_again
        concurrent_claims_share_nothing
        backlogs_count_what_workers_have_before_them
    }
    settling {
        ends_are_written_down_once
        ends_are_written_down_in_their_order_and_not_all_at_once
        a_timeline_is_not_settled
    }
    retention {
        what_has_ended_long_ago_is_removed
        payloads_and_results_go_before_their_request
        more_than_so_many_are_removed
        a_purge_removes_no_more_than_it_is_told
        what_has_not_ended_is_kept
        what_was_removed_is_not_told_again
        what_has_lost_its_payload_is_not_tried_again
    }
}

/// What is answered when the act was carried out.
fn done(request: Arc<Request>) -> Outcome {
    Outcome { request, refused: None }
}

/// What is answered when the request had reached its end.
fn too_late(request: Arc<Request>) -> Outcome {
    Outcome { request, refused: Some(Refused::Ended) }
}

const MINUTE: Duration = Duration::from_mins(1);

fn lease() -> Act {
    Act::Lease { worker: worker("wendy"), lease: MINUTE, run: MINUTE * 5 }
}

fn complete(epoch: u32) -> Act {
    Act::Complete { epoch, output: output() }
}

fn output() -> Output {
    Output { content_type: Output::JSON.into(), body: br#"{"sum": 1.50}"#.to_vec() }
}

/// What a worker asks for: so many of these types, for a minute.
fn claim(kinds: &[&str], most: usize) -> Claim {
    let kinds = kinds.iter().map(|kind| ((*kind).into(), MINUTE * 5)).collect();
    Claim { kinds, most, lease: MINUTE, worker: worker("wendy"), by: by("wendy") }
}

/// A request that workers work on, in at most two attempts.
fn job(owner: &Owner, number: u64) -> Request {
    worked_on(2, request(owner, START, number))
}

impl Opened {
    /// Carries out an act; says what became of it, compared with what the pure function makes of the request.
    async fn act(&self, id: RequestId, act: Act) -> Option<Refused> {
        let requests = self.requests();
        let before = requests.find_any(id).await.unwrap().unwrap();
        let told = requests.events(id).await.unwrap();
        let expected = before.act(&act, &by("wendy"), self.clock.now());
        let outcome = requests.act_all(vec![order(id, act)]).await.unwrap().remove(0).unwrap();
        assert_eq!(*outcome.request, expected.written.unwrap_or_else(|| (*before).clone()));
        assert_eq!(outcome.refused, expected.refused);
        assert_eq!(requests.find_any(id).await.unwrap(), Some(outcome.request));
        assert_eq!(requests.events(id).await.unwrap(), [told, expected.events].concat());
        outcome.refused
    }

    /// The kinds of the stored events.
    async fn told(&self, id: RequestId) -> Vec<&'static str> {
        self.requests().events(id).await.unwrap().into_iter().map(|event| event.kind.name()).collect()
    }
}
