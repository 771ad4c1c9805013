"""aad.toml and aad.toml.d/*.toml -> one tree of tables that remembers which file each key came from."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aad.config.faults import Fault, Findings, KeyPath
from aad.filesystem import secure_path

Table = dict[str, Any]
SECRET_FORMS = frozenset({"file", "credential", "env"})


@dataclass
class Tree:
    """The merged tables, and for each key the file that set it last."""

    main: Path
    tables: Table = field(default_factory=dict)
    origins: dict[KeyPath, Path] = field(default_factory=dict)

    def origin(self, at: KeyPath) -> Path:
        """Return the file that holds the key, or the nearest table around it."""
        return next((self.origins[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.origins), self.main)

    def merge(self, file: Path, table: Table) -> None:
        """Merge a file's tables into this tree: later keys win, tables merge."""
        self._merge(file, self.tables, table, ())

    def _merge(self, file: Path, into: Table, new: Table, at: KeyPath) -> None:
        for key, value in new.items():
            here = (*at, key)
            if isinstance(value, dict) and isinstance(into.get(key), dict) and not _is_secret(value):
                self._merge(file, into[key], value, here)
                continue
            if isinstance(into.get(key), dict):  # keys of an earlier file below this one are replaced
                self.origins = {path: origin for path, origin in self.origins.items() if path[: len(here)] != here}
            self.origins[here] = file
            into[key] = {}
            if isinstance(value, dict):
                self._merge(file, into[key], value, here)
            else:
                into[key] = value


def _is_secret(value: Table) -> bool:
    # { file = "new" } over { env = "OLD" } replaces it; merged, it would be a secret given in two ways.
    return len(value) == 1 and not SECRET_FORMS.isdisjoint(value)


def read(main: Path, findings: Findings) -> Tree:
    """Read `main` and, in name order, `main`.d/*.toml; a file that can't be read or parsed is a fault."""
    tree = Tree(main)
    for file in (main, *_drop_ins(main, findings)):
        try:
            octets, doubts = secure_path.read(file)
            findings.doubt(file, "", doubts)
            tree.merge(file, tomllib.loads(octets.decode("utf-8")))
        except tomllib.TOMLDecodeError as error:
            findings.faults.append(Fault(file, "", f"not TOML: {error}"))
        except UnicodeDecodeError as error:
            findings.faults.append(Fault(file, "", f"not UTF-8: octet {error.object[error.start]:#x} at {error.start}"))
        except OSError as error:
            findings.faults.append(Fault(file, "", f"can't be read: {error.strerror}"))
    return tree


def _drop_ins(main: Path, findings: Findings) -> list[Path]:
    """Return the further files. A folder that can't be read is a fault: its files might change anything."""
    folder = main.with_name(main.name + ".d")
    try:
        findings.doubt(folder, "", secure_path.doubts(folder))
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if os.access(folder.parent, os.X_OK):  # else `main` is a fault already
            findings.faults.append(Fault(folder, "", f"can't be read: {error.strerror}"))
        return []
