"""A person's token: a JWT that we signed, or one of an identity provider whose keys are at a JWKS URL."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
import msgspec
import structlog
from jwt.types import Options

from app.domain.ids import is_tenant_id
from app.domain.tenant import PLATFORM, Role
from app.errors import UnauthenticatedError, UnavailableError
from app.principal import Principal, PrincipalKind
from app.settings import Settings

LEEWAY = timedelta(seconds=5)
"""How far ahead an issuer's clock may be. An expiry has none: sockets are closed on the very second."""

_KEYS_LAST = timedelta(minutes=5)
_TRY_AGAIN = timedelta(seconds=5)
_Key = str | jwt.PyJWK
_log = structlog.get_logger(__name__)


class Claims(msgspec.Struct, frozen=True):
    """What a person's token has to say."""

    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    role: Role
    exp: float
    tenants: list[str] | None = None
    email: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    nbf: float | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to check a signature: the algorithms come from the settings, never from the token."""

    algorithms: Sequence[str]
    keys: "str | KeySet"


class KeySet:
    """The public keys of an identity provider: read when they are needed, kept for a while, and for longer while it is away."""

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=5)
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: datetime | None = None
        self._asked_at: datetime | None = None

    async def key_of(self, token: str, now: datetime) -> jwt.PyJWK:
        """Raises UnauthenticatedError for a key that the provider does not list, UnavailableError where it does not answer."""
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str):
            raise UnauthenticatedError("the token does not name the key that signed it (kid)")
        if kid not in self._keys or not _within(self._read_at, now, _KEYS_LAST):
            async with self._lock:
                # Unknown keys are easily made up: they do not make us ask again and again.
                if not _within(self._asked_at, now, _TRY_AGAIN):
                    await self._read(now)
        if kid in self._keys:
            return self._keys[kid]
        if self._read_at != self._asked_at:
            raise UnavailableError("the keys of the identity provider cannot be read", _TRY_AGAIN.total_seconds())
        raise UnauthenticatedError("the token is signed with a key that the identity provider does not list")

    async def _read(self, now: datetime) -> None:
        self._asked_at = now
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys)
        except (jwt.PyJWTError, ValueError, OSError) as error:
            _log.warning("jwks.away", error=type(error).__name__)
            return
        self._keys = {key.key_id: key for key in keys if key.key_id is not None}
        self._read_at = now


class PersonTokens:
    """Checks signature, audience, issuer and times, and reads who it is."""

    def __init__(self, settings: Settings) -> None:
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._options: Options = {
            "require": ["sub", "exp"],
            # Times are checked by our own clock, which is the database's.
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            "verify_aud": self._audience is not None,
        }
        self._ways: list[_Way] = []
        if settings.jwt_secret is not None:
            self._ways.append(_Way(["HS256"], settings.jwt_secret.get_secret_value()))
        if settings.jwt_jwks_url is not None:
            self._ways.append(_Way(["RS256", "ES256"], KeySet(settings.jwt_jwks_url)))

    async def verify(self, token: str, now: datetime) -> Principal:
        """Who the token says it is. Raises UnauthenticatedError with what is wrong, and nothing of the token."""
        try:
            payload = await self._payload(token, now)
        except jwt.PyJWTError as error:
            raise UnauthenticatedError(f"the token does not hold: {_reason(error)}") from error
        try:
            claims = msgspec.convert(payload, Claims)
            expires_at = datetime.fromtimestamp(claims.exp, UTC)
        except (msgspec.ValidationError, OverflowError, ValueError, OSError) as error:
            raise UnauthenticatedError(f"the token's claims do not hold: {_complaint(error)}") from error
        if expires_at <= now:
            raise UnauthenticatedError("the token has expired")
        if claims.nbf is not None and claims.nbf > (now + LEEWAY).timestamp():
            raise UnauthenticatedError("the token is not valid yet")
        return Principal(
            PrincipalKind.PERSON, claims.sub, claims.role, _tenants(claims), email=claims.email, expires_at=expires_at
        )

    async def _payload(self, token: str, now: datetime) -> dict[str, Any]:
        for way in self._ways[:-1]:
            try:
                return await self._decoded(token, way, now)
            except jwt.InvalidAlgorithmError:
                continue
        if not self._ways:
            raise UnauthenticatedError("nobody can sign in here: neither JWT_SECRET nor JWT_JWKS_URL is set")
        return await self._decoded(token, self._ways[-1], now)

    async def _decoded(self, token: str, way: _Way, now: datetime) -> dict[str, Any]:
        # Asked before the keys are: no token makes us fetch keys for an algorithm that is not allowed.
        if jwt.get_unverified_header(token).get("alg") not in way.algorithms:
            raise jwt.InvalidAlgorithmError("its algorithm is not one that is allowed here")
        key: _Key = way.keys if isinstance(way.keys, str) else await way.keys.key_of(token, now)
        return jwt.decode(
            token, key, algorithms=way.algorithms, options=self._options, audience=self._audience, issuer=self._issuer
        )


def _tenants(claims: Claims) -> frozenset[str] | None:
    if claims.role is Role.SUPER_ADMIN:
        return None
    if claims.tenants is None:
        raise UnauthenticatedError("the token's claims do not hold: `tenants` is missing")
    if not all(is_tenant_id(tenant_id) for tenant_id in claims.tenants):
        raise UnauthenticatedError("the token's claims do not hold: `tenants` has what is no tenant's id")
    if PLATFORM in claims.tenants:
        raise UnauthenticatedError("the token's claims do not hold: only a super admin is in the tenant 'platform'")
    return frozenset(claims.tenants)


def _reason(error: jwt.PyJWTError) -> str:
    text = str(error)
    return f"{text[:1].lower()}{text[1:]}" if text.isprintable() and len(text) < 120 else type(error).__name__


def _complaint(error: Exception) -> str:
    return str(error) if isinstance(error, msgspec.ValidationError) else "`exp` is not a time of the calendar"


def _within(since: datetime | None, now: datetime, span: timedelta) -> bool:
    return since is not None and now - since < span
