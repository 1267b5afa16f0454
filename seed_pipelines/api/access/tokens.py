"""Bearer tokens: signed by a known key, for us, by the issuer that we trust, and in force now.

Only asymmetric algorithms are taken, from a fixed list: `none` and HMAC never, whatever a token or a key says. A token
names its key, expires, and has a subject. Whatever is wrong, the answer is the same Unauthenticated.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from seed_pipelines.api.access.caller import Caller
from seed_pipelines.errors import Unauthenticated
from seed_pipelines.outside.jwks import TokenKeys

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 30
MAX_CHARACTERS = 8192

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerifier:
    """What a token has to be.

    Attributes:
        subject_key: makes the digests of subjects: without it nobody can tell whose a digest is by trying names.
    """

    keys: TokenKeys
    issuer: str
    audience: str
    subject_key: bytes = field(repr=False)

    def caller_of(self, authorization: str | None) -> Caller:
        """Raises Unauthenticated, or KeysUnavailable."""
        token = _token_in(authorization)
        claims = self._verified(token)
        issuer, subject = claims["iss"], claims["sub"]
        return Caller(issuer=issuer, subject=subject, claims=claims, digest=self._digest(issuer, subject))

    def _verified(self, token: str) -> Mapping[str, Any]:
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated
            registry = _Algorithms(algorithms=ALGORITHMS, strict_check_header=False)
            claims = jwt.decode(token, self.keys.key_set(kid), registry=registry).claims
            self._wanted().validate(claims)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated from None
        return claims

    def _wanted(self) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def _digest(self, issuer: str, subject: str) -> str:
        # Each part's length is fixed by its own hash, so that no two pairs come to the same text.
        text = hashlib.sha256(issuer.encode()).digest() + hashlib.sha256(subject.encode()).digest()
        return hmac.new(self.subject_key, text, hashlib.sha256).hexdigest()


class _Algorithms(JWSRegistry):
    """The fixed list. Its EdDSA is the older name of Ed25519 that providers still write: no reason to warn."""

    def get_alg(self, name: str) -> Any:
        if name == "EdDSA" and self.allowed is not None and name in self.allowed:
            return self.algorithms[name]
        return super().get_alg(name)


def _token_in(authorization: str | None) -> str:
    if authorization is None or len(authorization) > MAX_CHARACTERS:
        raise Unauthenticated
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise Unauthenticated
    return match[1]
