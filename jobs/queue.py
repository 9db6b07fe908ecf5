"""The job queue: how work is handed over, as JSON and never as pickles, each job under an id of its own."""

import asyncio
import time
from typing import Any

import msgspec
from arq.connections import ArqRedis, RedisSettings, create_pool
from redis.exceptions import RedisError

from app.realtime.bus import FAST_QUEUE, close_redis, master_of
from app.sentinels import Sentinels, read_sentinels

AWAY = (RedisError, OSError, asyncio.TimeoutError)
ENQUEUE_SEC = 1.0
AGAIN_AFTER_SEC = 3.0
"""Whoever found Redis away does not wait for it again for so long."""

encode = msgspec.json.encode


def decode(data: bytes) -> dict[str, Any]:
    job: dict[str, Any] = msgspec.json.decode(data)
    return job


def queue_settings(redis_url: str) -> RedisSettings:
    """One try: whoever waits for Redis here does the work without it instead."""
    settings = RedisSettings.from_dsn(redis_url)
    settings.conn_timeout = 1
    settings.conn_retries = 0
    return settings


async def open_pool(redis_url: str) -> ArqRedis:
    sentinels = read_sentinels(redis_url)
    if sentinels is not None:
        return await _open_by(sentinels)
    return await create_pool(
        queue_settings(redis_url), job_serializer=encode, job_deserializer=decode, default_queue_name=FAST_QUEUE
    )


async def _open_by(sentinels: Sentinels) -> ArqRedis:
    # arq knows Sentinels, but lets their connections leak when the master is away, and waits for it without end.
    pool = master_of(sentinels, ArqRedis, socket_connect_timeout=1, encoding="utf8")
    pool.job_serializer, pool.job_deserializer, pool.default_queue_name = encode, decode, FAST_QUEUE
    try:
        await pool.ping()
    except BaseException:
        await close_pool(pool)
        raise
    return pool


async def close_pool(pool: ArqRedis) -> None:
    try:
        async with asyncio.timeout(ENQUEUE_SEC):
            await close_redis(pool)
    except AWAY:
        return


class Queue:
    """Hands jobs over while Redis is there."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._pool: ArqRedis | None = None
        self._opening = asyncio.Lock()
        self._not_before = 0.0

    async def put(self, function: str, job_id: str, *arguments: Any) -> bool:
        """Whether the job is queued, or was already; False while Redis is away."""
        if time.monotonic() < self._not_before:
            return False
        try:
            async with asyncio.timeout(ENQUEUE_SEC):
                pool = await self._opened()
                await pool.enqueue_job(function, *arguments, _job_id=job_id, _queue_name=FAST_QUEUE, _expires=60)
        except AWAY:
            self._not_before = time.monotonic() + AGAIN_AFTER_SEC
            await self._drop()
            return False
        return True

    async def depth(self) -> int | None:
        """Jobs that wait or run; None while Redis is away."""
        try:
            async with asyncio.timeout(ENQUEUE_SEC):
                return None if self._pool is None else int(await self._pool.zcard(FAST_QUEUE))
        except AWAY:
            return None

    async def close(self) -> None:
        await self._drop()

    async def _opened(self) -> ArqRedis:
        # Several ticks may be the first at once.
        async with self._opening:
            if self._pool is None:
                self._pool = await open_pool(self._redis_url)
            return self._pool

    async def _drop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await close_pool(pool)
