"""A package installed by pip into a folder of the test's own, and what lets `aad` find it there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def installed(source: Path, folder: Path) -> tuple[str, ...]:
    """Install what is in `source`, without asking any index; return what stands before a command that finds it."""
    work, site = folder / "source", folder / "site"
    shutil.copytree(source, work)  # a build leaves things behind
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(site), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return within(site)


def within(*sites: Path) -> tuple[str, ...]:
    """Return what stands before a command that finds packages in these folders."""
    path = os.pathsep.join(filter(None, (*map(str, sites), os.environ.get("PYTHONPATH"))))
    return "/usr/bin/env", f"PYTHONPATH={path}"
