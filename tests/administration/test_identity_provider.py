"""People of an identity provider: keys at a JWKS URL."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from app.errors import UnauthenticatedError, UnavailableError
from app.person_tokens import PersonTokens
from app.settings import Settings
from tests.cast import NOW

ISSUER = "https://id.example.com"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Provider:
    """A web server that gives out keys, and counts how often it was asked."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    body: bytes | None = None
    asked: int = 0

    def answer(self) -> bytes:
        self.asked += 1
        return json.dumps({"keys": self.keys}).encode() if self.body is None else self.body


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        found = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, "use": "sig"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    given = Provider(keys=[public(RSA, "rsa"), public(EC, "ec")])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = given.answer()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the library gives it
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    given.url = f"http://127.0.0.1:{server.server_port}/keys"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield given
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tokens(provider: Provider) -> PersonTokens:
    return PersonTokens(Settings(jwt_jwks_url=provider.url, jwt_audience="fleetbeat", jwt_issuer=ISSUER))


def signed(key: Any, algorithm: str, kid: str | None, **claims: Any) -> str:
    said = {"sub": "ida", "role": "viewer", "tenants": ["acme"], "aud": "fleetbeat", "iss": ISSUER, "exp": NOW.timestamp() + 60}
    return jwt.encode({**said, **claims}, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec")])
async def test_a_token_of_the_provider_holds(tokens: PersonTokens, key: Any, algorithm: str, kid: str) -> None:
    assert (await tokens.verify(signed(key, algorithm, kid), NOW)).id == "ida"


async def test_the_keys_are_read_once(tokens: PersonTokens, provider: Provider) -> None:
    await asyncio.gather(*(tokens.verify(signed(RSA, "RS256", "rsa", sub=f"ida-{number}"), NOW) for number in range(20)))
    assert provider.asked == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: signed(RSA, "RS256", None),
        lambda: signed(RSA, "RS256", "unknown"),
        lambda: signed(RSA, "RS512", "rsa"),
        lambda: signed(RSA, "RS256", "ec"),
        lambda: signed(rsa.generate_private_key(65537, 2048), "RS256", "rsa"),
        lambda: signed(RSA, "RS256", "rsa", aud="other"),
        lambda: signed(RSA, "RS256", "rsa", iss="https://evil.example.com"),
    ],
    ids=["no kid", "unknown kid", "algorithm", "kid of another kind", "forged", "audience", "issuer"],
)
async def test_what_does_not_hold_is_refused(tokens: PersonTokens, make: Callable[[], str]) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(make(), NOW)


async def test_the_public_key_is_no_secret_to_sign_with(tokens: PersonTokens) -> None:
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT","kid":"rsa"}')
    body = jwt.utils.base64url_encode(json.dumps({"sub": "eve", "role": "super_admin", "exp": 4e9}).encode())
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(header + b"." + body, pem)
    forged = b".".join((header, body, jwt.utils.base64url_encode(signature))).decode()
    with pytest.raises(UnauthenticatedError, match="algorithm"):
        await tokens.verify(forged, NOW)


async def test_unknown_keys_do_not_make_us_ask_the_provider_again_and_again(tokens: PersonTokens, provider: Provider) -> None:
    for number in range(10):
        with pytest.raises(UnauthenticatedError):
            await tokens.verify(signed(RSA, "RS256", f"unknown-{number}"), NOW)
    assert provider.asked == 1


async def test_a_new_key_of_the_provider_is_found(tokens: PersonTokens, provider: Provider) -> None:
    await tokens.verify(signed(RSA, "RS256", "rsa"), NOW)
    provider.keys = [public(RSA, "next")]
    later = NOW + timedelta(seconds=6)
    assert (await tokens.verify(signed(RSA, "RS256", "next"), later)).id == "ida"
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(signed(EC, "ES256", "ec"), later)


async def test_known_keys_outlive_a_provider_that_is_away(tokens: PersonTokens, provider: Provider) -> None:
    await tokens.verify(signed(RSA, "RS256", "rsa"), NOW)
    provider.body = b"sorry"
    with pytest.raises(UnavailableError):
        await tokens.verify(signed(RSA, "RS256", "unknown", exp=4e9), NOW + timedelta(hours=1))
    assert (await tokens.verify(signed(RSA, "RS256", "rsa", exp=4e9), NOW + timedelta(hours=1))).id == "ida"


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"keys": []}'])
async def test_a_provider_that_talks_nonsense_is_a_reason_to_try_later(
    tokens: PersonTokens, provider: Provider, body: bytes
) -> None:
    provider.body = body
    with pytest.raises(UnavailableError):
        await tokens.verify(signed(RSA, "RS256", "rsa"), NOW)
    with pytest.raises(UnavailableError):
        await tokens.verify(signed(RSA, "RS256", "rsa"), NOW)
    assert provider.asked == 1, "it is not asked again at once"
    provider.body = None
    later = NOW + timedelta(seconds=5)
    assert (await tokens.verify(signed(RSA, "RS256", "rsa"), later)).id == "ida"


async def test_a_secret_and_a_provider_can_stand_side_by_side(provider: Provider) -> None:
    secret = "a secret for the tests, which is long enough"
    both = PersonTokens(
        Settings(jwt_secret=SecretStr(secret), jwt_jwks_url=provider.url, jwt_audience="fleetbeat", jwt_issuer=ISSUER)
    )
    assert (await both.verify(signed(RSA, "RS256", "rsa"), NOW)).id == "ida"
    assert (await both.verify(signed(secret, "HS256", None), NOW)).id == "ida"
    with pytest.raises(UnauthenticatedError):
        await both.verify(signed(RSA, "RS256", "unknown"), NOW)
