"""What is in the package."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from aad import __version__
from tests.deb.conftest import ROOT, built
from tools.packaging.vendoring import CannotBuildError, fetched

PINS = dict(re.findall(r"^(\S+)==(\S+) ", (ROOT / "tools/debian/vendored.txt").read_text(), re.MULTILINE))
DEBIANS = {"pycryptodomex": "python3-pycryptodome", "systemd-python": "python3-systemd"}


@pytest.fixture(scope="session")
def contents(package: Path) -> dict[str, str]:
    """Return place -> rights and owner, "-rw-r--r-- root/root"."""
    lines = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = (line.split(None, 5) for line in lines)
    return {row[5].removeprefix("."): f"{row[0]} {row[1]}" for row in rows}


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True, check=True).stdout.strip()


def content(package: Path, place: str) -> str:
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
    command = ["tar", "-x", "-O", "-f", "-", f".{place}"]
    return subprocess.run(command, input=archive, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(
    ("place", "rights"),
    [
        ("/usr/bin/aad", "-rwxr-xr-x"),
        ("/usr/lib/aad/aad/cli/__init__.py", "-rw-r--r--"),
        ("/usr/lib/aad/aad/radius/protocol/dictionary", "-rw-r--r--"),
        ("/usr/lib/aad/aad/texts/en.toml", "-rw-r--r--"),
        ("/etc/aad/", "drwxr-x---"),
        ("/etc/aad/aad.toml", "-rw-r-----"),
        ("/etc/aad/aad.toml.d/", "drwxr-x---"),
        ("/usr/lib/systemd/system/aad.service", "-rw-r--r--"),
        ("/usr/lib/systemd/system/aad.socket", "-rw-r--r--"),
        ("/usr/lib/systemd/system/aad-https.socket", "-rw-r--r--"),
        ("/usr/lib/systemd/catalog/aad.catalog", "-rw-r--r--"),
        ("/etc/logrotate.d/aad", "-rw-r--r--"),
        ("/usr/lib/sysusers.d/aad.conf", "-rw-r--r--"),
        ("/usr/lib/tmpfiles.d/aad.conf", "-rw-r--r--"),
        ("/usr/share/man/man8/aad.8.gz", "-rw-r--r--"),
        ("/usr/share/man/man5/aad.toml.5.gz", "-rw-r--r--"),
        ("/usr/share/bash-completion/completions/aad", "-rw-r--r--"),
        ("/usr/share/zsh/vendor-completions/_aad", "-rw-r--r--"),
        ("/usr/share/fish/vendor_completions.d/aad.fish", "-rw-r--r--"),
        ("/usr/share/doc/aad/copyright", "-rw-r--r--"),
        ("/usr/share/doc/aad/changelog.gz", "-rw-r--r--"),
        ("/usr/share/doc/aad/README.md", "-rw-r--r--"),
        ("/usr/share/doc/aad/docs/README.md", "-rw-r--r--"),
        ("/usr/share/doc/aad/docs/store.md", "-rw-r--r--"),
        ("/usr/share/doc/aad/examples/aad.toml", "-rw-r--r--"),
    ],
)
def test_it_has_everything_in_its_place_with_its_rights(contents: dict[str, str], place: str, rights: str) -> None:
    assert contents[place] == f"{rights} root/root"


def test_everything_of_systemd_and_conf_is_in_it(contents: dict[str, str]) -> None:
    names = {place.rpartition("/")[2] for place in contents}
    for folder in ("systemd", "conf"):
        assert {path.name for path in (ROOT / folder).rglob("*") if path.is_file()} <= names


def test_nobody_but_root_may_write_any_of_it(contents: dict[str, str]) -> None:
    assert [place for place, rights in contents.items() if rights[5] == "w" or rights[8] == "w"] == []
    assert {rights.split()[1] for rights in contents.values()} == {"root/root"}


def test_it_has_nothing_that_nobody_needs(contents: dict[str, str]) -> None:
    tops = {
        place.split("/")[4].partition("-")[0] for place in contents if place.count("/") > 4 and "/lib/aad/" in place
    }
    assert tops == {"aad", *PINS}
    assert [
        place for place in contents if re.search(r"__pycache__|\.pyc$|\.so$|/tests/|/var/|/usr/local/", place)
    ] == []


def test_every_dependency_comes_along_or_from_debian_and_is_new_enough(package: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = {re.split(r"[^\w.-]", one)[0]: one for one in project["dependencies"]}
    depends = {one.split()[0] for one in field(package, "Depends").split(", ")}
    assert {name for name in needs if name not in PINS} <= set(DEBIANS)
    assert set(DEBIANS.values()) <= depends
    for name, pin in PINS.items():
        (least,) = re.findall(r">=([\d.]+)", needs[name])  # KeyError: it is no longer needed
        assert numbers(pin) >= numbers(least), name
        assert f"Version: {pin}" in content(package, f"/usr/lib/aad/{name}-{pin}.dist-info/METADATA")


def numbers(version: str) -> list[int]:
    return [int(word) for word in version.split(".")]


def test_its_conffiles_are_the_configuration_and_the_rotation_of_the_log(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "-I", package, "conffiles"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["/etc/aad/aad.toml", "/etc/logrotate.d/aad"]


def test_it_tells_whose_the_libraries_are(package: Path) -> None:
    text = content(package, "/usr/share/doc/aad/copyright")
    stanzas = re.findall(r"^Files: usr/lib/aad/(\w+)/\*\n.*\nCopyright: (.+)", text, re.MULTILINE)
    assert [name for name, _ in stanzas] == list(PINS)
    assert all(re.search(r"[A-Z]\w+ [A-Z]\w+", holder) for _, holder in stanzas)
    assert "GNU Lesser General Public License" in text


def test_its_version_is_that_of_the_code(package: Path) -> None:
    assert re.fullmatch(rf"{re.escape(__version__)}(~git\d{{14}}\.[0-9a-f]+(\+changed)?)?", field(package, "Version"))
    assert package.name == f"aad_{field(package, 'Version')}_all.deb"
    assert field(package, "Maintainer") == "A. Builder <builder@example.com>"


def test_it_is_built_the_same_twice(package: Path, tmp_path: Path) -> None:
    assert built(tmp_path).read_bytes() == package.read_bytes()


def test_a_library_that_is_not_what_was_pinned_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text(f"pyotp==2.12.1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(CannotBuildError, match="can't be fetched"):
        fetched(tmp_path / "pins.txt", tmp_path / "wheels")
