"""Talk with a program on a terminal of its own: find each question that it asks, type the answer."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pexpect

from tests.parts.result import Answer
from tests.parts.waiting import NotInTimeError

QUIET = 0.1  # seconds without output after which an unfinished line is a question


@dataclass(frozen=True)
class Talk:
    """A whole login: each question after the password's, all output, the exit status (None when ended)."""

    prompts: tuple[str, ...]
    transcript: str
    status: int | None


def talk(
    command: Sequence[str],
    password: str,
    answer: Answer,
    *,
    clean: Callable[[str], str] = str.strip,
    seconds: float = 30.0,
    enough: str = "",
) -> Talk:
    """Run a program that asks for a password first; `answer` gets what it shows then, and returns what to type.

    `clean` takes the client's own words off a question. The password asked for again is a refusal: the talk ends.
    A program that says `enough` is asked to end.
    """
    surroundings = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    child = pexpect.spawn(command[0], list(command[1:]), env=surroundings, encoding="utf-8", echo=False)
    child.delaybeforesend = None
    prompts: list[str] = []
    transcript = ""
    first = ""
    try:
        while shown := _shown(child, seconds, enough):
            transcript += shown
            if enough and enough in transcript:
                transcript += _ended(child)
                break
            if shown.endswith("\n"):
                continue
            if not first:
                first = shown.splitlines()[-1]
                child.sendline(password)
                continue
            if shown.splitlines()[-1] == first:
                break
            prompts.append(clean(shown))
            child.sendline(answer(prompts[-1]))
        else:
            child.wait()
    finally:
        child.close(force=True)
    if not first:
        msg = f"{command[0]} asked for no password:\n{transcript}"
        raise AssertionError(msg)
    return Talk(tuple(prompts), transcript, child.exitstatus)


def _ended(child: "pexpect.spawn[str]") -> str:
    """Ask a program to end, wait until it has, and return what it wrote yet."""
    child.kill(signal.SIGTERM)
    rest: str = child.read()
    child.wait()
    return rest


def _shown(child: "pexpect.spawn[str]", seconds: float, enough: str = "") -> str:
    """Read until the program waits for input, says `enough` or ends; what ends with a new line is no question."""
    shown = ""
    wait = seconds
    while True:
        try:
            shown += child.read_nonblocking(4096, timeout=wait)
        except pexpect.TIMEOUT:
            if not shown:
                what = f"{child.command}: the next output"
                raise NotInTimeError(what, seconds) from None
            return shown
        except pexpect.EOF:
            return shown + "\n" if shown and not shown.endswith("\n") else shown
        if enough and enough in shown:
            return shown
        wait = seconds if shown.endswith("\n") else QUIET
