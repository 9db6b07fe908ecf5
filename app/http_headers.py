"""The headers of a request by their names, looked through once for all who ask."""

from starlette.types import Scope

_KEPT = "fleetbeat.headers"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Names are in lower case. Of a header that is there twice, the first counts."""
    kept: dict[bytes, bytes] | None = scope.get(_KEPT)
    if kept is None:
        kept = scope[_KEPT] = dict(reversed(scope["headers"]))
    return kept
