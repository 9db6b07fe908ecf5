"""What apprise makes of a URL. It is imported when it is asked, since that takes a while."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apprise import NotifyBase

LONGEST_URL = 2_048

LOCAL_PLUGINS = frozenset({"blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"})
"""Modules of apprise that act on the machine they run on. Apprise does not mark them; a test finds new ones by their imports."""

UNKNOWN = "should be the URL of a service that apprise knows, with all that it needs"
LOCAL = "should be of a service on the network: this one acts on the machine that Fleetbeat runs on"


def understands(url: str) -> str | None:
    """None where messages can be sent by it, else what it should be. The text holds nothing of the URL."""
    found = service_of(url)
    return found if isinstance(found, str) else None


def service_of(url: str) -> "NotifyBase | str":
    """The service, or why there is none. Nobody is asked over the network."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - half a second
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415

    # Its log lines show URLs, and with them secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    if len(url) > LONGEST_URL or not url.isprintable():
        return UNKNOWN
    known = NotificationManager()  # type: ignore[no-untyped-call]
    schema = url.partition("://")[0].lower()
    if schema in known and _module(known[schema]) in LOCAL_PLUGINS:
        return LOCAL
    # Templates would be files of this machine.
    asset = AppriseAsset(app_id="Fleetbeat", app_desc="Fleetbeat", http_redirects=False, allow_templates=False)
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return UNKNOWN
    return LOCAL if _module(type(service)) in LOCAL_PLUGINS else service


def _module(plugin: type) -> str:
    return plugin.__module__.removeprefix("apprise.plugins.").partition(".")[0]
