"""A TCP proxy on the loopback that stands before a server and can play its faults."""

import contextlib
import socket
import threading


class FaultyProxy:
    """`fault` is None (pass on), "down" (refuse), "hang" (take the request, never answer), or a whole HTTP answer.

    A fault applies to the connections that are made after it was set; those that are open are cut. `sent` is every
    byte that clients sent through it.
    """

    def __init__(self, target_port):
        self._target = ("127.0.0.1", target_port)
        self._fault, self._is_closing, self.sent = None, False, bytearray()
        self._later = None
        self._open, self._lock = set(), threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def set(self, fault):
        self._fault = fault
        with self._lock:
            cut, self._open = self._open, set()
        for connection in cut:
            _close(connection)

    def set_after(self, connections, fault):
        """Play the fault from the connection on that comes after so many more."""
        self._later = [connections, fault]

    def close(self):
        # A thread that waits in accept() is not woken by close(), so it is given one more connection.
        self._is_closing = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
            pass
        self._thread.join(timeout=5)
        self._listener.close()
        self.set("down")

    def _serve(self):
        while True:
            connection, _ = self._listener.accept()
            self._count()
            if self._is_closing or self._fault == "down":
                _close(connection)
                if self._is_closing:
                    return
                continue
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._one, args=(connection, self._fault), daemon=True).start()

    def _count(self):
        if self._later is None:
            return
        if self._later[0] == 0:
            self._fault, self._later = self._later[1], None
        else:
            self._later[0] -= 1

    def _one(self, connection, fault):
        with contextlib.suppress(OSError):
            if fault is None:
                self._pass_on(connection)
            elif fault == "hang":
                while connection.recv(65_536):
                    pass
            else:
                _read_request(connection)
                connection.sendall(fault)
        _close(connection)

    def _pass_on(self, connection):
        with socket.create_connection(self._target, timeout=60) as server:
            with self._lock:
                self._open.add(server)
            back = threading.Thread(target=_copy, args=(server, connection), daemon=True)
            back.start()
            _copy(connection, server, seen=self.sent)
            back.join(timeout=60)


def answer(status, body=b"", kind="application/json"):
    """A whole HTTP answer, after which the connection ends."""
    lines = (f"HTTP/1.1 {status} Fault", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _copy(source, target, *, seen=None):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            if seen is not None:
                seen += chunk
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _read_request(connection):
    """All of one request: a server that answers before it has read is a reset for the client."""
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = connection.recv(65_536)
        if not chunk:
            return
        request += chunk
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if b"expect: 100-continue" in lines:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
    while len(body) < size:
        chunk = connection.recv(65_536)
        if not chunk:
            return
        body += chunk


def _close(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
