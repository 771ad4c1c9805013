"""Codes that the user has already: each is good once, with simultaneous answers and with any clock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from aad.core import one_time_code
from aad.core.answer import Answer, Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.otp_token import OtpToken
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.recovery import Batch
from aad.core.secret import Secret
from aad.enrolment.vault import Vault
from aad.login.engine import Asked, Reply
from aad.methods.hotp import Hotp, HotpSettings
from aad.methods.recovery_codes import RecoveryCodes, RecoveryCodesSettings
from aad.methods.totp import Totp, TotpSettings
from aad.ports import Unavailable, Wiring
from aad.radius.protocol import mschap
from aad.radius.protocol.password import Chap, MsChap2, chap_response
from tests.parts.fakes import KEY, World, attempt, user

SECRET = Secret(b"12345678901234567890")
ALICE, BOB = user("alice"), user("bob")
BATCH = Batch(b"s" * 16)
MAIL = Chain("mail", ("password", "email_otp"), short_name="mail")


class Place(World):
    """A world with the three methods, in which alice has each of them; its wall clock is set by hand."""

    def __init__(self, *chains: Chain, choose: bool = False, few: int = 3, digits: int = 6) -> None:
        super().__init__(event=Event("vpn", ("corp",), chains or (chain("totp"),), choose=choose))
        self.wall = 1_000_000_000.0
        self.vaults = {name: Vault(self.store, KEY, name, secrets.token_bytes) for name in ("totp", "hotp", "recovery")}
        wirings = {name: Wiring(name=name, key=KEY, vault=vault) for name, vault in self.vaults.items()}
        methods = self.engine.methods
        assert isinstance(methods, dict)
        methods["totp"] = Totp(TotpSettings(digits=digits), wirings["totp"], lambda: self.wall)
        methods["hotp"] = Hotp(HotpSettings(), wirings["hotp"])
        methods["recovery"] = RecoveryCodes(RecoveryCodesSettings(few=few), wirings["recovery"])

    async def enrol(self, *methods: str) -> Place:
        for method in methods:
            value = BATCH.encoded() if method == "recovery" else OtpToken(SECRET).encoded()
            assert await self.vaults[method].swap(ALICE, None, value)
        return self

    def shown(self, later: float = 0.0, digits: int = 6) -> str:
        return one_time_code.at(SECRET, int((self.wall + later) // 30), digits, "sha1").text()

    async def asked(self, typed: str = "right", name: str = "alice") -> Asked:
        reply = await self.engine.begin(attempt(typed, name))
        assert isinstance(reply, Asked), reply
        return reply

    async def log_in(self, answer: str | Answer, before: Asked | None = None) -> Reply:
        typed = Plain(Secret(answer)) if isinstance(answer, str) else answer
        self.store.time += 20.0  # so that it isn't the same login begun again
        return await self.engine.answer((before or await self.asked()).ticket, replace(attempt(), answer=typed))


def chain(*methods: str) -> Chain:
    return Chain("-".join(methods), ("password", *methods), short_name=methods[0])


def counter_code(counter: int) -> str:
    return one_time_code.at(SECRET, counter, 6, "sha1").text()


def recovery_code(number: int) -> str:
    return BATCH.codes(KEY)[number].text()


async def test_a_code_lets_in_once() -> None:
    place = await Place().enrol("totp")
    assert isinstance(await place.log_in(place.shown()), Accepted)
    again = await place.log_in(place.shown())
    assert isinstance(again, Asked)
    assert again.prompt.startswith("Wrong code")
    assert place.reasons("code.refused") == [Reason.USED_CODE]
    place.wall += 30
    assert isinstance(await place.log_in(place.shown(), again), Accepted)


async def test_the_login_s_story() -> None:
    place = await Place().enrol("totp")
    assert isinstance(await place.log_in(place.shown()), Accepted)
    assert place.names() == ["login.started", "password.accepted", "challenge.sent", "code.accepted", "login.accepted"]
    assert not place.sender.messages
    assert not place.store.logins
    assert not any(tally.count for tally in place.store.counted.values())


@pytest.mark.parametrize(("later", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
async def test_a_phone_s_clock_may_be_one_step_off(later: float, right: bool) -> None:  # noqa: FBT001
    place = await Place().enrol("totp")
    assert isinstance(await place.log_in(place.shown(later)), Accepted) == right


async def test_once_a_code_is_used_the_ones_before_are_good_no_longer() -> None:
    place = await Place().enrol("totp")
    assert isinstance(await place.log_in(place.shown(30)), Accepted)
    assert isinstance(await place.log_in(place.shown()), Asked)
    assert isinstance(await place.log_in(place.shown(-30)), Asked)


async def test_a_clock_set_back_makes_no_used_code_good_again() -> None:
    place = await Place().enrol("totp")
    used = place.shown()
    assert isinstance(await place.log_in(used), Accepted)
    place.wall -= 90
    assert isinstance(await place.log_in(used), Asked)
    for later in (-30, 0, 30):
        place.store.passing.clear()  # they would be locked out
        assert not isinstance(await place.log_in(place.shown(later)), Accepted)


async def test_of_fifty_logins_with_the_same_code_one_is_let_in() -> None:
    place = await Place().enrol("totp")
    waiting = {}
    for client in map(str, range(50)):
        reply = await place.engine.begin(attempt(client=client))
        assert isinstance(reply, Asked)
        waiting[client] = reply.ticket
    assert len(set(waiting.values())) == 50
    answers = (place.engine.answer(waiting[each], attempt(place.shown(), client=each)) for each in waiting)
    replies = await asyncio.gather(*answers)
    assert sum(isinstance(reply, Accepted) for reply in replies) == 1


async def test_whoever_is_not_first_looks_again() -> None:
    """Another daemon on the same store moves the counter between looking and moving."""
    place = await Place(chain("hotp")).enrol("hotp")
    waiting, swap, others = await place.asked(), place.store.compare_and_set, iter((1, 2))

    async def late(kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        if (count := next(others, None)) is not None:
            held = await place.vaults["hotp"].find(ALICE)
            place.store.compare_and_set = swap  # type: ignore[method-assign]
            assert await place.vaults["hotp"].swap(ALICE, held, OtpToken(SECRET, count).encoded())
            place.store.compare_and_set = late  # type: ignore[method-assign]
        return await swap(kind, name, old, new)

    place.store.compare_and_set = late  # type: ignore[method-assign]
    assert isinstance(await place.log_in(counter_code(1), waiting), Asked), "the other one used it"
    assert place.reasons("code.refused") == [Reason.USED_CODE]
    assert isinstance(await place.log_in(counter_code(2)), Accepted)


@pytest.mark.parametrize("typed", ["000000", "1", "1234567", "１２３４５６", "\0"])  # noqa: RUF001
async def test_three_wrong_codes_end_the_login_and_lock(typed: str) -> None:
    place = await Place().enrol("totp")
    reply: Reply = await place.asked()
    for _ in range(2):
        assert isinstance(reply, Asked)
        reply = await place.log_in(typed if typed != "\0" else "12\0", reply)
    assert isinstance(reply, Asked)
    assert await place.log_in(typed if typed != "\0" else "12\0", reply) == Rejected(Reason.WRONG_CODE)
    assert place.store.failures() == {("codes", "alice"): 3}


async def test_an_answer_comes_too_late() -> None:
    place = await Place().enrol("totp")
    waiting = await place.asked()
    place.store.time += 120.0
    assert await place.log_in(place.shown(), waiting) == Rejected(Reason.EXPIRED)


async def test_an_empty_answer_is_asked_again_and_costs_nothing() -> None:
    place = await Place().enrol("totp")
    again = await place.log_in("")
    assert isinstance(again, Asked)
    assert isinstance(await place.log_in(place.shown(), again), Accepted)
    assert not place.reasons("code.refused")


async def test_a_nas_that_retries_gets_the_same_challenge() -> None:
    place = await Place().enrol("totp")
    first = await place.asked()
    place.store.time += 5.0
    assert (await place.asked()).ticket == first.ticket
    place.store.time += 6.0
    assert (await place.asked()).ticket != first.ticket


async def test_who_is_not_enrolled_is_refused_after_his_password_and_it_is_no_guess() -> None:
    place = Place()
    assert await place.engine.begin(attempt("wrong")) == Rejected(Reason.WRONG_PASSWORD)
    assert await place.engine.begin(attempt()) == Rejected(Reason.NOT_ENROLLED)
    assert place.store.failures() == {("passwords", "alice"): 1}


async def test_what_another_key_sealed_lets_nobody_in_and_is_passed_over_by_nobody() -> None:
    place = Place(chain("totp"), Chain("password", ("password",)))
    await Vault(place.store, Secret(b"o" * 32), "totp", secrets.token_bytes).swap(
        ALICE, None, OtpToken(SECRET).encoded()
    )
    assert await place.engine.begin(attempt()) == Rejected(Reason.FOREIGN_SEAL)


async def test_a_chain_gives_way_where_the_user_is_not_enrolled() -> None:
    place = await Place(chain("totp"), MAIL).enrol("totp")
    assert "your app" in (await place.asked()).prompt
    assert not place.sender.messages
    assert "b***@" in (await place.asked(name="bob")).prompt
    assert len(place.sender.messages) == 1


async def test_where_none_is_left_the_first_refuses() -> None:
    place = Place(chain("totp"), chain("hotp"))
    assert await place.engine.begin(attempt()) == Rejected(Reason.NOT_ENROLLED)


async def test_who_may_choose_is_offered_what_he_has() -> None:
    place = await Place(chain("totp"), chain("recovery"), MAIL, choose=True).enrol("totp")
    assert (await place.asked()).prompt == "Choose: 1 totp, 2 mail"
    place = await Place(chain("totp"), chain("recovery"), MAIL, choose=True).enrol("recovery", "totp")
    assert (await place.asked()).prompt == "Choose: 1 totp, 2 recovery, 3 mail"


async def test_a_store_out_of_order_passes_nobody_over() -> None:
    place = await Place(chain("totp"), Chain("password", ("password",))).enrol("totp")

    async def broken(kind: str, name: str) -> bytes | None:
        raise Unavailable("the disk is full", where="store")  # noqa: EM101, TRY003

    place.store.get = broken  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await place.engine.begin(attempt())


async def test_the_password_is_no_code_for_the_directory() -> None:
    """Which chain it will be isn't known yet when the repository is asked: what may be a code is no bind."""
    place = await Place(Chain("code first", ("totp", "password")), Chain("password", ("password",))).enrol("totp")
    reply = await place.engine.begin(attempt(place.shown()))
    assert isinstance(reply, Asked)
    assert reply.prompt == "Password: "
    assert place.repository.binds == 0
    assert isinstance(await place.engine.answer(reply.ticket, attempt("right")), Accepted)


