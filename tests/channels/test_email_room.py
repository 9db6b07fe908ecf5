"""Mails that wait for a connection wait for us, and not for the mail server."""

import asyncio

from app.channels.email import AT_ONCE, CROWDED, OF_ONE_TENANT, TIMEOUT_SEC, WAIT_SEC, EmailWay
from app.delivering import LONGEST_TRY_SEC
from app.domain.channel import EmailConfig
from app.domain.delivery import TryAgain
from tests.channels.mail_server import raw_server
from tests.channels.notes import message

CONFIG = EmailConfig(to=("olga@example.com",))


class SilentServer:
    """Says hello, and nothing more."""

    def __init__(self) -> None:
        self.connections = 0
        self._came = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        self.connections += 1
        self._came.set()
        await reader.read()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.connections < count:
                self._came.clear()
                await self._came.wait()


async def test_waiting_for_others_is_not_said_to_be_the_servers_silence() -> None:
    server = SilentServer()
    async with raw_server(server.talk) as settings:
        way = EmailWay(settings, timeout_sec=20, wait_sec=0.05)
        stuck = [asyncio.create_task(way.send(CONFIG, message())) for _ in range(OF_ONE_TENANT)]
        await server.until(OF_ONE_TENANT)
        assert await way.send(CONFIG, message()) == TryAgain(CROWDED, ours=True)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert server.connections == OF_ONE_TENANT


async def test_who_waited_has_the_whole_time_for_its_try() -> None:
    server = SilentServer()
    async with raw_server(server.talk) as settings:
        way = EmailWay(settings, timeout_sec=0.3, wait_sec=20)
        answers = await asyncio.gather(*(way.send(CONFIG, message()) for _ in range(OF_ONE_TENANT + 1)))
    assert set(answers) == {TryAgain("the mail server did not answer in time")}
    assert server.connections == OF_ONE_TENANT + 1


async def test_a_tenant_whose_mails_hang_leaves_others_a_way_through() -> None:
    server = SilentServer()
    async with raw_server(server.talk) as settings:
        way = EmailWay(settings, timeout_sec=20, wait_sec=20)
        stuck = [asyncio.create_task(way.send(CONFIG, message())) for _ in range(AT_ONCE)]
        await server.until(OF_ONE_TENANT)
        stuck.append(asyncio.create_task(way.send(CONFIG, message(tenant_id="globex"))))
        await server.until(OF_ONE_TENANT + 1)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


def test_waiting_and_trying_end_before_the_try_is_given_up() -> None:
    assert WAIT_SEC + TIMEOUT_SEC < LONGEST_TRY_SEC
