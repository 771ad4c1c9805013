"""One mail on its way through the pool, and what its caller is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aad.core.message import Receipt
from aad.ports import AddressRefusedError, Unavailable, Underway
from aad.senders.smtp.connection import Mail
from aad.senders.smtp.replies import queue_id


@dataclass(eq=False)
class Job:
    """One mail and the future of its caller: a `ports.Later`."""

    mail: Mail
    slow: Callable[[], None]
    committed: bool = False  # it may arrive
    placed: float = field(default_factory=time.monotonic)
    outcome: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def useless(self) -> bool:
        """Whether it was withdrawn, or would come too late."""
        return self.outcome.done() or time.monotonic() >= self.mail.until

    def commit(self) -> bool:
        """Say whether DATA may be said; from then on the mail may arrive."""
        self.committed = not self.useless
        return self.committed

    async def receipt(self) -> Receipt:
        """Wait until it is settled; neither a timeout nor a cancelled caller reaches the mail."""
        if not self.outcome.done():
            await asyncio.wait((self.outcome,))
        return Receipt(queue_id=queue_id(self.outcome.result()))

    def withdraw(self) -> bool:
        """Stop it, if DATA isn't said yet. The server was too slow: the next ones needn't wait for it."""
        if self.outcome.done():
            return False
        self.slow()
        if not self.committed:
            self.outcome.cancel()
        return not self.committed

    def tell(self, outcome: str | Exception) -> None:
        """Tell the caller, if he didn't withdraw."""
        if self.outcome.done():
            return
        if isinstance(outcome, str):
            self.outcome.set_result(outcome)
            return
        if isinstance(outcome, Unavailable | AddressRefusedError | Underway):
            outcome.__context__ = None  # the foreign error beneath holds addresses
            outcome = outcome.with_traceback(None)
        self.outcome.set_exception(outcome)
        self.outcome.exception()  # the caller may have left: then it's no "exception was never retrieved"
