"""The public API as a device or an administrator uses it."""

from collections.abc import Mapping
from typing import Any

import aiohttp

BEAT = "mutation Beat($input: HeartbeatInput!) { heartbeat(input: $input) { accepted nextWithinSec } }"
BEATS = """mutation Beats($inputs: [HeartbeatInput!]!) {
  heartbeats(inputs: $inputs) { accepted rejected { index code } }
}"""
CREATE_TENANT = (
    "mutation CreateTenant($id: ID!, $input: TenantConfigInput!) { createTenant(id: $id, input: $input) { tenantId } }"
)
WIDEN_TENANT = """mutation WidenTenant($id: ID!, $input: TenantConfigInput!) {
  updateTenantConfig(tenantId: $id, input: $input) { tenantId }
}"""
SAVE_STORE = "mutation SaveStore($input: StoreInput!) { saveStore(input: $input) { storeId } }"
REGISTER = "mutation Register($input: DeviceInput!) { registerDevice(input: $input) { token } }"
ROTATE = """mutation Rotate($tenantId: ID, $deviceId: ID!) {
  rotateDeviceToken(tenantId: $tenantId, deviceId: $deviceId) { token }
}"""

_TIMEOUT = aiohttp.ClientTimeout(total=15)


class RefusedError(Exception):
    """The API answered, and the answer is no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class NoAnswerError(Exception):
    """Nobody answered, or not in GraphQL."""


class Wire:
    """Calls of one endpoint over kept-alive connections."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def call(self, document: str, variables: Mapping[str, Any], authorization: str) -> dict[str, Any]:
        """The data of an answer without errors."""
        body = {"query": document, "variables": variables}
        headers = {"Authorization": authorization, "Accept": "application/graphql-response+json"}
        try:
            async with self._session.post(self._url, json=body, headers=headers, timeout=_TIMEOUT) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error
        if not isinstance(answer, dict):
            raise NoAnswerError(f"status {response.status} and no GraphQL")
        if errors := answer.get("errors"):
            code = (errors[0].get("extensions") or {}).get("code", "INTERNAL")
            raise RefusedError(str(code), str(errors[0].get("message")))
        data: dict[str, Any] = answer.get("data") or {}
        return data


def person(token: str) -> str:
    return f"Bearer {token}"


def device(token: str) -> str:
    return f"Device {token}"
