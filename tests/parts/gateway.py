"""An SMS gateway: takes messages as JSON over HTTP, and keeps them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.parts.part import Part
from tests.parts.waiting import until

TOKEN = "the token of the gateway"


class Gateway(Part):
    """Answers `status` to each message; a `gate` that isn't set holds its answer up."""

    def __init__(self) -> None:
        """Take a free port."""
        self.messages: list[dict[str, str]] = []
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        gateway = self

        class Asked(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.messages.append(said)
                gateway.gate.wait(30)
                self._reply(gateway.status, json.dumps({"id": f"SMS{len(gateway.messages)}"}).encode())

            def do_GET(self) -> None:
                self._reply(405, b"")

            def _reply(self, status: int, body: bytes) -> None:
                right = self.headers["Authorization"] == f"Bearer {TOKEN}"
                self.send_response(status if right else 401)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.url = f"http://127.0.0.1:{self._server.server_port}/messages"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and let go whoever waits."""
        self.gate.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def wait(self, count: int = 1) -> dict[str, str]:
        """Return the message of this number, once it is there."""
        until(lambda: len(self.messages) >= count, what="a short message")
        return self.messages[count - 1]
