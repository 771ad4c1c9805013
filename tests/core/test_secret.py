"""A Secret doesn't show, whatever is done with what holds it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.answer import Plain
from aad.core.secret import Secret

WORDS = "correct horse"
SECRET = Secret(WORDS)


@dataclass(frozen=True)
class Holder:
    name: str
    secret: Secret


HOLDER = Holder("alice", SECRET)


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r}",
        f"{HOLDER}",
        "%s %r" % (SECRET, SECRET),  # noqa: UP031 - logging does it so
        "{} {!r} {!a}".format(SECRET, SECRET, SECRET),  # noqa: UP032
        repr([SECRET, {"password": SECRET}]),
        repr(Plain(SECRET)),
        repr(Secret(WORDS.encode())),
        str(Exception("refused", SECRET)),
    ],
)
def test_it_does_not_show(shown: str) -> None:
    assert "horse" not in shown
    assert "***" in shown
    assert str(len(WORDS)) not in shown


def test_it_does_not_show_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("aad").warning("login of %s: %r", HOLDER, SECRET)
    assert "***" in caplog.text
    assert "horse" not in caplog.text


def test_it_does_not_show_in_a_traceback_even_with_the_locals() -> None:
    def fails(holder: Holder) -> None:
        local = holder.secret
        raise ValueError(holder, local)

    try:
        fails(HOLDER)
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "Secret(***)" in shown
    assert "horse" not in shown


def test_it_is_not_written_to_a_file_by_accident() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="can't be pickled"):
            pickle.dumps(HOLDER, protocol)
    for copied in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled"):
            copied(SECRET)
    with pytest.raises(TypeError, match="can't be pickled"):
        asdict(HOLDER)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(SECRET)
    assert not hasattr(SECRET, "__dict__")


def test_it_is_no_key() -> None:
    with pytest.raises(TypeError, match="can't be a key"):
        hash(SECRET)
    with pytest.raises(TypeError, match="can't be a key"):
        hash(HOLDER)
    with pytest.raises(TypeError, match="can't be a key"):
        {SECRET}  # noqa: B018


def test_it_is_compared_with_secrets_only() -> None:
    assert Secret(b"correct horse") == SECRET
    assert Secret("correct horse ") != SECRET
    assert SECRET != WORDS
    assert WORDS.encode() != SECRET


@given(st.binary())
def test_octets_stay_as_they_are(octets: bytes) -> None:
    secret = Secret(octets)
    assert secret.reveal() == octets
    assert len(secret) == len(octets)
    assert bool(secret) == any(octets)


@given(st.text())
def test_text_comes_back(text: str) -> None:
    assert Secret(text).text() == text


def test_octets_that_are_no_text_are_not_quoted() -> None:
    with pytest.raises(ValueError, match="the secret is not UTF-8") as caught:
        Secret(b"cor\xffrect horse").text()
    assert not isinstance(caught.value, UnicodeError), "that would carry the octets"
    assert caught.value.__suppress_context__


def test_what_a_terminal_could_not_read_becomes_the_same_octets() -> None:
    assert Secret(b"cor\xffrect horse".decode("utf-8", "surrogateescape")).reveal() == b"cor\xffrect horse"


def test_text_that_is_no_utf_8_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="the secret is not UTF-8") as caught:
        Secret("correct \ud800 horse")
    assert not isinstance(caught.value, UnicodeError)
    assert caught.value.__suppress_context__
