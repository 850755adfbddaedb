//! The names of the properties, in one list, so that no store's tests can leave one out.

/// Hands the names of all conformance functions that need nothing but an empty store to the macro `$test`, which makes a
/// test of each. (`a_full_store_says_so_and_takes_letters_again` needs a capacity and `agrees_with_the_model` operations.)
///
/// ```
/// macro_rules! keeps {
///     ($($property:ident),* $(,)?) => {$(
///         // #[tokio::test]
///         async fn $property() {
///             let letters = fuseboard_store::Memory::default();
///             fuseboard_store::conformance::$property(&letters).await;
///         }
///     )*};
/// }
///
/// fuseboard_store::each_property!(keeps);
/// ```
#[macro_export]
macro_rules! each_property {
    ($test:ident) => {
        $test! {
            a_letter_comes_back_byte_for_byte,
            the_same_key_with_the_same_body_is_the_same_letter,
            the_same_key_with_another_body_is_refused,
            a_key_counts_only_within_its_scope,
            a_key_is_free_again_once_its_letter_is_given_up,
            a_token_belongs_to_one_letter,
            a_key_is_free_again_once_its_letter_is_purged,
            a_letter_that_is_not_here_is_not_found,
            a_closed_store_is_unavailable,
            a_claim_takes_due_letters_of_its_circuit_in_order,
            claims_made_together_share_no_letter,
            an_old_fence_is_refused,
            a_lapsed_claim_counts_a_crash_and_the_cap_leads_to_review,
            a_resolved_letter_never_becomes_unresolved,
            a_handed_back_letter_is_due_at_once_and_was_not_tried,
            a_failed_replay_waits_and_then_needs_a_person,
            the_answer_is_kept_byte_for_byte,
            a_letter_set_aside_is_not_claimed,
            requeueing_clears_attempts_and_crashes,
            a_hastened_letter_is_due_at_once,
            what_an_operator_may_not_do_changes_nothing,
            a_letter_expires_instead_of_being_claimed,
            only_finished_letters_are_purged_the_longest_finished_first,
            history_tells_what_happened_in_order,
            history_keeps_the_newest_entries,
            lists_filter_and_page_in_order,
            counts_follow_a_letter_through_its_life,
            the_next_due_time_is_that_of_a_letter_or_of_a_lease,
            waiting_circuits_are_named,
            letters_with_one_order_key_go_in_order,
            a_letter_in_review_blocks_its_order_key_and_is_shown,
            whatever_ends_the_first_letter_frees_the_next,
            a_request_learns_what_is_ahead_of_it,
            a_first_letter_that_crashes_is_not_passed,
            a_filtered_claim_takes_only_what_it_wants,
            a_claim_by_priority_takes_the_most_urgent_first,
            a_filtered_claim_takes_nobody_out_of_turn,
            late_letters_are_counted_and_raised,
            an_operators_act_is_in_the_audit_log,
            audit_records_are_found_by_who_what_and_when,
            audit_records_go_by_age_alone,
            a_setting_is_changed_by_who_has_seen_the_latest,
            of_changes_made_together_one_happens,
            a_lease_has_one_holder_at_a_time,
            of_holders_that_come_together_one_gets_the_lease,
            an_export_has_whole_letters_in_order,
            an_imported_letter_goes_on_from_where_it_was,
            an_import_takes_no_others_key,
            an_import_takes_over_no_lease,
            a_line_is_imported_in_order,
            a_fingerprint_stands_for_a_sealed_body,
        }
    };
}
