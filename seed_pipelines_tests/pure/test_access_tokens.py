"""Bearer tokens: one that is in order is taken, and every other way of making one is refused with the same words."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from seed_pipelines.api.access.tokens import TokenVerifier
from seed_pipelines.errors import KeysUnavailable, LocalTokenRefused, SettingNotUsable, Unauthenticated
from seed_pipelines.outside import token_key_file
from seed_pipelines.outside.jwks import FLOOR_SECONDS, FRESH_SECONDS, STALE_SECONDS, TokenKeys, keys_in

ISSUER, AUDIENCE = "https://id.example.com", "seed-api"
SUBJECT_KEY = b"k" * 32


def now():
    return int(time.time())


@pytest.fixture(scope="module")
def keys():
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
        "es": ECKey.generate_key("P-256", {"kid": "es"}),
        "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
        "stranger": RSAKey.generate_key(2048, {"kid": "rsa"}),
    }


@pytest.fixture(scope="module")
def key_set_file(keys, tmp_path_factory):
    path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    path.write_text(json.dumps(KeySet([keys["rsa"], keys["es"], keys["ed"]]).as_dict(private=False)))
    return path


@pytest.fixture(scope="module")
def verifier(key_set_file):
    return TokenVerifier(keys=TokenKeys(str(key_set_file)), issuer=ISSUER, audience=AUDIENCE, subject_key=SUBJECT_KEY)


def claims(**changes):
    """`now +10` is a moment ten seconds after the test began, and not after it was collected."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "exp": now() + 300, "iat": now()} | changes
    return {name: _moment(value) for name, value in whole.items() if value is not None}


def _moment(value):
    return now() + int(value.removeprefix("now ")) if isinstance(value, str) and value.startswith("now ") else value


def signed(key, algorithm="RS256", *, header=None, **changes):
    whole = {"alg": algorithm, "kid": key.kid} | (header or {})
    with warnings.catch_warnings():
        # EdDSA, which providers still write, is the older name of Ed25519.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode(
            {name: value for name, value in whole.items() if value is not None},
            claims(**changes),
            key,
            algorithms=[algorithm],
        )


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", "RS256"), ("rsa", "PS256"), ("es", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")],
)
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_token_of_each_asymmetric_algorithm_is_taken(verifier, keys, key, algorithm, scheme):
    caller = verifier.caller_of(scheme + signed(keys[key], algorithm, roles=["operator"]))
    assert (caller.issuer, caller.subject, caller.claims["roles"]) == (ISSUER, "somebody", ["operator"])


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE, "another"]},
        {"exp": "now -10"},
        {"nbf": "now +10"},
        {"header": {"typ": "at+jwt", "x5t": "abc"}},
    ],
)
def test_a_list_of_audiences_a_clock_a_little_off_and_more_in_the_header_are_fine(verifier, keys, changes):
    assert verifier.caller_of(f"Bearer {signed(keys['rsa'], **changes)}").subject == "somebody"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": None},
        {"exp": "now -60"},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"exp": float("nan")},
        {"nbf": "now +300"},
        {"iat": "now +300"},
        {"header": {"kid": None}},
        {"header": {"kid": "another"}},
        {"header": {"kid": "es"}},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_or_not_in_force_is_refused(verifier, keys, changes):
    token = signed(keys["rsa"], **changes)
    with pytest.raises(Unauthenticated):
        verifier.caller_of(f"Bearer {token}")


def by_hand(header, payload, sign=lambda _: b""):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)]
    signature = base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


