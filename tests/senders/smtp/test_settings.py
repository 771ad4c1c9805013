"""The keys of a sender: which can't be right, and which are unwise."""

from pathlib import Path
from typing import Any

import pytest

from aad.core.secret import Secret
from aad.senders.smtp.settings import SmtpSettings
from tests.senders.conftest import PASSWORD, account


def settings(**changes: Any) -> SmtpSettings:
    return SmtpSettings(**{"host": "smtp.company.com", "sender_email": "noreply@company.com", **changes})


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, []),
        ({"host": ""}, ["host"]),
        ({"host": "smtp.company.com\r\n"}, ["host"]),
        ({"sender_email": "Help Desk <help@company.com>"}, ["sender_email"]),
        ({"sender_email": "zoë@company.com"}, ["sender_email"]),
        ({"sender_email": "noreply@bücher.de"}, []),
        ({"sender_name": "a\nb"}, ["sender_name"]),
        ({"recipient_mask": "{address}"}, ["recipient_mask"]),
        ({"ca_file": Path("/nowhere/ca.pem")}, ["ca_file"]),
        ({"ca_file": Path(__file__)}, ["ca_file"]),
        ({"authentication_required": True}, ["username", "password"]),
        (account(password=Secret("a\0b")), ["password"]),
        (account(username="no\rreply"), ["username"]),
    ],
)
def test_faults_name_the_key(changes: dict[str, Any], keys: list[str]) -> None:
    found = dict(settings(**changes).faults())
    assert list(found) == keys
    assert all(what[0].islower() or what[0] == "/" for what in found.values())


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        (account(), []),
        (account(security="none"), ["security"]),
        (account(security="none", host="localhost"), []),
        (account(security="none", host="::1"), []),
        ({"username": "noreply"}, ["authentication_required"]),
    ],
)
def test_warnings_name_the_key(changes: dict[str, Any], keys: list[str]) -> None:
    assert [key for key, _ in settings(**changes).warnings()] == keys


def test_the_password_doesn_t_print() -> None:
    assert PASSWORD not in repr(settings(**account()))
