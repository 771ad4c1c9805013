"""Who asks for what a task does: for what is shared out in turns, however far inside (`aad.core.turns`).

Not an argument of ports: a plugin is asked about a user, and what it is asked for whom is none of its business.
"""

from __future__ import annotations

from contextvars import ContextVar

from aad.core.turns import Source

NOBODY = Source("")
ASKER: ContextVar[Source] = ContextVar("asker", default=NOBODY)
"""Set by the engine, for the task that a front has made for one request."""
