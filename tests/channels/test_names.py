"""Names that nobody answers for hold up nobody else."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.channels.http import CROWDED, CheckedResolver, InsideError, Reply, open_http
from app.channels.names import AT_ONCE, MOST, OF_ONE_TENANT, CrowdedError, Resolver, asking
from app.domain.delivery import TryAgain
from tests.cast import NOW
from tests.delivery.receiver import Receiver


class NameServer:
    """Every name leads to `address`; those that begin with "silent" only when it is `over`."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.asked: list[str] = []
        self.over = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()

    def look_up(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        self._loop.call_soon_threadsafe(self._came.set)
        if host.startswith("silent"):
            self.over.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, 0))]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.asked) < count:
                self._came.clear()
                await self._came.wait()


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    names = NameServer()
    yield names
    names.over.set()


@pytest.fixture(autouse=True)
def nobody_in_particular() -> Iterator[None]:
    before = asking.set("")
    yield
    asking.reset(before)


def beginning(resolver: Resolver, *hosts: str, tenant_id: str = "acme") -> list[asyncio.Task[Any]]:
    asking.set(tenant_id)
    return [asyncio.create_task(resolver.resolve(host, 80)) for host in hosts]


def silent(count: int, of: str = "acme") -> list[str]:
    return [f"silent-{number}.{of}.example" for number in range(count)]


@asynccontextmanager
async def all_given_up(tasks: list[asyncio.Task[Any]]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_while_a_name_is_silent_others_are_delivered_to(names: NameServer, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    async with open_http(checked=False, look_up=names.look_up) as http:
        stuck = [asyncio.create_task(http.post("http://silent.example/", NOW, data=b"")) for _ in range(100)]
        async with all_given_up(stuck):
            await names.until(1)
            assert await http.post(f"http://well.example:{port}/", NOW, data=b"") == Reply(200, b"")
    assert names.asked == ["silent.example", "well.example"]


async def test_a_tenant_whose_names_are_all_silent_leaves_others_theirs(names: NameServer, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    async with open_http(checked=False, look_up=names.look_up) as http:
        acme = http.of("acme")
        stuck = [asyncio.create_task(acme.post(f"http://{host}/", NOW, data=b"")) for host in silent(AT_ONCE)]
        async with all_given_up(stuck):
            await names.until(OF_ONE_TENANT)
            assert await http.of("globex").post(f"http://well.example:{port}/", NOW, data=b"") == Reply(200, b"")
    assert len(names.asked) == OF_ONE_TENANT + 1


async def test_who_has_no_more_room_is_told_so_soon(names: NameServer) -> None:
    resolver = Resolver(names.look_up, wait_sec=0.05)
    async with all_given_up(beginning(resolver, *silent(OF_ONE_TENANT))):
        await names.until(OF_ONE_TENANT)
        with pytest.raises(CrowdedError):
            await resolver.resolve("well.example", 80)


async def test_who_has_no_name_looked_up_gets_a_place_when_all_are_taken(names: NameServer) -> None:
    resolver, stuck = Resolver(names.look_up, wait_sec=0.05), list[asyncio.Task[Any]]()
    for number in range(AT_ONCE // OF_ONE_TENANT):
        stuck += beginning(resolver, *silent(OF_ONE_TENANT, f"t{number}"), tenant_id=f"t{number}")
    async with all_given_up(stuck):
        await names.until(AT_ONCE)
        [found] = await beginning(resolver, "well.example", tenant_id="another")[0]
        assert found["host"] == "127.0.0.1"


async def test_all_tenants_together_have_a_bounded_number_of_threads(names: NameServer) -> None:
    resolver, stuck = Resolver(names.look_up, wait_sec=0.05), list[asyncio.Task[Any]]()
    for number in range(MOST):
        stuck += beginning(resolver, *silent(1, f"t{number}"), tenant_id=f"t{number}")
    async with all_given_up(stuck):
        await names.until(MOST)
        with pytest.raises(CrowdedError):
            await beginning(resolver, "well.example", tenant_id="another")[0]


async def test_too_many_silent_names_are_tried_again_in_words_of_their_own() -> None:
    def crowded(*_: Any, **__: Any) -> Any:
        raise CrowdedError

    async with open_http(checked=True, look_up=crowded) as http:
        assert await http.post("http://well.example/", NOW, data=b"") == TryAgain(CROWDED, ours=True)


async def test_who_waits_has_the_room_that_falls_free(names: NameServer) -> None:
    resolver = Resolver(names.look_up, wait_sec=20)
    stuck = beginning(resolver, *silent(OF_ONE_TENANT))
    await names.until(OF_ONE_TENANT)
    [waiting] = beginning(resolver, "well.example")
    names.over.set()
    [found] = await waiting
    assert found["host"] == "127.0.0.1"
    await asyncio.gather(*stuck)


async def test_nobody_waits_in_the_line_of_a_tenant_who_has_no_room(names: NameServer) -> None:
    resolver = Resolver(names.look_up, wait_sec=20)
    stuck = beginning(resolver, *silent(OF_ONE_TENANT))
    await names.until(OF_ONE_TENANT)
    async with all_given_up([*stuck, *beginning(resolver, "shared.example")]):
        [found] = await beginning(resolver, "shared.example", tenant_id="globex")[0]
        assert found["host"] == "127.0.0.1"


async def test_who_wants_the_same_name_at_once_shares_one_look_up(names: NameServer) -> None:
    resolver = Resolver(names.look_up)
    tasks = [asyncio.create_task(resolver.resolve("silent.example", port)) for port in (80, 443, 8080)]
    await names.until(1)
    names.over.set()
    assert [found["port"] for [found] in await asyncio.gather(*tasks)] == [80, 443, 8080]
    assert names.asked == ["silent.example"]


async def test_what_is_shared_is_checked_for_each() -> None:
    names = NameServer("169.254.169.254")
    resolver = CheckedResolver(names.look_up)
    tasks = [asyncio.create_task(resolver.resolve("silent.example", 80)) for _ in range(3)]
    await names.until(1)
    names.over.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [InsideError] * 3


async def test_nothing_is_kept_for_the_next(names: NameServer) -> None:
    resolver = Resolver(names.look_up)
    for address in ("8.8.8.8", "9.9.9.9"):
        names.address = address
        [found] = await resolver.resolve("well.example", 80)
        assert found["host"] == address


async def test_who_gives_up_leaves_the_look_up_to_the_others(names: NameServer) -> None:
    resolver = Resolver(names.look_up)
    first, second = beginning(resolver, "silent.example", "silent.example")
    await names.until(1)
    async with all_given_up([first]):
        pass
    names.over.set()
    assert len(await second) == 1


async def test_a_name_that_is_not_known_is_not_known_to_everybody_who_asked() -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    async with open_http(checked=True, look_up=unknown) as http:
        posts = [http.post("http://nobody.example/", NOW, data=b"") for _ in range(2)]
        assert await asyncio.gather(*posts) == [TryAgain("the receiver's name is not known")] * 2


async def test_closing_does_not_wait_for_a_silent_name(names: NameServer) -> None:
    async with open_http(checked=True, timeout_sec=0.05, look_up=names.look_up) as http:
        assert await http.post("http://silent.example/", NOW, data=b"") == TryAgain("no answer within 0.05 s")
    assert not names.over.is_set()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "look-up")
