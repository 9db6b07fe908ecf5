"""The real application on a socket, without a worker: the rules of the protocol hold before anything is judged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from app.domain.tenant import Role
from app.main import create_app
from app.seed import seed
from app.settings import Settings
from app.tokens import issue_jwt
from tests.api.serving import Serve, serve
from tests.cast import SECRET
from tests.flows.client import Api
from tests.flows.documents import CREATE_TENANT

__all__ = ["serve"]


@dataclass(frozen=True)
class Place:
    """Where it listens, with the tenants `acme` and `umbrella`."""

    url: str
    session: aiohttp.ClientSession
    settings: Settings

    @property
    def socket(self) -> str:
        return self.url.replace("http", "ws", 1)

    def person(self, role: Role = Role.SUPER_ADMIN, *tenants: str, name: str = "root") -> Api:
        token = issue_jwt(self.settings, name, role, list(tenants), timedelta(hours=1))
        return Api(self.session, self.url, f"Bearer {token}")

    async def post(self, body: Any, **headers: str) -> aiohttp.ClientResponse:
        """A super admin's request, unless `authorization` says otherwise; a body that is bytes goes as it is."""
        sent = {"content-type": "application/json", "authorization": self.person().authorization} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(
            self.url, headers={key: value for key, value in sent.items() if value}, **content
        ) as response:
            await response.read()
            return response


@pytest.fixture
async def place(mongo_uri: str, redis_url: str, database: str, serve: Serve) -> AsyncIterator[Place]:
    settings = Settings(
        mongo_uri=mongo_uri,
        redis_url=redis_url,
        mongo_database=database,
        jwt_secret=SecretStr(SECRET),
        cors_origins=("https://dash.example",),
    )
    await seed(settings)
    served = await serve(create_app(settings), lifespan="on")
    async with aiohttp.ClientSession() as session:
        here = Place(f"{served.http}/graphql", session, settings)
        for tenant in ("acme", "umbrella"):
            await here.person().ask(CREATE_TENANT, id=tenant, name=tenant.capitalize())
        yield here
