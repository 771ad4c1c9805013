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
    """A step failed, for the reason in one line. `unreachable`: a server didn't answer, rather than refuse."""

    def __init__(self, why: str, *, unreachable: bool = False) -> None:
        super().__init__(why)
        self.unreachable = unreachable


@dataclass
class LoginRun:
    """The result of a login. `seconds`: of each finished step, then "total"; `failed_step`: empty if none did."""

    user: str
    seconds: dict[str, float] = field(default_factory=dict)
    reference: str = ""
    prompt: str = ""
    failed_step: str = ""
    why: str = ""
    unreachable: bool = False
    remark: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the login was accepted."""
        return not self.why

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; while it runs, and if it raises, it is `failed_step`."""
        self.failed_step = name
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        self.failed_step = ""


def log_in(settings: CanarySettings) -> LoginRun:
    """Log in once. Failures are in the result; none is raised."""
    run, mailbox = LoginRun(settings.user), settings.mailbox()
    run.failed_step = "mailbox"
    try:
        mailbox.open(settings.timeout)
        began = time.monotonic()
        try:
            _Login(settings, mailbox, run, began + settings.timeout).whole()
        finally:
            run.seconds["total"] = time.monotonic() - began
    except Unavailable as error:
        run.why, run.unreachable = error.told, True
    except StepFailedError as error:
        run.why, run.unreachable = str(error), error.unreachable
    finally:
        mailbox.close()
    return run


@dataclass
class _Login:
    """A login in progress; `end`: its deadline, by time.monotonic(); `others`: new mails of other logins."""

    settings: CanarySettings
    mailbox: Mailbox
    run: LoginRun
    end: float
    others: int = 0

    def whole(self) -> None:
        nas = self.settings.nas()
        with self.run.step("password"):
            challenge = self._challenged(nas)
        self.run.prompt = message(challenge)
        self.run.reference = reference_in(self.run.prompt)
        with self.run.step("mail"):
            mail, text = self._mail()
        ours = bool(self.run.reference)
        try:
            with self.run.step("code"):
                self._accepted(nas, challenge, text)
            ours = True
        finally:
            if ours and not self.settings.keep:  # a mail that may belong to another login stays
                self._remove(mail)

    def _challenged(self, nas: Nas) -> Reply:
        reply = self._ask(nas, self.settings.password, None, "pap")
        if reply.code == constants.ACCESS_ACCEPT:
            why = "accepted without a code: this user isn't asked for a second factor"
            raise StepFailedError(why)
        if reply.code != constants.ACCESS_CHALLENGE:
            raise StepFailedError(_said("refused", reply))
        return reply

    def _accepted(self, nas: Nas, challenge: Reply, text: MailText) -> None:
        try:
            code = text.code(self.run.reference, self.settings.code_pattern)
        except NoCodeError as error:
            why = f"the mail arrived, but {error}"
            raise StepFailedError(why) from None
        reply = self._ask(nas, code, challenge.first(constants.STATE), nas.protocol)
        if reply.code == constants.ACCESS_CHALLENGE:
            raise StepFailedError(_said("not accepted but challenged again", reply))
        if reply.code != constants.ACCESS_ACCEPT:
            raise StepFailedError(_said("refused", reply))

    def _ask(self, nas: Nas, answer: Secret, state: bytes | None, protocol: str) -> Reply:
        """Send a request, and wait within the time left. StepFailedError."""
        patience = min(nas.timeout, max(self.end - time.monotonic(), 0.5) / nas.tries)
        try:
            reply = replace(nas, timeout=patience).ask(self.settings.user, answer, state, protocol)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            why = f"{self.settings.server}: {reason}"
            raise StepFailedError(why, unreachable=isinstance(error, OSError)) from error
        if reply is None:
            why = f"no answer of {self.settings.server} in {patience * nas.tries:.1f}s: not running, unknown client, "
            why += "wrong secret, or LDAP or mail is unavailable"
            raise StepFailedError(why, unreachable=True)
        return reply

    def _mail(self) -> tuple[Mail, MailText]:
        """Wait for the login's mail. StepFailedError, Unavailable."""
        while True:
            left = self.end - time.monotonic()
            for mail in self.mailbox.mails(left):
                text = MailText.parse(mail.octets)
                if self._ours(mail, text):
                    return mail, text
                self.others += mail.new
            if left <= 0:
                break
            time.sleep(min(self.mailbox.pause, left))
        which = f" with the reference {self.run.reference}" if self.run.reference else ""
        others = f" ({self.others} other new: does the mail show {{reference}}?)" if self.others else ""
        why = f"no mail{which} in {self.mailbox.where} within {spoken(self.settings.timeout)}{others}"
        raise StepFailedError(why)

    def _ours(self, mail: Mail, text: MailText) -> bool:
        """Return whether it is the mail of this login.

        By the reference, a mail that was there before counts too: a login begun again soon is asked for the code sent
        already. A prompt without one leaves little to go by: a new mail with a code in it.
        """
        if self.run.reference:
            return text.mentions(self.run.reference)
        return mail.new and text.has_code(self.settings.code_pattern)

    def _remove(self, mail: Mail) -> None:
        """Remove the mail; failing to is a remark, not a failed login."""
        try:
            self.mailbox.remove(mail)
        except Unavailable as error:
            self.run.remark = f"the mail can't be removed: {error.told}"


def _said(what: str, reply: Reply) -> str:
    said = message(reply).rstrip(".")
    return f"{what}: {said}" if said else what
