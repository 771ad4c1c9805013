"""Datagrams that others made: each is discarded or decoded as a strict server would.

The corpus isn't part of the project: AAD_CORPUS names its folder.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from pyrad import packet as pyrad

from aad.core.secret import Secret
from aad.radius.protocol.attribute_dictionary import shown
from aad.radius.protocol.constants import ACCESS_REQUEST, STATUS_SERVER, Flaw
from aad.radius.protocol.packet import authentic, decode
from aad.radius.protocol.password import UnusablePassword, answer_of
from aad.radius.protocol.wire import PacketError, split

SECRET = Secret(b"testing123")


def datagrams() -> list[object]:
    folder = os.environ.get("AAD_CORPUS")
    if not folder:
        return [pytest.param("", b"", id="none", marks=pytest.mark.skip("AAD_CORPUS names no folder: no corpus"))]
    root = Path(folder) / "radius"
    with (root / "MANIFEST.tsv").open(newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [pytest.param(row["oracle"], (root / row["file"]).read_bytes(), id=row["file"]) for row in rows]


@pytest.mark.parametrize(("oracle", "datagram"), datagrams())
def test_as_a_strict_server_would(oracle: str, datagram: bytes) -> None:
    if oracle == "DISCARD":
        with pytest.raises(PacketError):
            decode(datagram)
        return
    code, _, _, attributes, _, _ = split(datagram)
    for attribute in attributes:
        shown(attribute)
    if code not in {ACCESS_REQUEST, STATUS_SERVER}:
        with pytest.raises(PacketError, match=Flaw.NO_REQUEST):
            decode(datagram)
        return
    request = decode(datagram)
    assert request.attributes == attributes
    seen = pyrad.Packet(packet=datagram)
    assert all(seen[kind] == request.every(kind) for kind, _ in attributes)
    authentic(request, SECRET)
    answer = answer_of(request, SECRET)
    assert isinstance(answer, UnusablePassword) or not answer.matches(Secret(b"no password of theirs"))
