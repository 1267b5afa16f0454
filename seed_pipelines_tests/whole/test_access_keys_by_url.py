"""The keys of an identity provider by URL: a real server that answers well, badly, slowly or not at all."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc.jwk import KeySet, OKPKey

from seed_pipelines.errors import KeysUnavailable
from seed_pipelines.outside.jwks import FLOOR_SECONDS, FRESH_SECONDS, MAX_BYTES, TokenKeys

KEY = OKPKey.generate_key("Ed25519", {"kid": "one"})
GOOD = json.dumps(KeySet([KEY]).as_dict(private=False)).encode()


class Provider(ThreadingHTTPServer):
    """Answers what it is told to, after `may_answer` is set, and counts how often it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body, self.asked = 200, GOOD, 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/jwks"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        self.server.may_answer.wait(10)
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@contextmanager
def running():
    provider = Provider()
    thread = threading.Thread(target=provider.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        provider.may_answer.set()
        provider.shutdown()
        thread.join()
        provider.server_close()


@pytest.fixture
def provider():
    with running() as started:
        yield started


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_flood_of_made_up_names_asks_the_provider_once(provider):
    keys = TokenKeys(provider.url)
    for number in range(50):
        assert [key.kid for key in keys.key_set(f"made-up-{number}")] == ["one"]
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (302, b"", "answers 302"),
        (404, GOOD, "answers 404"),
        (500, b"", "answers 500"),
        (200, b"<html>", "not a JSON Web Key Set"),
        (200, b" " * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_a_provider_that_answers_badly_is_no_provider(provider, status, body, why):
    provider.status, provider.body = status, body
    with pytest.raises(KeysUnavailable, match=why):
        TokenKeys(provider.url).key_set("one")
    assert provider.asked == 1


def test_nobody_there_is_a_refusal_that_may_be_tried_again():
    with running() as gone:
        url = gone.url
    clock = Clock()
    keys = TokenKeys(url, clock=clock)
    for _ in range(2):
        with pytest.raises(KeysUnavailable) as refused:
            keys.key_set("one")
        assert refused.value.retryable
    clock.now += FLOOR_SECONDS
    with pytest.raises(KeysUnavailable, match="ConnectError"):
        keys.key_set("one")


def test_who_has_a_key_that_serves_does_not_wait_for_a_slow_provider(provider):
    clock = Clock()
    keys = TokenKeys(provider.url, clock=clock)
    keys.key_set("one")
    clock.now += FRESH_SECONDS + 1
    provider.may_answer.clear()
    renewing = threading.Thread(target=keys.key_set, args=("one",))
    renewing.start()
    while provider.asked < 2:
        time.sleep(0.01)
    assert [key.kid for key in keys.key_set("one")] == ["one"], "answered while the other still waits"
    assert renewing.is_alive()
    provider.may_answer.set()
    renewing.join(10)
    assert not renewing.is_alive()
    assert provider.asked == 2
