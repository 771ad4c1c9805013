"""Records become counts; nothing that a stranger says becomes a label."""

from __future__ import annotations

import time

import pytest

from aad.core.outcome import Reason
from aad.metrics.counters import BUCKETS, Names
from tests.parts.counting import BACK_ENDS, KNOWN, Kept, counting, page


def test_every_record_is_passed_on_as_it_is() -> None:
    kept = Kept()
    counts = counting(kept)
    counts("login.started", **KNOWN)
    counts("plugin.event", what=3)
    assert kept == [("login.started", KNOWN), ("plugin.event", {"what": 3})]


def test_a_thousand_names_make_no_new_series() -> None:
    counts = counting()
    counts("login.rejected", **KNOWN, reason=Reason.WRONG_PASSWORD, ms=1.0)
    counts("login.rejected", user="x", client="x", login_event="x", reason="x")
    counts("mail.sent", **KNOWN, sender="x", ms=1.0)
    before = page(counts).series
    for number in range(1000):
        counts("login.started", **{**KNOWN, "user": f"user{number}"})
        counts("login.rejected", user="x", client=f"client{number}", login_event=f"e{number}", reason=f"why {number}")
        counts("mail.sent", **KNOWN, sender=f"sender{number}", recipient=f"{number}@example.com", ms=1.0)
        counts("repository.down", repository=f"repository{number}", reason="x")
        counts(f"proof{number}.accepted", **KNOWN)
    after = page(counts)
    assert after.series == before
    assert after.value("aad_logins_total", outcome="rejected", client="other", event="other", reason="other") == 1001
    assert after.value("aad_mails_total", sender="other", fate="sent") == 1001


@pytest.mark.parametrize("reason", Reason)
def test_a_known_reason_is_a_label_also_with_details(reason: Reason) -> None:
    counts = counting()
    counts("login.rejected", **KNOWN, reason=reason, ms=1.0)
    counts("login.rejected", **KNOWN, reason=f"{reason}: and what of it")
    counts("login.rejected", **KNOWN, reason=f"{reason} or so")
    assert page(counts).value("aad_logins_total", outcome="rejected", reason=reason.value) == 2
    assert page(counts).value("aad_logins_total", outcome="rejected", reason="other") == 1


@pytest.mark.parametrize(
    "fields", [{"ms": "slow"}, {"sender": ["a", "list"]}, {"client": {"a": "dict"}, "login_event": None}, {}]
)
def test_a_record_that_cannot_be_counted_stops_nothing(fields: dict[str, object]) -> None:
    kept = Kept()
    counts = counting(kept)
    for name in ("mail.sent", "login.rejected", "challenge.sent", "user.locked", "sender.down"):
        counts(name, **fields)
    assert len(kept) == 5
    assert page(counts).value("aad_records_uncounted_total") == counts.uncounted > 0


def test_times_fall_into_buckets_that_add_up() -> None:
    counts = counting()
    for seconds in (*BUCKETS, 0.0, 31.0):
        counts("challenge.sent", **KNOWN, ms=seconds * 1000)
    scrape = page(counts)
    for number, bound in enumerate(BUCKETS):
        assert scrape.value("aad_step_seconds_bucket", step="challenge", le=repr(bound)) == number + 2
    assert scrape.value("aad_step_seconds_bucket", step="challenge", le="+Inf") == len(BUCKETS) + 2
    assert scrape.value("aad_step_seconds_count", step="challenge") == len(BUCKETS) + 2
    assert scrape.value("aad_step_seconds_sum", step="challenge") == pytest.approx(sum(BUCKETS) + 31)


def test_a_mail_that_comes_late_is_timed_once() -> None:
    counts = counting()
    counts("mail.queued", **KNOWN, sender="mail", ms=2000.0)
    counts("mail.sent", **KNOWN, sender="mail", ms=9000.0)
    scrape = page(counts)
    assert [scrape.value("aad_mails_total", sender="mail", fate=fate) for fate in ("queued", "sent")] == [1, 1]
    assert scrape.value("aad_step_seconds_count", step="mail") == 1
    assert scrape.value("aad_step_seconds_sum", step="mail") == 9


def test_a_reload_keeps_what_was_counted_and_forgets_names_that_are_gone() -> None:
    counts = counting()
    counts("login.started", **KNOWN)
    for kind, name in BACK_ENDS:
        counts(f"{kind}.down", **({kind: name} if kind != "store" else {}), reason="gone")
    assert not any(counts.up.values())
    counts.follow(
        Names(
            clients={"gw": "other event", "new": "vpn"},
            senders=("backup",),
            proofs=frozenset({"code"}),
            back_ends=(("store", "store"), ("repository", "corp"), ("server", "ldaps://dc1"), ("sender", "backup")),
        )
    )
    counts("login.accepted", **KNOWN, ms=1.0)  # it was in progress
    scrape = page(counts)
    up = {s.labels["name"]: s.value for s in scrape.samples if s.name == "aad_back_end_up"}
    # The repository makes its servers again, and takes them for up.
    assert up == {"store": 0, "corp": 0, "ldaps://dc1": 1, "backup": 1}
    assert scrape.value("aad_logins_total", outcome="started", client="gw", event="vpn") == 1
    assert scrape.value("aad_logins_total", outcome="accepted", client="gw", event="vpn") == 1
    assert scrape.value("aad_logins_total", outcome="started", client="new") == 0


def test_a_store_out_of_order_shows() -> None:
    scrape = page(counting(), waiting=None)
    assert scrape.value("aad_back_end_up", kind="store") == 0
    with pytest.raises(KeyError):
        scrape.value("aad_challenges_waiting")


def test_discards_are_told_in_the_first_words_of_their_reason() -> None:
    scrape = page(counting(), discarded={("gw", "wrong signature: it differs"): 2, ("gw", "wrong signature, again"): 3})
    assert scrape.value("aad_discarded_requests_total", client="gw", reason="wrong signature") == 5


def test_the_process_started_a_moment_ago() -> None:
    scrape = page(counting())
    assert time.time() - 86400 < scrape.value("process_start_time_seconds") <= time.time()
    again = page(counting()).value("process_start_time_seconds")
    assert again == scrape.value("process_start_time_seconds")  # else it would be taken for a restart
    assert scrape.value("process_resident_memory_bytes") > 1_000_000
    assert 3 <= scrape.value("process_open_fds") < scrape.value("process_max_fds")


def test_sessions_are_counted_by_client() -> None:
    counts = counting()
    for what in ("started", "updated", "updated", "stopped"):
        counts(f"session.{what}", **KNOWN, seconds=1)
    counts("session.started", **KNOWN | {"client": "a stranger's word"})
    assert counts.sessions == {
        ("started", "gw", "vpn"): 1,
        ("updated", "gw", "vpn"): 2,
        ("stopped", "gw", "vpn"): 1,
        ("started", "other", "other"): 1,
    }
    assert page(counts).value("aad_sessions_total", what="updated", client="gw", event="vpn") == 2
