"""When somebody may take a seat: never between the reading of an item and its telling."""

import asyncio

import pytest

from app.realtime.audience import Audience


class Chair:
    def __init__(self) -> None:
        self.sat = False

    def sit(self) -> None:
        self.sat = True


@pytest.fixture
def audience() -> Audience[Chair]:
    return Audience()


def joins(audience: Audience[Chair]) -> bool:
    return audience.join(Chair(), asyncio.Event())


def test_nobody_joins_before_the_shared_stream_is_at_the_head(audience: Audience[Chair]) -> None:
    assert not joins(audience)
    audience.at_head({1: 5}, asyncio.Event())
    assert joins(audience)
    assert audience.told == {1: 5}


def test_who_waits_is_called_when_it_is_there(audience: Audience[Chair]) -> None:
    called = asyncio.Event()
    audience.join(Chair(), called)
    audience.at_head({1: 5}, asyncio.Event())
    assert called.is_set()


def test_nobody_joins_once_there_is_news_or_the_head_is_left(audience: Audience[Chair]) -> None:
    news = asyncio.Event()
    audience.at_head({1: 5}, news)
    news.set()
    assert not joins(audience)
    news.clear()
    audience.leaving_head()
    assert not joins(audience)


def test_nobody_joins_until_all_that_was_read_is_told(audience: Audience[Chair]) -> None:
    audience.at_head({1: 5}, asyncio.Event())
    audience.telling({1: 6})
    audience.answered()
    audience.begins()
    audience.telling({1: 7})
    audience.answered()
    audience.at_head({1: 9}, asyncio.Event())
    audience.has_told()
    assert not joins(audience)
    assert audience.told == {1: 6}
    audience.begins()
    audience.has_told()
    assert joins(audience)
    assert audience.told == {1: 9}


def test_what_is_not_answered_yet_does_not_count_as_told(audience: Audience[Chair]) -> None:
    audience.telling({1: 6})
    audience.answered()
    audience.telling({1: 7})
    audience.begins()
    audience.has_told()
    assert audience.told == {1: 6}
