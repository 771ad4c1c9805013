"""A token: what it shows, as the RFCs say; what of that is still good; what an app is told."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core import one_time_code
from aad.core.answer import Plain
from aad.core.otp_token import Form, OtpToken, bare, base32, from_base32, shown_at, uri
from aad.core.secret import Secret
from tests.parts.values import Unreadable

RFC_SECRET = b"12345678901234567890"
# RFC 4226, Appendix D
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
SEEDS = {  # RFC 6238, Appendix B (erratum 2866: each algorithm has a seed of its own length)
    "sha1": RFC_SECRET,
    "sha256": b"12345678901234567890123456789012",
    "sha512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
TOTP = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]
TOKEN = OtpToken(Secret(RFC_SECRET))


def typed(text: str) -> Plain:
    return Plain(Secret(text))


def test_rfc_4226() -> None:
    assert [one_time_code.at(Secret(RFC_SECRET), count, 6, "sha1").text() for count in range(10)] == HOTP


@pytest.mark.parametrize("seconds,sha1,sha256,sha512", TOTP)  # noqa: PT006
def test_rfc_6238(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    shown = [one_time_code.at(Secret(seed), seconds // 30, 8, name).text() for name, seed in SEEDS.items()]
    assert shown == [sha1, sha256, sha512]


def test_it_says_which_counter_a_code_is_of() -> None:
    assert shown_at(TOKEN, typed(HOTP[3]), range(10), Form()) == 3
    assert shown_at(TOKEN, typed(HOTP[3]), range(3), Form()) is None
    assert shown_at(TOKEN, typed("000000"), range(10), Form()) is None
    assert shown_at(TOKEN, typed(""), range(10), Form()) is None


def test_a_used_code_is_told_from_a_wrong_one() -> None:
    assert shown_at(OtpToken(TOKEN.secret, 5), typed(HOTP[3]), range(10), Form()) == 3


def test_where_two_counters_show_the_same_the_unused_one_counts() -> None:
    twice = next(
        (first, second)
        for second in range(5000)
        for first in range(second)
        if _at(first) == _at(second)  # a collision of 10**6 codes: after about 1200
    )
    first, second = twice
    assert shown_at(OtpToken(TOKEN.secret, first + 1), typed(_at(first)), range(second + 1), Form()) == second
    assert shown_at(OtpToken(TOKEN.secret, 0), typed(_at(first)), range(second + 1), Form()) == first
    assert shown_at(OtpToken(TOKEN.secret, second + 1), typed(_at(first)), range(second + 1), Form()) == second


_KNOWN: dict[int, str] = {}


def _at(counter: int) -> str:
    if counter not in _KNOWN:
        _KNOWN[counter] = one_time_code.at(TOKEN.secret, counter, 6, "sha1").text()
    return _KNOWN[counter]


@pytest.mark.parametrize("spelled", ["755 224", " 755224 ", "75 52 24"])
def test_blanks_make_no_difference(spelled: str) -> None:
    assert shown_at(TOKEN, typed(spelled), range(1), Form()) == 0


@pytest.mark.parametrize(
    "spelled",
    ["７５５２２４", "75522", "0755224", "7552240", "755224\0", "755224\n", "755-224", "755\u00a0224"],  # noqa: RUF001
)
def test_what_only_looks_like_the_code_is_wrong(spelled: str) -> None:
    assert shown_at(TOKEN, typed(spelled), range(10), Form()) is None


def test_an_answer_that_nobody_can_read_is_left_as_it_is() -> None:
    answer = Unreadable()
    assert bare(answer) is answer


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**40))
def test_what_is_kept_is_read_again(secret: bytes, count: int) -> None:
    token = OtpToken(Secret(secret), count)
    assert OtpToken.decoded(token.encoded()) == token


@pytest.mark.parametrize("octets", [0, 15, 65])
def test_a_secret_that_could_be_guessed_is_refused(octets: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 octets"):
        OtpToken(Secret(bytes(octets)))


@pytest.mark.parametrize("spelled", ["gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ===="])
def test_base32_is_read_as_people_write_it(spelled: str) -> None:
    assert from_base32(spelled) == Secret(RFC_SECRET)


@pytest.mark.parametrize("spelled", ["18", "GEZDGNBV1", "GEZÄ", "GEZDGNBVG"])
def test_what_is_no_base32_is_not_quoted(spelled: str) -> None:
    with pytest.raises(ValueError, match="should be base32") as error:
        from_base32(spelled)
    assert spelled not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "form,kind,last",  # noqa: PT006
    [(Form(8, "sha256", 60), "totp", ("period", "60")), (Form(8, "sha256"), "hotp", ("counter", "7"))],
)
def test_an_app_is_told_everything(form: Form, kind: str, last: tuple[str, str]) -> None:
    told = urlsplit(uri(OtpToken(Secret(RFC_SECRET), 7), form, "alice o'hara@x?y", "Größe & Co").text())
    assert (told.scheme, told.netloc) == ("otpauth", kind)
    assert unquote(told.path) == "/Größe & Co:alice o'hara@x?y"
    assert {key: values[0] for key, values in parse_qs(told.query).items()} == {
        "secret": base32(Secret(RFC_SECRET)),
        "issuer": "Größe & Co",
        "algorithm": "SHA256",
        "digits": "8",
        last[0]: last[1],
    }
