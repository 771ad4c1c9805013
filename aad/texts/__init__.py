"""The default texts of messages, as package data."""

from importlib.resources import files


def text(name: str) -> str:
    """Return the text of that file name."""
    return files(__name__).joinpath(name).read_text("utf-8")
