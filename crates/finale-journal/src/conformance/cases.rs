//! The list of all cases: one place, from which the tests and [`CASES`] are made.

use super::Case;

/// Hands the names of all cases, by group, to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:path) => {
        $then! {
            claim {
                the_first_claim_finds_no_crash
                epochs_rise_with_every_claim
                epochs_rise_after_a_release
                without_release_the_next_claim_sees_a_crash
                after_a_release_the_next_claim_sees_no_crash
                a_release_by_an_old_owner_changes_nothing
                a_release_by_an_old_owner_does_not_undo_one
                an_old_owner_cannot_open_a_writer
                every_shard_has_its_writer
                a_claim_changes_nothing_that_is_kept
                claims_at_the_same_time_get_epochs_of_their_own
            }
            append {
                the_first_facts_are_taken
                facts_follow_each_other
                many_facts_come_in_one_append
                an_execution_may_begin_and_end_in_one_append
                executions_take_turns
                positions_count_everything_written
                what_changes_nothing_takes_its_position_and_is_acknowledged
                each_writer_has_positions_of_its_own
                a_new_writer_begins_at_position_one
                each_append_is_acknowledged_when_nothing_follows
                many_appends_in_flight_are_all_acknowledged
                whoever_writes_although_it_is_full_is_not_refused
                shards_write_from_threads_of_their_own
                the_next_owner_goes_on_where_the_last_one_was
                the_next_owner_may_have_other_shards
                a_refusal_does_not_hold_up_acknowledgements
            }
            gaps {
                a_missing_fact_is_refused
                a_fact_far_ahead_is_refused
                a_repeated_append_is_refused
                a_fact_numbered_zero_is_refused
                a_second_beginning_is_refused
                a_second_beginning_is_refused_of_the_next_owner
                a_missing_fact_is_refused_of_the_next_owner
                an_unknown_execution_begins_at_one
                nothing_is_kept_of_a_refused_beginning
                nothing_follows_the_end
                nothing_follows_the_end_for_the_next_owner
                others_do_not_notice_a_refusal
                an_end_that_leaves_a_gap_ends_nothing
                a_large_append_that_is_refused_leaves_nothing
                a_key_stays_with_whom_it_belongs_to
            }
            history {
                the_bytes_are_those_that_were_written
                an_unknown_execution_has_none
                facts_are_seen_as_soon_as_they_are_appended
                large_facts_are_kept_whole
                the_smallest_facts_are_kept
                ten_thousand_appends_of_one_execution_are_kept
                histories_do_not_mix
                readers_see_whole_appends_in_order
                readers_miss_nothing_while_the_owner_changes
                a_history_is_whole_while_others_are_purged
                several_are_read_at_a_time_and_each_is_what_it_is_by_itself
                several_that_are_read_at_a_time_have_what_was_appended_last
                the_next_owner_goes_on_with_what_was_read_many_at_a_time
                the_next_owner_refuses_gaps_after_what_was_read_many_at_a_time
                what_was_read_many_at_a_time_may_end_and_be_forgotten
            }
            definitions {
                a_definition_reads_back_as_it_was_given
                an_unknown_hash_has_none
                many_executions_share_one
                versions_of_a_workflow_are_kept_apart
                a_definition_stays_as_long_as_somebody_runs_it
                a_definition_stays_with_an_execution_that_has_ended
                a_definition_comes_back_after_all_who_ran_it_are_gone
                the_bytes_of_a_definition_mean_nothing_to_the_journal
            }
            live {
                an_empty_journal_has_none
                only_those_that_have_not_ended_are_live
                they_come_in_ascending_order
                pages_lose_and_repeat_nothing
                pages_are_right_while_others_begin_and_end
                no_more_come_than_are_asked_for
                a_page_begins_after_an_id_that_is_none
                what_an_execution_runs_is_told
                a_quarantine_is_told
                one_that_began_and_ended_at_once_never_was
                five_thousand_are_read_in_pages
            }
            summary {
                every_field_is_what_was_said_at_the_beginning
                keys_that_were_not_given_are_none
                an_unknown_execution_has_none
                the_status_follows_the_execution
                one_that_completed_has_no_error
                one_that_failed_says_why
                one_that_was_cancelled_has_no_error
                the_beginning_does_not_change_with_the_end
                a_summary_says_what_the_list_says
                what_is_acknowledged_is_seen
            }
            list {
                an_empty_journal_has_none
                everything_is_listed_newest_first
                shards_make_no_difference
                by_status
                a_quarantined_execution_is_not_running
                by_workflow
                by_workflow_all_versions
                by_business_key
                a_business_key_is_shared
                from_a_moment_on
                before_a_moment
                before_an_execution
                by_all_filters_together
                pages_lose_and_repeat_nothing
                pages_are_stable_while_others_begin
                pages_lose_nothing_while_others_are_purged
                no_more_come_than_are_asked_for
                a_page_is_limited
            }
            keyed {
                a_key_leads_to_its_execution
                an_unknown_key_leads_nowhere
                a_business_key_is_no_idempotency_key
                a_key_is_held_beyond_the_end
                a_key_is_free_when_its_execution_is_forgotten
                a_key_that_is_free_again_leads_to_whom_it_is_given
                others_keep_their_keys_when_one_is_forgotten
                a_key_is_found_by_the_next_owner
            }
            quarantine {
                a_quarantine_shows_everywhere
                the_history_is_left_alone
                it_is_replaced_by_a_newer_one
                it_is_lifted
                lifting_none_changes_nothing
                facts_are_still_taken
                the_end_lifts_it
                one_that_has_ended_is_not_parked
                an_unknown_one_is_not_parked
                the_next_owner_finds_it
            }
            write_off {
                it_counts_as_failed
                it_is_not_live_any_more
                its_facts_stay_as_they_are
                nothing_follows
                nothing_follows_for_the_next_owner
                a_second_time_changes_nothing
                one_that_has_ended_stays_as_it_is
                an_unknown_one_stays_unknown
                it_lifts_a_quarantine
                one_that_is_ending_is_written_off
                it_expires_and_is_forgotten_like_any_other
                the_next_owner_writes_off_what_it_found
            }
            forget {
                nothing_is_left_of_what_is_forgotten
                open_ones_are_left_alone
                unknown_ones_are_left_alone
                only_those_that_are_named_go
                open_and_ended_ones_together
                a_second_time_changes_nothing
                many_are_forgotten_at_once
                any_shard_forgets_for_all
                the_next_owner_forgets_what_it_found
                a_forgotten_id_may_begin_again
                it_may_follow_at_once_upon_the_end
                of_one_that_was_written_off
            }
            purge {
                by_age
                by_count
                by_age_or_count
                by_neither
                no_more_are_forgotten_than_are_asked_for
                the_first_end_is_that_of_the_oldest_that_is_left
                in_steps_until_nothing_is_left
                one_at_a_time
                nothing_is_left_of_what_is_forgotten
                an_empty_journal_has_nothing_to_forget
                each_status_on_its_own
                each_status_by_its_own_measure
                many_of_one_status_keep_no_other_waiting
                fair_in_every_order
                open_ones_never_expire
                one_that_ends_later_expires_then
                all_shards_count_together
                what_was_forgotten_by_name_does_not_count
                what_was_written_off_counts_as_failed
                a_key_is_free_again_and_stays_with_whom_it_is_given
                a_long_history_is_forgotten
                large_facts_are_forgotten
                the_next_owner_purges_what_it_found
                an_old_owner_purges_nothing
                others_write_meanwhile
                two_purges_forget_each_execution_once
                the_bound_holds_over_many_rounds
                an_end_that_came_out_of_order_is_in_its_place
                many_that_ended_at_the_same_moment
                a_summary_and_a_list_never_disagree_meanwhile
                it_stays_forgotten_when_something_was_acknowledged_later
                a_purge_that_was_cut_off_is_gone_on_with
                the_next_process_counts_right
            }
            tell {
                nobody_is_to_be_told_where_nobody_asked_for_it
                it_is_kept_with_the_end
                of_every_kind_of_end
                of_one_that_began_and_ended_at_once
                what_has_not_ended_is_not_to_be_told
                an_end_that_is_refused_is_not_to_be_told
                of_one_that_was_written_off
                what_was_told_is_not_told_again
                of_many_at_once
                whoever_was_not_to_be_told_is_left_alone
                what_is_told_before_the_end_does_not_count
                they_come_page_by_page
                a_purge_keeps_what_is_to_be_told
                they_count_among_those_that_are_kept
                a_purge_that_does_not_ask_forgets_them
                what_was_told_expires_like_any_other
                what_many_were_before_expires_and_they_do_when_they_were_told
                purges_between_all_that_can_happen
                what_is_forgotten_is_not_told
                a_forgotten_id_that_begins_again_has_nothing_to_tell
                any_shard_tells_for_all
                the_next_owner_finds_what_is_to_be_told
                an_old_writer_is_refused
                they_are_remembered
                they_survive_a_crash
                what_was_told_stays_told_after_a_crash
                they_are_in_a_copy
            }
            fence {
                an_old_writer_is_refused
                whatever_an_old_writer_does_is_refused
                an_old_writer_is_refused_before_it_is_checked
                the_newest_epoch_is_named
                an_old_listener_is_not_told_of_what_others_write
                an_old_writer_does_not_disturb_the_new_one
                a_claim_settles_what_was_under_way
                an_old_owner_releases_and_purges_nothing_of_the_new_one
                a_claim_between_two_purges_ends_them
            }
            health {
                a_journal_is_well_from_the_beginning
                a_journal_is_well_while_it_works
                a_refusal_is_no_illness
                nothing_is_waited_for_when_nothing_is_written
                a_journal_is_well_after_a_purge_and_a_release
            }
            release {
                what_is_kept_does_not_change
                a_second_time_changes_nothing
                what_an_old_owner_is_told_says_nothing_of_files
                the_next_owner_goes_on
                released_in_one_file_a_kill_loses_nothing
                a_reader_reads_on
            }
            backup {
                everything_acknowledged_is_in_it
                an_empty_journal_can_be_copied
                the_copy_goes_on_by_itself
                the_original_goes_on_as_if_nothing_had_happened
                who_opens_the_copy_sees_a_crash
                a_journal_that_was_released_is_copied_as_such
                gaps_are_refused_in_the_copy
                quarantines_and_write_offs_are_in_it
                what_was_forgotten_is_not_in_it
                large_facts_are_whole_in_it
                a_copy_can_be_copied
            }
            lost_tail {
                an_owner_is_refused
                a_reader_is_refused
                it_is_refused_as_often_as_it_is_tried
                a_reader_that_accepts_it_sees_what_is_left
                an_owner_that_accepts_it_goes_on_from_what_is_left
                what_was_accepted_is_not_asked_about_again
                a_whole_journal_is_not_suspected
                a_reader_follows_the_owner
            }
            intruder {
                the_older_owner_is_fenced_by_the_store
                what_the_older_one_wrote_meanwhile_is_not_kept
                the_newer_one_sees_that_the_older_was_at_work
                the_newer_one_works_on
                the_older_one_is_not_well
                the_older_one_purges_nothing
                who_only_opens_it_fences_nobody
            }
            moved {
                it_is_noticed_although_nobody_writes
                nothing_more_is_taken
                the_journal_is_not_well
                put_back_it_has_everything_that_was_acknowledged
            }
            any_order {
                of_seed_1
                of_seed_2
                of_seed_3
                of_seed_4_over_restarts
                of_seed_5_over_crashes
            }
            odd {
                names_of_people
                idempotency_keys
                business_keys
                names_of_workflows
                errors
                errors_of_what_is_written_off
                reasons_of_a_quarantine
                long_texts
                payloads
                the_first_and_the_last_id
                a_beginning_far_away
                an_end_far_away
            }
            reopen {
                everything_is_still_there
                an_empty_journal_stays_empty
                an_execution_goes_on_with_its_next_fact
                a_gap_is_still_refused
                what_has_ended_stays_ended
                epochs_go_on_rising
                a_release_is_remembered
                without_release_it_counts_as_a_crash
                a_quarantine_is_remembered
                definitions_are_remembered
                keys_are_remembered
                what_was_forgotten_stays_forgotten
                large_facts_are_still_whole
                many_processes_follow_each_other
            }
            crash {
                what_was_acknowledged_is_there
                the_next_claim_sees_the_crash
                quarantines_and_definitions_are_there
                what_was_forgotten_stays_forgotten
                large_facts_are_whole
                what_was_under_way_is_cut_off_in_order
                gaps_are_refused_afterwards
                one_crash_follows_another
                an_old_claim_does_not_release_the_new_one
            }
        }
    };
}

macro_rules! list {
    ($($group:ident { $($name:ident)* })*) => {
        /// Everything that a journal must do, in the order in which it is best read.
        pub static CASES: &[Case] = &[
            $($(Case {
                group: stringify!($group),
                name: stringify!($name),
                play: |stage| super::$group::$name(stage).into(),
            },)*)*
        ];
    };
}

crate::__conformance_cases!(list);
