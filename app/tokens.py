"""Making tokens: random ones for devices and programs, signed ones for people."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import jwt

from app.domain.tenant import Role
from app.settings import Settings

DEVICE = "fbd"
API_KEY = "fbk"


class NewToken(NamedTuple):
    """A token as it is shown once, the part by which it is found, and the hash that is kept."""

    id: str
    token: str
    token_hash: str


def new_token(prefix: str) -> NewToken:
    """`<prefix>_<id>_<secret>`: 64 bits to find it by, 256 bits to trust it by."""
    token_id = secrets.token_hex(8)
    token = f"{prefix}_{token_id}_{secrets.token_hex(32)}"
    return NewToken(token_id, token, hash_token(token))


def hash_token(token: str) -> str:
    """Plain SHA-256: the secret is random and long, so nothing slower would protect it better."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def token_id(token: str, prefix: str) -> str | None:
    """The part of a token that it is found by; None where it does not look like one of this prefix."""
    parts = token.split("_")
    return parts[1] if len(parts) == 3 and parts[0] == prefix and parts[1] and parts[2] else None


def issue_jwt(settings: Settings, sub: str, role: Role, tenants: Sequence[str], ttl: timedelta, email: str | None = None) -> str:
    """A person's token, signed with JWT_SECRET; it starts at the host's time. Raises ValueError where there is no secret."""
    if settings.jwt_secret is None:
        raise ValueError("JWT_SECRET is not set: tokens come from the identity provider")
    now = datetime.now(UTC)
    claims: dict[str, object] = {"sub": sub, "role": role.value, "tenants": list(tenants), "exp": now + ttl}
    optional = {"email": email, "aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    claims.update({name: value for name, value in optional.items() if value is not None})
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm="HS256")
