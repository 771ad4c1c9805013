"""The listening socket that systemd hands over is served (aad-https.socket)."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.ports import free_port
from tests.parts.waiting import until
from tests.parts.website import Website, head, made


def test_it_serves_the_socket_it_is_handed(tmp_path: Path, authority: Authority) -> None:
    port, elsewhere = free_port(), free_port()
    daemon = made(tmp_path / "aad", head(elsewhere, authority.certificate()))
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=https"]
    command += [sys.executable, "-m", "aad", "serve", "-c", str(daemon.file)]
    with Child(command, tmp_path / "log") as child:
        until(lambda: "Listening" in child.output())
        assert Website(port, authority).ask("GET", "/health").status == 200  # the very connection that started it
        assert f"127.0.0.1:{port} (HTTPS) (handed over by systemd)" in child.output()
        assert "https.listen is not used: systemd hands the sockets over" in child.output()
