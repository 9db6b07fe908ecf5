"""What a person writes of how they want to be told, and whether it can be taken. Pure."""

from collections.abc import Collection

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.alert import Severity
from app.domain.channel import MOST_CHANNELS
from app.domain.conditions.local_time import wall_time
from app.domain.faults import Faults
from app.domain.quiet_hours import QuietHours

SHORTEST_DIGEST_SEC = 60
LONGEST_DIGEST_SEC = 86_400
MOST_STORES = 1_000
_LONGEST_STORE_ID = 128


class PreferencesPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is; None returns to what holds where nothing was ever said."""

    channel_ids: tuple[str, ...] | UnsetType | None = UNSET
    severities: tuple[Severity, ...] | UnsetType | None = UNSET
    quiet_hours: QuietHours | UnsetType | None = UNSET
    digest_sec: int | UnsetType | None = UNSET
    store_ids: tuple[str, ...] | UnsetType | None = UNSET


def check_preferences(patch: PreferencesPatch, own_ids: Collection[str], faults: Faults) -> None:
    """`own_ids` are the channels that the person has."""
    if isinstance(patch.channel_ids, tuple):
        _check_channels(patch.channel_ids, own_ids, faults)
    if isinstance(patch.store_ids, tuple):
        _check_stores(patch.store_ids, faults)
    if isinstance(patch.quiet_hours, QuietHours):
        _check_hours(patch.quiet_hours, faults)
    if isinstance(patch.digest_sec, int) and patch.digest_sec != 0:
        fits = SHORTEST_DIGEST_SEC <= patch.digest_sec <= LONGEST_DIGEST_SEC
        message = f"should be 0, or {SHORTEST_DIGEST_SEC} to {LONGEST_DIGEST_SEC}, not {patch.digest_sec}"
        faults.require(fits, "input.digestSec", message)


def _check_channels(channel_ids: Collection[str], own_ids: Collection[str], faults: Faults) -> None:
    if len(channel_ids) > MOST_CHANNELS:
        faults.add("input.channelIds", f"has {len(channel_ids)} entries; at most {MOST_CHANNELS}")
        return
    for place, channel_id in enumerate(channel_ids):
        faults.require(channel_id in own_ids, f"input.channelIds[{place}]", "should be one of your own (personal) channels")


def _check_stores(store_ids: Collection[str], faults: Faults) -> None:
    if len(store_ids) > MOST_STORES:
        faults.add("input.storeIds", f"has {len(store_ids)} entries; at most {MOST_STORES}")
        return
    for place, store_id in enumerate(store_ids):
        faults.title(f"input.storeIds[{place}]", store_id, _LONGEST_STORE_ID)


def _check_hours(quiet: QuietHours, faults: Faults) -> None:
    for name, text in (("start", quiet.start), ("end", quiet.end)):
        faults.require(_is_wall_time(text), f"input.quietHours.{name}", 'should be a time such as "22:00"')
    faults.require(quiet.start != quiet.end, "input.quietHours.end", "should differ from `start`")
    faults.zone("input.quietHours.timezone", quiet.timezone)


def _is_wall_time(text: str) -> bool:
    try:
        wall_time(text)
    except ValueError:
        return False
    return True
