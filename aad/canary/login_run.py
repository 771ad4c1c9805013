"""One login of the canary, step by step, each with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from aad.canary.mail_matching import MailText, NoCodeError, reference_in
from aad.canary.mailbox import Mail, Mailbox
from aad.canary.settings import CanarySettings
from aad.core.secret import Secret
from aad.core.settings import spoken
from aad.ports import Unavailable
from aad.radius.protocol import constants
from aad.radius.protocol.client_packets import Reply
from aad.radius_client.nas import Nas, message


class StepFailedError(Exception):
    """The login went wrong at a step. `unreachable`: nobody said no, a server just wasn't there."""

    def __init__(self, why: str, *, unreachable: bool = False) -> None:
        """Say why, in one line."""
        super().__init__(why)
        self.unreachable = unreachable


@dataclass
class LoginRun:
    """How far a login came. `seconds`: of each step done, in order; the total once there was a request."""

    user: str
    seconds: dict[str, float] = field(default_factory=dict)
    reference: str = ""
    prompt: str = ""
    fell_at: str = ""
    why: str = ""
    unreachable: bool = False
    remark: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it was a whole login."""
        return not self.why

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take a step's time."""
        self.fell_at = name
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        self.fell_at = ""


def fly(settings: CanarySettings) -> LoginRun:
    """Log in. Nothing is raised for what may go wrong on the way: the flight says it."""
    flight, mailbox = LoginRun(settings.user), settings.mailbox()
    flight.fell_at = "mailbox"
    try:
        mailbox.open(settings.timeout)
        began = time.monotonic()
        try:
            _Login(settings, mailbox, flight, began + settings.timeout).whole()
        finally:
            flight.seconds["total"] = time.monotonic() - began
    except Unavailable as error:
        flight.why, flight.unreachable = error.told, True
    except StepFailedError as fallen:
        flight.why, flight.unreachable = str(fallen), fallen.unreachable
    finally:
        mailbox.close()
    return flight


@dataclass
class _Login:
    """The login on its way; `end`: when it has to be over."""

    settings: CanarySettings
    mailbox: Mailbox
    flight: LoginRun
    end: float
    others: int = 0

    def whole(self) -> None:
        nas = self.settings.nas()
        with self.flight.step("password"):
            challenge = self._challenged(nas)
        self.flight.prompt = message(challenge)
        self.flight.reference = reference_in(self.flight.prompt)
        with self.flight.step("mail"):
            mail, letter = self._mail()
        ours = bool(self.flight.reference)
        try:
            with self.flight.step("code"):
                self._accepted(nas, challenge, letter)
            ours = True
        finally:
            if ours and not self.settings.keep:  # no mail goes that may be somebody else's
                self._remove(mail)

    def _challenged(self, nas: Nas) -> Reply:
        reply = self._ask(nas, self.settings.password, None, "pap")
        if reply.code == constants.ACCESS_ACCEPT:
            why = "accepted without a code: this user isn't asked for a second factor"
            raise StepFailedError(why)
        if reply.code != constants.ACCESS_CHALLENGE:
            raise StepFailedError(_said("refused", reply))
        return reply

    def _accepted(self, nas: Nas, challenge: Reply, letter: MailText) -> None:
        try:
            code = letter.code(self.flight.reference, self.settings.code_pattern)
        except NoCodeError as error:
            why = f"the mail arrived, but {error}"
            raise StepFailedError(why) from None
        reply = self._ask(nas, code, challenge.first(constants.STATE), nas.protocol)
        if reply.code == constants.ACCESS_CHALLENGE:
            raise StepFailedError(_said("not accepted but challenged again", reply))
        if reply.code != constants.ACCESS_ACCEPT:
            raise StepFailedError(_said("refused", reply))

    def _ask(self, nas: Nas, answer: Secret, state: bytes | None, protocol: str) -> Reply:
        """Ask in what is left of the time. StepFailedError."""
        patience = min(nas.timeout, max(self.end - time.monotonic(), 0.5) / nas.tries)
        try:
            reply = replace(nas, timeout=patience).ask(self.settings.user, answer, state, protocol)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            why = f"{self.settings.server}: {reason}"
            raise StepFailedError(why, unreachable=isinstance(error, OSError)) from error
        if reply is None:
            why = f"no answer of {self.settings.server} in {patience * nas.tries:.1f}s: nobody there, unknown client, "
            why += "wrong secret, or LDAP or mail is out of order"
            raise StepFailedError(why, unreachable=True)
        return reply

    def _mail(self) -> tuple[Mail, MailText]:
        """Wait for the login's mail. StepFailedError, Unavailable."""
        while True:
            left = self.end - time.monotonic()
            for mail in self.mailbox.mails(left):
                letter = MailText.parse(mail.octets)
                if self._ours(mail, letter):
                    return mail, letter
                self.others += mail.new
            if left <= 0:
                break
            time.sleep(min(self.mailbox.pause, left))
        which = f" with the reference {self.flight.reference}" if self.flight.reference else ""
        others = f" ({self.others} other new: does the mail show {{reference}}?)" if self.others else ""
        why = f"no mail{which} in {self.mailbox.where} within {spoken(self.settings.timeout)}{others}"
        raise StepFailedError(why)

    def _ours(self, mail: Mail, letter: MailText) -> bool:
        """Say whether it is the mail of this login.

        By the reference, a mail that was there before counts too: a login begun again soon is asked for the code sent
        already. A prompt without one leaves little to go by: a new mail with a code in it.
        """
        if self.flight.reference:
            return letter.mentions(self.flight.reference)
        return mail.new and letter.has_code(self.settings.code_pattern)

    def _remove(self, mail: Mail) -> None:
        """Remove the mail; that this can't be done is no fault of the login."""
        try:
            self.mailbox.remove(mail)
        except Unavailable as error:
            self.flight.remark = f"the mail can't be removed: {error.told}"


def _said(what: str, reply: Reply) -> str:
    said = message(reply).rstrip(".")
    return f"{what}: {said}" if said else what
