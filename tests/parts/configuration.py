"""Configurations written for a test, read as `aad check` would: what they come to, or all their faults."""

from pathlib import Path

import pytest

from aad.config import Config, ConfigError, load
from aad.daemon import plugin_registry

SMALLEST = """
[clients.gw]
networks = ["192.0.2.10"]
secret = "a shared secret of this test"
event = "vpn"
[repositories.local]
[senders.mail]
host = "localhost"
sender_email = "noreply@example.com"
[chains.both]
methods = ["password", "email_otp"]
[events.vpn]
"""


def written(folder: Path, text: str, name: str = "aad.toml", mode: int = 0o600) -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def loaded(folder: Path, text: str) -> Config:
    users = folder / "users.toml"
    users.write_text("")
    users.chmod(0o600)
    return load(written(folder, text), plugin_registry)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        loaded(folder, text)
    return [f"{fault.key}: {fault.what}" for fault in raised.value.faults]
