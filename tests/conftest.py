"""What every test shares."""

import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("aad", deadline=None)  # no time is asserted: the machine may be busy
settings.load_profile("aad")

# Whoever runs the tests in the background of a shell has SIGINT ignored, and so would each program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    workers = int(os.environ.get("AAD_WORKERS") or 1)
    parser.addoption("--workers", type=int, default=workers, help="of the requirements' daemons")
    parser.addoption("--store", choices=("sqlite", "valkey"), default="sqlite", help="of the requirements' daemons")
