"""Readings of a process from /proc: memory, CPU, children, descriptors."""

from __future__ import annotations

import os
import re
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Return the resident memory of a process, in octets."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def family(pid: int) -> list[int]:
    """Return a process, its children and theirs, as far as they run."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            todo += map(int, _read(file).split())
    return found


def cpu(pid: int) -> float:
    """Return the CPU time of a process and its family, those that have ended included, in seconds."""
    ticks = 0
    for one in family(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICK


def busy() -> float:
    """Return how long all cores of this machine together have been busy, for whomever, in seconds."""
    user, nice, system, _idle, _waiting, *rest = map(int, _read(Path("/proc/stat")).split(maxsplit=9)[1:9])
    return (user + nice + system + sum(rest)) / TICK


def peak(pid: int) -> int:
    """Return the most that was resident of a process and its family, in octets; shared pages count for each."""
    return _octets(pid, "status", "VmHWM")


def shared_once(pid: int) -> int:
    """Return the memory of a process and its family, in octets, a page that several have counted once."""
    return _octets(pid, "smaps_rollup", "Pss")


def _octets(pid: int, file: str, key: str) -> int:
    found = [re.search(rf"^{key}:\s+(\d+)", _read(Path(f"/proc/{one}/{file}")), re.MULTILINE) for one in family(pid)]
    return sum(int(match[1]) * 1024 for match in found if match)


def _read(file: Path) -> str:
    """Return a file of /proc; nothing, if its process has just ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
