"""Drive pam_radius_auth through pamtester, as a program on a host that asks RADIUS would."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.parts import recipes
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.recipes import Block, Site
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk

UID = 4711
SERVICES = "/etc/pam.d"
SETTINGS = "/etc/pam_radius_auth.conf"


class Pamtester(Part):
    """A program on a host (`binds`: its files, by the place where it sees them) that asks PAM as `service`."""

    def __init__(self, binds: Mapping[str, Path], service: str) -> None:
        """Nothing is written."""
        self._binds, self._service = binds, service

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Authenticate once."""
        command = private(["/usr/bin/pamtester", self._service, user, "authenticate"], self._binds)
        done = talk(command, password, answer)
        return Result(done.status == 0, done.prompts, done.transcript)


def pam_host(folder: Path, site: Site, user: str, source: str = "") -> dict[str, Path]:
    """Write the files of a host as Debian installs it and the recipe changes it; return what to bind where.

    `user` has an account there; `source`: the address that the host asks from, where that matters.
    """
    shutil.copytree(SERVICES, folder / "pam.d")
    binds = {SERVICES: folder / "pam.d", **_account(folder, user)}
    for place, block in recipes.blocks("pam_radius").items():
        if place.startswith(SERVICES):
            _change(folder / "pam.d" / Path(place).name, block)
        elif place == SETTINGS:
            binds[place] = folder / "pam_radius_auth.conf"
            binds[place].touch(mode=0o600)
            binds[place].write_text(f"{site.filled(block.text).rstrip()}  {source}\n")
    return binds


def _change(path: Path, block: Block) -> None:
    """Put a block into a service's file as the recipe says: instead of a line that must be there, or as the file."""
    _, instead, line = block.how.partition("instead of ")
    there = path.read_text() if instead else f"{line}\n"
    assert there.count(f"{line}\n") == 1, f"{path} has no line {line}:\n{there}"
    path.write_text(there.replace(f"{line}\n", block.text))


def _account(folder: Path, user: str) -> dict[str, Path]:
    entry = f"{user}:x:{UID}:{UID}::/:/bin/sh\n"
    lines = {"passwd": entry, "group": f"{user}:x:{UID}:\n", "shadow": f"{user}:*:19000:0:99999:7:::\n"}
    binds: dict[str, Path] = {}
    for name, line in lines.items():
        binds[f"/etc/{name}"] = folder / name
        binds[f"/etc/{name}"].write_text(Path(f"/etc/{name}").read_text() + line)
    return binds