def test_nobody_makes_a_token_out_of_what_is_public(verifier, keys, key_set_file):
    public = keys["rsa"].as_pem(private=False)
    tokens = [
        by_hand({"alg": "none", "kid": "rsa"}, claims()),
        by_hand({"alg": "None", "kid": "rsa"}, claims(), lambda _: b"x"),
        by_hand({"alg": "HS256", "kid": "rsa"}, claims(), lambda text: hmac.digest(public, text, "sha256")),
        by_hand(
            {"alg": "HS256", "kid": "rsa"},
            claims(),
            lambda text: hmac.digest(key_set_file.read_bytes(), text, "sha256"),
        ),
        by_hand({"alg": "RS256", "kid": "rsa"}, claims(), lambda text: hashlib.sha256(text).digest()),
        signed(keys["stranger"]),
        by_hand({"alg": "RS256", "kid": "rsa", "jwk": keys["stranger"].as_dict(private=False)}, claims()),
        signed(OctKey.generate_key(256, {"kid": "rsa"}), "HS256"),
        signed(keys["rsa"], "RS512"),
    ]
    header, payload, signature = signed(keys["rsa"]).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(claims(sub="another")).encode()).rstrip(b"=").decode()
    tokens += [f"{header}.{forged}.{signature}", f"{header}.{payload}.{signature[:-4]}AAAA"]
    for token in tokens:
        with pytest.raises(Unauthenticated):
            verifier.caller_of(f"Bearer {token}")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Bearer a.b",
        "Bearer a.b.c.d",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer e30.e30.e30",
        # Headers that are JSON and no object: [], "", null, and one whose alg or kid is a list.
        "Bearer W10.e30.e30",
        "Bearer IiI.e30.e30",
        "Bearer bnVsbA.e30.e30",
        "Bearer eyJhbGciOltdLCJraWQiOiJyc2EifQ.e30.e30",
        "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6W119.e30.e30",
        "Bearer \x00.b.c",
        "Bearer é.b.c",
        "Bearer " + "a" * 9000 + ".b.c",
        "Bearer " + base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=") + ".b.c",
    ],
)
def test_what_is_no_token_is_refused(verifier, header):
    with pytest.raises(Unauthenticated):
        verifier.caller_of(header)


@pytest.mark.parametrize(("header", "is_taken"), [({}, True), ({"x": 1}, True), ({"crit": ["x"], "x": 1}, False)])
def test_a_header_that_has_to_be_understood_is_not_passed_over(verifier, keys, header, is_taken):
    def sign(text):
        return keys["rsa"].private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())

    token = by_hand({"alg": "RS256", "kid": "rsa"} | header, claims(), sign)
    if is_taken:
        assert verifier.caller_of(f"Bearer {token}").subject == "somebody"
    else:
        with pytest.raises(Unauthenticated):
            verifier.caller_of(f"Bearer {token}")


def test_every_refusal_says_the_same(verifier, keys):
    messages = set()
    for header in (None, "Bearer a.b.c", f"Bearer {signed(keys['stranger'])}", f"Bearer {signed(keys['rsa'], exp=1)}"):
        with pytest.raises(Unauthenticated) as refused:
            verifier.caller_of(header)
        messages.add(str(refused.value))
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert len(messages) == 1


def test_a_caller_is_shown_by_a_digest_that_needs_the_key(verifier, keys, key_set_file):
    token = f"Bearer {signed(keys['rsa'], sub='maria@example.com')}"
    caller = verifier.caller_of(token)
    assert "maria" not in f"{caller!r} {caller}"
    assert caller.digest == verifier.caller_of(token).digest
    assert caller.digest != hashlib.sha256(b"maria@example.com").hexdigest()
    others = [
        TokenVerifier(keys=TokenKeys(str(key_set_file)), issuer=ISSUER, audience=AUDIENCE, subject_key=b"o" * 32)
        .caller_of(token)
        .digest,
        verifier.caller_of(f"Bearer {signed(keys['rsa'], sub='joao@example.com')}").digest,
    ]
    assert caller.digest not in others


def test_the_documented_program_finds_a_caller_by_name(verifier, keys):
    page = (Path(__file__).parents[2] / "docs/how-to/control-access.md").read_text()
    program = re.search(r"python -c '(import .*?)'", page, re.DOTALL)[1]
    done = subprocess.run(
        [sys.executable, "-c", program, ISSUER, "maria@example.com"],
        env={"SEED_API_SUBJECT_KEY": SUBJECT_KEY.hex()},
        capture_output=True,
        text=True,
        check=True,
    )
    caller = verifier.caller_of(f"Bearer {signed(keys['rsa'], sub='maria@example.com')}")
    assert done.stdout.strip() == caller.digest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}',
        b'{"keys": [{"kty": "RSA", "kid": "a"}]}',
        b'{"keys": [{"kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA"}]}',
    ],
)
def test_a_key_set_without_an_asymmetric_public_key_is_none(content):
    with pytest.raises(KeysUnavailable):
        keys_in(content, where="jwks.json")


