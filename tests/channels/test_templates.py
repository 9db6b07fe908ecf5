"""Every text of every message: it is there, whole, and whatever names hold is shown as text."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, strategies as st

from app.channels.mail import compose
from app.channels.mail_text import mail_text, subject
from app.channels.plain_text import LONGEST, plain_text
from app.channels.sample import EVENTS
from app.channels.words import one_line
from app.domain.alert import AlertEventType, Severity
from app.domain.message import Bundling, Message
from tests.cast import NOW
from tests.channels.notes import about, message, note_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "line\r\nbreak\n\nand more",
    "\u202egnp.exe",
    "قسم المبيعات",
    "🏪 Läden 👩‍👩‍👧",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 5_000,
    "\x00\x1b[31mred",
]


class Page(HTMLParser):
    """The tags, links and letters of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.links, self.letters = list[str](), list[str](), list[str]()
        self.attributes = set[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "background")]

    def handle_data(self, data: str) -> None:
        self.letters.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.letters).split())


@pytest.mark.parametrize("bundle", [0, 1, 5])
@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_has_its_texts(event: str, bundle: int) -> None:
    one = message(event, bundle)
    mail, plain = mail_text(one), plain_text(one)
    page = Page(mail.html)
    for text in (mail.text, page.text, plain.body, plain.title):
        assert text.strip()
        assert "None" not in text
    for note in one.notes:
        assert note.url in mail.text
        assert note.url in page.links
        assert note.alert.title in page.text


@pytest.mark.parametrize("kind", list(AlertEventType))
def test_every_transition_has_a_subject(kind: AlertEventType) -> None:
    one = message()
    one = msgspec.structs.replace(one, notes=(msgspec.structs.replace(note_of(one), type=kind, actor="olga"),))
    assert "Device offline: Till 1 (Acme)" in subject(one)
    assert "olga" in mail_text(one).text


def test_a_mail_says_all_there_is_to_know() -> None:
    one = message()
    for text in (mail_text(one).text, Page(mail_text(one).html).text):
        for said in (
            "HIGH",
            "Device offline: Till 1",
            "no heartbeat for 122 s, over 120 s",
            "2026-11-21 06:59:58 CET",
            "s-1",
            "till-1.local",
            "#tills, a PagerDuty service",
        ):
            assert said in text
    assert "https://wiki.example.com/runbooks/tills" in mail_text(one).text


def test_the_end_says_how_long_it_took_and_why_it_ended() -> None:
    for text in (mail_text(message("device.online")).text, Page(mail_text(message("device.online")).html).text):
        assert "RESOLVED · after 14 min" in text
        assert "recovered: last heartbeat 2 s ago, within 120 s" in text
        assert "no heartbeat for 960 s, over 120 s" in text
        assert "2026-11-21 07:00:00 CET" in text


def test_an_end_by_a_person_names_them() -> None:
    for text in (mail_text(message("alert.resolved")).text, plain_text(message("alert.resolved")).body):
        assert "after 14 min, by olga@example.com" in text


def test_the_first_words_of_a_page_are_what_the_subject_does_not_say() -> None:
    for one, words in (
        (message(), "no heartbeat for 122 s, over 120 s"),
        (message("device.online"), "RESOLVED · after 14 min · recovered: last heartbeat 2 s ago, within 120 s"),
        (message(bundle=5), "Device offline: Till 2, Device offline: Till 5, Device offline: Till 1"),
    ):
        _, body = mail_text(one).html.split("</head>")
        assert Page(body).text.startswith(words)


def test_a_page_is_readable_on_a_phone_and_loads_nothing() -> None:
    for one in (message(), message("device.online"), message(bundle=30), message("channel.test")):
        page = Page(mail_text(one).html)
        assert "width=device-width" in mail_text(one).html
        assert set(page.tags).isdisjoint({"img", "script", "link", "iframe", "object", "video", "form"})
        assert "url(" not in mail_text(one).html
        assert all(link.startswith("https://") for link in page.links)


