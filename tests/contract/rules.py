"""The rules of PROTOCOL.md, in its words and order, each with the test that holds it: folder/file::test, below tests/."""

RULES = {
    # 1 Who you are
    "Both spellings": "contract/test_over_sockets::test_credentials_are_taken_in_both_spellings",
    "the headers of the handshake": "api/transport/test_ws_protocol::test_a_token_may_come_with_the_handshake_instead",
    "Only keys go with `X-API-Key`": "administration/test_programs::test_a_key_works_as_a_bearer_and_as_x_api_key",
    "a device's token under `Bearer` is refused": "administration/test_programs::test_a_device_token_under_the_wrong_scheme_says_so",
    "both are shown once and never again": "administration/test_wire::test_a_key_is_shown_once_listed_used_and_revoked",
    "works for another 24 hours": "devices/test_changing::test_the_old_token_holds_for_a_day_beside_the_new_one",
    "Without credentials an operation runs": "contract/test_over_http::test_the_status_says_how_far_a_request_came",
    "it closes when its token expires": "flows/test_one_alert::test_an_expired_token_closes_the_socket_with_4403",
    "may send heartbeats of devices that are registered": "heartbeats/test_senders::test_people_and_keys_send_by_role_and_limit",
    "A device sends heartbeats for itself": "heartbeats/test_senders::test_a_device_beats_for_itself_alone",
    "and reads itself (`device`), nothing else": "devices/test_reading::test_a_device_reads_itself_alone",
    "`tenantId` left out": "contract/test_over_http::test_a_tenant_left_out_is_all_of_them_to_read_and_the_only_one_to_write",
    "is answered as one that does not exist": "isolation/test_walls::test_nobody_sees_or_changes_what_is_not_theirs",
    # 2 Requests over HTTP
    "the status says how far the request came": "contract/test_over_http::test_the_status_says_how_far_a_request_came",
    "a mutation by `GET`": "contract/test_over_http::test_get_is_for_queries_alone",
    "or is compressed": "api/transport/test_http::test_a_compressed_body_is_415",
    "a body over `MAX_BODY_BYTES`": "api/transport/test_http::test_an_announced_body_over_the_limit_is_413",
    "your credentials cannot be looked at now": "api/transport/test_http::test_who_is_not_let_in_reads_why_in_the_status",
    "`X-Request-Id` is taken from you": "contract/test_over_http::test_the_id_of_a_request_is_taken_or_made_and_answered",
    "where `CORS_ORIGINS` names it": "contract/test_over_http::test_a_page_of_an_origin_that_is_named_may_read_the_answer",
    "refused with 403 in the handshake": "api/transport/test_ws_protocol::test_a_page_from_elsewhere_is_not_let_in",
    "JSON is taken strictly": "api/transport/test_json_body::test_what_is_no_value_is_named_by_its_path",
    "at most 12 levels of fields": "contract/test_over_http::test_a_document_over_a_limit_of_the_protocol_is_too_complex",
    "Introspection passes": "api/transport/test_documents::test_introspection_passes_the_limits",
    "A time without an offset is refused": "api/transport/test_scalars::test_what_is_no_moment_is_refused",
    # 3 Errors
    "Every error has `extensions.code`": "contract/test_files::test_errors_json_and_protocol_name_every_code",
    "`id`: tell it to the operator": "api/transport/test_errors::test_what_nobody_expected_is_masked_and_logged_with_its_id",
    "`fields[].path` says where": "contract/test_over_http::test_a_bad_field_is_named_by_its_path",
    # 4 Heartbeats
    "within `nextWithinSec` of the answer": "heartbeats/test_senders::test_the_answer_says_when_the_next_beat_is_due",
    "once it is stored on a majority": "heartbeats/test_intake::test_a_lasting_failure_is_told_to_all_who_wait_and_the_intake_goes_on",
    "Sent again means stored once": "heartbeats/test_repeats::test_a_repeated_beat_is_a_success_and_stored_once",
    "up to ten minutes": "heartbeats/test_repeats::test_a_count_without_a_boot_id_may_start_anew_after_ten_minutes",
    "More than 5 minutes ahead of ours is refused": "heartbeats/test_bad_input::test_what_is_out_of_bounds_is_named_and_not_written",
    "makes the beat late": "heartbeats/test_repeats::test_a_late_beat_takes_its_place_in_history",
    "are percents, 0 to 100": "heartbeats/test_bad_input::test_what_is_out_of_bounds_is_named_and_not_written",
    "rules can be written on them by name": "rules/test_conditions::test_a_good_condition_is_kept_as_it_is",
    "takes up to 1,000 at once": "heartbeats/test_bad_input::test_more_than_a_thousand_beats_are_refused_together",
    "and stores the good ones": "heartbeats/test_bad_input::test_one_bad_beat_does_not_hurt_the_others",
    "then it is registered by it": "heartbeats/test_senders::test_an_admin_registers_by_beating_with_what_the_beat_says",
    "a device's token sends its own": "operational_events/test_senders::test_a_device_that_names_none_sends_for_itself",
    "Other devices need not be registered": "operational_events/test_taking::test_an_unknown_device_is_counted_and_not_registered",
    "with every bad field in the message": (
        "operational_events/test_taking::test_one_bad_event_does_not_hurt_the_others_and_every_bad_field_is_named"
    ),
    "again is accepted and counts once": "operational_events/test_repeats::test_the_same_reference_counts_once_as_it_first_came",
    "30 days back or more": "operational_events/test_taking::test_what_is_out_of_bounds_is_named_and_not_written",
    "What comes late counts where it belongs": "operational_events/test_counts::test_a_late_event_counts_in_its_own_five_minutes",
    "one stands for many that are alike": ("operational_events/test_counts::test_successes_failures_and_amounts_add_up_by_kind"),
    "the store where that device stands": (
        "operational_events/test_taking::test_the_store_of_a_registered_device_counts_where_the_event_names_none"
    ),
    # 5 Lists
    "`first` is 1 to 200": "contract/test_over_http::test_a_list_has_its_most",
    "a cursor belongs to the order it came from": "alerts/test_lists::test_a_cursor_of_something_else_is_refused",
    # 6 Subscriptions
    "`graphql-transport-ws`](https": "api/transport/test_ws_protocol::test_an_operation_answers_and_completes",
    "and the socket goes on": "contract/test_over_sockets::test_what_is_refused_is_an_error_message_and_the_socket_goes_on",
    "is a `next` with `errors`": "api/transport/test_ws_operations::test_a_field_that_fails_is_next_with_errors_and_the_stream_goes_on",
    "at most 100 operations at once": "contract/test_over_sockets::test_a_socket_runs_a_hundred_operations_and_no_more",
    "An id may be used again": "api/transport/test_ws_protocol::test_an_id_may_be_used_again_after_completion_by_either_side",
    "ends a socket that answers": "api/transport/test_ws_operations::test_a_client_that_answers_no_ping_is_cut_off",
    "is answered with `pong`": "api/transport/test_ws_protocol::test_a_ping_is_answered_with_its_payload_even_before_initialisation",
    "| 1007 |": "api/transport/test_ws_socket::test_what_breaks_websocket_is_closed_with_its_code",
    "| 1009 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 1012 |": "flows/test_one_alert::test_a_stopped_api_sends_its_subscribers_away_with_1012",
    "| 1013 |": "api/transport/test_ws_protocol::test_who_is_not_let_in_or_not_for_long_reads_why",
    "| 4400 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 4401 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 4403 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 4406 |": "contract/test_over_sockets::test_another_subprotocol_is_closed_with_4406",
    "| 4408 |": "api/transport/test_ws_protocol::test_an_authentication_that_takes_too_long_is_closed_with_4408",
    "| 4409 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 4429 |": "contract/test_over_sockets::test_a_socket_is_closed_with_the_code_that_the_protocol_names",
    "| 4500 |": "api/transport/test_ws_protocol::test_an_error_in_authentication_is_closed_with_4500_masked_and_logged",
    "Four things are not its defaults": "api/node/test_dashboard::test_the_example_resumes_after_a_restart_and_a_lost_line",
    # 7 Alerts without a gap
    "in order for each tenant, each once": "realtime/test_resume::test_cuts_at_any_points_lose_and_repeat_nothing",
    "overlap rather than leave a gap": "alerts/test_wire::test_the_cursor_of_a_list_is_read_before_the_list",
    "so you see an alert leave your list": "realtime/test_alert_stream::test_a_narrow_filter_sees_an_alert_leave",
    "are as they were at that transition": "realtime/test_alert_stream::test_a_transition_is_told_with_the_alert_as_it_then_was",
    "are as they are now": "realtime/test_wire::test_what_hangs_on_an_event_is_read_anew_for_each",
    "`RESYNC` has a cursor and no alert": "realtime/test_resume::test_a_cursor_older_than_what_is_kept_is_answered_with_a_fresh_one",
    "a history that was replaced by a backup": "realtime/test_resume::test_a_cursor_that_does_not_hold_is_answered_with_a_fresh_one",
    "`BOOKMARK` has a cursor and no alert": "realtime/test_alert_stream::test_a_minute_with_something_passed_over_makes_a_bookmark",
    "`after` that is no cursor": "realtime/test_alert_stream::test_what_is_no_cursor_is_bad_input",
    "Redis is not needed for any of this": "flows/test_without_redis::test_everything_goes_on_while_redis_hangs",
    # 8 State as it changes
    "fewer and newer updates": "realtime/test_health_stream::test_a_slow_subscriber_gets_the_newest_state_alone",
    "starts with the present state": "realtime/test_health_stream::test_the_first_picture_has_every_device_with_its_health",
    "`previous` is what this subscription saw": "realtime/test_health_stream::test_a_change_is_told_with_the_health_that_was_seen_last",
    "`onlyTransitions` leaves out": "realtime/test_health_stream::test_only_transitions_leaves_out_what_keeps_its_health",
    "`overview` comes at once": "realtime/test_overview_stream::test_the_first_picture_comes_at_once_and_the_next_with_a_change",
    "at least every 5 seconds": "realtime/test_overview_stream::test_it_comes_again_in_time_though_nothing_changed",
    # 9 Acting on alerts
    "answers `CONFLICT` with `current`": "alerts/test_actions::test_a_stale_view_is_refused_with_what_is_there",
    "take up to 500 ids": "alerts/test_bulk::test_five_hundred_are_the_most",
    "what fails for one does not hurt the others": "alerts/test_bulk::test_what_fails_for_one_does_not_hurt_the_others",
    "keeps it quiet for the rule's `cooldownSec`": (
        "alerts/test_after_a_person::test_what_is_still_silent_stays_quiet_for_the_cooldown_and_no_longer"
    ),
    "A reopened alert is ended by a person": (
        "alerts/test_after_a_person::test_a_reopened_alert_of_what_is_still_silent_is_held_by_its_rule_again"
    ),
    # 10 Webhooks
    "with the same body": "channels/test_webhook::test_every_other_event_has_the_same_body_with_who_and_why",
    "it brings no device back": "delivery/test_sending::test_a_person_who_resolves_brings_no_device_back",
    "`testChannel` sends `channel.test`": "delivery/test_sending::test_a_test_message_goes_the_same_way",
    "and nothing else but the test": "channels/test_webhook::test_machine_has_no_word_for_anything_else",
    "is `sha256=` and the HMAC-SHA256 of the body": (
        "delivery/test_secrets::test_the_example_of_the_protocol_takes_what_is_ours_and_refuses_what_is_not"
    ),
    "signs too until its overlap ends": "channels/test_webhook::test_the_example_of_the_protocol_holds_through_a_rotation",
    "are those of [Standard Webhooks]": "delivery/test_secrets::test_it_is_signed_as_standard_webhooks_are",
    "both signatures stand in the one header": (
        "channels/test_webhook::test_the_library_of_standard_webhooks_verifies_either_secret_through_a_rotation"
    ),
    "is the same for every try": "delivery/test_sending::test_what_may_pass_is_tried_again_under_the_same_key",
    "Any 2xx within 10 s": "delivery/test_sending::test_any_success_is_sent",
    "twelve times in about an hour": "delivery/test_sending::test_after_twelve_tries_in_about_an_hour_it_is_dead",
    "when `Retry-After` says": "delivery/test_sending::test_retry_after_is_honoured",
    "ends it as DEAD": "delivery/test_sending::test_what_would_fail_again_is_dead_at_once",
    "after its opening was sent, skipped or dead": "delivery/test_order::test_an_end_goes_out_after_its_opening_is_dead",
    "where its opening was not told": (
        "delivery/test_order::test_an_alert_that_is_muted_is_skipped_with_the_reason_and_so_is_its_end"
    ),
    "Addresses inside the network are refused": (
        "delivery/test_secrets::test_a_webhook_into_the_network_is_refused_however_it_is_written"
    ),
    # 11 Channels
    "is needed there": "switchboard/test_kinds::test_what_a_new_channel_cannot_be_without_is_asked_for",
    "kept when `updateChannel` leaves it out": "switchboard/test_patches::test_secrets_that_are_left_out_are_kept",
    "and never read back": "switchboard/test_kinds::test_no_secret_is_in_the_database_the_audit_the_log_the_api_or_an_error",
    "`target` shows |": "switchboard/test_kinds::test_a_channel_of_every_kind_is_made_and_shown_without_its_secrets",
    "one takes the place of the other": "switchboard/test_kinds::test_a_slack_bot_and_a_slack_webhook_take_the_place_of_each_other",
    "unless the operator has set a bot": "switchboard/test_kinds::test_a_telegram_channel_may_use_the_bot_of_the_settings",
    "the kind of a channel stays": "switchboard/test_patches::test_the_kind_of_a_channel_stays",
    "keeps the one that is there": (
        "switchboard/test_patches::test_a_masked_address_that_is_written_back_keeps_the_one_that_is_there"
    ),
    "does `format: null`": "switchboard/test_kinds::test_the_format_of_a_webhook_is_kept_beside_the_config",
    "lets the one before sign beside it for 24 hours": "switchboard/test_patches::test_the_secret_before_signs_for_another_day",
    "`enabled: true` clears": "switchboard/test_patches::test_switching_a_channel_on_forgets_why_it_was_off",
    "in full only to those who may change the channel": (
        "switchboard/test_kinds::test_those_who_may_not_change_it_see_no_whole_address"
    ),
    "changed by its admins": "switchboard/test_patches::test_shared_channels_are_changed_by_admins_alone",
    "any role may make, change, test and": (
        "switchboard/test_personal::test_people_of_any_role_make_change_test_and_delete_their_own"
    ),
    "nobody else sees them": "switchboard/test_personal::test_nobody_else_sees_changes_tests_or_deletes_it",
    "`Delivery.channel` is null to them": "switchboard/test_personal::test_on_a_delivery_only_its_owner_sees_the_channel",
    "lists them whatever tenant is asked for": "switchboard/test_personal::test_ones_own_is_used_in_every_tenant_and_shown_there",
    "Programs have none": "switchboard/test_personal::test_programs_have_none_and_see_none",
    "of the same tenant and owner": "switchboard/test_naming::test_a_fallback_is_of_the_same_tenant_and_the_same_owner",
    "not in a circle": "switchboard/test_naming::test_fallbacks_do_not_lead_in_circles",
    "name shared channels": "switchboard/test_naming::test_a_rule_names_known_shared_channels_of_its_tenant_alone",
    "every shared channel until the tenant chooses": (
        "switchboard/test_naming::test_without_a_choice_every_shared_channel_is_told_by_default"
    ),
    "a tenant's version of it may": (
        "switchboard/test_naming::test_a_rule_of_the_platform_has_no_channels_and_a_tenants_version_may"
    ),
    "goes on without it": "switchboard/test_naming::test_a_deleted_channel_is_named_no_more",
    # 12 Notifications and preferences
    "takes up to 500 ids and answers": "people/test_inbox::test_five_hundred_are_marked_at_once_and_no_more",
    "Programs and devices have none": "people/test_choosing::test_only_people_have_preferences_and_notifications",
    "Who leaves a tenant no longer sees what it told": "people/test_inbox::test_who_left_a_tenant_no_longer_sees_what_it_told",
    "gives what is told from now on": "people/test_stream::test_it_comes_in_order_and_each_once",
    "each once, also while Redis is away": "people/test_stream::test_it_goes_on_while_redis_is_away",
    "`updatePreferences` is a patch": "people/test_choosing::test_what_is_left_out_of_a_change_stays_as_it_is",
    "`null` says what holds where nothing was ever said": (
        "people/test_choosing::test_null_says_what_holds_where_nothing_was_ever_said"
    ),
    "the order in which your own channels are tried": (
        "people/test_preferences::test_channels_are_tried_in_the_order_that_was_chosen"
    ),
    "what spans stores": "people/test_preferences::test_what_spans_stores_is_told_to_those_who_want_some_alone",
    "or `acme:north` where two tenants have one": "people/test_preferences::test_a_store_is_named_by_either_of_its_ids",
    "from `start` on and before `end`": "people/test_quiet_hours::test_the_start_belongs_to_them_and_the_end_does_not",
    "the next multiple of it since 1970": "people/test_preferences::test_a_digest_holds_until_the_next_multiple_of_its_seconds",
    "is on the next morning": "people/test_quiet_hours::test_a_night_goes_over_midnight",
    "is passed the moment they change": (
        "people/test_quiet_hours::test_an_end_that_the_clocks_skip_in_spring_is_the_moment_of_the_change"
    ),
    "first time and ends the second": "people/test_quiet_hours::test_an_end_that_comes_twice_in_autumn_is_the_second_one",
    "sends a test to each of your own channels": "people/test_inbox::test_a_test_goes_to_each_of_ones_own_channels_in_order",
    "is `CONFLICT` where you have none": "people/test_inbox::test_who_has_no_channel_of_their_own_is_told_so",
}
