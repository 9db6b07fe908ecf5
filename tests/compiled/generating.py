"""Requests for the hot fields: documents in all spellings, and variables that are good, bad and extreme."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schema.documents import digest_of
from tests.compiled.spelling import Pairs, Token, literal, spelled

NUMBERS = [
    *map(Token, ("-0", "-0.0", "1.0", "1e3", "1E400", "NaN", "-Infinity", "1e-400", "00", "0.1e1", "9" * 5_000, "1" + "0" * 309)),
    2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 - 1, 2**53, 2**53 + 1, -(2**53), 2**63, 2**64, 1e308, 5e-324, 0.1, 100, 100.5, -1,
]  # fmt: skip
TEXTS = [
    "",
    " ",
    "é",
    "\0",
    '"',
    "\\",
    ":",
    '":"',
    "a:b",
    "😀",
    "\u2028",
    "x" * 129,
    "till-1",
    "\ufeff",
    "online",
    "null",
    "\x7f",
]
TOKENS = [
    *map(Token, ('"\\ud800"', '"\\u003a"', '"\\u0065"', "True", "'x'", '"\\x"', '"\n"', "nul", '"\\ud83d\\ude00"', '"\\/"'))
]
TIMES = [
    "2026-11-21T06:00:00Z", "2026-11-21T06:00:00.123456Z", "2026-11-21T07:30:00+01:30", "2026-11-21t05:59:60z", "2026-11-20 06:00:00Z",
    "2026-11-21T06:00:00", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "2026-11-21T06:05:01Z", "1763704800", "",
]  # fmt: skip


def once_in(times: int) -> st.SearchStrategy[bool]:
    """Hypothesis likes the ends of ranges too much to be rare by numbers."""
    return st.sampled_from([False] * (times - 1) + [True])


texts = st.sampled_from(TEXTS) | st.text(max_size=12).filter(lambda text: text.isprintable())
numbers = st.sampled_from(NUMBERS) | st.integers(-5, 200) | st.floats(0, 100)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.sampled_from(TOKENS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
good_gauge = st.none() | st.floats(0, 1) | st.integers(0, 1)
health = st.sampled_from(["HEALTHY", "DEGRADED", "UNHEALTHY", "UNKNOWN"])
metric = st.fixed_dictionaries(
    {"name": st.sampled_from(["volts", "amps", "é", ""]), "value": st.floats(-10, 10) | st.integers(-10, 10)},
    optional={"unit": st.none() | texts},
)
service = st.fixed_dictionaries(
    {"name": st.sampled_from(["web", "db"]), "status": health},
    optional={"responseTimeMs": good_gauge, "checks": anything, "uptimeSec": good_gauge, "url": st.none() | texts},
)
beat = st.fixed_dictionaries(
    {"deviceId": st.sampled_from(["till-1", "till-2", "till-3", "kiosk"])},
    optional={
        "tenantId": st.sampled_from(["acme", "umbrella", "nobody", None]),
        "status": st.none() | st.sampled_from(["online", "idle"]),
        "sentAt": st.none() | st.sampled_from(TIMES[:5]),
        "sequence": st.none() | st.integers(0, 5),
        **dict.fromkeys(["errorRate5m", "requestLatencyP95", "syncLagSec", "cpuUsage", "memoryUsage", "diskUsage"], good_gauge),
        **dict.fromkeys(["storeId", "appVersion", "name", "hostname", "kind", "bootId"], st.none() | texts),
        "metrics": st.none() | st.lists(metric, max_size=3),
        "services": st.none() | st.lists(service, max_size=2),
    },
)
event = st.fixed_dictionaries(
    {"kind": st.sampled_from(["SALE", "REFUND", "PAYMENT", "REPRINT"])},
    optional={
        "outcome": st.none() | st.sampled_from(["SUCCESS", "FAILURE"]),
        "at": st.none() | st.sampled_from(TIMES[:5]),
        "deviceId": st.none() | st.sampled_from(["till-1", "till-2", "kiosk"]),
        "tenantId": st.sampled_from(["acme", "umbrella", None]),
        "amount": st.none() | st.floats(-100, 100) | st.integers(0, 9),
        "count": st.none() | st.integers(0, 5),
        **dict.fromkeys(["storeId", "reference"], st.none() | texts),
    },
)


@st.composite
def spoilt(draw: st.DrawFn, inputs: st.SearchStrategy[dict[str, Any]]) -> Any:
    """An input, mostly as it should be."""
    given = draw(inputs)
    match draw(
        st.sampled_from(["good"] * 16 + ["value", "number", "time", "unknown", "twice", "missing", "anything", "escaped"])
    ):
        case "value" if given:
            given[draw(st.sampled_from(sorted(given)))] = draw(anything)
        case "number":
            given[draw(st.sampled_from(["cpuUsage", "sequence", "amount", "count", "storeId", "deviceId"]))] = draw(numbers)
        case "time":
            given[draw(st.sampled_from(["sentAt", "at"]))] = draw(st.sampled_from(TIMES))
        case "unknown":
            given[draw(texts | st.sampled_from(["device_id", "__typename"]))] = draw(anything)
        case "twice":
            name = draw(st.sampled_from(sorted(given)))
            return Pairs((*given.items(), (name, draw(st.just(given[name]) | anything))))
        case "missing":
            given.pop(draw(st.sampled_from(sorted(given))))
        case "anything":
            return draw(anything)
        case "escaped":
            given["name"] = draw(st.sampled_from(TOKENS))
        case _:
            return given
    return given


@dataclass(frozen=True)
class Hot:
    """A hot field, as documents name it."""

    name: str
    argument: str
    kind: str
    inputs: st.SearchStrategy[dict[str, Any]]
    many: bool
    leaves: tuple[str, ...]


HOT = (
    Hot("heartbeat", "input", "HeartbeatInput!", beat, False, ("accepted", "receivedAt", "status", "nextWithinSec")),
    Hot("heartbeats", "inputs", "[HeartbeatInput!]!", beat, True, ("accepted", "receivedAt", "rejected")),
    Hot("recordEvents", "events", "[OperationalEventInput!]!", event, True, ("accepted", "rejected")),
)
OF_REJECTED = ("index", "deviceId", "code", "message", "__typename")
BLANKS = ["", " ", "\n\t ", "\r\n"]
ENUMS = ("kind", "outcome")


@st.composite
def selections(draw: st.DrawFn, leaves: tuple[str, ...], rejected: str = "rejected", depth: int = 0) -> str:
    parts: list[str] = []
    for name in draw(st.lists(st.sampled_from((*leaves, "__typename")), min_size=1, max_size=5)):
        alias = draw(st.sampled_from([""] * 12 + [f"{name[:3]}: "] * 6 + ["x: ", "_1: "]))
        inner = f" {draw(selections(OF_REJECTED, depth=depth + 1))}" if name == rejected else ""
        parts.append(alias + name + inner)
    if depth < 2 and draw(once_in(5)):
        parts.append(f"...{draw(selections(leaves, depth=2))}")
    if draw(once_in(30)):
        parts[0] += " @include(if: true)"
    return "{" + draw(st.sampled_from([" ", ", ", "\n  # a comment\n  "])).join(parts) + "}"


@st.composite
def documents(draw: st.DrawFn, hot: Hot, constant: Any) -> tuple[str, str | None, str | None]:
    """A document, the name of its operation, and that of its variable."""
    name = draw(st.sampled_from([None, "Beat", "heartbeat"]))
    variable = draw(st.sampled_from(["input", "inputs", "b", "_", "class"]))
    kind = draw(st.sampled_from([hot.kind] * 30 + [hot.kind[:-1], f"{hot.kind} = null", "HeartbeatInput!", "String"]))
    argument, declared = f"${variable}", f"(${variable}: {kind})"
    if constant is not None:
        argument, declared = literal(constant), ""
    alias = draw(st.sampled_from(["", "", "beat: "]))
    blank = draw(st.sampled_from([" ", "\n", "  #c\n", ", "]))
    field = f"{alias}{hot.name}({hot.argument}:{blank}{argument}){draw(selections(hot.leaves))}"
    around = draw(st.sampled_from(["%s"] * 10 + ["__typename %s", "%s t: __typename", "... on Mutation { %s }", "%s %s"]))
    body = around.replace("%s", field)
    text = f"mutation{' ' + name if name else ''}{declared}{blank}{{ {body} }}"
    tail = draw(st.sampled_from([""] * 16 + ["\n", " query Other { __typename }", "# end", " }"]))
    return text + tail, name, variable if constant is None else None


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """The body of a request."""
    hot = draw(st.sampled_from(HOT))
    constant = None
    if draw(once_in(5)):
        written = {key: Token(value) if key in ENUMS and value else value for key, value in draw(hot.inputs).items()}
        written = {key: value for key, value in written.items() if key not in ("services", "metrics")}
        constant = [written] if hot.many else written
    query, name, variable = draw(documents(hot, constant))
    members: list[tuple[str, Any]] = [("query", query)]
    if variable is not None:
        one = spoilt(hot.inputs)
        argument = draw(st.lists(one, max_size=4) if hot.many and not draw(once_in(20)) else one)
        variables = {variable: argument} | draw(st.sampled_from([{}] * 20 + [{"unknown": 1}, {"a": Token('"\\ud800"')}]))
        members.append(("variables", draw(st.sampled_from([variables] * 30 + [None, {}, [], "x"]))))
    elif draw(st.booleans()):
        members.append(("variables", draw(st.sampled_from([None, {}, {"a": 1}, Token("{ }")]))))
    if draw(once_in(3)):
        members.append(("operationName", draw(st.sampled_from([name, name, None, "Other", "", 1]))))
    if draw(once_in(7)):
        persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest_of(query)}}
        members.append(("extensions", draw(st.sampled_from([None, {}, {"a": ":"}, persisted, persisted]))))
    members += draw(st.sampled_from([[]] * 25 + [[("query", query)], [("id", 1)], [("variables", {})], [("extensions", None)]]))
    ordered = draw(st.permutations(members))
    text = spelled(Pairs(tuple(ordered)), ascii_only=draw(st.booleans()), blank=draw(st.sampled_from(BLANKS)))
    return text.encode()
