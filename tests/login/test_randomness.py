"""Octets nobody gets twice."""

from aad.login.randomness import PAGE, Randomness


def test_every_draw_is_new_and_as_long_as_asked() -> None:
    draw = Randomness()
    drawn = [draw(size) for size in range(16, 64) for _ in range(20)]
    assert len(set(drawn)) == len(drawn)
    assert [len(each) for each in drawn] == [size for size in range(16, 64) for _ in range(20)]
    assert b"".join(drawn).count(drawn[0]) == 1
    assert len(draw(PAGE)) == PAGE
