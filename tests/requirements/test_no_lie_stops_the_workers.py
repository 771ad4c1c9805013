"""Requirement 40 with several processes: some of the lies that a mail server, a Valkey and a RADIUS server tell."""

from __future__ import annotations

import pytest

from tests.parts.authority import Authority
from tests.parts.lies.liar import Liar
from tests.parts.lies.radius import RadiusLiar
from tests.requirements.events import Start
from tests.requirements.test_no_mail_server_stops_it import liar as mail_liar
from tests.requirements.test_no_mail_server_stops_it import test_40_a_mail_server_lies as mail_server_lies
from tests.requirements.test_no_radius_server_stops_it import liar as radius_liar
from tests.requirements.test_no_radius_server_stops_it import test_40_a_radius_server_lies as radius_server_lies
from tests.requirements.test_no_valkey_stops_it import liar as valkey_liar
from tests.requirements.test_no_valkey_stops_it import test_40_a_valkey_server_lies as valkey_server_lies

pytestmark = pytest.mark.usefixtures("unshared")

WORKERS = 2
__all__ = ["mail_liar", "radius_liar", "valkey_liar"]


@pytest.mark.parametrize("name", ["takes the mail in lines without end, some at a time", "greets in lines without end"])
def test_40_a_mail_server_lies(name: str, start: Start, mail_liar: Liar, authority: Authority) -> None:
    mail_server_lies(name, start, mail_liar, authority)


@pytest.mark.parametrize("name", ["announces two thousand million values", "says nothing to all", "pushes without end"])
def test_40_a_valkey_server_lies(name: str, start: Start, valkey_liar: Liar) -> None:
    valkey_server_lies(name, start, valkey_liar)


@pytest.mark.parametrize("name", ["an accept without Message-Authenticator", "thousands of large wrong accepts"])
def test_40_a_radius_server_lies(name: str, start: Start, radius_liar: RadiusLiar) -> None:
    radius_server_lies(name, start, radius_liar)
