"""Writes to journald in its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL) without ever waiting for it.

Records that journald doesn't read at once wait in a queue, in order, until it does. A full queue drops new ones; they
are counted, and one record reports the count once there is room.

It stands in the place of systemd-python 235, whose journal.send waits in sendmsg(2) until journald reads. Measured with
a socket at /run/systemd/journal/socket that no process reads, in a mount namespace of its own: the 12th record never
returned (net.unix.max_dgram_qlen is 10), and the event loop, with all logins, would have stood still with it. On a
machine for tests:

    systemctl kill -s STOP systemd-journald
    python3 -c 'from systemd import journal; [print(n, journal.send("x")) for n in range(1000)]'
    systemctl kill -s CONT systemd-journald
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
MOST_RECORDS = 4096
MOST_OCTETS = 8 * 1024 * 1024  # in the queue; the records of one login have some 2 KiB
RETRY = 0.5  # seconds until connecting to a journald that is gone is tried again
FAREWELL = 1.0  # seconds that journald gets to read the queue at the end
_AT_ONCE = 128  # records sent before other tasks get their turn
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)


class Journal:
    """A socket to journald, and the queue of records. `lost(count)` returns the record that reports dropped ones."""

    def __init__(self, lost: Callable[[int], bytes]) -> None:
        """Open nothing yet: journald may start later, or restart."""
        self._lost = lost
        self._socket: socket.socket | None = None
        self._queue: deque[bytes] = deque()
        self._octets = 0
        self._unreported = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # where `_turn` will be called
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0

    @property
    def queued(self) -> int:
        """Return how many records are queued."""
        return len(self._queue)

    def send(self, datagram: bytes) -> None:
        """Send one record, or queue it behind those that wait."""
        if not self._queue and not self._unreported and self._sent(datagram):
            return
        self._report_dropped()
        if self._unreported or len(self._queue) >= MOST_RECORDS or self._octets + len(datagram) > MOST_OCTETS:
            self._drop()
        else:
            self._wait(datagram)
        if self._loop is None or self._loop.is_closed():
            self._turn()

    def close(self) -> None:
        """Send what journald reads of the queue within `FAREWELL` seconds, and close the socket."""
        end = time.monotonic() + FAREWELL
        self._cancel_turn()
        while not self._emptied() and self._socket is not None and (left := end - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            poll.poll(left * 1000)
        self._disconnect()

    def _turn(self) -> None:
        """Send queued records while journald reads; schedule the next turn if some are left."""
        self._cancel_turn()
        if self._emptied():
            return
        with contextlib.suppress(RuntimeError):  # no event loop: the next record tries again
            self._loop = asyncio.get_running_loop()
            if self._socket is not None:
                self._loop.add_writer(self._socket, self._turn)
            else:
                self._timer = self._loop.call_later(RETRY, self._turn)

    def _emptied(self) -> bool:
        for _ in range(_AT_ONCE):
            if not self._queue:
                return True
            if not self._sent(self._queue[0]):
                return False
            self._octets -= len(self._queue.popleft())
            self._report_dropped()
        return False

    def _wait(self, datagram: bytes) -> None:
        # journald's timestamp is that of the sending; this field holds that of the writing.
        datagram += b"AAD_TIME=%.6f\n" % time.time()
        self._queue.append(datagram)
        self._octets += len(datagram)

    def _drop(self) -> None:
        self.dropped += 1
        self._unreported += 1

    def _report_dropped(self) -> None:
        """Queue the report of dropped records in their place, once half the queue is free: not one for each slot."""
        if self._unreported and len(self._queue) <= MOST_RECORDS // 2 and self._octets <= MOST_OCTETS // 2:
            count, self._unreported = self._unreported, 0
            self._wait(self._lost(count))

    def _sent(self, datagram: bytes) -> bool:
        """Send; return whether journald has the record. No socket afterwards means that journald isn't there."""
        for _ in range(2):  # a restarted journald has another socket: the second try finds it
            try:
                if self._socket is None:
                    self._socket = _connected()
                self._socket.send(datagram)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in _TOO_LARGE and self._socket is not None:
                    return self._sent_as_file(self._socket, datagram)
                self._disconnect()
            else:
                return True
        return False

    def _sent_as_file(self, journal: socket.socket, datagram: bytes) -> bool:
        """Send a record that is too large for a datagram as a sealed file in memory."""
        file = os.memfd_create("aad-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(file, "wb", closefd=False) as memory:
                memory.write(datagram)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(journal, [b""], [file])
        except BlockingIOError:
            return False
        except OSError:  # never accepted: drop it, so that the records behind it don't wait
            self._drop()
        finally:
            os.close(file)
        return True

    def _cancel_turn(self) -> None:
        """Cancel the scheduled turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and not self._loop.is_closed() and self._socket is not None:
            self._loop.remove_writer(self._socket)
        self._loop = None

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connected() -> socket.socket:
    """Connect: only of a connected socket the kernel reports when its reader has room. OSError: no journald."""
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        journal.connect(str(SOCKET))
    except OSError:
        journal.close()
        raise
    return journal
