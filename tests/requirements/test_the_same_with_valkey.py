"""Those of the requirements that rest on the store, once more over Valkey: `--store valkey` runs all of them there."""

from tests.requirements.test_a_wrong_secret_locks_nobody_out import (
    nas,
    test_37_a_wrong_secret_costs_no_bind_and_locks_nobody_out,
    test_37_an_unreadable_answer_leaves_the_login_waiting,
    unsigned,
)
from tests.requirements.test_it_does_not_drown_or_leak import (
    test_25_mails_to_a_user_are_capped_and_his_state_still_passes,
    test_27_when_all_places_are_waited_in_new_logins_are_refused,
)
from tests.requirements.test_no_attacker_gets_in_by_guesses import (
    test_08_a_stepped_wall_clock_changes_no_life,
    test_08_the_limit_of_a_user_survives_new_challenges_and_a_restart,
)
from tests.requirements.test_no_attacker_gets_in_by_packets import test_06_a_code_works_once
from tests.requirements.test_no_restart_costs_a_login import (
    test_18_after_kill_9_amid_a_login_it_is_ready_within_2_seconds,
    test_18_after_kill_9_limits_are_kept,
)

__all__ = [
    "nas",
    "test_06_a_code_works_once",
    "test_08_a_stepped_wall_clock_changes_no_life",
    "test_08_the_limit_of_a_user_survives_new_challenges_and_a_restart",
    "test_18_after_kill_9_amid_a_login_it_is_ready_within_2_seconds",
    "test_18_after_kill_9_limits_are_kept",
    "test_25_mails_to_a_user_are_capped_and_his_state_still_passes",
    "test_27_when_all_places_are_waited_in_new_logins_are_refused",
    "test_37_a_wrong_secret_costs_no_bind_and_locks_nobody_out",
    "test_37_an_unreadable_answer_leaves_the_login_waiting",
    "unsigned",
]
STORE = "valkey"
