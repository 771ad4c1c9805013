"""The files of a package, put together in a folder, each with its mode, all with one time."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path

KIBIBYTE = 1024


class Stage:
    """A folder that becomes the package; whatever it held before is gone."""

    def __init__(self, root: Path) -> None:
        """Begin with an empty folder."""
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        self.folder("", 0o755)

    def folder(self, place: str, mode: int) -> None:
        """Make a folder; those above it are made readable by all."""
        path = self.root / place
        for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
            missing.mkdir()
            missing.chmod(0o755)
        path.chmod(mode)

    def put(self, place: str, content: bytes | str, mode: int = 0o644) -> None:
        """Write a file."""
        path = self.root / place
        if not path.parent.exists():
            self.folder(str(Path(place).parent), 0o755)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def put_zipped(self, place: str, content: str) -> None:
        """Write a file, compressed, without name or time."""
        self.put(place, gzip.compress(content.encode(), mtime=0))

    def files(self) -> list[Path]:
        """Return the files, in order, without those that tell dpkg what to do."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path for path in found if self.root / "DEBIAN" not in path.parents)

    def place(self, path: Path) -> str:
        """Return where a file will be, without the leading slash."""
        return str(path.relative_to(self.root))

    def sums(self) -> str:
        """Return the MD5 sums that dpkg --verify compares."""
        lines = (
            f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {self.place(path)}\n"
            for path in self.files()
        )
        return "".join(lines)

    def kibibytes(self) -> int:
        """Return the installed size as Debian's policy counts it: files rounded up, one for everything else."""
        sizes = [-(-path.stat().st_size // KIBIBYTE) for path in self.files()]
        return sum(sizes) + sum(1 for path in self.root.rglob("*") if path.is_dir())

    def seal(self, moment: int) -> None:
        """Give everything one time."""
        for path in (self.root, *self.root.rglob("*")):
            os.utime(path, (moment, moment))
