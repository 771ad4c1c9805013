"""A sender of SMS for aad, over an HTTP gateway: what a package needs to bring a sender, whole."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from aad.core.message import Message, Receipt
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.ports import AddressRefusedError, Deferred, Unavailable, Underway, Wiring

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
REFUSES_US, BAD_NUMBER = (401, 403), (400, 404, 422)


@dataclass(frozen=True, kw_only=True)
class SmsSettings:
    """[senders.NAME] with type = "sms_gateway"."""

    url: str = option(doc="Where the gateway takes messages: https://sms.example.com/messages.")
    token: Secret = option(doc="The bearer token that the gateway knows us by.")
    sender_name: str = option("aad", "From whom the message comes.")
    timeout: Duration = option(Duration(10.0), "How long the gateway may take.", at_least=0.1, at_most=60.0)
    connections: int = option(8, "Messages on their way to the gateway, at most.", at_least=1, at_most=100)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Refuse to send token and codes in clear over a network."""
        url = urlsplit(self.url)
        if url.scheme != "https" and (url.scheme != "http" or url.hostname not in ("localhost", "127.0.0.1", "::1")):
            yield "url", "should begin with https://"


class SmsGateway:
    """Posts each message in a thread of its own. Its optional ability: Queueing; that of its settings: FindsFaults."""

    Settings: ClassVar[type] = SmsSettings

    def __init__(self, settings: SmsSettings, wiring: Wiring) -> None:
        """Open nothing: `aad check` makes one too."""
        self._settings = settings
        self._where = f"sender {wiring.name}"
        self._opener = build_opener(ProxyHandler({}), NoRedirect())
        self._threads: ThreadPoolExecutor
        self._jobs = set[Future[Receipt]]()

    async def __aenter__(self) -> Self:
        """Start the threads."""
        self._threads = ThreadPoolExecutor(self._settings.connections, thread_name_prefix=self._where)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads, without waiting for the gateway."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def queued(self) -> int:
        """The messages that wait for a connection to the gateway."""
        return sum(not job.running() for job in tuple(self._jobs))

    def masked(self, address: str) -> str:
        """Show country and last digits: +49***67."""
        number = plain(address)
        return f"{number[:3]}***{number[-2:]}" if number else "***"

    def usable(self, address: str) -> bool:
        """Say whether it is a phone number, as directories write them: +49 170 123-4567."""
        return bool(plain(address))

    async def send(self, message: Message, deadline: float) -> Receipt:
        """Send; return when the gateway took it. Raises as `aad.ports.Sender` says."""
        number = plain(message.recipient)
        if not number:
            what = "is no phone number in international form"
            raise AddressRefusedError(what)
        job = self._threads.submit(self._post, {"to": number, "text": message.short}, message.until)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        answer = asyncio.wrap_future(job)
        answer.add_done_callback(lambda late: late.cancelled() or late.exception())  # the caller may have given up
        try:
            done, _ = await asyncio.wait({answer}, timeout=deadline - time.monotonic())
        except asyncio.CancelledError:
            job.cancel()
            raise
        if done:
            return answer.result()
        if job.cancel():
            what = f"all {self._settings.connections} connections to the gateway are busy"
            raise Deferred(what, where=self._where)
        what = "the gateway has not answered yet"
        raise Underway(what, OnItsWay(job))

    async def probe(self) -> str:
        """Ask the gateway anything: it answers, and doesn't refuse our token."""
        return await asyncio.wrap_future(self._threads.submit(self._probe))

    def _post(self, given: dict[str, str], until: float) -> Receipt:
        """In a thread: give the gateway one message."""
        if time.monotonic() >= until:
            what = "too late to be of use"
            raise Deferred(what, where=self._where)
        body = json.dumps({"from": self._settings.sender_name, **given}).encode()
        status, answer = self._ask("POST", body)
        if status in BAD_NUMBER:
            what = f"the gateway says {status}"
            raise AddressRefusedError(what)
        if not 200 <= status < 300:
            what = f"the gateway says {status}"
            raise (Unavailable if status in REFUSES_US else Deferred)(what, where=self._where)
        try:
            return Receipt(queue_id=str(json.loads(answer)["id"])[:64])
        except (ValueError, TypeError, KeyError):  # it was taken all the same
            return Receipt()

    def _probe(self) -> str:
        status, _ = self._ask("GET", None)
        if status in REFUSES_US:
            what = f"the gateway says {status}: is the token right?"
            raise Unavailable(what, where=self._where)
        return f"{urlsplit(self._settings.url).hostname} answers"

    def _ask(self, verb: str, body: bytes | None) -> tuple[int, bytes]:
        """In a thread: return status and body of the answer. Unavailable: there is none."""
        headers = {
            "Authorization": f"Bearer {self._settings.token.text()}",
            "Content-Type": "application/json",
        }
        request = Request(self._settings.url, data=body, headers=headers, method=verb)
        try:
            with self._opener.open(request, timeout=self._settings.timeout) as answer:
                return int(answer.status), bytes(answer.read(10_000))
        except HTTPError as error:
            error.close()
            return error.code, b""
        except TimeoutError:  # it may have the message, or not
            what = "the gateway did not answer"
            raise Underway(what) from None
        except OSError as error:
            what = f"the gateway can't be reached: {error}"
            raise Unavailable(what, where=self._where) from None


@dataclass(frozen=True)
class OnItsWay:
    """A message that goes on after its caller's deadline."""

    job: Future[Receipt]

    async def receipt(self) -> Receipt:
        """Wait until it is settled."""
        return await asyncio.shield(asyncio.wrap_future(self.job))

    def withdraw(self) -> bool:
        """Say that it is too late: the gateway has it."""
        return self.job.cancel()


class NoRedirect(HTTPRedirectHandler):
    """Follows no redirection: token and codes go to the configured gateway only."""

    def redirect_request(self, *_: object) -> None:
        """Don't follow: the answer is the redirection itself."""


def plain(address: str) -> str:
    """Return a phone number without blanks and punctuation; empty: it isn't one."""
    number = re.sub(r"[ ()./-]", "", address)
    return number if NUMBER.fullmatch(number) else ""
