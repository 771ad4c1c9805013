"""The fixtures that the tests of the senders share."""

import time
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aad.core.message import Message, Template
from aad.core.secret import Secret
from aad.ports import Wiring
from aad.senders.smtp import Smtp
from tests.senders.script import Script

TEMPLATE = Template(subject="Your code: {otp}", text="Hello {user},\n\nyour code is {otp}.\n")
PASSWORD = "cor rect-hörse"


def account(**changes: Any) -> dict[str, Any]:
    return {"authentication_required": True, "username": "noreply", "password": Secret(PASSWORD), **changes}


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with Script() as server:
        yield server


@pytest.fixture
def smtp() -> Callable[..., Smtp]:
    """NewSmtp a sender for a server with a `port`; keywords are its settings."""

    def make(server: Any, **settings: Any) -> Smtp:
        defaults = {"host": "127.0.0.1", "port": server.port, "security": "none", "sender_email": "noreply@company.com"}
        return Smtp(Smtp.Settings(**{**defaults, **settings}), Wiring(name="mail", key=Secret(b"")))

    return make


@pytest.fixture
def message() -> Callable[..., Message]:
    """NewSmtp a message with a code in it."""

    def make(
        recipient: str = "alice@example.com", code: str = "123456", template: Template = TEMPLATE, **more: Any
    ) -> Message:
        values = {"user": "alice", "otp": code}
        return Message(recipient=recipient, masked="***", template=template, values=values, **more)

    return make


@pytest.fixture
def within() -> Callable[[float], float]:
    """Return a deadline so many seconds from now."""
    return lambda seconds: time.monotonic() + seconds


def nothing_leaks(error: BaseException, *secrets: str) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__) + repr(error.__cause__)
    for secret in ("alice", "example.com", "123456", PASSWORD, *secrets):
        assert secret not in shown
