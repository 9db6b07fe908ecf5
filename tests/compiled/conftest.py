"""The twins."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from tests.api.serving import Serve, serve
from tests.compiled.on_the_wire import Kept, Short, served
from tests.compiled.twins import Twin, twin

__all__ = ["serve"]


@pytest.fixture
async def compiling(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Twin]:
    async with twin(mongo_uri, redis_url, database, compiles=True) as made:
        yield made


@pytest.fixture
async def general(mongo_uri: str, redis_url: str, new_database: str) -> AsyncIterator[Twin]:
    async with twin(mongo_uri, redis_url, new_database, compiles=False) as made:
        yield made


@pytest.fixture
def third_database(mongo_client: "MongoClient[dict[str, Any]]") -> Iterator[str]:
    name = f"test_{uuid4().hex[:16]}"
    yield name
    mongo_client.drop_database(name)


@pytest.fixture
async def short(mongo_uri: str, redis_url: str, third_database: str, serve: Serve) -> AsyncIterator[Short]:
    """A twin that compiles, asked over a connection that takes the short way."""
    async with twin(mongo_uri, redis_url, third_database, compiles=True) as made:
        connection = await Kept.to((await served(made, serve, short=True)).port)
        yield Short(made, connection)
        await connection.close()