async def test_a_chain_may_begin_with_a_challenge() -> None:
    place = await Place(Chain("code first", ("totp", "password"))).enrol("totp")
    reply: Any = await place.engine.begin(attempt(""))
    assert "your app" in reply.prompt
    reply = await place.engine.answer(reply.ticket, attempt(place.shown()))
    assert reply.prompt == "Password: "
    assert isinstance(await place.engine.answer(reply.ticket, attempt("right")), Accepted)


async def test_in_one_field() -> None:
    place = await Place().enrol("totp")

    def both(password: str, typed: str) -> Any:
        return replace(attempt(password), appended_code=Plain(Secret(typed)))

    assert await place.engine.begin(both("wrong", place.shown())) == Rejected(Reason.WRONG_PASSWORD)
    assert isinstance(await place.engine.begin(both("right", place.shown())), Accepted)
    assert isinstance(await place.engine.begin(both("right", place.shown())), Asked)
    place.wall += 30
    assert isinstance(await place.engine.begin(both("right", place.shown())), Accepted)
    whole = replace(
        attempt("right" + place.shown(30)), maybe_split=(Plain(Secret("right")), Plain(Secret(place.shown(30))))
    )
    assert isinstance(await place.engine.begin(whole), Accepted)


def chap(typed: str) -> Answer:
    return Chap(b"\x07", b"c" * 16, chap_response(b"\x07", Secret(typed), b"c" * 16))


