"""The part of a Kubernetes API server that Vault asks who a service account token belongs to, on the loopback."""

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUDIENCE = "vault"
NAMESPACE, ACCOUNT, UID = "seed", "seed-runs", "5b1d4a6c-0000-4000-8000-000000000001"


class TokenReviewServer:
    """Knows the tokens in `known`; every other one is nobody's."""

    def __init__(self):
        self.known, self.reviewed = set(), []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def issue(self, *, account=ACCOUNT, seconds=600):
        """A service account token as a projected volume holds it. Its signature is looked at by nobody but us."""
        now = int(time.time())
        claims = {
            "iss": "https://kubernetes.default.svc",
            "aud": [AUDIENCE],
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "sub": f"system:serviceaccount:{NAMESPACE}:{account}",
            "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": account, "uid": UID}},
        }
        header = {"alg": "RS256", "kid": "test", "typ": "JWT"}
        token = ".".join([*(_base64(json.dumps(part).encode()) for part in (header, claims)), _base64(b"\x01" * 256)])
        self.known.add(token)
        return token

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _status(self, token):
        if token not in self.known:
            return {"authenticated": False, "error": "unknown token"}
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        user = {
            "username": claims["sub"],
            "uid": UID,
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}"],
        }
        return {"authenticated": True, "user": user, "audiences": [AUDIENCE]}

    def _handler(server):  # `self` is the handler inside.
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.reviewed.append(self.path)
                review["status"] = server._status(review["spec"]["token"])
                body = json.dumps(review).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Tests read the server, not its log."""

        return Handler


def any_certificate():
    """A certificate authority that nothing is signed by: Vault wants one, and asks over plain HTTP here."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _base64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
