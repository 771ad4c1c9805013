"""What came of one login through a real client."""

from collections.abc import Callable
from dataclasses import dataclass

Answer = Callable[[str], str]


@dataclass(frozen=True)
class Result:
    """Whether the client let the user in, every question after the password, and all it showed."""

    accepted: bool
    prompts: tuple[str, ...]
    transcript: str