def mschapv2(typed: str) -> Answer:
    response = mschap.nt_response(b"c" * 16, b"p" * 16, b"alice", typed)
    return MsChap2(b"\x07", b"alice", b"c" * 16, b"p" * 16, response)


@pytest.mark.parametrize("way", [chap, mschapv2])
@pytest.mark.parametrize("method", ["totp", "hotp", "recovery"])
async def test_by_chap_and_mschapv2_too(method: str, way: Any) -> None:
    place = await Place(chain(method)).enrol(method)
    right = {"totp": place.shown(), "hotp": counter_code(0), "recovery": recovery_code(7)}[method]
    wrong = await place.log_in(way("000000"))
    assert isinstance(wrong, Asked)
    assert isinstance(await place.log_in(way(right), wrong), Accepted)
    assert not isinstance(await place.log_in(way(right)), Accepted)


@pytest.mark.parametrize("digits", [7, 8])
async def test_more_digits(digits: int) -> None:
    place = await Place(digits=digits).enrol("totp")
    assert isinstance(await place.log_in(place.shown(digits=6)), Asked)
    assert isinstance(await place.log_in(place.shown(digits=digits)), Accepted)


async def test_a_key_fob_may_be_pressed_in_vain_ten_times() -> None:
    place = await Place(chain("hotp")).enrol("hotp")
    assert not isinstance(await place.log_in(counter_code(11)), Accepted)
    assert isinstance(await place.log_in(counter_code(10)), Accepted)
    assert not isinstance(await place.log_in(counter_code(10)), Accepted)
    assert place.reasons("code.refused") == [Reason.WRONG_CODE, Reason.USED_CODE]
    assert not isinstance(await place.log_in(counter_code(3)), Accepted)
    assert isinstance(await place.log_in(counter_code(11)), Accepted)


