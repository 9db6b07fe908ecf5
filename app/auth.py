"""From a token to a principal: people by JWT, devices by their token, programs by their key."""

import asyncio
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
import structlog

from app.context import Context
from app.credentials import PROGRAMS_LAST
from app.domain.device import TokenHolder
from app.domain.ids import device_key
from app.domain.tenant import ApiKey, Member
from app.errors import UnauthenticatedError
from app.principal import ANONYMOUS, Principal, PrincipalKind
from app.tokens import API_KEY, DEVICE, hash_token, token_id

LONGEST = 16_384
"""Most characters that a token may have."""

NOTE_WITHIN_SEC = 1.0
"""How long a call waits at most for the note that somebody was here."""

_SCHEMES = "`Bearer <token>` for people and keys, `Device <token>` for devices"
_DEVICE_TOKEN = f"Device {DEVICE}_"
_log = structlog.get_logger(__name__)


async def authenticate(context: Context, authorization: str | None, ip: str | None) -> Principal:
    """Who calls; ANONYMOUS without credentials. A key that came in `X-API-Key` has that as its scheme.

    Raises UnauthenticatedError for credentials that do not hold."""
    scheme, token = _read(authorization)
    if token is None:
        principal = ANONYMOUS
    elif scheme == "device":
        principal = await _device(context, token, ip)
    elif token.startswith(f"{API_KEY}_"):
        principal = await _program(context, token)
    else:
        principal = await _person(context, token)
    return principal if principal.ip == ip else msgspec.structs.replace(principal, ip=ip)


def recalling(context: Context, authorization: str | None, ip: str | None) -> Callable[[], Principal | None]:
    """For who calls again and again: the device whose token this is, as long as it held a moment ago; None where `authenticate` has
    to look. What that says, this says."""
    if authorization is None or not authorization.startswith(_DEVICE_TOKEN):
        return _nobody
    key, programs, now = hash_token(authorization[7:]), context.credentials.programs, context.clock.now

    def recall() -> Principal | None:
        principal = programs.get(key, now())
        return principal if principal is None or principal.ip == ip else msgspec.structs.replace(principal, ip=ip)

    return recall


def _nobody() -> None:
    """Nobody is remembered."""


def _read(authorization: str | None) -> tuple[str, str | None]:
    """The scheme and the token."""
    if authorization is None:
        return "bearer", None
    scheme, _, token = authorization.strip().partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme == "x-api-key":
        if not (_is_sane(token) and token.startswith(f"{API_KEY}_")):
            raise UnauthenticatedError("X-API-Key does not hold a key of Fleetbeat")
        return "bearer", token
    if scheme not in ("bearer", "device") or not _is_sane(token):
        raise UnauthenticatedError(f"Authorization should be {_SCHEMES}")
    if scheme == "bearer" and token.startswith(f"{DEVICE}_"):
        raise UnauthenticatedError("this is a device's token: send it as `Device <token>`")
    return scheme, token


def _is_sane(token: str) -> bool:
    return 0 < len(token) <= LONGEST and token.isascii()


async def _person(context: Context, token: str) -> Principal:
    now, key = context.clock.now(), hash_token(token)
    person = context.credentials.people.get(key, now)
    if person is None:
        person = await context.credentials.person_tokens.verify(token, now)
        context.credentials.people.put(key, person, person.expires_at or now)
    if context.credentials.noted.is_due(f"person {person.id}", now):
        await _note_person(context, person, now)
    return person


async def _note_person(context: Context, person: Principal, now: datetime) -> None:
    if person.role is None:
        return
    member = Member(id=person.id, email=person.email, role=person.role, tenant_ids=sorted(person.tenant_ids or ()), last_seen=now)
    try:
        async with asyncio.timeout(NOTE_WITHIN_SEC):
            await context.store.members.note(member)
    except Exception as error:  # noqa: BLE001 - who was here is worth knowing, and never worth a failed call
        _log.warning("member.not_noted", error=type(error).__name__)


async def _device(context: Context, token: str, ip: str | None) -> Principal:
    found_by = token_id(token, DEVICE)
    if found_by is None:
        raise UnauthenticatedError("the device token is not known")
    now, key = context.clock.now(), hash_token(token)
    known = context.credentials.programs.get(key, now)
    if known is not None:
        return known
    cleared = context.credentials.programs.cleared
    device = (await context.credentials.holders.take([found_by])).get(found_by)
    if device is None:
        raise UnauthenticatedError("the device token is not known")
    principal = msgspec.structs.replace(_as_principal(device, found_by, key, now), ip=ip)
    context.credentials.programs.put(key, principal, _until(now, principal.expires_at), cleared)
    return principal


def _as_principal(device: TokenHolder, found_by: str, token_hash: str, now: datetime) -> Principal:
    for kept in device.tokens:
        if kept.id == found_by and hmac.compare_digest(kept.token_hash, token_hash):
            if kept.expires_at is not None and kept.expires_at <= now:
                raise UnauthenticatedError("the device token was replaced, and its overlap is over")
            if device.retired_at is not None:
                raise UnauthenticatedError("the device is retired")
            tenants, devices = frozenset((device.tenant_id,)), frozenset((device.id,))
            return Principal(PrincipalKind.DEVICE, device.id, None, tenants, devices, expires_at=kept.expires_at)
    raise UnauthenticatedError("the device token is not known")


async def _program(context: Context, token: str) -> Principal:
    now, token_hash = context.clock.now(), hash_token(token)
    principal = context.credentials.programs.get(token_hash, now)
    found_by = token_id(token, API_KEY)
    if found_by is None:
        raise UnauthenticatedError("the API key is not known")
    if principal is None:
        cleared = context.credentials.programs.cleared
        key = await context.store.api_keys.by_id(found_by)
        if key is None or not hmac.compare_digest(key.token_hash, token_hash):
            raise UnauthenticatedError("the API key is not known")
        principal = _of_key(key, now)
        context.credentials.programs.put(token_hash, principal, _until(now, principal.expires_at), cleared)
    if context.credentials.noted.is_due(f"key {found_by}", now):
        await _note_key(context, principal, found_by, now)
    return principal


def _of_key(key: ApiKey, now: datetime) -> Principal:
    if key.revoked_at is not None:
        raise UnauthenticatedError("the API key was revoked")
    if key.expires_at is not None and key.expires_at <= now:
        raise UnauthenticatedError("the API key has expired")
    devices = frozenset(device_key(key.tenant_id, device_id) for device_id in key.device_ids) or None
    tenants = frozenset((key.tenant_id,))
    return Principal(PrincipalKind.API_KEY, f"key:{key.id}", key.role, tenants, devices, expires_at=key.expires_at)


async def _note_key(context: Context, principal: Principal, key_id: str, now: datetime) -> None:
    try:
        async with asyncio.timeout(NOTE_WITHIN_SEC):
            await context.store.api_keys.note_used(principal.scope, key_id, now)
    except Exception as error:  # noqa: BLE001 - as for people
        _log.warning("key.not_noted", error=type(error).__name__)


def _until(now: datetime, expires_at: datetime | None) -> datetime:
    return now + PROGRAMS_LAST if expires_at is None else min(now + PROGRAMS_LAST, expires_at)
