"""The way out to PagerDuty: Events API v2, with the alert's id as the key that holds its events together."""

from typing import Any

import msgspec

from app.channels.brief import facts
from app.channels.http import Http, answer_of
from app.channels.wording import test_words
from app.channels.words import link, one_line
from app.domain.alert import AlertEventType, Severity
from app.domain.channel import PagerDutyConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message, Note

LONGEST_SUMMARY = 1_024

_ACTIONS = {AlertEventType.ACKNOWLEDGED: "acknowledge", AlertEventType.RESOLVED: "resolve"}
_SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "warning",
    Severity.INFO: "info",
}


class PagerDutyWay:
    """One event for each note: what is bundled all the same goes one after the other. Sent again, an event changes nothing."""

    def __init__(self, known: Http, api_url: str) -> None:
        self._known = known
        self._url = f"{api_url.rstrip('/')}/v2/enqueue"

    async def send(self, config: PagerDutyConfig, message: Message) -> Answer:
        events = events_of(message)
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
        receipt = str(events[0]["dedup_key"])
        for event in events:
            data = msgspec.json.encode({"routing_key": config.routing_key, **event})
            reply = await self._known.post(self._url, message.now, data=data, headers=headers)
            answer = reply if isinstance(reply, (TryAgain, Never)) else answer_of(reply)
            if not isinstance(answer, Sent):
                return answer
        return Sent(receipt)


def events_of(message: Message) -> list[dict[str, Any]]:
    """Without the key of the integration."""
    return [_event(note, message) for note in message.notes] or [_test(message)]


def _event(note: Note, message: Message) -> dict[str, Any]:
    alert = note.alert
    event = {
        "event_action": _ACTIONS.get(note.type, "trigger"),
        "dedup_key": alert.id,
        "payload": {
            "summary": one_line(
                f"{one_line(alert.title, LONGEST_SUMMARY - 100)} ({one_line(message.tenant_name, 90)})", LONGEST_SUMMARY
            ),
            "severity": _SEVERITIES[alert.severity],
            "source": _source(note),
            "timestamp": alert.first_seen.isoformat(),
            "component": alert.subject_id,
            "group": alert.store_id,
            "class": alert.rule_key,
            "custom_details": {
                "event": note.event,
                "tenant": message.tenant_name,
                "facts": facts(note, message),
                "value": alert.value,
                "threshold": alert.threshold,
                "unit": alert.unit,
            },
        },
        "client": "Fleetbeat",
        "client_url": note.url,
        "links": [{"href": note.url, "text": "Open the alert"}],
    }
    if link(alert.runbook_url):
        event["links"] = [*event["links"], {"href": alert.runbook_url, "text": "Runbook"}]
    return event


def _source(note: Note) -> str:
    hostname = None if note.device is None else note.device.hostname
    return hostname or note.alert.subject_id


def _test(message: Message) -> dict[str, Any]:
    payload = {"summary": f"{test_words(message)} Resolve it by hand.", "severity": "info", "source": "Fleetbeat"}
    return {"event_action": "trigger", "dedup_key": message.id, "payload": payload, "client": "Fleetbeat"}