async def test_ten_recovery_codes_each_once() -> None:
    place = await Place(chain("recovery"), few=3).enrol("recovery")
    for number in range(10):
        assert isinstance(await place.log_in(recovery_code(number).upper()), Accepted)
        if number < 9:
            assert not isinstance(await place.log_in(recovery_code(number)), Accepted)
    left = {name: [fields["left"] for each, fields in place.records if each == name] for name in RECORDS}
    assert left == RECORDS
    assert await place.engine.begin(attempt()) == Rejected(Reason.NOT_ENROLLED)


RECORDS: Mapping[str, list[object]] = {"recovery.used": [9, 8, 7, 6, 5, 4], "recovery.few": [3, 2, 1, 0]}


async def test_who_has_no_codes_left_is_passed_over() -> None:
    place = Place(chain("recovery"), MAIL)
    await place.vaults["recovery"].swap(ALICE, None, Batch(b"s" * 16, ()).encoded())
    assert "a***@" in (await place.asked()).prompt


def test_they_need_a_vault() -> None:
    with pytest.raises(ValueError, match="needs a vault"):
        Totp(TotpSettings(), Wiring(name="totp", key=KEY))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (TotpSettings(prompt=" "), "prompt"),
        (HotpSettings(wrong_prompt=""), "wrong_prompt"),
        (TotpSettings(issuer="a:b"), "issuer"),
        (HotpSettings(issuer=""), "issuer"),
    ],
)
def test_faults(settings: TotpSettings | HotpSettings, key: str) -> None:
    assert [at for at, _ in settings.faults()] == [key]


def test_nobody_reads_a_secret_in_a_memo() -> None:
    assert SECRET.text() not in repr(OtpToken(SECRET))
    assert not list(TotpSettings().faults())
