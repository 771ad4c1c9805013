"""Let a program see a test's files where it looks for the machine's, in a mount namespace of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SCRIPT = """\
set -e
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
exec "$@"
"""


def private(command: Sequence[str | Path], binds: Mapping[str, Path]) -> list[str]:
    """Return the command that runs `command` with each file or folder of `binds` in the place it is named by.

    The places must exist; outside the program nothing changes, and its process id is the one that is started.
    """
    pairs = [word for place, source in binds.items() for word in (str(source), place)]
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"]
    return [*unshare, *pairs, "--", *(str(word) for word in command)]
