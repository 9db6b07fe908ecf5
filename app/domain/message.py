"""What a channel is to say: one event of one alert, several in a bundle, or that it works. Pure."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.alert import Alert, AlertEventType
from app.domain.device import Device

MOST_NAMED = 5
"""Of those who are told as well, by name."""


class Bundling(Enum):
    """Why several are told in one message."""

    STORM = "storm"
    QUIET_HOURS = "quiet_hours"
    DIGEST = "digest"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one alert, which is as it was then. `event` is its name on the wire: device.offline, alert.opened, …

    `url` leads to the alert in the dashboard; `also_told` are the names of others who are told of the same event, MOST_NAMED of
    them at most, and `others_told` says how many there are besides.
    """

    event: str
    type: AlertEventType
    at: datetime
    alert: Alert
    url: str
    device: Device | None = None
    actor: str | None = None
    reason: str | None = None
    also_told: tuple[str, ...] = ()
    others_told: int = 0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the idempotency key, the same for every try. Without notes it is a test of the channel.

    `to` is the one it is for, where a channel has several (a mail address, a number, a person). `first_receipt` is what the
    channel gave back for the first message of this alert to the same recipient, if that was about this alert alone: to update it, or
    to answer in its thread. `now` is when this try is made; times are shown in `timezone`. `note` is the only one where there is one.
    """

    id: str
    tenant_id: str
    tenant_name: str
    timezone: str
    now: datetime
    channel_name: str
    notes: tuple[Note, ...] = ()
    bundling: Bundling | None = None
    to: str | None = None
    first_receipt: str | None = None
    dashboard_url: str = ""

    @property
    def note(self) -> Note | None:
        """The one that it is about; None for bundles and tests."""
        return self.notes[0] if len(self.notes) == 1 and self.bundling is None else None

    @property
    def is_test(self) -> bool:
        return not self.notes


TEST_EVENT = "channel.test"
