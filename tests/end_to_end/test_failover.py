"""Two nodes on networks of their own, logins all the while, and what breaks between them: tools/failover in short."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tools.failover_parts.main import KINDS, fail_over
from tools.failover_parts.options import parser
from tools.failover_parts.site import site

RATE, SECONDS, CALM = 25, 1.5, 1.0
USERS = 1000


def test_no_mail_and_no_accept_is_doubled_whatever_breaks(tmp_path: Path) -> None:
    options = parser().parse_args(["--rate", str(RATE), "--seconds", str(SECONDS), "--users", str(USERS)])
    with site(tmp_path, users=USERS) as place:
        figures = asyncio.run(fail_over(place, options, CALM))
        killed = [node for node in place.nodes if len(list(node.folder.glob("daemon-*.log"))) > 1]
    assert figures.doubled_mails == []
    assert figures.doubled_accepts == []
    assert figures.complaints == []
    assert [each.kind for each in figures.troubles[1:]] == list(KINDS)
    assert len(killed) == 1
    assert figures.well, figures.rows()
    for each in figures.troubles:  # amid each of them somebody was let in
        assert any(one.accepted and one.began <= each.returned and one.ended >= each.began for one in figures.logins)
    assert {one.way for one in figures.logins if one.accepted} == {"same node", "other node", "both nodes"}
