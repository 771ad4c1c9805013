"""Those of the requirements that rest on what processes have in common, once more with two of them, over Valkey.

`--workers 2 --store valkey` runs all of them so.
"""

from tests.requirements.test_a_back_end_that_is_gone_comes_back import (
    test_15_a_mail_server_that_is_gone_fails_fast_and_is_back_within_seconds,
)
from tests.requirements.test_a_wrong_secret_locks_nobody_out import (
    nas,
    test_37_a_wrong_secret_costs_no_bind_and_locks_nobody_out,
    test_37_an_unreadable_answer_leaves_the_login_waiting,
    unsigned,
)
from tests.requirements.test_it_does_not_drown_or_leak import (
    parts,
    test_25_mails_altogether_are_capped,
    test_27_when_all_places_are_waited_in_new_logins_are_refused,
)
from tests.requirements.test_no_attacker_gets_in_by_guesses import (
    test_08_the_limit_of_a_user_survives_new_challenges_and_a_restart,
)
from tests.requirements.test_no_attacker_gets_in_by_packets import test_06_a_code_works_once
from tests.requirements.test_no_honest_user_is_locked_out import (
    test_13_another_authenticator_on_the_same_identifier_is_a_new_request,
    test_13_duplicates_get_silence_while_the_first_is_at_work,
    test_13_duplicates_get_the_stored_reply_whatever_the_port,
    test_13_duplicates_of_the_answer_are_accepted_again,
)
from tests.requirements.test_no_restart_costs_a_login import (
    test_18_after_kill_9_amid_a_login_it_is_ready_within_2_seconds,
    test_18_after_kill_9_limits_are_kept,
    test_18_sigterm_sends_the_replies_in_flight,
)

__all__ = [
    "nas",
    "parts",
    "test_06_a_code_works_once",
    "test_08_the_limit_of_a_user_survives_new_challenges_and_a_restart",
    "test_13_another_authenticator_on_the_same_identifier_is_a_new_request",
    "test_13_duplicates_get_silence_while_the_first_is_at_work",
    "test_13_duplicates_get_the_stored_reply_whatever_the_port",
    "test_13_duplicates_of_the_answer_are_accepted_again",
    "test_15_a_mail_server_that_is_gone_fails_fast_and_is_back_within_seconds",
    "test_18_after_kill_9_amid_a_login_it_is_ready_within_2_seconds",
    "test_18_after_kill_9_limits_are_kept",
    "test_18_sigterm_sends_the_replies_in_flight",
    "test_25_mails_altogether_are_capped",
    "test_27_when_all_places_are_waited_in_new_logins_are_refused",
    "test_37_a_wrong_secret_costs_no_bind_and_locks_nobody_out",
    "test_37_an_unreadable_answer_leaves_the_login_waiting",
    "unsigned",
]
STORE, WORKERS = "valkey", 2
