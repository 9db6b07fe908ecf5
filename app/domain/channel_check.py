"""What is wrong with where a channel leads, and what of it may be shown. Pure."""

from urllib.parse import urlsplit

from app.domain.faults import Faults

SHORTEST_SECRET, LONGEST_SECRET = 16, 256


def masked(url: str) -> str:
    """Scheme and host: paths and queries of webhooks are often secrets themselves."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/…"


def check_webhook(url: str, secret: str | None, path: str, faults: Faults) -> None:
    """`secret` None keeps the one that is there."""
    faults.web_address(f"{path}.url", url)
    faults.require(not _names_a_person(url), f"{path}.url", "should be without a user and a password")
    if secret is not None:
        fits = SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET and secret.isprintable() and secret.strip() == secret
        said = f"should be {SHORTEST_SECRET} to {LONGEST_SECRET} printable characters without blanks at the ends"
        faults.require(fits, f"{path}.secret", said)


def _names_a_person(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is none raises as well, and only when it is looked at.
        return parts.username is not None or parts.password is not None or parts.port == 0
    except ValueError:
        return True
