"""A Sentry on the loopback: takes envelopes over HTTP and decodes them."""

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PUBLIC_KEY = "0123456789abcdef0123456789abcdef"


@dataclass(kw_only=True)
class SentryReceiver:
    """`events` are the payloads of the envelopes, `seen` every byte of every request, headers included."""

    events: list = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    port: int = 0

    @property
    def dsn(self):
        return f"http://{PUBLIC_KEY}@127.0.0.1:{self.port}/7"

    def take(self, headers, body):
        content = _decoded(headers.get("content-encoding"), body)
        self.seen += str(headers).encode() + content
        _, *items = [line for line in content.split(b"\n") if line]
        self.events += [json.loads(payload) for payload in items[1::2]]


def _decoded(encoding, body):
    if encoding == "br":
        # The client takes it where it is there.
        import brotli

        return brotli.decompress(body)
    return gzip.decompress(body) if encoding == "gzip" else body


@pytest.fixture
def sentry():
    receiver = SentryReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            receiver.take(self.headers, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            """Tests read the receiver, not its log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()
