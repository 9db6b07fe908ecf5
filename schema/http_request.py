"""GraphQL over HTTP, the request: what is asked for, in which form the answer is wanted, and every way to get it wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from app.errors import BadInputError, FieldError, FleetbeatError, TooComplexError, bad_field
from app.http_headers import headers_of
from schema.json_body import decode
from schema.persisted import is_persisted

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
_OFFERED = {JSON: JSON, GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, "application/*": JSON, "*/*": JSON}
_PARAMETERS = {"query": str, "operationName": str, "variables": dict, "extensions": dict}
_NAMES = {str: "a string", dict: "an object"}


class HttpRefusalError(Exception):
    """A request that is answered without being executed."""

    def __init__(self, status: int, error: FleetbeatError, headers: dict[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers or {}


class Head:
    """The head of a request, of which most is never looked at, and the rest once: a client sends the same one again and again.

    `recall` is for whoever signs its callers in, to keep what it made of it.
    """

    def __init__(self, method: str, headers: Mapping[bytes, bytes], address: str | None, query_string: bytes = b"") -> None:
        self.method = method
        self.address = address
        self.headers = headers
        self._query_string = query_string
        self.recall: Callable[[], Any] | None = None

    def get(self, name: bytes) -> str | None:
        return _text(self.headers.get(name))

    @cached_property
    def media_type(self) -> str | None:
        """In which form a POST is answered; None where it is refused for what its head says of its content."""
        get = self.headers.get
        return _media_type(get(b"accept"), get(b"content-type"), get(b"content-encoding"))

    @cached_property
    def authorization(self) -> str | None:
        return authorization_of(self.get(b"authorization"), self.get(b"x-api-key"))

    @property
    def query_params(self) -> QueryParams:
        return QueryParams(self._query_string)


def authorization_of(authorization: str | None, api_key: str | None) -> str | None:
    """The header, or the key of programs that cannot set it, under the name of the header that it came in."""
    return f"X-API-Key {api_key}" if authorization is None and api_key is not None else authorization


def head_of(scope: Scope) -> Head:
    client = scope.get("client")
    return Head(scope["method"], headers_of(scope), client[0] if client else None, scope["query_string"])


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """The parameters of a GraphQL request. The query is empty where its hash stands in the extensions."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


@lru_cache(maxsize=64)
def negotiate(accept: str | None) -> str:
    """The media type of the answer. `application/json` where the client has no wish of its own."""
    if accept is None or not accept.strip():
        return JSON
    wishes = [_wish(entry) for entry in accept.split(",")]
    taken = [(weight, _OFFERED[name]) for name, weight in wishes if name in _OFFERED and weight > 0]
    if not taken:
        offer = f"The answer comes as {JSON} or {GRAPHQL_RESPONSE}"
        raise HttpRefusalError(406, bad_field("Accept", offer))
    # The first of those wanted most.
    return max(taken, key=lambda wish: wish[0])[1]


def _wish(entry: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in entry.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def operation_of_post(body: bytes) -> OperationRequest:
    return _operation(_decoded(body))


def operation_of_get(head: Head) -> OperationRequest:
    parameters: dict[str, Any] = dict(head.query_params)
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _decoded(parameters[name]) if parameters[name] else None
    return _operation(parameters)


async def read_body(head: Head, receive: Receive, most: int) -> bytes:
    """Stops reading at the limit."""
    check_content(head.get(b"content-type") or "", head.get(b"content-encoding"))
    announced = head.get(b"content-length") or ""
    if announced.isdecimal() and int(announced[:20]) > most:
        raise _too_large(most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        if len(body) + len(chunk) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return bytes(body + chunk) if body else chunk
        body += chunk


def _too_large(most: int) -> HttpRefusalError:
    return HttpRefusalError(413, TooComplexError(f"The body is larger than {most} bytes"), {"connection": "close"})


@lru_cache(maxsize=64)
def check_content(content_type: str, encoding: str | None) -> None:
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [parameter[8:].strip('"') for parameter in parameters if parameter.startswith("charset=")]
    if name != JSON or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise HttpRefusalError(415, bad_field("Content-Type", f"A request is {JSON} in UTF-8"), {"accept": JSON})
    if encoding is not None and encoding.lower() != "identity":
        raise HttpRefusalError(415, bad_field("Content-Encoding", "A request is not compressed"), {"accept-encoding": "identity"})


@lru_cache(maxsize=64)
def _media_type(accept: bytes | None, content_type: bytes | None, encoding: bytes | None) -> str | None:
    try:
        check_content(_text(content_type) or "", _text(encoding))
        return negotiate(_text(accept))
    except HttpRefusalError:
        return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _decoded(text: bytes | str) -> Any:
    try:
        return decode(text)
    except BadInputError as error:
        raise HttpRefusalError(400, error) from None


def _operation(parameters: Any) -> OperationRequest:
    if not isinstance(parameters, dict):
        raise HttpRefusalError(400, bad_field("", "A request is a JSON object with `query` in it"))
    wrong = [
        FieldError(name, f"must be {_NAMES[kind]}")
        for name, kind in _PARAMETERS.items()
        if not isinstance(parameters.get(name), kind) and parameters.get(name) is not None
    ]
    if not wrong and not parameters.get("query") and not is_persisted(parameters.get("extensions")):
        wrong = [FieldError("query", "is missing")]
    if wrong:
        raise HttpRefusalError(400, BadInputError(wrong))
    return OperationRequest(
        parameters.get("query") or "",
        parameters.get("operationName"),
        parameters.get("variables"),
        parameters.get("extensions"),
    )
