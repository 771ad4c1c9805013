"""Who configures no portal has none, and imports nothing of it."""

from __future__ import annotations

import subprocess
import sys


def test_daemon_and_https_front_import_nothing_of_the_portal() -> None:
    found = "[name for name in sys.modules if name.split('.')[0] in {'jinja2', 'segno'} or 'portal' in name]"
    code = f"import sys, aad.daemon.daemon, aad.daemon.https; print({found})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['aad.config.portal']"
