"""The program of the warm process (warm.py starts it): imports `aad`, and forks a child for each request."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pkgutil
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import aad
from aad.cli import main

_CLONE_NEWNS = 0x00020000
LEFT_OUT = ("aad.__main__", "aad.cli.demo", "aad.cli.mailbox")
"""What is a program, or imports a mail server for the demonstration alone."""


def warm() -> None:
    """Import every file of `aad`; a child's garbage collector leaves that where it is, and so shared."""
    for module in pkgutil.walk_packages(aad.__path__, "aad."):
        if module.name not in LEFT_OUT:
            import_module(module.name)
    gc.collect()
    gc.freeze()


def requested(line: socket.socket) -> dict[str, Any] | None:
    """Return the request of the process that this is from now on; None: the test has gone."""
    while True:
        message, streams, _, _ = socket.recv_fds(line, 1 << 20, 3)
        if not message:
            return None
        if not (first := os.fork()):
            if second := os.fork():
                line.send(str(second).encode())
                os._exit(0)
            line.close()
            request: dict[str, Any] = json.loads(message)
            become(request, streams)
            return request
        for stream in streams:
            os.close(stream)
        os.waitpid(first, 0)
        line.send(b"ended")


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on what a started process would have been given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, max(streams) + 1)
    if request["session"]:
        os.setsid()
    if request["mounts"]:
        with Path(f"/proc/{request['mounts']}/ns/mnt").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "setns")
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["cwd"]  # as `python -m` has it
    sys.argv = ["aad", *request["arguments"]]


if __name__ == "__main__":
    warm()
    asked = requested(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        raise SystemExit(main(asked["arguments"]))
