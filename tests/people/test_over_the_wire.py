"""Preferences and notifications through an API of its own, by HTTP and by WebSocket."""

import pytest

from app.domain.tenant import Role
from tests.cast import open_test_context
from tests.flows.client import RefusedError
from tests.flows.installation import installed
from tests.people.making import told

UPDATE = "mutation($input: PreferencesInput!) { updatePreferences(input: $input) { quietHours { start end exceptSeverities } } }"
LISTEN = "subscription { notifications { id title severity readAt } }"
LIST = "{ notifications(unreadOnly: true) { id } }"
MARK = "mutation($ids: [ID!]!) { markNotificationsRead(ids: $ids) }"


async def test_a_person_is_told_reads_it_and_says_when_to_be_quiet(mongo_uri: str, redis_url: str, database: str) -> None:
    async with (
        open_test_context(mongo_uri, redis_url, database) as context,
        installed(mongo_uri, redis_url, database, workers=0) as here,
    ):
        vera, mats = (here.person(Role.VIEWER, "acme", name=name) for name in ("vera", "mats"))
        async with vera.subscribe(LISTEN) as stream:
            for number in (1, 2):
                await context.store.notifications.put([told(number), told(number, "mats")])
                await context.bus.ring_notifications(["vera", "mats"])
            heard = [event["notifications"] for event in await stream.take(2)]
        assert [one["title"] for one in heard] == ["Trouble 1", "Trouble 2"]
        assert (await vera.ask(MARK, ids=[heard[0]["id"], "1:mats"]))["markNotificationsRead"] == 1
        assert (await vera.ask(LIST))["notifications"] == [{"id": heard[1]["id"]}]
        assert len((await mats.ask(LIST))["notifications"]) == 2
        quiet = {"enabled": True, "start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}
        assert (await vera.ask(UPDATE, input={"quietHours": quiet}))["updatePreferences"]["quietHours"] == {
            "start": "22:00",
            "end": "07:00",
            "exceptSeverities": ["CRITICAL"],
        }
        with pytest.raises(RefusedError) as refused:
            await vera.ask(UPDATE, input={"digestSec": 5})
        assert refused.value.codes == ["BAD_USER_INPUT"]
