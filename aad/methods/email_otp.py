"""A one-time code by mail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from aad.core import code, macros
from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.message import Draft, Template
from aad.core.outcome import Challenge, Fact, Failure, Outcome, Reason, Success
from aad.core.settings import Duration, option
from aad.ports import Post, Wiring
from aad.texts import text

MAIL_MACROS = ("user", "endpoint", "event", "number", "otp", "reference", "minutes")
PROMPT_MACROS = ("recipient", "reference", "user", "minutes")


@dataclass(frozen=True, kw_only=True)
class EmailOtpSettings:
    """[methods.NAME] with type = "email_otp"."""

    senders: tuple[str, ...] = option((), "In order: the next one when one fails; default: all.", names="senders")
    period: Duration = option(Duration(120.0), "Lifetime of a code.", at_least=30.0, at_most=86400.0)
    length: int = option(6, "Digits of a code.", at_least=code.SHORTEST, at_most=code.LONGEST)
    attempts: int = option(3, "Wrong codes within one challenge before Access-Reject.", at_least=1, at_most=10)
    resend_after: Duration = option(
        Duration(30.0), "An empty answer, or the same login begun again, doesn't mail sooner than this."
    )
    subject: str = option("Your one-time password: {otp}", "The mail's subject.")
    body_file: Path | None = option(None, "The mail's text, with macros; default: a short English one.")
    html_file: Path | None = option(None, "The same as HTML, if wanted.")
    prompt: str = option("Enter the code sent to {recipient} (ref {reference})", "What the user is asked.")
    wrong_prompt: str = option("Wrong code. Enter the code sent to {recipient} (ref {reference})", "... once more.")

    def template(self) -> Template:
        """Read the mail's texts. OSError, UnicodeDecodeError."""
        body = self.body_file.read_text("utf-8") if self.body_file else text("email_otp.txt")
        return Template(
            subject=self.subject, text=body, html=self.html_file.read_text("utf-8") if self.html_file else ""
        )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check files and macros."""
        texts = {"subject": self.subject}
        for key, file in (("body_file", self.body_file), ("html_file", self.html_file)):
            try:
                texts[key] = file.read_text("utf-8") if file else ""
            except (OSError, UnicodeDecodeError) as error:
                yield key, f"{file} can't be read: {error}"
        for key, content in texts.items():
            if wrong := macros.unknown(content, MAIL_MACROS):
                yield key, wrong
        for key, prompt in (("prompt", self.prompt), ("wrong_prompt", self.wrong_prompt)):
            if wrong := macros.unknown(prompt, PROMPT_MACROS):
                yield key, wrong
            elif not prompt.strip():
                yield key, "should not be empty: some clients fail a login that they can't show a text for"
        if not any("{otp}" in content for content in (texts.get("body_file") or text("email_otp.txt"), self.subject)):
            yield "body_file", "should hold the code: {otp}"


@dataclass(frozen=True)
class Mailed:
    """The memo: where the code went (masked), until when it is good, the tries left, the mails so far.

    Never the code.
    """

    recipient: str
    expires: float
    attempts: int
    sent: float
    number: int


class EmailOtp:
    """Something the user receives: whoever reads the mailbox is the user."""

    Settings: ClassVar[type] = EmailOtpSettings
    Memo: ClassVar[type] = Mailed
    proves: ClassVar[str] = "code"

    def __init__(self, settings: EmailOtpSettings, wiring: Wiring) -> None:
        """Keep what it gets, and read the texts."""
        if wiring.post is None:
            message = "a method that sends needs a post"
            raise ValueError(message)
        self._settings = settings
        self._key = wiring.key
        self._post: Post = wiring.post
        self._template = settings.template()
        self._minutes = str(math.ceil(settings.period / 60))

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[Mailed]:
        """Mail a new code."""
        del answer  # of another method, or nothing
        period, attempts = self._settings.period, self._settings.attempts
        return await self._mail(
            login, Mailed(recipient="", expires=now + period, attempts=attempts, sent=now, number=1), now, deadline
        )

    async def verify(self, login: Login, memo: Mailed, answer: Answer, now: float, deadline: float) -> Outcome[Mailed]:
        """Check the code; an empty answer asks for the mail again, a wrong one for another try."""
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        if answer.empty:
            if now < memo.sent + self._settings.resend_after:
                return self._challenge(login, memo, because="empty answer")
            return await self._again(login, memo, now, deadline)
        if code.check(answer, self._key, login.nonce, self._settings.length):
            return Success()
        if memo.attempts <= 1:
            return Failure(Reason.WRONG_CODE)
        return self._challenge(login, replace(memo, attempts=memo.attempts - 1), because=Reason.WRONG_CODE)

    async def _again(self, login: Login, memo: Mailed, now: float, deadline: float) -> Outcome[Mailed]:
        """Mail the same code: sending it again neither ends nor lengthens its life, nor gives new tries."""
        outcome = await self._mail(login, replace(memo, sent=now, number=memo.number + 1), now, deadline)
        if isinstance(outcome, Failure) and outcome.reason == Reason.MAIL_LIMIT:  # the code sent already stays good
            return self._challenge(login, memo, because=outcome.reason, facts=outcome.facts)
        return outcome

    async def _mail(self, login: Login, memo: Mailed, now: float, deadline: float) -> Outcome[Mailed]:
        values = {
            "user": login.user.name,
            "endpoint": login.endpoint,
            "event": login.event,
            "number": str(memo.number),
            "otp": code.issue(self._key, login.nonce, self._settings.length).text(),
            "reference": login.reference,
            "minutes": self._minutes,
        }
        draft = Draft(template=self._template, values=values, life=memo.expires - now)
        sent = await self._post.send(login, self._settings.senders, draft, deadline)
        if sent.refused:
            return Failure(sent.refused, sent.facts)
        return self._challenge(login, replace(memo, recipient=sent.recipient), facts=sent.facts)

    def _challenge(
        self, login: Login, memo: Mailed, *, because: str = "", facts: tuple[Fact, ...] = ()
    ) -> Outcome[Mailed]:
        wrong = because == Reason.WRONG_CODE
        values = {
            "recipient": memo.recipient,
            "reference": login.reference,
            "user": login.user.name,
            "minutes": self._minutes,
        }
        return Challenge(
            prompt=macros.filled(self._settings.wrong_prompt if wrong else self._settings.prompt, values),
            memo=memo,
            expires=memo.expires,
            fresh_until=memo.sent + self._settings.resend_after,
            because=because,
            wrong=wrong,
            facts=facts,
        )
