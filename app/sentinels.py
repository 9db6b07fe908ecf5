"""`redis+sentinel://host,host/master`: a Redis whose address is asked of its Sentinels, since after a failure it is another one."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

SCHEME = "redis+sentinel"
DEFAULT_PORT = 26379


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Who is asked (host, port), for which master, and how to sign in at the master."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    database: int = 0
    username: str | None = None
    password: str | None = None


def read_sentinels(url: str) -> Sentinels | None:
    """None where the address is that of a Redis itself. Raises ValueError for one that names no Sentinel or no master."""
    parts = urlsplit(url)
    if parts.scheme != SCHEME:
        return None
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    if not all((hosts, master)) or not (database or "0").isdigit():
        raise ValueError(f"should look like {SCHEME}://host:26379,host:26379/master or …/master/0")
    return Sentinels(
        hosts=tuple(_host(one) for one in hosts.split(",")),
        master=unquote(master),
        database=int(database or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
    )


def _host(text: str) -> tuple[str, int]:
    # A plain URL of one host, so that an address in brackets is read rightly.
    one = urlsplit(f"//{text}")
    if one.hostname is None:
        raise ValueError(f"{text!r} is not a host")
    return one.hostname, one.port or DEFAULT_PORT
