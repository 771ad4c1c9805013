"""A package's own data: version, maintainer, changelog, metadata."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from tools.packaging.vendoring import CannotBuildError

NOBODY = "Unnamed builder <root@localhost.localdomain>"


@dataclass(frozen=True)
class Edition:
    """Debian's version of the package, the time of all its files, and its builder."""

    version: str
    moment: int
    maintainer: str

    @property
    def date(self) -> str:
        """The time, as a changelog has it (RFC 5322)."""
        return format_datetime(datetime.fromtimestamp(self.moment, UTC))


def edition(root: Path) -> Edition:
    """Return the edition of this tree: a tagged commit has the version alone, any other one sorts before it."""
    committed, tag = _git(root, "log", "-1", "--format=%ct %h"), _git(root, "tag", "--points-at", "HEAD")
    version = plain_version(root)
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not committed and not given:
        message = "this is no git clone: set SOURCE_DATE_EPOCH to the time that the files are to have"
        raise CannotBuildError(message)
    moment, _, commit = (committed or given).partition(" ")
    if commit and f"v{version}" not in tag.split():
        dirty = "+changed" if _git(root, "status", "--porcelain") else ""
        version += f"~git{datetime.fromtimestamp(int(moment), UTC):%Y%m%d%H%M%S}.{commit}{dirty}"
    name, address = os.environ.get("DEBFULLNAME", ""), os.environ.get("DEBEMAIL", "")
    return Edition(version, int(given or moment), f"{name or address} <{address}>" if address else NOBODY)


def plain_version(root: Path) -> str:
    """Return aad's own version."""
    (found,) = re.findall(r'^__version__ = "(.+)"$', (root / "aad" / "__init__.py").read_text("utf-8"), re.MULTILINE)
    return str(found)


def changelog(root: Path, edition: Edition) -> str:
    """Turn CHANGELOG.md into Debian's form; what is unreleased and what this version brought are one entry."""
    entries: dict[str, tuple[str, list[str]]] = {}
    for section in (root / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        dated = re.search(r"\d{4}-\d\d-\d\d", heading)
        date = format_datetime(datetime.fromisoformat(dated[0]).replace(tzinfo=UTC)) if dated else edition.date
        version = heading.split()[0].strip("[]")
        own = version in {"Unreleased", plain_version(root)}
        _, points = entries.setdefault(edition.version if own else version, (edition.date if own else date, []))
        plain = re.sub(r"^### .*$", "", body, flags=re.MULTILINE)
        points += [" ".join(point.split()) for point in re.split(r"^- ", plain, flags=re.MULTILINE) if point.strip()]
    return "\n".join(_entry(version, date, points, edition) for version, (date, points) in entries.items())


def _entry(version: str, date: str, points: list[str], edition: Edition) -> str:
    lines = [textwrap.fill(one, 78, initial_indent="  * ", subsequent_indent="    ") for one in points]
    text = "\n".join(lines)
    return f"aad ({version}) stable; urgency=medium\n\n{text}\n\n -- {edition.maintainer}  {date}\n"


def metadata(project: Mapping[str, Any], version: str) -> str:
    """Return what importlib.metadata is to find: `aad version` reads there what it was built to use."""
    needs = list(project["dependencies"])
    for extra, wanted in project["optional-dependencies"].items():
        needs += [f'{one}; extra == "{extra}"' for one in wanted]
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}"]
    lines += [f"Summary: {project['description']}", *(f"Requires-Dist: {one}" for one in needs)]
    return "\n".join(lines) + "\n"


def _git(root: Path, *words: str) -> str:
    """Return what git says; "" without git, or outside a clone."""
    try:
        done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
