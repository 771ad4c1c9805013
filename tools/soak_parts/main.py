"""Load with everything that goes wrong in a year, in some minutes; ends with a table, and 1 if a requirement is broken.

The daemon and slapd are the real ones; users, mail server and the trouble are in this process. The seed decides the
users' actions and the outages; how they coincide depends on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.ports import free_port
from tools.parts.site import configuration, people
from tools.soak_parts.monitor import Health, litter, probe, watch
from tools.soak_parts.options import parser
from tools.soak_parts.outages import MailRoom, Outages
from tools.soak_parts.report import print_table
from tools.soak_parts.scenarios import ATTEMPTS, LOCKED, Ways

REST = f"""
[lockout]
attempts = {ATTEMPTS}
period = "{LOCKED:.0f}s"
"""
WAYS = {"right": 8, "wrong_code": 4, "sent_again": 4, "begun_again": 4, "answered_twice": 3, "stolen": 1}
USERS, WALKERS, PAUSE = 1000, 30, 1.0
GUESSED, GUESSERS = 60, 6
SETTLE = 25.0  # seconds that logins under way get at the end


async def soak(daemon: Daemon, directory: Directory, mail_port: int, options: argparse.Namespace) -> bool:
    """Do everything at once until the time is up; print the table and say whether all is well."""
    room, health, seed = MailRoom(mail_port), Health(), options.seed
    await room.open()
    outages = Outages(directory, room, lambda: daemon.child.signal(signal.SIGHUP), seed)
    crowd = Ways(daemon.port, room, outages, seed)
    end = time.monotonic() + options.minutes * 60
    everybody = people(USERS)
    users, guessed, gone = deque(everybody[1:]), deque(people(GUESSED, "guessed")), deque(people(1, "gone"))
    watcher = asyncio.create_task(watch(daemon, crowd.tally, outages, health))
    work: list[Any] = [crowd.walk(users, WAYS, PAUSE, end) for _ in range(WALKERS)]
    work += [crowd.walk(guessed, {"wrong_password": 1}, PAUSE, end) for _ in range(GUESSERS)]
    work += [crowd.walk(gone, {"no_mailbox": 1}, 4.0, end)]
    work += [probe(daemon.port, health, end), litter(daemon.port, health, seed, end)]
    work += [outages.drive(end, stops_only=options.outages)]
    await asyncio.wait_for(asyncio.gather(*work), options.minutes * 60 + SETTLE + 60)
    watcher.cancel()
    return print_table(daemon, crowd.tally, outages, room, health)


def main() -> int:
    """Start the parts, soak, and say how it went."""
    options = parser().parse_args()
    print(f"{options.minutes:g} minutes, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="aad-soak-") as name:
        folder, mail_port = Path(name), free_port()
        for part in ("ca", "ldap"):
            (folder / part).mkdir()
        everybody = [*people(USERS), *people(GUESSED, "guessed"), *people(1, "gone")]
        with Directory(folder / "ldap", Authority(folder / "ca"), everybody) as directory:
            head = HEAD.replace('level = "debug"', 'level = "info"')
            with Daemon(folder / "aad", configuration(directory, mail_port, REST), head=head) as daemon:
                well = asyncio.run(soak(daemon, directory, mail_port, options))
                if not well:
                    kept = Path(tempfile.gettempdir(), f"aad-soak-{options.seed}.log")
                    shutil.copy(daemon.child.log, kept)
                    print(f"the daemon's records are kept in {kept}")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
