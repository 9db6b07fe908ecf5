"""Signatures hold; secrets stay secret; the network behind us stays out of reach."""

import base64
import hashlib
import hmac
import io
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from app.channel_changes import create_channel, update_channel
from app.channels.http import REFUSED, CheckedResolver, InsideError, open_http
from app.domain.addresses import is_public
from app.domain.channel import WebhookConfig
from app.domain.channel_input import ChannelInput, ChannelPatch, WebhookInput
from app.domain.channel_shown import masked_url
from app.domain.delivery import Never
from app.errors import BadInputError, ConflictError
from app.logging import configure_logging
from app.sealing import UnreadableError, seal, unseal
from app.settings import Settings
from tests.cast import NOW, SECRET, owner
from tests.delivery.receiver import Call
from tests.delivery.world import KEY, World

PROTOCOL = (Path(__file__).parents[2] / "frontend-contract" / "PROTOCOL.md").read_text()


async def one_call(world: World, secret: str) -> Call:
    webhook = WebhookInput(url=world.receiver.url, secret=secret)
    await create_channel(world.context, owner, ChannelInput(name="Signed", config=webhook))
    await world.open()
    await world.send()
    [call] = world.receiver.calls
    return call


async def test_the_example_of_the_protocol_takes_what_is_ours_and_refuses_what_is_not(world: World) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PROTOCOL, re.DOTALL)
    assert len(example.strip().splitlines()) <= 10
    scope: dict[str, Any] = {}
    exec(example, scope)
    call = await one_call(world, KEY)
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert scope["is_ours"](call.body, headers, KEY)
    assert not scope["is_ours"](call.body + b" ", headers, KEY)
    assert not scope["is_ours"](call.body, headers, KEY + "!")


async def test_it_is_signed_as_standard_webhooks_are(world: World) -> None:
    key = bytes(range(32))
    call = await one_call(world, f"whsec_{base64.b64encode(key).decode()}")
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{expected}"
    assert call.headers["webhook-id"] == call.headers["X-Webhook-Id"] == call.headers["Idempotency-Key"]
    assert call.headers["webhook-timestamp"] == call.headers["X-Webhook-Timestamp"] == str(int(NOW.timestamp()))


async def test_no_secret_is_in_the_database_the_log_or_an_error(
    world: World, mongo_client: "MongoClient[dict[str, Any]]", capsys: pytest.CaptureFixture[str]
) -> None:
    lines = io.StringIO()
    configure_logging("debug", "json", lines)
    url = f"{world.receiver.url}/path-token-1?key=query-token-2"
    webhook = WebhookInput(url=url, secret=KEY)
    await create_channel(world.context, owner, ChannelInput(name="Secret", config=webhook))
    answers: tuple[int | str, ...] = (200, 404, 503, "reset")
    for number, answer in enumerate(answers):
        world.receiver.answers = [answer]
        await world.open(subject_id=f"pos-{number}")
        await world.send()
    database = mongo_client[world.context.settings.mongo_database]
    kept = str([list(database[name].find({})) for name in database.list_collection_names()])
    assert "delivery.tried" in lines.getvalue()
    for place in (kept, lines.getvalue(), capsys.readouterr().err, repr(WebhookConfig(url=url, secret=KEY))):
        for secret in (KEY, "path-token-1", "query-token-2"):
            assert secret not in place


async def test_a_secret_is_kept_when_it_is_left_out_of_a_patch(world: World) -> None:
    channel = await world.channel()
    patch = ChannelPatch(config=WebhookInput(url="https://hooks.example.com/new"))
    changed = await update_channel(world.context, owner, channel.id, patch)
    webhook = unseal(world.context.settings, changed.sealed)
    assert isinstance(webhook, WebhookConfig)
    assert (webhook.url, webhook.secret, changed.target) == (
        "https://hooks.example.com/new",
        KEY,
        "https://hooks.example.com/…",
    )


def test_what_is_sealed_opens_with_its_key_alone() -> None:
    webhook = WebhookConfig(url="https://hooks.example.com/", secret=KEY)
    derived = Settings(jwt_secret=SecretStr(SECRET))
    own = Settings(jwt_secret=SecretStr(SECRET), secrets_key=SecretStr("another key of at least 32 bytes...."))
    assert unseal(derived, seal(derived, webhook)) == webhook
    assert unseal(own, seal(own, webhook)) == webhook
    assert seal(own, webhook) != seal(own, webhook)
    with pytest.raises(UnreadableError):
        unseal(own, seal(derived, webhook))
    with pytest.raises(UnreadableError):
        unseal(Settings(), seal(derived, webhook))
    with pytest.raises(ConflictError, match="SECRETS_KEY"):
        seal(Settings(), webhook)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fec0::1",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "64:ff9b:1::808:808",
        "64:ff9b:1:7f00:0:100:808:808",
        "64:ff9b:1:ffff:ffff:ffff:808:808",
        "192.88.99.1",
        "192.88.99.255",
        "::ffff:192.88.99.1",
        "2002:c058:6301::",
        "64:ff9b::c058:6301",
        "::127.0.0.1",
        "no address",
    ],
)
def test_addresses_inside_the_network_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "192.88.98.255", "192.88.100.1", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_webhook_into_the_network_is_refused_however_it_is_written(world: World, host: str) -> None:
    port = world.receiver.url.split(":")[2].split("/")[0]
    async with open_http(checked=True) as http:
        outcome = await http.post(f"http://{host}:{port}/hook", NOW, data=b"{}")
    # Numbers that only some would read as an address are no URL to begin with.
    assert outcome in (Never(REFUSED), Never("the address is no URL"))
    assert world.receiver.calls == []


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that leads outside when it is checked, and inside when it is asked again, is asked once."""
    asked, answers = list[str](), [("8.8.8.8", 80), ("127.0.0.1", 80)]

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers[len(asked) - 1])]

    resolver = CheckedResolver(look_up)
    [found] = await resolver.resolve("rebinding.example", 80)
    assert (found["host"], found["flags"], len(asked)) == ("8.8.8.8", socket.AI_NUMERICHOST, 1)
    with pytest.raises(InsideError):
        await resolver.resolve("rebinding.example", 80)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example.com/",
        "https://",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com:99999/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:8080/",
    ],
)
async def test_an_address_that_cannot_be_is_refused_and_not_written(world: World, url: str) -> None:
    strict = world.context.settings.model_copy(update={"allow_private_webhooks": False})
    object.__setattr__(world.context, "settings", strict)
    with pytest.raises(BadInputError) as refused:
        await create_channel(world.context, owner, ChannelInput(name="x", config=WebhookInput(url=url, secret=KEY)))
    assert {field.path for field in refused.value.fields} == {"input.config.webhook.url"}
    assert await world.context.store.channels.shared(owner.scope) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/T00/B00/xyz?token=1", "https://hooks.example.com/…"),
        ("http://[::1]:8080/x", "http://[::1]:8080/…"),
    ],
)
def test_an_address_is_shown_without_its_path(url: str, shown: str) -> None:
    assert masked_url(url) == shown
