"""An OpenID Connect provider on a real socket: authorization code, PKCE, RS256, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "genreweb", "between these two"


class Provider:
    """What the provider knows. Tests change `person` and `fault`."""

    def __init__(self) -> None:
        self.address = ""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.person: dict[str, Any] = {}
        self.fault = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.verified_codes = 0
        self.asked: dict[str, str] = {}
        """With what somebody was sent here last."""

    def discovery(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token"}
        paths |= {"userinfo_endpoint": "userinfo", "jwks_uri": "jwks"}
        return {"issuer": self.address, **{name: f"{self.address}/{path}" for name, path in paths.items()}}

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        if self.fault == "denied":
            answer = {"error": "access_denied"}
        else:
            answer = {"code": secrets.token_urlsafe()}
            self.codes[answer["code"]] = asked
        self.asked = asked
        return f"{asked['redirect_uri']}?{urlencode({**answer, 'state': asked['state']})}"

    def token(self, sent: dict[str, str]) -> tuple[int, Any]:
        asked = self.codes.pop(sent.get("code", ""), None)
        challenge = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or sent.get("client_secret") != CLIENT_SECRET
            or sent.get("redirect_uri") != asked["redirect_uri"]
            or asked.get("code_challenge_method") != "S256"
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        self.verified_codes += 1
        return 200, {"access_token": "let me in", "token_type": "Bearer", "id_token": self.id_token()}

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "sub": self.person.get("sub"), "iat": now}
        claims["exp"] = now - 3600 if self.fault == "expired" else now + 300
        if "auth_time" in self.person:
            claims["auth_time"] = now + self.person["auth_time"]
        if self.fault == "audience":
            claims["aud"] = "another site"
        if self.fault == "secret":
            return jwt.encode(claims, CLIENT_SECRET * 2, algorithm="HS256", headers={"kid": "one"})
        if self.fault == "unsigned":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
        key = self.stranger if self.fault == "signature" else self.key
        kid = "two" if self.fault == "key" else "one"
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def userinfo(self) -> dict[str, Any]:
        return {**self.person, "sub": "somebody else"} if self.fault == "userinfo" else self.person


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider while the block runs."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

        def answer(self, status: int, body: Any, **headers: str) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if provider.fault == "down":
                self.answer(503, "<h1>Back soon</h1>")
            elif url.path == "/.well-known/openid-configuration":
                self.answer(200, [] if provider.fault == "nonsense" else provider.discovery())
            elif url.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(url.query).items()}
                self.answer(302, "", Location=provider.authorize(asked))
            elif url.path == "/jwks":
                self.answer(200, provider.jwks())
            elif url.path == "/userinfo" and self.headers["Authorization"] == "Bearer let me in":
                self.answer(200, provider.userinfo())
            else:
                self.answer(404, {})

        def do_POST(self) -> None:
            sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if provider.fault == "token":
                self.answer(500, "Out of cheese")
            else:
                self.answer(*provider.token({name: values[0] for name, values in sent.items()}))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()
