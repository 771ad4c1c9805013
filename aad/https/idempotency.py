"""Idempotency-Key: a post that is repeated is done once, and answered the same each time, at any node.

After draft-ietf-httpapi-idempotency-key-header. The answer is kept in the store, sealed, for as long as a login may
wait for its code; while a request is being worked on, it holds a lease there (`aad.login.lease`).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aad.core import sealed_box
from aad.core.secret import Secret
from aad.https import problems
from aad.https.problems import ProblemError, again_in
from aad.login.lease import Lease, LeaseTakenError
from aad.ports import Change, Store, Unavailable

KIND = "once"
KEPT = 120.0  # seconds that an answer is given again
_FORM = re.compile(r'"?([!#-~]{1,128})"?')

Document = dict[str, Any]


@dataclass(frozen=True)
class IdempotentPost:
    """A post of a `client` with an Idempotency-Key. `deadline`: `time.monotonic()` seconds."""

    client: str
    path: str
    key: str
    body: bytes
    deadline: float

    @property
    def owner(self) -> str:
        """Its name in the store: a hash, as keys may be long."""
        return hashlib.sha256(json.dumps([self.client, self.path, self.key]).encode()).hexdigest()


def key_of(header: str) -> str:
    """Return the key in a header, with or without the quotes that the draft wants. ProblemError: not a valid key."""
    match = _FORM.fullmatch(header)
    if not match:
        raise ProblemError(problems.BAD_IDEMPOTENCY_KEY)
    return match[1]


class IdempotentPosts:
    """Does each post once, and keeps its answer for repetitions."""

    def __init__(self, store: Store, key: Secret, randomness: Callable[[int], bytes], slack: float = 2.0) -> None:
        """Keep answers in `store`, sealed with the installation's key.

        `slack`: seconds that a lease outlives its deadline, for a refusal that leaves late. When a node dies while it
        works, no other does the work before the lease has ended.
        """
        self._store, self._key, self._randomness, self._slack = store, key, randomness, slack

    async def answered(self, post: IdempotentPost, work: Callable[[], Awaitable[Document]]) -> Document:
        """Return what `work` answers, or what it answered before. What it raises isn't kept: a repetition tries again.

        ProblemError: another body came with this key; another request with it is in progress for too long.
        """
        lease = Lease(self._store, post.deadline, kind=KIND, slack=self._slack)
        try:
            before = await lease.acquire_or(post.owner, partial(self._kept, post))
            if before is not None:
                return before
            document = await work()
            with contextlib.suppress(Unavailable):  # it is done, and answered; only a repetition would do it again
                await self._keep(post, document)
        except LeaseTakenError:
            raise ProblemError(problems.UNDER_WAY, headers=again_in(1)) from None
        except Unavailable:
            raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None
        finally:
            await lease.end()
        return document

    async def _kept(self, post: IdempotentPost) -> Document | None:
        found = await self._store.get_expiring(KIND, post.owner)
        if found is None:
            return None
        try:
            kept = json.loads(sealed_box.opened(self._key, _bound(post), found).reveal())
        except ValueError:  # by another installation: no answer that we could give again
            return None
        if not hmac.compare_digest(kept["body"], _digest(post)):
            raise ProblemError(problems.KEY_REUSED)
        document: Document = kept["document"]
        if "expires_in" in document:
            document["expires_in"] = max(0, document["expires_in"] - int(self._store.now() - kept["at"]))
        return document

    async def _keep(self, post: IdempotentPost, document: Document) -> None:
        now = self._store.now()
        kept = {"body": _digest(post), "document": document, "at": now}
        octets = sealed_box.seal(
            self._key, _bound(post), Secret(json.dumps(kept)), self._randomness(sealed_box.NONCE_OCTETS)
        )
        await self._store.put_expiring(KIND, {post.owner: Change(octets, now + KEPT)})


def _bound(post: IdempotentPost) -> bytes:
    return f"{KIND}\0{post.owner}".encode()


def _digest(post: IdempotentPost) -> str:
    return hashlib.sha256(post.body).hexdigest()
