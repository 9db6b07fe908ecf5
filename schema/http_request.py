"""GraphQL over HTTP, the request: what is asked for, in which form the answer is wanted, and every way to get it wrong."""

from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from app.errors import BadInputError, FieldError, FleetbeatError, TooComplexError, bad_field
from schema.json_body import decode

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


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """The parameters of a GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


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


async def read_operation(request: Request, max_body_bytes: int) -> OperationRequest:
    if request.method == "POST":
        _check_content_type(request)
        return _operation(_decoded(await read_body(request, max_body_bytes)))
    parameters: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _decoded(parameters[name]) if parameters[name] else None
    return _operation(parameters)


async def read_body(request: Request, most: int) -> bytes:
    """Stops reading at the limit."""
    too_large = HttpRefusalError(413, TooComplexError(f"The body is larger than {most} bytes"), {"connection": "close"})
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


def _check_content_type(request: Request) -> None:
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    charsets = [parameter[8:].strip('"') for parameter in parameters if parameter.startswith("charset=")]
    if name != JSON or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise HttpRefusalError(415, bad_field("Content-Type", f"A request is {JSON} in UTF-8"), {"accept": JSON})
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpRefusalError(415, bad_field("Content-Encoding", "A request is not compressed"), {"accept-encoding": "identity"})


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
    if not wrong and not parameters.get("query"):
        wrong = [FieldError("query", "is missing")]
    if wrong:
        raise HttpRefusalError(400, BadInputError(wrong))
    return OperationRequest(
        cast(str, parameters["query"]),
        parameters.get("operationName"),
        parameters.get("variables"),
        parameters.get("extensions"),
    )
