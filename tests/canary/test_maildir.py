"""A Maildir whose owner puts other things into it than mails."""

from __future__ import annotations

import os
from pathlib import Path

from aad.canary.maildir import Maildir


def test_links_and_pipes_are_no_mails(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    mailbox = Maildir(tmp_path)
    mailbox.open(1.0)
    (tmp_path / "secret").write_text("Subject: 123456")
    (tmp_path / "new" / "1.link").symlink_to(tmp_path / "secret")
    (tmp_path / "new" / "2.nothing").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "new" / "3.pipe")
    (tmp_path / "new" / "4.mail").write_text("Subject: 654321")
    found = {mail.handle: mail.octets for mail in mailbox.mails(1.0)}
    assert found == {"3.pipe": b"", "4.mail": b"Subject: 654321"}
    assert mailbox.mails(1.0) == []
