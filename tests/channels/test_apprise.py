"""Apprise in its own process, with a real server to send to."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import apprise
import pytest

from app.channels.apprise import AT_ONCE, AppriseWay, understands
from app.channels.apprise_guard import Guard, GuardError, Refusal
from app.channels.apprise_url import LOCAL, LOCAL_PLUGINS, UNKNOWN
from app.channels.http import REFUSED
from app.domain.channel import AppriseConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.settings import Settings
from tests.channels.notes import message
from tests.delivery.receiver import Receiver, receiving

INSIDE = Settings(allow_private_webhooks=True)
MACHINE = Never("the URL wants a file or a program of the machine that Fleetbeat runs on")
UNUSABLE = Never("the URL is of no service that apprise knows and that may be used")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as here:
        yield here


def json_url(receiver: Receiver, more: str = "") -> str:
    return receiver.url.replace("http://", "json://") + more


async def send(url: str, settings: Settings = INSIDE, timeout_sec: float = 14) -> Answer:
    return await AppriseWay(settings, timeout_sec).send(AppriseConfig(url=url), message())


async def test_a_message_goes_out(receiver: Receiver) -> None:
    assert await send(json_url(receiver)) == Sent()
    [call] = receiver.calls
    assert call.said["title"] == "[HIGH] Device offline: Till 1 (Acme)"
    assert call.said["type"] == "failure"
    assert call.said["message"].startswith("https://dash.example.com/alerts/5f1c9a7e0000\nno heartbeat for 122 s")


async def test_the_end_of_an_alert_and_a_test_have_kinds_of_their_own(receiver: Receiver) -> None:
    way = AppriseWay(INSIDE)
    for event in ("device.online", "channel.test"):
        await way.send(AppriseConfig(url=json_url(receiver)), message(event))
    assert [call.said["type"] for call in receiver.calls] == ["success", "info"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"])
async def test_addresses_inside_the_network_are_refused(receiver: Receiver, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    answer = await send(f"json://user:secret@{host}:{port}", Settings())
    assert answer == Never(REFUSED)
    assert receiver.calls == []


@pytest.mark.parametrize("url", ["rsyslog://127.0.0.1", "rsyslog://localhost", "mailto://user:pass@localhost?smtp=127.0.0.1"])
async def test_it_does_not_depend_on_the_library_that_calls(url: str) -> None:
    assert await send(url, Settings()) == Never(REFUSED)


@pytest.mark.parametrize("url", ["dbus://", "syslog://", "gnome://", "windows://", "macosx://", "kde://", "glib://", "blink1://"])
async def test_what_acts_on_the_machine_is_refused(url: str) -> None:
    assert await send(url) == UNUSABLE
    assert understands(url) == LOCAL


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "nothing", "http://example.com/", "discord://", "json://", "x" * 3_000]
)
async def test_what_apprise_does_not_understand_is_never_tried(url: str) -> None:
    assert await send(url) == UNUSABLE
    assert understands(url) == UNKNOWN


@pytest.mark.parametrize("url", ["json://example.com", "ntfy://example.com/topic", "mailto://user:pass@example.com"])
def test_what_apprise_understands_is_fine(url: str) -> None:
    assert understands(url) is None


def test_every_plugin_that_reaches_into_the_machine_is_known() -> None:
    """A new version of apprise may bring new ones: they are known by what they import."""
    telling = {"subprocess", "syslog", "gi", "dbus", "win32api", "win32con", "win32gui", "blink1", "ctypes", "pty", "winreg"}
    found = set()
    folder = Path(apprise.__file__).parent / "plugins"
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if telling & {name.split(".")[0] for name in names}:
                found.add(path.relative_to(folder).with_suffix("").parts[0])
    assert found - LOCAL_PLUGINS == set()
    assert {"dbus", "syslog", "macosx"} <= found


@pytest.mark.parametrize(
    ("event", "given", "refusal"),
    [
        ("socket.connect", (None, ("::ffff:127.0.0.1", 80, 0, 0)), Refusal.INSIDE),
        ("socket.connect", (None, ("example.com", 80)), Refusal.INSIDE),
        ("socket.sendto", (None, ("192.168.0.1", 514)), Refusal.INSIDE),
        ("socket.connect", (None, "/run/docker.sock"), Refusal.MACHINE),
        ("open", ("/etc/passwd", "r", 0), Refusal.MACHINE),
        ("open", (b"/proc/self/environ", "rb", 0), Refusal.MACHINE),
        ("open", (f"{Path(apprise.__file__).parent}/../../../../secret", "r", 0), Refusal.MACHINE),
        ("open", (apprise.__file__, "w", 1), Refusal.MACHINE),
        ("subprocess.Popen", ("sh", [], None, None), Refusal.MACHINE),
        ("syslog.syslog", (1, "text"), Refusal.MACHINE),
    ],
)
def test_the_guard_refuses(event: str, given: tuple[object, ...], refusal: Refusal) -> None:
    guard = Guard(allow_private=False)
    with pytest.raises(GuardError):
        guard(event, given)
    assert guard.refused is refusal


@pytest.mark.parametrize(
    ("event", "given"),
    [
        ("socket.connect", (None, ("93.184.216.34", 443))),
        ("socket.sendmsg", (None, None)),
        ("open", (apprise.__file__, "r", 0)),
        ("open", (3, "wb", 1)),
        ("open", ("/dev/null", "w", 1)),
        ("socket.getaddrinfo", ("localhost", 80, 0, 0, 0)),
    ],
)
def test_the_guard_lets_pass(event: str, given: tuple[object, ...]) -> None:
    guard = Guard(allow_private=False)
    guard(event, given)
    assert guard.refused is None


async def test_files_of_the_machine_are_not_read(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "private_key": "secret"}))
    assert await send(f"fcm://project/device?mode=oauth2&keyfile={key}") == MACHINE


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_what_the_service_refuses_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    assert await send(json_url(receiver)) == TryAgain("apprise could not send it, and does not say why")


@pytest.mark.parametrize("answer", ["reset", "half"])
async def test_what_breaks_off_is_tried_again(receiver: Receiver, answer: str) -> None:
    receiver.answers = [answer]
    assert isinstance(await send(json_url(receiver)), TryAgain)


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [307], {"Location": receiver.url + "/elsewhere"}
    assert isinstance(await send(json_url(receiver)), TryAgain)
    assert [call.path for call in receiver.calls] == ["/hook"]


async def test_what_hangs_is_killed() -> None:
    taken = list[asyncio.StreamWriter]()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        await reader.read()  # until the other side is gone
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        url = f"json://127.0.0.1:{port}/?rto=60&cto=60"
        assert await send(url, timeout_sec=3) == TryAgain("apprise did not get it through within 3 s")
        for writer in taken:
            await writer.wait_closed()


async def test_one_tenants_services_that_hang_leave_room_for_others(receiver: Receiver) -> None:
    receiver.answers = ["hang"] * 2
    way = AppriseWay(INSIDE, timeout_sec=20, wait_sec=10)
    config = AppriseConfig(url=json_url(receiver, "?rto=60"))
    hanging = [asyncio.create_task(way.send(config, message())) for _ in range(AT_ONCE)]
    await receiver.until(2)
    assert await way.send(config, message(tenant_id="umbrella")) == Sent()
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_who_waits_too_long_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = ["hang"] * 2
    way = AppriseWay(INSIDE, timeout_sec=20, wait_sec=0.1)
    config = AppriseConfig(url=json_url(receiver, "?rto=60"))
    hanging = [asyncio.create_task(way.send(config, message())) for _ in range(2)]
    await receiver.until(2)
    assert await way.send(config, message()) == TryAgain("it waited too long for others that go by apprise", ours=True)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_no_secret_is_seen_by_the_child_or_shown(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")  # it would be used if it were seen
    receiver.answers = [500, 200]
    url = json_url(receiver).replace("json://", "json://user:hunter2@")
    said = [repr(await send(url)), repr(await send(url)), repr(await send(url, Settings()))]
    said += [repr(understands("discord://hunter2")), caplog.text, *capfd.readouterr()]
    assert len(receiver.calls) == 2
    assert "hunter2" not in "".join(said)
