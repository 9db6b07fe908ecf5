"""Mail over real SMTP servers on the loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from app.channels.email import NO_SERVER, EmailWay
from app.domain.channel import EmailConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.settings import Settings
from tests.channels.mail_server import PASSWORD, USER, mail_server, raw_server
from tests.channels.notes import about, message

CONFIG = EmailConfig(to=("olga@example.com",))
SECRET_TEXT = "the server's own words"


@asynccontextmanager
async def way_to(settings: Settings, timeout_sec: float = 10) -> AsyncIterator[EmailWay]:
    way = EmailWay(settings, timeout_sec)
    try:
        yield way
    finally:
        await way.close()


async def send(settings: Settings, timeout_sec: float = 10, **fields: Any) -> Answer:
    async with way_to(settings, timeout_sec) as way:
        return await way.send(CONFIG, message(**fields))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """What OpenSSL takes for the system's certificates."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return authority


def certificate(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_mail_goes_to_the_one_it_is_for() -> None:
    async with mail_server() as server:
        answer = await send(server.settings(smtp_from="Fleetbeat <alerts@example.org>"), to="mats@example.com")
    [mail], [envelope] = server.mails, server.envelopes
    assert answer == Sent(mail["Message-ID"])
    assert (envelope.mail_from, envelope.rcpt_tos) == ("alerts@example.org", ["mats@example.com"])
    assert (mail["From"], mail["To"]) == ("Fleetbeat <alerts@example.org>", "mats@example.com")
    assert mail["Subject"] == "[HIGH] Device offline: Till 1 (Acme)"
    assert mail["Date"] == "Sat, 21 Nov 2026 06:00:00 +0000"
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all("https://dash.example.com/alerts/5f1c9a7e0000" in part.get_content() for part in mail.iter_parts())


async def test_every_try_is_the_same_mail() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        first, second = [await way.send(CONFIG, message()) for _ in range(2)]
        other = await way.send(CONFIG, message(id="another"))
    assert first == second != other


async def test_the_mails_of_an_alert_are_one_thread_for_each_recipient() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        opened = await way.send(CONFIG, message(id="1"))
        assert isinstance(opened, Sent)
        await way.send(CONFIG, message("device.online", id="2", first_receipt=opened.receipt))
        await way.send(CONFIG, message("device.online", id="3", to="mats@example.com"))
        await way.send(CONFIG, about(message(id="4"), id="another alert"))
    first, end, elsewhere, other = server.mails
    root = first["References"]
    assert first["In-Reply-To"] == root
    assert end["References"].split() == [root, first["Message-ID"]]
    assert end["In-Reply-To"] == first["Message-ID"]
    assert end["Subject"] == f"Re: {first['Subject']}"
    assert len({root, elsewhere["References"], other["References"]}) == 3


async def test_bundles_and_tests_are_in_no_thread() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        await way.send(CONFIG, message(bundle=3))
        await way.send(CONFIG, message("channel.test"))
    assert [mail["References"] for mail in server.mails] == [None, None]
    assert [mail["Subject"] for mail in server.mails] == [
        "[CRITICAL] 3 alerts at once, all open (Acme)",
        "Test of the channel On call (Acme)",
    ]


async def test_a_name_with_line_breaks_writes_no_header() -> None:
    title = "Device offline: x\r\nBcc: everybody@example.com\r\n\r\nDear all"
    async with mail_server() as server, way_to(server.settings()) as way:
        await way.send(CONFIG, about(message(tenant_name="a\nb"), title=title))
    [mail], [envelope] = server.mails, server.envelopes
    assert mail["Subject"] == "[HIGH] Device offline: x Bcc: everybody@example.com Dear all (a b)"
    assert mail["Bcc"] is None
    assert envelope.rcpt_tos == ["olga@example.com"]


async def test_a_connection_serves_one_mail_after_the_other() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        answers = [await way.send(CONFIG, message(id=str(place))) for place in range(3)]
    assert all(isinstance(answer, Sent) for answer in answers)
    assert len({session.peer for session in server.sessions}) == 1


async def test_a_kept_connection_that_the_server_closed_is_made_anew() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        await way.send(CONFIG, message(id="1"))
        server.hang_up()
        assert isinstance(await way.send(CONFIG, message(id="2")), Sent)
    assert len({session.peer for session in server.sessions}) == 2


async def test_fifty_at_once_all_arrive() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        answers = await asyncio.gather(*(way.send(CONFIG, message(id=str(place))) for place in range(50)))
    assert all(isinstance(answer, Sent) for answer in answers)
    assert len({mail["Message-ID"] for mail in server.mails}) == 50
    assert len({session.peer for session in server.sessions}) <= 8


async def test_starttls_and_login(trusted: trustme.CA) -> None:
    async with mail_server(certificate(trusted), auth_required=True) as server:
        settings = server.settings(smtp_tls="starttls", smtp_user=USER, smtp_password=PASSWORD)
        assert isinstance(await send(settings), Sent)
    assert server.sessions[0].ssl is not None
    assert server.sessions[0].authenticated


async def test_tls_from_the_first_byte(trusted: trustme.CA) -> None:
    async with mail_server(certificate(trusted), implicit=True) as server:
        assert isinstance(await send(server.settings(smtp_tls="tls")), Sent)


@pytest.mark.parametrize(("mode", "implicit"), [("starttls", False), ("tls", True)])
async def test_a_certificate_of_a_stranger_is_refused(mode: str, implicit: bool) -> None:
    async with mail_server(certificate(trustme.CA()), implicit=implicit) as server:
        answer = await send(server.settings(smtp_tls=mode))
    assert answer == TryAgain("the mail server's certificate does not hold")
    assert server.mails == []


async def test_a_certificate_of_another_name_is_refused(trusted: trustme.CA) -> None:
    async with mail_server(certificate(trusted, "mail.example.org")) as server:
        assert await send(server.settings(smtp_tls="starttls")) == TryAgain("the mail server's certificate does not hold")


async def test_without_starttls_nothing_goes_out_in_clear() -> None:
    async with mail_server() as server:
        answer = await send(server.settings(smtp_tls="starttls", smtp_user=USER, smtp_password=PASSWORD))
    assert answer == TryAgain("the mail server offers no STARTTLS, which SMTP_TLS wants")
    assert server.mails == []


async def test_tls_with_a_server_that_speaks_none_is_tried_again() -> None:
    async with mail_server() as server:
        assert await send(server.settings(smtp_tls="tls")) == TryAgain("no TLS with the mail server, which SMTP_TLS wants")


async def test_a_wrong_password_is_tried_again_and_never_shown(trusted: trustme.CA) -> None:
    async with mail_server(certificate(trusted), auth_required=True) as server:
        settings = server.settings(smtp_tls="starttls", smtp_user=USER, smtp_password="wrong but secret")
        answer = await send(settings)
    assert answer == TryAgain("the mail server refused the login (535): SMTP_USER and SMTP_PASSWORD")


async def test_a_login_that_the_server_does_not_take_is_said() -> None:
    async with mail_server() as server:
        answer = await send(server.settings(smtp_user=USER, smtp_password=PASSWORD))
    assert answer == TryAgain("the mail server takes no login as SMTP_TLS has it")


async def test_a_server_that_wants_a_login_is_said(trusted: trustme.CA) -> None:
    async with mail_server(certificate(trusted), auth_required=True) as server:
        assert await send(server.settings(smtp_tls="starttls")) == TryAgain(
            "answered 530: it wants a login, or TLS (SMTP_USER, SMTP_TLS)"
        )


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize("code", [421, 450, 451, 452, 500, 521, 541, 550, 551, 552, 553, 554, 555])
async def test_four_hundreds_are_tried_again_and_five_hundreds_are_not(command: str, code: int) -> None:
    async with mail_server() as server:
        server.answers[command] = f"{code} {SECRET_TEXT}"
        answer = await send(server.settings())
    assert answer == (TryAgain(f"answered {code}") if code < 500 else Never(f"answered {code}"))


async def test_a_refused_sender_is_not_the_channels_fault() -> None:
    async with mail_server() as server:
        server.answers["MAIL"] = f"550 {SECRET_TEXT}"
        assert await send(server.settings()) == TryAgain("answered 550 to SMTP_FROM")


async def test_what_is_too_large_for_the_server_is_not_tried_again() -> None:
    async with mail_server(data_size_limit=1_000) as server:
        assert await send(server.settings()) == Never("answered 552: the mail is too large")


async def test_after_a_refusal_the_next_mail_goes_out() -> None:
    async with mail_server() as server, way_to(server.settings()) as way:
        server.answers["RCPT"] = "550 no"
        assert await way.send(CONFIG, message()) == Never("answered 550")
        server.answers.clear()
        assert isinstance(await way.send(CONFIG, message()), Sent)


@pytest.mark.parametrize("code", [421, 521, 554])
async def test_a_server_that_takes_nobody_is_tried_again(code: int) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{code} {SECRET_TEXT}\r\n".encode())
        await writer.drain()

    async with raw_server(talk) as settings:
        assert await send(settings) == TryAgain(f"answered {code}")


@pytest.mark.parametrize(
    "banner",
    [
        b"\x00\xff\xfe garbage\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"999 what\r\n",
        b"220-" + b"x" * 5_000_000,
        b"x" * 5_000_000,
    ],
)
async def test_what_is_no_smtp_is_tried_again(banner: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        await writer.drain()

    async with raw_server(talk) as settings:
        answer = await send(settings)
    assert isinstance(answer, TryAgain)
    assert answer.error in ("the mail server gave no proper answer", "no connection to the mail server")


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_server_that_hangs_is_given_up(after: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in (b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n")[:after]:
            writer.write(line)
            await reader.readline()
        await reader.read()

    async with raw_server(talk) as settings:
        assert await send(settings, timeout_sec=0.3) == TryAgain("the mail server did not answer in time")


async def test_a_connection_that_is_cut_amid_the_mail_is_tried_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for line in (b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"):
            await reader.readline()
            writer.write(line)
        await reader.readexactly(100)
        writer.transport.abort()

    async with raw_server(talk) as settings:
        assert await send(settings) == TryAgain("the mail server cut the connection")


async def test_nobody_listening_is_tried_again() -> None:
    async with mail_server() as server:
        pass
    assert await send(server.settings()) == TryAgain("no connection to the mail server")


async def test_without_a_server_no_mail_can_go() -> None:
    assert await send(Settings()) == TryAgain(NO_SERVER)


@pytest.mark.parametrize("sender", ["", "nobody", "Fleetbeat <fleetbeat>", "Fleetbeat <@example.com>"])
async def test_a_sender_of_the_settings_that_is_no_address_is_not_the_channels_fault(sender: str) -> None:
    async with mail_server() as server:
        assert await send(server.settings(smtp_from=sender)) == TryAgain("SMTP_FROM is no mail address")


@pytest.mark.parametrize(
    "to", [None, "", "olga", "@example.com", "a b@example.com", "a@b\r\nRCPT TO:<c@d.com>", "a@b>,<c@d", "a@b,c@d"]
)
async def test_what_is_no_address_is_never_tried(to: str | None) -> None:
    async with mail_server() as server:
        assert await send(server.settings(), to=to) == Never("the address is no mail address")


async def test_a_domain_outside_ascii_is_written_as_dns_knows_it() -> None:
    async with mail_server(enable_SMTPUTF8=False) as server:
        assert isinstance(await send(server.settings(), to="olga@münchen.example"), Sent)
    assert server.envelopes[0].rcpt_tos == ["olga@xn--mnchen-3ya.example"]


async def test_a_name_outside_ascii_needs_a_server_that_takes_it() -> None:
    async with mail_server() as server:
        assert isinstance(await send(server.settings(), to="jörg@example.com"), Sent)
        assert server.envelopes[0].rcpt_tos == ["jörg@example.com"]
    async with mail_server(enable_SMTPUTF8=False) as server:
        refused = Never("the mail server takes no addresses with letters outside ASCII (SMTPUTF8)")
        assert await send(server.settings(), to="jörg@example.com") == refused
        ours = TryAgain("the mail server takes no SMTP_FROM with letters outside ASCII (SMTPUTF8)")
        assert await send(server.settings(smtp_from="jörg@example.com")) == ours


async def test_five_hundred_alerts_arrive_in_one_mail() -> None:
    async with mail_server() as server:
        assert isinstance(await send(server.settings(), bundle=500), Sent)
    text, html = (part.get_content() for part in server.mails[0].iter_parts())
    lines = text.splitlines()
    for place in range(500):
        assert f"  https://dash.example.com/alerts/5f1c9a7e{place:04d}" in lines
        assert f'/alerts/5f1c9a7e{place:04d}"' in html


async def test_no_answer_holds_what_is_secret(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    said = list[str]()
    for command in ("MAIL", "RCPT", "DATA"):
        async with mail_server() as server:
            server.answers[command] = f"550 {SECRET_TEXT}"
            said.append(repr(await send(server.settings(), to="olga@example.com")))
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # that one is the test's server's
    said += [*ours, *capsys.readouterr()]
    for secret in (SECRET_TEXT, "olga", PASSWORD):
        assert secret not in "".join(said)
