"""Secrets as they are kept: encrypted with a key that is in no database."""

import base64
import hashlib

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from app.domain.channel import ChannelConfig
from app.errors import ConflictError
from app.settings import Settings

_PURPOSE = b"fleetbeat: secrets of channels"


class UnreadableError(Exception):
    """It was sealed with another key."""


def seal(settings: Settings, config: ChannelConfig) -> str:
    """Raises ConflictError where there is no key to seal with."""
    key = _key(settings)
    if key is None:
        raise ConflictError("secrets cannot be kept: SECRETS_KEY is not set, nor is a JWT_SECRET to derive it from")
    return Fernet(key).encrypt(msgspec.json.encode(config)).decode()


def unseal(settings: Settings, sealed: str) -> ChannelConfig:
    """Raises UnreadableError."""
    key = _key(settings)
    if key is None:
        raise UnreadableError
    try:
        config: ChannelConfig = msgspec.json.decode(Fernet(key).decrypt(sealed.encode()), type=ChannelConfig)
    except InvalidToken:
        # Without the cause: a traceback in a log must not show what was to be read.
        raise UnreadableError from None
    return config


def _key(settings: Settings) -> bytes | None:
    """Of SECRETS_KEY, or else of JWT_SECRET; the same words in both make different keys."""
    chosen = settings.secrets_key or settings.jwt_secret
    if chosen is None:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(_PURPOSE + b"\0" + chosen.get_secret_value().encode()).digest())
