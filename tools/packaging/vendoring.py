"""The libraries in the package: fetched at pinned versions, unpacked without tests and documentation, with licences."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import Parser
from fnmatch import fnmatch
from pathlib import Path

DROPPED = (
    "docs/*",  # pyrad's, at the top
    "example/*",  # likewise
    "*/tests/*",
)
COMMON = {  # texts that every Debian has
    "LGPL v3": ("LGPL-3+", "/usr/share/common-licenses/LGPL-3"),
    "Apache-2.0": ("Apache-2.0", "/usr/share/common-licenses/Apache-2.0"),
}
NOTICE = 3000  # characters; a longer text is the licence itself
_PINNED = re.compile(r"^([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$")


class CannotBuildError(Exception):
    """Says in one line why there is no package."""


@dataclass(frozen=True)
class Library:
    """One library: its files by name, and what its metadata says of authors and licence."""

    name: str
    metadata: Message
    files: dict[str, bytes] = field(repr=False)
    licences: list[str] = field(repr=False)

    def stanza(self) -> str:
        """Return its paragraphs for debian/copyright (DEP-5)."""
        folders = sorted({name.partition("/")[0] for name in self.files})
        said = self.metadata["License-Expression"] or self.metadata["License"] or ""
        short, common = next((COMMON[key] for key in COMMON if key in said), (f"{self.name}-licence", ""))
        refers = f"On Debian the whole text of this licence is in {common}.\n\n" if common else ""
        texts = [text for text in self.licences if not common or len(text) < NOTICE]
        claims = [line.strip().rstrip(",") for text in texts for line in _claims(text)]
        author = self.metadata["Author"] or self.metadata["Author-email"] or self.name
        lines = [
            "Files: " + "\n ".join(f"usr/lib/aad/{folder}/*" for folder in folders),
            "Copyright: " + "\n ".join(dict.fromkeys(claims or [author])),
            f"License: {short}",
            _indented(refers + "\n\n".join(texts)),
        ]
        return "\n".join(lines) + "\n"


def fetched(pins: Path, folder: Path) -> list[Library]:
    """Return the libraries that `pins` names; `folder` keeps their wheels, so that the next time needs no network."""
    wanted = {match[3]: match[1] for line in pins.read_text("utf-8").splitlines() if (match := _PINNED.match(line))}
    folder.mkdir(parents=True, exist_ok=True)
    if wanted.keys() - _by_hash(folder).keys():
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(pins)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
            message = f"the libraries of {pins.name} can't be fetched: {reason}"
            raise CannotBuildError(message)
    wheels = _by_hash(folder)
    return [_unpacked(name, wheels[digest]) for digest, name in wanted.items()]


def _by_hash(folder: Path) -> dict[str, Path]:
    return {hashlib.sha256(wheel.read_bytes()).hexdigest(): wheel for wheel in folder.glob("*.whl")}


def _unpacked(name: str, wheel: Path) -> Library:
    with zipfile.ZipFile(wheel) as archive:
        names = [one for one in archive.namelist() if not one.endswith("/")]
        if any(one.endswith((".so", ".pyd")) for one in names):
            message = f"{wheel.name} is compiled, and the package is for every architecture: depend on Debian's instead"
            raise CannotBuildError(message)
        about = next(one for one in names if one.endswith(".dist-info/METADATA"))
        licences = sorted(one for one in names if ".dist-info/" in one and re.search(r"LICEN|NOTICE|COPYING", one))
        kept = {one: archive.read(one) for one in names if ".dist-info/" not in one and not _dropped(one)}
        return Library(
            name=name,
            metadata=Parser().parsestr(archive.read(about).decode(), headersonly=True),
            files={**kept, about: archive.read(about)},
            licences=[archive.read(one).decode() for one in licences],
        )


def _dropped(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in DROPPED)


def _claims(text: str) -> Iterator[str]:
    yield from re.findall(r"^ *(?:Portions )?Copyright (?:\(c\) )?[0-9].*", text, re.MULTILINE | re.IGNORECASE)


def _indented(text: str) -> str:
    """Write text as a paragraph of a control file."""
    lines = (" " + line.rstrip() if line.strip() else " ." for line in text.strip().splitlines())
    return re.sub(r"(?:\n \.)+", "\n .", "\n".join(lines))