@pytest.mark.parametrize("severity", list(Severity))
def test_the_bar_has_the_colour_of_the_severity(severity: Severity) -> None:
    bars = {one: re.findall(r'height="6" bgcolor="(#\w+)"', mail_text(about(message(), severity=one)).html) for one in Severity}
    assert len(bars[severity]) == 1
    assert [one for one in Severity if bars[one] == bars[severity]] == [severity]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("bundle", [0, 3])
def test_hostile_names_are_shown_as_text(name: str, bundle: int) -> None:
    quiet, one = _named(message(bundle=bundle), "a name"), _named(message(bundle=bundle), name)
    page, plain = Page(mail_text(one).html), Page(mail_text(quiet).html)
    assert page.tags == plain.tags
    assert page.attributes == plain.attributes
    assert one_line(name) in page.text
    text = mail_text(one).text
    assert one_line(name) in text
    assert "\u202e" not in text + page.text
    assert "\x00" not in text + mail_text(one).html
    assert len(subject(one).splitlines()) == 1


def _named(one: Message, name: str) -> Message:
    notes = tuple(
        msgspec.structs.replace(
            note,
            alert=msgspec.structs.replace(note.alert, title=name, message=name, store_id=name, runbook_url=f"javascript:{name}"),
            device=None if note.device is None else msgspec.structs.replace(note.device, name=name, hostname=name),
            also_told=(name,),
            reason=name,
        )
        for note in one.notes
    )
    return msgspec.structs.replace(one, notes=notes, channel_name=name, tenant_name=name)


def test_a_runbook_that_is_no_web_page_is_no_link() -> None:
    one = about(message(), runbook_url="javascript:alert(1)")
    assert "javascript:" not in mail_text(one).html + mail_text(one).text


def test_a_bundle_has_open_ones_first_then_by_severity() -> None:
    text = mail_text(message(bundle=30)).text
    headings = re.findall(r"^(OPEN|RESOLVED) · (\w+) · store s-\d \(\d+\)$", text, re.MULTILINE)
    order = [(word == "RESOLVED", list(Severity).index(Severity[severity])) for word, severity in headings]
    assert order == sorted(order)
    assert len(headings) == len(set(re.findall(r"^(?:OPEN|RESOLVED).*$", text, re.MULTILINE)))


def test_an_alert_that_opened_and_ended_stands_once_with_both() -> None:
    text = mail_text(message(bundle=4)).text
    assert text.count("Device offline: Till 4") == 1
    assert "Device offline: Till 4 — since 06:45:57, resolved 07:00:00" in text
    assert "Times are those of Europe/Berlin." in text


def test_five_hundred_alerts_are_all_there_and_no_client_cuts_them_off() -> None:
    one = message(bundle=500)
    said = mail_text(one)
    page = Page(said.html)
    assert {note.url for note in one.notes} <= set(page.links)
    assert all(f"  {note.url}\n" in said.text for note in one.notes)
    assert len(said.html.encode()) < 100_000  # Gmail cuts off at 102 KB


def test_five_hundred_stores_are_not_too_many_either() -> None:
    one = message(bundle=500)
    notes = [
        msgspec.structs.replace(note, alert=msgspec.structs.replace(note.alert, store_id=f"s-{place}"))
        for place, note in enumerate(one.notes)
    ]
    html = mail_text(msgspec.structs.replace(one, notes=tuple(notes))).html
    assert {note.url for note in notes} <= set(Page(html).links)
    assert len(html.encode()) < 100_000


@pytest.mark.parametrize("why", list(Bundling))
def test_a_bundle_says_why_it_is_one(why: Bundling) -> None:
    said = mail_text(message(bundle=2, bundling=why))
    word = {"storm": "at once", "quiet_hours": "quiet hours", "digest": "digest"}[why.value]
    assert word in said.text
    assert word in said.html


