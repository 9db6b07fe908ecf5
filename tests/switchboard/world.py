"""What the tests of channels share: one of every kind, with its secrets, and the operations that make and change them."""

from dataclasses import dataclass, field
from typing import Any

from app.context import Context
from app.domain.channel import ChannelConfig
from app.domain.tenant import EVERY_TENANT
from app.principal import Principal
from app.sealing import unseal
from tests.cast import owner
from tests.wire import ask

SHOWN = "id tenantId ownerId name kind enabled disabledBecause target severities fallback { id } config lastSentAt lastError"
CREATE = f"mutation($input: ChannelInput!) {{ createChannel(input: $input) {{ {SHOWN} }} }}"
UPDATE = f"mutation($id: ID!, $patch: ChannelPatch!) {{ updateChannel(id: $id, patch: $patch) {{ {SHOWN} }} }}"
DELETE = "mutation($id: ID!) { deleteChannel(id: $id) }"
TEST = "mutation($id: ID!) { testChannel(id: $id) { id status recipient channel { id } } }"
CHANNELS = f"query($tenant: ID) {{ channels(tenantId: $tenant) {{ {SHOWN} }} }}"
AUDIT = "{ auditLog { nodes { actor action target before after } } }"

BOT_TOKEN = "123456:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"
SIGNING = "a key for the tests 0123456789"


@dataclass(frozen=True)
class Kind:
    """A channel of a kind as it is written, and as admins and as everybody else see it."""

    name: str
    config: dict[str, Any]
    target: str
    shown: dict[str, Any]
    shown_to_others: dict[str, Any]
    secrets: tuple[str, ...] = ()
    bad: dict[str, Any] = field(default_factory=dict)
    bad_fields: tuple[str, ...] = ()


KINDS = [
    Kind(
        "EMAIL",
        {"email": {"to": ["ops@example.com", "b@example.org", "c@example.org", "ops@example.com"]}},
        "o…@example.com and 2 more",
        {"email": {"to": ["ops@example.com", "b@example.org", "c@example.org"]}},
        {"email": {"to": ["o…@example.com", "b…@example.org", "c…@example.org"]}},
        bad={"email": {"to": ["ops@example.com", "ops@example.com\nBcc: x@example.com", "no address"]}},
        bad_fields=("email.to[1]", "email.to[2]"),
    ),
    Kind(
        "SMS",
        {"sms": {"to": ["+4915112341234"]}},
        "+49…1234",
        {"sms": {"to": ["+4915112341234"]}},
        {"sms": {"to": ["+49…1234"]}},
        bad={"sms": {"to": ["0151 1234", "+0151123412", "+4915112341234"]}},
        bad_fields=("sms.to[0]", "sms.to[1]"),
    ),
    Kind(
        "SLACK",
        {"slack": {"webhookUrl": "https://hooks.slack.com/services/T0/B0/s3cr3t-path"}},
        "https://hooks.slack.com/…",
        {"slack": {"webhookUrl": "https://hooks.slack.com/…"}},
        {"slack": {"webhookUrl": "https://hooks.slack.com/…"}},
        ("s3cr3t-path",),
        bad={"slack": {"webhookUrl": "http://169.254.169.254/latest"}},
        bad_fields=("slack.webhookUrl",),
    ),
    Kind(
        "SLACK",
        {"slack": {"token": "xoxb-1234567890-s3cr3t", "channel": "#ops"}},
        "#ops",
        {"slack": {"channel": "#ops"}},
        {"slack": {"channel": "#ops"}},
        ("xoxb-1234567890-s3cr3t",),
        bad={"slack": {"token": "s3cr3t", "channel": "two words"}},
        bad_fields=("slack.token", "slack.channel"),
    ),
    Kind(
        "TELEGRAM",
        {"telegram": {"botToken": BOT_TOKEN, "chatId": "-1001234561234"}},
        "chat …1234",
        {"telegram": {"chatId": "-1001234561234"}},
        {"telegram": {"chatId": "chat …1234"}},
        (BOT_TOKEN,),
        bad={"telegram": {"botToken": "123456:short", "chatId": "me"}},
        bad_fields=("telegram.botToken", "telegram.chatId"),
    ),
    Kind(
        "PAGERDUTY",
        {"pagerduty": {"routingKey": "R01234567890123456789012345678AB"}},
        "a PagerDuty service",
        {"pagerduty": {}},
        {"pagerduty": {}},
        ("R01234567890123456789012345678AB",),
        bad={"pagerduty": {"routingKey": "too short"}},
        bad_fields=("pagerduty.routingKey",),
    ),
    Kind(
        "WEBHOOK",
        {"webhook": {"url": "https://hooks.example.com/t0ken", "secret": SIGNING, "format": "MACHINE"}},
        "https://hooks.example.com/…",
        {"webhook": {"url": "https://hooks.example.com/…", "format": "MACHINE"}},
        {"webhook": {"url": "https://hooks.example.com/…", "format": "MACHINE"}},
        ("t0ken", SIGNING),
        bad={"webhook": {"url": "https://user:pass@hooks.example.com/", "secret": "short"}},
        bad_fields=("webhook.url", "webhook.secret"),
    ),
    Kind(
        "IN_APP",
        {"inApp": {"userIds": ["vera", "mats"]}},
        "vera and 1 more",
        {"inApp": {"userIds": ["vera", "mats"]}},
        {"inApp": {"userIds": ["vera", "mats"]}},
        bad={"inApp": {"userIds": ["vera", "otto", "nobody"]}},
        bad_fields=("inApp.userIds[1]", "inApp.userIds[2]"),
    ),
    Kind(
        "IN_APP",
        {"inApp": {}},
        "everybody of the tenant",
        {"inApp": {"userIds": None}},
        {"inApp": {"userIds": None}},
        bad={"inApp": {"userIds": []}},
        bad_fields=("inApp.userIds",),
    ),
    Kind(
        "APPRISE",
        {"apprise": {"url": "tgram://123456:s3cr3t/-100987654321"}},
        "tgram://…",
        {"apprise": {"url": "tgram://…"}},
        {"apprise": {"url": "tgram://…"}},
        ("123456:s3cr3t", "-100987654321"),
        bad={"apprise": {"url": "syslog://local"}},
        bad_fields=("apprise.url",),
    ),
]
"""`bad` is one of the kind that is refused, for its `bad_fields` and no others."""


def named(kind: Kind) -> str:
    return next(iter(kind.config)) + "-" + "-".join(sorted(kind.config[next(iter(kind.config))]))


async def make(context: Context, config: dict[str, Any], who: Principal = owner, **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = (await ask(context, who, CREATE, input={"name": "Pager", "config": config, **values}))["createChannel"]
    return made


async def change(context: Context, channel: dict[str, Any], who: Principal = owner, **patch: Any) -> dict[str, Any]:
    changed: dict[str, Any] = (await ask(context, who, UPDATE, id=channel["id"], patch=patch))["updateChannel"]
    return changed


async def config_kept(context: Context, channel: dict[str, Any]) -> ChannelConfig:
    kept = await context.store.channels.get(EVERY_TENANT, channel["id"])
    assert kept is not None
    return unseal(context.settings, kept.sealed)


def mail(*to: str) -> dict[str, Any]:
    return {"email": {"to": list(to) or ["ops@example.com"]}}