def test_a_short_a_private_and_a_nameless_key_are_left_out(keys):
    short = {
        "kty": "RSA",
        "kid": "short",
        "n": base64.urlsafe_b64encode(b"\xff" * 128).decode().rstrip("="),
        "e": "AQAB",
    }
    nameless = keys["ed"].as_dict(private=False)
    nameless.pop("kid")
    described = [short, keys["es"].as_dict(private=True), nameless, keys["rsa"].as_dict(private=False)]
    found = keys_in(json.dumps({"keys": described}).encode(), where="jwks.json")
    assert [key.kid for key in found] == ["rsa"]


class Clock:
    """Goes forward when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def key_set_of(*keys):
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


def kids(source, kid):
    return {key.kid for key in source.key_set(kid)}


def test_a_new_key_is_found_at_once_but_made_up_names_do_not_ask_again(keys, tmp_path):
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_text(key_set_of(keys["rsa"]))
    source = TokenKeys(str(path), clock=clock)
    assert kids(source, "rsa") == {"rsa"}
    path.write_text(key_set_of(keys["rsa"], keys["es"]))
    assert kids(source, "rsa") == {"rsa"}, "what is known is not read again"
    assert kids(source, "es") == {"rsa"}, "not within ten seconds"
    clock.now += FLOOR_SECONDS
    assert kids(source, "es") == {"rsa", "es"}
    path.write_text(key_set_of(keys["ed"]))
    assert kids(source, "made-up") == {"rsa", "es"}


def test_a_key_that_was_withdrawn_stops_being_one_within_five_minutes(keys, tmp_path):
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_text(key_set_of(keys["rsa"], keys["es"]))
    source = TokenKeys(str(path), clock=clock)
    source.key_set("rsa")
    path.write_text(key_set_of(keys["es"]))
    clock.now += FRESH_SECONDS + 1
    assert kids(source, "rsa") == {"es"}


def test_keys_serve_for_an_hour_while_their_source_is_away_and_not_longer(keys, tmp_path):
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_text(key_set_of(keys["rsa"]))
    source = TokenKeys(str(path), clock=clock)
    source.key_set("rsa")
    path.unlink()
    clock.now += STALE_SECONDS - 1
    assert kids(source, "rsa") == {"rsa"}
    clock.now += FLOOR_SECONDS
    with pytest.raises(KeysUnavailable):
        source.key_set("rsa")


@pytest.mark.parametrize("where", ["http://id.example.com/jwks", "ftp://id.example.com/jwks", "file:///etc/passwd"])
def test_keys_are_not_taken_from_an_address_that_others_could_answer(where):
    with pytest.raises(SettingNotUsable):
        TokenKeys(where)


@pytest.mark.parametrize(
    ("environment", "is_ci"), [("staging", False), ("production", False), (None, True), ("dev", True)]
)
def test_tokens_of_this_machine_are_for_dev_and_not_under_ci(environment, is_ci):
    with pytest.raises(LocalTokenRefused):
        token_key_file.assert_local_tokens(environment, is_ci=is_ci)


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_token_of_this_machine_lives_an_hour_at_most(tmp_path, seconds):
    with pytest.raises(LocalTokenRefused):
        token_key_file.token_of(tmp_path, subject="me", roles=(), issued_at=now(), seconds=seconds)


def local_verifier(home):
    return TokenVerifier(
        keys=TokenKeys(str(token_key_file.key_set_file(home))),
        issuer=token_key_file.ISSUER,
        audience=token_key_file.AUDIENCE,
        subject_key=token_key_file.subject_key(home),
    )


def test_a_token_of_this_machine_is_taken_here_and_nowhere_else(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    token = token_key_file.token_of(here, subject="me", roles=("developer",), issued_at=now(), seconds=60)
    assert local_verifier(here).caller_of(f"Bearer {token}").claims["roles"] == ["developer"]
    with pytest.raises(Unauthenticated):
        local_verifier(there).caller_of(f"Bearer {token}")


def test_the_key_of_this_machine_is_its_owners_and_a_new_one_replaces_its_key_set(tmp_path):
    home = tmp_path / "home"
    before = token_key_file.key_set_file(home).read_bytes()
    private = home / token_key_file.PRIVATE_KEY_NAME
    assert private.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in before
    assert b'"d"' not in before
    private.unlink()
    assert token_key_file.key_set_file(home).read_bytes() != before
    private.chmod(0o640)
    with pytest.raises(LocalTokenRefused, match="others than its owner"):
        token_key_file.subject_key(home)
    private.unlink()
    private.write_text("no key")
    private.chmod(0o600)
    with pytest.raises(LocalTokenRefused, match="not an Ed25519 key"):
        token_key_file.subject_key(home)
