"""Requirement 38 once more, where the store is a server that several nodes share."""

from tests.requirements.test_the_store_is_not_believed import (
    place,
    rows,
    server,
    test_38_a_login_planted_for_another_user_is_not_gone_on_with,
    test_38_a_login_that_was_changed_is_none,
    test_38_a_login_under_another_ticket_is_none,
    test_38_a_node_with_another_key_refuses_and_says_so_once,
    test_38_a_session_that_was_changed_is_none,
    test_38_a_session_under_another_token_is_none,
    test_38_a_session_without_its_mark_is_none,
    test_38_an_end_that_the_store_was_told_is_not_the_end,
    test_38_an_expired_login_is_told_from_none_for_a_minute,
    test_38_no_octet_of_a_login_may_be_another,
    test_38_what_a_store_calls_a_user_moves_no_cursor_of_root,
    test_38_what_an_older_version_kept_ends_once_and_is_said,
    test_38_what_strangers_bring_is_unknown_and_no_outage,
    test_38_what_was_signed_for_one_purpose_is_nothing_for_another,
    test_38_whatever_the_store_holds_nothing_crashes,
)

__all__ = [
    "place",
    "rows",
    "server",
    "test_38_a_login_planted_for_another_user_is_not_gone_on_with",
    "test_38_a_login_that_was_changed_is_none",
    "test_38_a_login_under_another_ticket_is_none",
    "test_38_a_node_with_another_key_refuses_and_says_so_once",
    "test_38_a_session_that_was_changed_is_none",
    "test_38_a_session_under_another_token_is_none",
    "test_38_a_session_without_its_mark_is_none",
    "test_38_an_end_that_the_store_was_told_is_not_the_end",
    "test_38_an_expired_login_is_told_from_none_for_a_minute",
    "test_38_no_octet_of_a_login_may_be_another",
    "test_38_what_a_store_calls_a_user_moves_no_cursor_of_root",
    "test_38_what_an_older_version_kept_ends_once_and_is_said",
    "test_38_what_strangers_bring_is_unknown_and_no_outage",
    "test_38_what_was_signed_for_one_purpose_is_nothing_for_another",
    "test_38_whatever_the_store_holds_nothing_crashes",
]
STORE = "valkey"
