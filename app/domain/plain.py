"""Names and values of the domain as they are written outside: `forSec` for `for_sec`, `HIGH` for `Severity.HIGH`."""


def wire_name(name: str) -> str:
    """`for_sec` is `forSec` on the wire."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
