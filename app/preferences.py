"""How a person wants to be told: reading it, and changing it. Everybody has their own alone."""

from dataclasses import dataclass

import msgspec

from app.audit import write_audit
from app.context import Context
from app.domain.channel import Channel
from app.domain.faults import Faults
from app.domain.preferences import Preferences, chosen_channels
from app.domain.preferences_input import PreferencesPatch, check_preferences
from app.principal import Principal, require_person


@dataclass(frozen=True, slots=True)
class Shown:
    """Preferences with the channels that they come down to, the first choice first."""

    preferences: Preferences
    channels: list[Channel]


async def preferences_of(context: Context, principal: Principal) -> Shown:
    """What holds where nothing was ever said is what a new `Preferences` says."""
    user_id = require_person(principal)
    known = await context.store.preferences.get(user_id) or Preferences(id=user_id)
    return Shown(known, chosen_channels(known, await context.store.channels.personal([user_id])))


async def update_preferences(context: Context, principal: Principal, patch: PreferencesPatch) -> Shown:
    """Two who change different fields do not undo each other."""
    user_id = require_person(principal)
    own = await context.store.channels.personal([user_id])
    faults = Faults()
    check_preferences(patch, {channel.id for channel in own}, faults)
    faults.refuse()
    before = await context.store.preferences.get(user_id) or Preferences(id=user_id)
    fields = _fields(patch)
    if not fields:
        return Shown(before, chosen_channels(before, own))
    after = await context.store.preferences.change(user_id, fields)
    # They are of no tenant, and no admin's business: the platform keeps the entry.
    await write_audit(context, principal, None, "preferences.update", f"person:{user_id}", before, after)
    return Shown(after, chosen_channels(after, own))


def _fields(patch: PreferencesPatch) -> dict[str, object]:
    """What the patch names; null and what comes twice are as the domain has them."""
    plain: dict[str, object] = {}
    blank = msgspec.to_builtins(Preferences(id=""))
    for name, value in msgspec.to_builtins(patch).items():
        given = blank[name] if value is None else value
        plain[name] = list(dict.fromkeys(given)) if isinstance(given, (list, tuple)) else given
    return plain
