"""Everything that can be set from outside: typed, read once, refused at start with every fault at once.

A variable NAME may also come from a file named by NAME_FILE, as container platforms hand out secrets.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.durations import parse_duration
from app.sentinels import SCHEME as SENTINEL_SCHEME, read_sentinels

MINIMUM_SECRET_BYTES = 32

# What other products of the customer call a setting. Fleetbeat's own name wins where both are set.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "RULE_TICK_SECONDS": ("WORKER_SLEEP_SECONDS", "MACHINE_HEARTBEAT_CHECK_INTERVAL"),
    "HEARTBEAT_OFFLINE_SECONDS": ("MACHINE_OFFLINE_THRESHOLD",),
}
_HIDDEN = "(hidden)"
_URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


class SettingsError(Exception):
    """The settings cannot be used; one readable line for each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]
WholeSeconds = Annotated[int, BeforeValidator(_seconds)]


class Settings(BaseSettings):
    """One value for each environment variable, by its name in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True)

    mongo_uri: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    mongo_database: str = Field(default="fleetbeat", pattern=r"^[A-Za-z0-9_-]{1,63}$")
    redis_url: str = "redis://127.0.0.1:6379/0"

    jwt_secret: SecretStr | None = None
    jwt_jwks_url: str | None = None
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    secrets_key: SecretStr | None = None
    device_auth: Literal["on", "off"] = "on"

    heartbeat_offline_seconds: WholeSeconds = Field(default=120, ge=1)
    sync_lag_warn_seconds: WholeSeconds = Field(default=90, ge=1)
    deadline_sweep_seconds: Seconds = Field(default=1.0, ge=0.1, le=60)
    rule_tick_seconds: Seconds = Field(default=15.0, ge=0.1, le=3600)
    worker_max_retries: int = Field(default=3, ge=0, le=100)
    allow_private_webhooks: bool = False
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Literal["starttls", "tls", "off"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str = "Fleetbeat <fleetbeat@localhost>"
    slack_api_url: str = "https://slack.com/api"
    telegram_api_url: str = "https://api.telegram.org"
    telegram_bot_token: SecretStr | None = None
    twilio_api_url: str = "https://api.twilio.com"
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_from: str | None = None
    pagerduty_api_url: str = "https://events.pagerduty.com"
    deadman_url: SecretStr | None = None
    platform_webhook_url: SecretStr | None = None
    event_retention_days: int = Field(default=90, ge=1)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8080"
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    graphql_ide: bool = False

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("mongo_uri")
    @classmethod
    def _is_mongo(cls, value: str) -> str:
        return _require_scheme(value, "mongodb", "mongodb+srv")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        read_sentinels(value)
        return _require_scheme(value, "redis", "rediss", "unix", SENTINEL_SCHEME)

    @field_validator("public_url", "jwt_jwks_url", "slack_api_url", "telegram_api_url", "twilio_api_url", "pagerduty_api_url")
    @classmethod
    def _is_web(cls, value: str | None) -> str | None:
        return None if value is None else _require_scheme(value, "http", "https").rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and re.fullmatch(r"https?://[^/\s]+", origin) is None:
                raise ValueError('should be origins such as "https://dash.example.com", separated by commas')
        return value

    @field_validator("jwt_secret", "secrets_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (length := len(value.get_secret_value().encode())) < MINIMUM_SECRET_BYTES:
            raise ValueError(f"has {length} bytes, should have at least {MINIMUM_SECRET_BYTES}: openssl rand -base64 48")
        return value

    @model_validator(mode="after")
    def _jwks_names_its_audience_and_issuer(self) -> "Settings":
        if self.jwt_jwks_url is not None:
            missing = [name for name in ("JWT_AUDIENCE", "JWT_ISSUER") if getattr(self, name.lower()) is None]
            if missing:
                raise ValueError(f"JWT_JWKS_URL is set, so {' and '.join(missing)} should be set too")
        return self

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `read_settings` hands over what it read from the environment and from files; nothing else is looked at.
        return (init_settings,)


def read_settings(environment: Mapping[str, str] | None = None, *, needs_auth: bool = True, **values: Any) -> Settings:
    """The settings of this process; `values` that are not None win over the environment.

    Raises SettingsError with every fault. `needs_auth` refuses a start in which nobody could sign in.
    """
    problems: list[str] = []
    given = _from_environment(os.environ if environment is None else environment, problems)
    given.update({name: value for name, value in values.items() if value is not None})
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems.extend(_readable(fault, given) for fault in error.errors())
    if needs_auth and not given.get("jwt_secret") and not given.get("jwt_jwks_url"):
        problems.append(
            f"JWT_SECRET is missing: set it to at least {MINIMUM_SECRET_BYTES} random bytes (openssl rand -base64 48), "
            "or set JWT_JWKS_URL with JWT_AUDIENCE and JWT_ISSUER"
        )
    if problems:
        raise SettingsError(problems)
    return settings


def to_environment(settings: Settings) -> dict[str, str]:
    """What a child process has to find in its environment to read these settings again."""
    return {name.upper(): _written(value) for name, value in settings if value is not None}


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in Settings.model_fields:
        own = field.upper()
        for name in (own, *ALIASES.get(own, ())):
            value = _from_variable_or_file(environment, name, problems)
            if value:
                found[field] = value
                break
    return found


def _from_variable_or_file(environment: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    if value := environment.get(name):
        return value
    if path := environment.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}_FILE names {path!r}, which cannot be read: {_reason(error)}")
    return None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"


def _readable(fault: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    field = str(fault["loc"][0])
    message = message[:1].lower() + message[1:] if message.startswith("Input") else message
    info = Settings.model_fields.get(field)
    shown = _HIDDEN if info is not None and _is_secret(info) else repr(_URL_PASSWORD.sub("***@", str(given.get(field))))
    return f"{field.upper()}={shown}: {message}"


def _is_secret(info: FieldInfo) -> bool:
    kinds = get_args(info.annotation) if get_origin(info.annotation) is not None else (info.annotation,)
    return SecretStr in kinds or info.annotation is SecretStr


def _require_scheme(value: str, *schemes: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not (parts.netloc or parts.scheme == "unix"):
        raise ValueError(f"should be an address that begins with {' or '.join(scheme + '://' for scheme in schemes)}")
    return value
