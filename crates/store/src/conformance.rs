//! The contract of [`Letters`](crate::Letters) as functions: every store's tests call each of them.
//!
//! Each takes an empty store that was made with [`rules`], and panics where the store breaks its promise. Time is a
//! parameter of the contract, so that nothing here waits.
//!
//! ```
//! use fuseboard_store::{Memory, MemoryOptions, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let letters = Memory::new(MemoryOptions { rules: conformance::rules(), ..Default::default() });
//! conformance::an_old_fence_is_refused(&letters).await;
//! # }
//! ```

#![expect(clippy::unwrap_used, reason = "these are tests: a store that fails here has failed them")]

mod choosing;
mod desk;
mod fixtures;
mod governing;
mod keeping;
mod looking;
mod model;
mod moving;
mod operating;
mod ordering;
mod properties;
mod replaying;

pub use choosing::{
    a_claim_by_priority_takes_the_most_urgent_first, a_filtered_claim_takes_nobody_out_of_turn,
    a_filtered_claim_takes_only_what_it_wants, late_letters_are_counted_and_raised,
};
pub use desk::Governing;
pub use fixtures::{draft, letters_are_conserved, rules};
pub use governing::{
    a_lease_has_one_holder_at_a_time, a_setting_is_changed_by_who_has_seen_the_latest,
    an_operators_act_is_in_the_audit_log, audit_records_are_found_by_who_what_and_when,
    audit_records_go_by_age_alone, of_changes_made_together_one_happens,
    of_holders_that_come_together_one_gets_the_lease,
};
pub use keeping::{
    a_closed_store_is_unavailable, a_full_store_says_so_and_takes_letters_again,
    a_key_counts_only_within_its_scope, a_key_is_free_again_once_its_letter_is_given_up,
    a_key_is_free_again_once_its_letter_is_purged, a_letter_comes_back_byte_for_byte,
    a_letter_that_is_not_here_is_not_found, a_token_belongs_to_one_letter,
    the_same_key_with_another_body_is_refused, the_same_key_with_the_same_body_is_the_same_letter,
};
pub use looking::{
    counts_follow_a_letter_through_its_life, history_keeps_the_newest_entries,
    history_tells_what_happened_in_order, lists_filter_and_page_in_order,
    the_next_due_time_is_that_of_a_letter_or_of_a_lease, waiting_circuits_are_named,
};
pub use model::{Operation, Reply, agrees_with_the_model};
pub use moving::{
    a_fingerprint_stands_for_a_sealed_body, a_line_is_imported_in_order,
    an_export_has_whole_letters_in_order, an_import_takes_no_others_key,
    an_import_takes_over_no_lease, an_imported_letter_goes_on_from_where_it_was,
};
pub use operating::{
    a_hastened_letter_is_due_at_once, a_letter_expires_instead_of_being_claimed,
    a_letter_set_aside_is_not_claimed, only_finished_letters_are_purged_the_longest_finished_first,
    requeueing_clears_attempts_and_crashes, what_an_operator_may_not_do_changes_nothing,
};
pub use ordering::{
    a_first_letter_that_crashes_is_not_passed,
    a_letter_in_review_blocks_its_order_key_and_is_shown, a_request_learns_what_is_ahead_of_it,
    letters_with_one_order_key_go_in_order, whatever_ends_the_first_letter_frees_the_next,
};
pub use replaying::{
    a_claim_takes_due_letters_of_its_circuit_in_order,
    a_failed_replay_waits_and_then_needs_a_person,
    a_handed_back_letter_is_due_at_once_and_was_not_tried,
    a_lapsed_claim_counts_a_crash_and_the_cap_leads_to_review,
    a_resolved_letter_never_becomes_unresolved, an_old_fence_is_refused,
    claims_made_together_share_no_letter, the_answer_is_kept_byte_for_byte,
};
