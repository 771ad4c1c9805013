"""Alice, whom most tests log in: her password, the State she is asked with, the code she is sent."""

from aad.radius.protocol import client_packets, constants
from tests.parts.mailbox import Mailbox, code_in

RIGHT = "correct horse"


def state(reply: client_packets.Reply) -> tuple[int, bytes]:
    """Return the State of a challenge, as an attribute for the next request."""
    found = reply.first(constants.STATE)
    assert found is not None
    return constants.STATE, found


def code(mailbox: Mailbox, count: int = 1) -> str:
    """Return the code in her latest mail, once there are so many mails to her."""
    return code_in(mailbox.wait("alice@example.com", count))
