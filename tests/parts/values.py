"""Values of the core for tests of its rules: a login, an answer that can only be checked, letters that are awkward."""

from __future__ import annotations

from typing import Any

from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.policy import Chain
from aad.core.secret import Secret


class Unreadable:
    """As CHAP's: it can be checked and not read."""

    text = None
    empty = False

    def matches(self, expected: Secret) -> bool:
        return expected == Secret("123456")


ALICE = User(name="alice", repository="corp", handle="uid=alice")


def login(*methods: str, **changes: Any) -> Login:
    known: dict[str, Any] = {"name": "Alice", "event": "vpn", "client": "gateway", "chain": Chain("chain", methods)}
    return Login(reference="ABC234", nonce=bytes(16), user=ALICE, **(known | changes))


# Where normalization is likely to go wrong: joined letters, marks, invisible characters, cases of two letters.
AWKWARD = (
    "aAiI\u00df\u1e9e\u017f\u212a\u00c5\u00e9\u03a3\u03c2\u0130\u0131\u0149\u01f0\ufb03\u338f\u2460"
    "\u0301\u0302\u0327\u0345\u034f\u1100\u1161\u11a8\uffb1\uffcf\u3131"
    "\xad\u200b\u200d\u2066\ufe0f\u3000 \t\n\x1c\x85\0"
)
