"""The API answers as its OpenAPI document says, whatever is sent; it is imported only if it is configured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.https.api import OPERATIONS
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD
from tests.parts.ports import free_port
from tests.parts.website import KEY, Website, head, made

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
REFUSED = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422]
"""


@pytest.fixture
def website(tmp_path: Path, authority: Authority) -> Iterator[Website]:
    port = free_port()
    with made(tmp_path / "aad", head(port, authority.certificate())) as daemon:
        yield Website(port, authority)
        assert not daemon.strays()
        assert not daemon.records("fault")


def test_whatever_is_asked_the_document_has_the_answer(website: Website, authority: Authority, tmp_path: Path) -> None:
    """Made up by schemathesis: bodies that are right and wrong, other methods, no key, a wrong key."""
    url = f"https://localhost:{website.port}/openapi.json"
    authorization = f"Authorization: Bearer {KEY}"
    command = [str(SCHEMATHESIS), "run", url, "--tls-verify", str(authority.ca_file), "--header", authorization]
    # That check leaves Authorization out, which --header puts back; "ignored_auth" looks at the same.
    command += ["--exclude-checks", "missing_required_header"]
    command += ["--checks", "all", "--max-examples", "30", "--phases", "examples,coverage,fuzzing", "--no-color"]
    (tmp_path / "schemathesis.toml").write_text(REFUSED)
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.https.hooks", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert ran.returncode == 0, ran.stdout
    assert f"{len(OPERATIONS) + 1} selected" in ran.stdout, ran.stdout  # all, and /health


def test_it_is_imported_only_if_it_is_configured(tmp_path: Path, authority: Authority) -> None:
    """Seen in what a running daemon has mapped or imported: by its own import log."""
    with_it, without = (
        made(tmp_path / "with", head(free_port(), authority.certificate())),
        made(tmp_path / "without", HEAD),
    )
    for daemon in (with_it, without):
        daemon.within = ["env", "PYTHONPROFILEIMPORTTIME=1"]
        with daemon:
            imported = {line.rpartition("|")[2].strip() for line in daemon.strays() if line.startswith("import time:")}
        assert "aad.daemon.daemon" in imported
        assert ({"h11", "aad.daemon.https", "aad.https.router"} <= imported) is (daemon is with_it)
        assert bool({name for name in imported if name.startswith(("h11", "aad.https", "jinja2"))}) is (
            daemon is with_it
        )
