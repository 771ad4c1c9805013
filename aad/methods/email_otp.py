"""The method email_otp: a one-time code by mail, or by another sender of messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from aad.core import macros, one_time_code
from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.language import lookup
from aad.core.message import Draft
from aad.core.outcome import Challenge, Fact, Failure, Outcome, Reason, Success
from aad.core.settings import Duration, option
from aad.methods.email_texts import TextSettings, Words, missing, words
from aad.ports import Messenger, Unavailable, Wiring


@dataclass(frozen=True, kw_only=True)
class EmailOtpSettings(TextSettings):
    """[methods.NAME] with type = "email_otp"."""

    senders: tuple[str, ...] = option((), "In order: the next one when one fails; default: all.", names="senders")
    address_attribute: str = option(
        "",
        "The user's attribute that holds their address, where it isn't mail: mobile; default: their mail address.",
    )
    period: Duration = option(Duration(120.0), "Lifetime of a code.", at_least=30.0, at_most=86400.0)
    length: int = option(6, "Digits of a code.", at_least=one_time_code.SHORTEST, at_most=one_time_code.LONGEST)
    attempts: int = option(3, "Wrong codes within one challenge before Access-Reject.", at_least=1, at_most=10)
    resend_after: Duration = option(
        Duration(30.0), "An empty answer, or the same login begun again, doesn't mail sooner than this."
    )
    language: str = option("en", "The language of a user who has none, or one that there are no texts in.")
    texts: Mapping[str, TextSettings] = option({}, "What is said in one language.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check files, macros, languages, and that each mail holds the code."""
        wrong = list(super().faults()) or list(missing(self, self.texts))
        yield from wrong
        if wrong:
            return
        known = self.words()
        if self.language not in known:
            yield "language", f"should be one that there are texts in: {', '.join(known)}"
        if codeless := [name for name, one in known.items() if "{otp}" not in one.template.subject + one.template.text]:
            key = f"texts.{codeless[0]}.body_file" if codeless[0] in self.texts else "body_file"
            yield key, f"should hold the code: {{otp}} (in {', '.join(codeless)})"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a mail whose parts may differ."""
        for where, given in (("", self), *((f"texts.{name}.", one) for name, one in self.texts.items())):
            if given.html_file and not given.body_file:
                yield (
                    f"{where}html_file",
                    "stands without body_file: readers of plain text get another text",
                )

    def words(self) -> dict[str, Words]:
        """Read the texts of each language. OSError, UnicodeDecodeError."""
        return words(self, self.texts)

    def prompts(self) -> dict[str, dict[str, str]]:
        """Return what a user may be asked, by language and key (ports.Prompts)."""
        return {name: {"prompt": one.prompt, "wrong_prompt": one.wrong_prompt} for name, one in self.words().items()}

    @property
    def reads(self) -> tuple[str, ...]:
        """The attributes of the user that it needs (ports.ReadsAttributes)."""
        return (self.address_attribute,) if self.address_attribute else ()

    @property
    def minutes(self) -> str:
        """How long a code is good for, in whole minutes, as texts say it (ports.TellsMinutes)."""
        return str(math.ceil(self.period / 60))


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
    """Sends a code and checks it: something the user receives. Access to the mailbox is the proof."""

    Settings: ClassVar[type] = EmailOtpSettings
    Memo: ClassVar[type] = Mailed
    proves: ClassVar[str] = "code"

    def __init__(self, settings: EmailOtpSettings, wiring: Wiring) -> None:
        """Read the texts. OSError, UnicodeDecodeError, ValueError."""
        if wiring.messenger is None:
            message = "a method that sends needs a messenger"
            raise ValueError(message)
        self._settings = settings
        self._key = wiring.key
        self._post: Messenger = wiring.messenger
        self._words = settings.words()
        self._minutes = settings.minutes

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[Mailed]:
        """Mail a new code."""
        del answer  # of another method, or nothing
        return await self._mail(login, self._first(now), now, deadline)

    def foreseen(self, login: Login, now: float) -> Outcome[Mailed] | None:
        """Return what `begin` will return if the first address takes the mail; None: there is no address."""
        if login.decoy:
            return self._challenge(login, self._first(now))
        recipient = self._post.recipient(login, self._settings.senders, self._settings.address_attribute)
        return self._challenge(login, replace(self._first(now), recipient=recipient)) if recipient else None

    async def verify(self, login: Login, memo: Mailed, answer: Answer, now: float, deadline: float) -> Outcome[Mailed]:
        """Check the code; an empty answer asks for the mail again, a wrong one for another try."""
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        if answer.empty:
            if now < memo.sent + self._settings.resend_after:
                return self._challenge(login, memo, because="empty answer")
            return await self._again(login, memo, now, deadline)
        if one_time_code.check(answer, self._key, login.nonce, self._settings.length) and not login.decoy:
            return Success()
        if memo.attempts <= 1:
            return Failure(Reason.WRONG_CODE)
        return self._challenge(login, replace(memo, attempts=memo.attempts - 1), because=Reason.WRONG_CODE)

    def _first(self, now: float) -> Mailed:
        expires, attempts = now + self._settings.period, self._settings.attempts
        return Mailed(recipient="", expires=expires, attempts=attempts, sent=now, number=1)

    async def _again(self, login: Login, memo: Mailed, now: float, deadline: float) -> Outcome[Mailed]:
        """Mail the same code: sending it again neither ends nor lengthens its life, nor gives new tries."""
        later = replace(memo, sent=now, number=memo.number + 1)
        try:
            outcome = await self._mail(login, later, now, deadline)
        except Unavailable as error:
            if not login.discreet:
                raise
            return self._challenge(login, later, because=error.what, facts=error.facts)
        if isinstance(outcome, Failure) and login.discreet:  # as a decoy is
            return self._challenge(login, later, because=outcome.reason, facts=outcome.facts)
        if isinstance(outcome, Failure) and outcome.reason == Reason.MAIL_LIMIT:  # the code sent already stays good
            return self._challenge(login, memo, because=outcome.reason, facts=outcome.facts)
        return outcome

    async def _mail(self, login: Login, memo: Mailed, now: float, deadline: float) -> Outcome[Mailed]:
        if login.decoy:
            return self._challenge(login, memo)
        values = {
            "user": login.user.name,
            "endpoint": login.client,
            "event": login.event,
            "number": str(memo.number),
            "otp": one_time_code.issue(self._key, login.nonce, self._settings.length).text(),
            "reference": login.reference,
            "minutes": self._minutes,
        }
        draft = Draft(
            template=self._words_for(login).template,
            values=values,
            life=memo.expires - now,
            attribute=self._settings.address_attribute,
            pause=self._settings.resend_after,
        )
        sent = await self._post.send(login, self._settings.senders, draft, deadline)
        if sent.refused:
            return Failure(sent.refused, sent.facts)
        return self._challenge(login, replace(memo, recipient=sent.recipient), facts=sent.facts)

    def _challenge(
        self, login: Login, memo: Mailed, *, because: str = "", facts: tuple[Fact, ...] = ()
    ) -> Outcome[Mailed]:
        wrong, texts = because == Reason.WRONG_CODE, self._words_for(login)
        values = {
            "recipient": memo.recipient,
            "reference": login.reference,
            "user": macros.clean(login.user.name),
            "minutes": self._minutes,
        }
        if login.discreet:  # nothing that is the user's own
            texts, values = self._words[self._settings.language], values | {"recipient": "", "user": ""}
        return Challenge(
            prompt=macros.filled(texts.wrong_prompt if wrong else texts.prompt, values),
            values=values,
            memo=memo,
            expires=memo.expires,
            fresh_until=memo.sent + self._settings.resend_after,
            because=because,
            wrong=wrong,
            facts=facts,
        )

    def _words_for(self, login: Login) -> Words:
        return self._words[lookup(login.user.language, self._words, self._settings.language)]
