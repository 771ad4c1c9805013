"""Rules: what a user has to prove before they change what they are enrolled with. Granted: that they did, once.

1. Only what was enrolled before the session began can prove something in it, nothing that was enrolled in it.
2. A user who was enrolled then proves it by a code of that, whatever the sign-in asked for.
3. A user who was enrolled with nothing proves it by a sign-in with a second proof, else by a code sent to the
   directory's address, else to the helpdesk.
4. What was enrolled elsewhere since the session began is unknown in it: the user has to sign in again.
5. What is stored but can't be opened counts as enrolled, and proves nothing.
6. A proof is good for one change of one method, once, and for what was enrolled when it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from aad.enrolment.enrolment import FOREIGN, SPENT
from aad.https.messages import Response
from aad.portal.account import home
from aad.portal.page_request import PageRequest

PATIENCE = 900.0  # seconds to find the phone and the app
_PROVES_NOTHING = {"", FOREIGN, SPENT}


class Due(Enum):
    """The proof that is asked for."""

    NOTHING = auto()  # the sign-in was proof enough
    CODE = auto()  # of what was enrolled before
    MESSAGE = auto()  # a code sent to the address of the directory
    SIGN_IN = auto()  # another sign-in
    HELPDESK = auto()  # a person who knows the user


def due(
    before: Mapping[str, str], own: Mapping[str, str], now: Mapping[str, str], *, second: bool, reached: bool
) -> tuple[Due, tuple[str, ...]]:
    """Return the proof that is asked for, and the methods whose codes are that proof.

    `before`, `own`, `now`: method -> identity, at the sign-in, made in this session, and as it is. `second`: the
    sign-in had a second proof; `reached`: a code can be sent to the user.
    """
    for name, identity in now.items():
        if identity not in {"", SPENT, before.get(name, ""), own.get(name, "")}:
            return Due.SIGN_IN, ()
    ways = tuple(
        name for name, identity in now.items() if identity not in _PROVES_NOTHING and identity == before.get(name)
    )
    if ways:
        return Due.CODE, ways
    if not _PROVES_NOTHING.issuperset(before.values()):
        return Due.SIGN_IN, ()
    if FOREIGN in now.values():
        return Due.HELPDESK, ()
    if second:
        return Due.NOTHING, ()
    return (Due.MESSAGE if reached else Due.HELPDESK), ()


@dataclass(frozen=True)
class Granted:
    """Permission to change one method, once. `held`: what was enrolled when it was given; `once`: its id.

    `until`: seconds of the store's clock.
    """

    method: str
    held: Mapping[str, str]
    once: str
    until: float

    def known(self) -> dict[str, Any]:
        """Return its fields, for a form to seal."""
        return asdict(self)


async def used_up(request: PageRequest, granted: Granted) -> Response | None:
    """Use a permission up; return the page that says why it is no longer valid, or None."""
    if not await request.context.forms.first({"once": granted.once, "until": granted.until}):
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("form_used"))
    if await request.context.users.held(request.user) != granted.held:
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("raced"))
    return None
