"""Looking for news each second costs no more than what is new."""

from datetime import timedelta
from typing import Any

from pymongo import MongoClient

from app.context import Context
from app.store.notifications import LOOK_BACK
from tests.people.making import told


async def test_what_was_written_lately_is_read_from_an_index_alone(
    context: Context, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    await context.store.notifications.put([told(number) for number in range(100)])
    head = await context.store.notifications.head()
    assert head is not None
    marks = await context.store.notifications.marks(head - LOOK_BACK)
    assert len(marks) == 100
    assert await context.store.notifications.marks(head + timedelta(seconds=1)) == []
    question = {"written_at": {"$gte": head}}
    found = mongo_client[context.settings.mongo_database]["notifications"].find(question, {"user_id": 1, "written_at": 1})
    stats = found.sort("written_at", 1).explain()["executionStats"]
    assert (stats["totalDocsExamined"], stats["totalKeysExamined"] <= 101) == (0, True)
