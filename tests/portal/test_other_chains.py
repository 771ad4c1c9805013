"""Signing in by other chains than password and mail."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from tests.parts.authority import Certificate
from tests.portal.conftest import PASSWORD, Place, serving
from tests.portal.visitor import Visitor


@pytest.fixture
def place(tmp_path: Path, certificate: Certificate) -> Iterator[Place]:
    yield from serving(tmp_path / "aad", certificate, chain="bare")


def test_who_has_no_password_to_give_leaves_it_empty_and_proves_himself_by_app_and_mail(place: Place) -> None:
    text = place.daemon.file.read_text().replace('methods = ["password"]\n', 'methods = ["email_otp"]\n')
    place.daemon.file.write_text(text)
    place.daemon.reload()
    assert place.daemon.records("configuration.loaded")
    visitor = Visitor(place)
    fields = visitor.begin("bob", "").form("/sign-in/code") | {"code": place.code("bob@example.com")}
    assert "bob" in visitor.followed(visitor.post("/sign-in/code", fields)).words
    page = visitor.get("/enrol?method=totp")
    key = re.search(r'class="key">([^<]+)<', page.text)
    assert key
    app = pyotp.TOTP(key[1].replace(" ", ""))
    visitor.post("/enrol", page.form("/enrol") | {"code": app.now()})
    text = text.replace('methods = ["email_otp"]\n', 'methods = ["password", "totp", "email_otp"]\n')
    place.daemon.file.write_text(text)
    place.daemon.reload()
    assert visitor.begin("bob", "").status == 422
    page = visitor.begin("bob", PASSWORD)
    assert 'inputmode="numeric"' in page.text
    assert "Send the code again" not in page.words
    step = visitor.post("/sign-in/code", page.form("/sign-in/code") | {"code": "000000"})
    assert (step.status, "not right" in step.words) == (422, True)
    later = app.at(int(time.time()) + 30)
    step = visitor.post("/sign-in/code", step.form("/sign-in/code") | {"code": later})
    assert "Send the code again" in step.words, "the next method asks"
    assert "not right" not in step.words
    fields = step.form("/sign-in/code") | {"code": place.code("bob@example.com", 2)}
    assert "bob" in visitor.followed(visitor.post("/sign-in/code", fields)).words
