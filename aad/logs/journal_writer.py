"""Writes to journald in its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL) without ever waiting for it.

What journald doesn't read at once waits in a queue, in order, until it does. A full queue loses what comes then;
that is counted, and said by one record once there is room.
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
MOST_OCTETS = 8 * 1024 * 1024  # in the queue: the records of a login have some 2 KiB together
RETRY = 0.5  # seconds until a journald that is gone is looked for again
FAREWELL = 1.0  # seconds that a journald gets to read the rest, at the end
_AT_ONCE = 128  # records sent before logins get their turn
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)


class Journal:
    """A socket to journald and what waits to be sent. `lost` makes the record that says how many were dropped."""

    def __init__(self, lost: Callable[[int], bytes]) -> None:
        """Open nothing yet: journald may come later, or start anew."""
        self._lost = lost
        self._socket: socket.socket | None = None
        self._queue: deque[bytes] = deque()
        self._octets = 0
        self._unsaid = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # where `_turn` will be called
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0

    @property
    def queued(self) -> int:
        """Return how many records wait."""
        return len(self._queue)

    def send(self, datagram: bytes) -> None:
        """Send one record, or let it wait behind those that do."""
        if not self._queue and not self._unsaid and self._sent(datagram):
            return
        self._say_what_was_lost()
        if self._unsaid or len(self._queue) >= MOST_RECORDS or self._octets + len(datagram) > MOST_OCTETS:
            self._drop()
        else:
            self._wait(datagram)
        if self._loop is None or self._loop.is_closed():
            self._turn()

    def close(self) -> None:
        """Give journald a moment to read what waits, and write no more."""
        end = time.monotonic() + FAREWELL
        self._sleep()
        while not self._emptied() and self._socket is not None and (left := end - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            poll.poll(left * 1000)
        self._disconnect()

    def _turn(self) -> None:
        """Send what waits, as far as it goes; come back when there is more to send and journald reads again."""
        self._sleep()
        if self._emptied():
            return
        with contextlib.suppress(RuntimeError):  # no event loop: the next record is the next try
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
            self._say_what_was_lost()
        return False

    def _wait(self, datagram: bytes) -> None:
        # journald stamps a record when it is sent; this field says when it was written.
        datagram += b"AAD_TIME=%.6f\n" % time.time()
        self._queue.append(datagram)
        self._octets += len(datagram)

    def _drop(self) -> None:
        self.dropped += 1
        self._unsaid += 1

    def _say_what_was_lost(self) -> None:
        """Write it where the gap is. Not before half the queue is free: a slow journald shall not get one each time."""
        if self._unsaid and len(self._queue) <= MOST_RECORDS // 2 and self._octets <= MOST_OCTETS // 2:
            count, self._unsaid = self._unsaid, 0
            self._wait(self._lost(count))

    def _sent(self, datagram: bytes) -> bool:
        """Send, and say whether journald has it. Without a socket afterwards there was nobody to send to."""
        for _ in range(2):  # a journald that was started anew has another socket: the second try finds it
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
        """Send what is too large for a datagram as a sealed file in memory."""
        file = os.memfd_create("aad-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(file, "wb", closefd=False) as memory:
                memory.write(datagram)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(journal, [b""], [file])
        except BlockingIOError:
            return False
        except OSError:  # nor so: nobody will ever take it, and those behind it shall not wait
            self._drop()
        finally:
            os.close(file)
        return True

    def _sleep(self) -> None:
        """Wait for nothing."""
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
    """Connect: only of a connected socket does the kernel say when its reader has room again. OSError: nobody."""
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        journal.connect(str(SOCKET))
    except OSError:
        journal.close()
        raise
    return journal