def test_a_bundle_of_several_tenants_says_whose_each_is() -> None:
    one = message(bundle=2)
    foreign = msgspec.structs.replace(one.notes[1], alert=msgspec.structs.replace(one.notes[1].alert, tenant_id="umbrella"))
    one = msgspec.structs.replace(one, notes=(one.notes[0], foreign))
    assert subject(one).endswith("(acme, umbrella)")
    assert "umbrella store s-2" in mail_text(one).text


def test_a_bundle_in_which_all_is_over_says_so() -> None:
    assert subject(message("device.online", bundle=3)) == "Resolved: 3 alerts at once (Acme)"
    assert subject(message("device.online", bundle=1)) == "Resolved: 1 alert (Acme)"


@pytest.mark.parametrize(
    ("count", "why", "said"),
    [
        (1, Bundling.STORM, "[HIGH] 1 alert, open (Acme)"),
        (1, Bundling.DIGEST, "[HIGH] 1 alert in your digest, open (Acme)"),
        (3, Bundling.STORM, "[CRITICAL] 3 alerts at once, all open (Acme)"),
        (12, Bundling.QUIET_HOURS, "[CRITICAL] 12 alerts from your quiet hours, 9 open, 3 resolved (Acme)"),
    ],
)
def test_a_bundle_says_how_many_why_together_and_how_they_stand(count: int, why: Bundling, said: str) -> None:
    assert subject(message(bundle=count, bundling=why)) == said
    assert plain_text(message(bundle=count, bundling=why)).title == said


@pytest.mark.parametrize(
    ("event", "mail", "plain"),
    [
        ("device.offline", "", ""),
        ("device.online", "Re: ", "Resolved: "),
        ("alert.reopened", "Re: ", "Reopened: "),
        ("alert.severity_changed", "", "Now "),
    ],
)
def test_a_thread_keeps_its_subject_and_other_titles_say_what_became_of_it(event: str, mail: str, plain: str) -> None:
    name = "Device offline" if event.startswith("device") else "CPU high"
    said = f"[HIGH] {name}: Till 1 (Acme)"
    assert subject(message(event)) == f"{mail}{said}"
    assert plain_text(message(event)).title == f"{plain}{said}"


def test_what_a_service_of_apprise_gets_is_short_and_says_what_is_missing() -> None:
    body = plain_text(message(bundle=500)).body
    assert len(body) <= LONGEST
    assert re.search(r"… and \d+ more lines: https://dash.example.com$", body)


def test_times_are_of_the_readers_zone() -> None:
    assert "2026-11-21 14:59:58 JST" in mail_text(message(timezone="Asia/Tokyo")).text


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_title_passes_through_the_wire(title: str, tenant: str) -> None:
    one = about(message(tenant_name=tenant), title=title)
    sent = message_from_bytes(compose(one, "fleetbeat@example.com").whole, policy=default)
    assert sent["Subject"].split() == subject(one).split()
    assert sorted(sent.keys()) == sorted(message_from_bytes(compose(message(), "fleetbeat@example.com").whole).keys())


def test_a_subject_keeps_its_blanks_between_words_outside_of_ascii() -> None:
    one = about(message("device.online"), title="ࠀࠀࠀࠀࠀࠀࠀࠀࠀ࢘࢘ ¡ ¡ Läden ¡ ¡ " * 4)
    sent = message_from_bytes(compose(one, "fleetbeat@example.com").whole, policy=default)
    assert sent["Subject"] == subject(one)


@given(st.text(), st.integers(min_value=2, max_value=300))
def test_one_line_is_one_and_short(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert len(line) <= longest
    assert len(line.splitlines()) <= 1
    assert one_line(line, longest) == line


def test_an_outage_of_days_is_said_in_its_two_largest_units() -> None:
    since = NOW - timedelta(days=2, hours=3, minutes=5)
    assert "RESOLVED · after 2 d 3 h" in mail_text(about(message("device.online"), first_seen=since)).text
