"""What becomes of a machine, with a real systemd, on which the package is installed, upgraded, removed and purged."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad import __version__
from tests.deb.conftest import ROOT
from tests.deb.machine import CONFIGURATION, NEWER, PACKAGE, Machine
from tests.parts.authority import Authority
from tests.parts.mailbox import Mailbox
from tests.parts.waiting import until

PASSED_OVER = ("/var/lib/dpkg", "/var/lib/systemd/catalog", "/var/log", "/var/cache")
EVERYTHING = (
    *("find", "/etc", "/usr", "/var", "-xdev", "(", "-path", "/run"),
    *(word for place in PASSED_OVER for word in ("-o", "-path", place)),
    *(")", "-prune", "-o", "-print"),
)
STORY = ["login.started", "password.accepted", "mail.sent", "challenge.sent", "code.accepted", "login.accepted"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "ca").mkdir()
    return Authority(tmp_path / "ca")


@pytest.fixture
def machine(tmp_path: Path, package: Path, authority: Authority) -> Iterator[Machine]:
    with Machine(tmp_path / "machine", {PACKAGE: package, NEWER: newer(package, tmp_path)}) as made:
        with made.network():
            made.mailbox = Mailbox(authority, "tls", "aad", "mail secret")
            made.mailbox.start()
        yield made
        made.mailbox.stop()


def newer(package: Path, folder: Path) -> Path:
    """Pack the package again as version 9, with another example configuration."""
    tree = folder / "newer"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = (tree / "DEBIAN/control").read_text()
    (tree / "DEBIAN/control").write_text(re.sub(r"^Version: .*", "Version: 9", control, flags=re.MULTILINE))
    with (tree / "etc/aad/aad.toml").open("a") as file:
        file.write("# new\n")
    command: list[str | Path] = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, folder / "newer.deb"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "newer.deb"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Machine]:
    """Return a machine that nobody changes after the installation."""
    with Machine(tmp_path_factory.mktemp("installed"), {PACKAGE: package}) as made:
        made.write("/root/said", made.install())
        yield made


def test_it_says_what_to_do_and_starts_nothing(installed: Machine) -> None:
    assert "systemctl enable --now aad.socket aad.service" in installed.run("cat", "/root/said")
    assert installed.show("aad.service", "ActiveState") == installed.show("aad.socket", "ActiveState") == "inactive"
    assert installed.show("aad.service", "UnitFileState") == installed.show("aad.socket", "UnitFileState") == "disabled"


def test_every_library_is_found_but_those_of_extras(installed: Machine) -> None:
    said = installed.run("aad", "version").splitlines()
    assert said[0] == f"aad {__version__}"
    missing = {line.split()[0] for line in said if "not installed" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not {name for name in missing for needed in project["dependencies"] if needed.startswith(name)}
    assert "systemd-python" not in missing


def test_a_check_of_the_example_says_what_is_missing(installed: Machine) -> None:
    checked = installed.done("aad", "check")
    assert checked.returncode == os.EX_CONFIG
    for name in ("ldap.password", "smtp.password", "vpn-gateway.secret"):
        assert f"/etc/aad/{name} can't be read" in checked.stdout.decode()


def test_files_belong_to_whom_they_should(installed: Machine) -> None:
    places = ("/etc/aad", "/etc/aad/aad.toml", "/etc/aad/aad.toml.d", "/var/lib/aad")
    assert installed.run("stat", "-c", "%A %U:%G %n", *places).splitlines() == [
        "drwxr-x--- root:aad /etc/aad",
        "-rw-r----- root:aad /etc/aad/aad.toml",
        "drwxr-x--- root:aad /etc/aad/aad.toml.d",
        "drwx------ aad:aad /var/lib/aad",
    ]
    assert installed.run("dpkg", "--verify", "aad") == ""
    assert installed.run("find", "/usr/lib/aad/aad/cli", "-name", "serve.*.pyc")


def test_man_finds_the_pages(installed: Machine) -> None:
    assert "mails_per_user" in installed.run("man", "-P", "cat", "aad.toml")
    assert "Access-Challenge" in installed.run("man", "-P", "cat", "aad")


def test_a_caller_can_not_have_it_run_his_code(installed: Machine) -> None:
    for name in ("aad/__init__.py", "tomllib.py", "argparse.py"):
        installed.write(f"/tmp/here/{name}", "print('mine')\n")
    assert "mine" in installed.run("sh", "-c", "cd /tmp/here && PYTHONPATH=/tmp/here python3 -c 'import aad'")
    assert "mine" not in installed.run("sh", "-c", "cd /tmp/here && PYTHONPATH=/tmp/here aad version")


def test_the_whole_story(machine: Machine, authority: Authority) -> None:
    machine.install()
    machine.configure(authority)
    machine.systemctl("enable", "--now", "aad.socket", "aad.service")
    reference = machine.login()
    records = machine.journal("-u", "aad", f"AAD_LOGIN={reference}")
    assert [record["AAD_EVENT"] for record in records if record["AAD_EVENT"] in STORY] == STORY
    assert {record["AAD_USER"] for record in records} == {"alice"}
    told = machine.run("journalctl", "--no-pager", "-x", "-u", "aad", f"AAD_LOGIN={reference}")
    assert "Subject: " in told  # the catalogue's
    assert "alice" in machine.run("aad", "log", "--login", reference)
    pid = machine.show("aad.service", "MainPID")

    machine.edit("/etc/aad/aad.toml", CONFIGURATION.format(port=machine.mailbox.port) + "[lockout]\nattempts = 5\n")
    machine.systemctl("reload", "aad")
    until(lambda: events(machine, "configuration.loaded"))
    machine.edit("/etc/aad/aad.toml", "nonsense = true\n")
    machine.systemctl("reload", "aad", check=False)
    until(lambda: "nonsense" in machine.run("journalctl", "--no-pager", "-u", "aad"))
    assert machine.login() != reference
    assert machine.show("aad.service", "MainPID") == pid

    assert machine.done("sh", "-c", "cat /run/credentials/aad.service/*", user="nobody").returncode
    assert "mail secret" not in machine.run("journalctl", "--no-pager", "-u", "aad", "-o", "export")


def events(machine: Machine, name: str) -> list[object]:
    return [record for record in machine.journal("-u", "aad") if record.get("AAD_EVENT") == name]


def test_an_upgrade_keeps_what_was_edited_and_restarts_what_runs(machine: Machine, authority: Authority) -> None:
    machine.install()
    machine.configure(authority)
    machine.systemctl("enable", "--now", "aad.socket", "aad.service")
    before, text = machine.show("aad.service", "MainPID"), machine.run("cat", "/etc/aad/aad.toml")
    said = machine.install(NEWER, "--force-confdef", "--force-confold")
    assert "is not started yet" not in said
    assert machine.run("cat", "/etc/aad/aad.toml") == text
    assert machine.run("stat", "-c", "%a %U:%G", "/etc/aad/aad.toml") == "640 root:aad"
    assert machine.run("tail", "-1", "/etc/aad/aad.toml.dpkg-dist") == "# new"
    machine.becomes("aad.service", "active")
    assert machine.show("aad.service", "MainPID") != before
    machine.login()

    machine.systemctl("stop", "aad.socket", "aad.service")
    machine.install(NEWER, "--force-confold")
    assert machine.show("aad.service", "ActiveState") == "inactive"  # stopped on purpose
    assert machine.show("aad.service", "UnitFileState") == "enabled"


def test_removed_it_keeps_the_configuration_and_purged_it_leaves_nothing(
    machine: Machine, authority: Authority
) -> None:
    before = set(machine.run(*EVERYTHING).splitlines())
    machine.install()
    machine.configure(authority)
    machine.systemctl("enable", "--now", "aad.socket", "aad.service")
    machine.run("dpkg", "-r", "aad")
    assert machine.show("aad.service", "ActiveState") == machine.show("aad.socket", "ActiveState") == "inactive"
    assert 'secret = { credential = "gateway.secret" }' in machine.run("cat", "/etc/aad/aad.toml")
    assert machine.done("ls", "/usr/lib/aad", "/usr/bin/aad").returncode
    machine.run("dpkg", "-P", "aad")
    left = {path for path in set(machine.run(*EVERYTHING).splitlines()) - before if not path.endswith("-")}
    assert left == set()
    assert "nologin" in machine.run("getent", "passwd", "aad")  # the user stays
