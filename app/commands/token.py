"""`fleetbeat token`: a sign-in token."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from app.data_folder import DataFolder
from app.domain.tenant import Role
from app.durations import parse_duration
from app.settings import Settings, SettingsError, read_settings
from app.tokens import issue_jwt


def command(
    sub: Annotated[str, typer.Option(help="Whose token: an id or an email address.")],
    role: Annotated[str, typer.Option(help="viewer, operator, admin or super_admin.")] = "viewer",
    tenant: Annotated[list[str] | None, typer.Option(help="A tenant that it is for; say it again for more.")] = None,
    ttl: Annotated[str, typer.Option(help='How long it holds, such as "30m", "8h" or "30d".')] = "8h",
    data: Annotated[Path | None, typer.Option(help="Take the secret that `fleetbeat up` keeps in this folder.")] = None,
) -> None:
    """Print a sign-in token, signed with JWT_SECRET or with the secret that `up` keeps."""
    chosen = _role(role)
    tenants = tenant or []
    if chosen is not Role.SUPER_ADMIN and not tenants:
        raise typer.BadParameter("say which tenant, at least one: only a super admin has them all", param_hint="--tenant")
    email = sub if "@" in sub else None
    try:
        typer.echo(issue_jwt(_settings(data), sub, chosen, tenants, _life(ttl), email))
    except ValueError as error:
        raise SettingsError([str(error)]) from error


def _role(name: str) -> Role:
    try:
        return Role(name.lower())
    except ValueError:
        choices = ", ".join(role.value for role in Role)
        raise typer.BadParameter(f"{name!r} should be one of {choices}", param_hint="--role") from None


def _life(ttl: str) -> timedelta:
    try:
        life = timedelta(seconds=parse_duration(ttl))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error), param_hint="--ttl") from None
    if not life:
        raise typer.BadParameter("should be longer than nothing", param_hint="--ttl")
    return life


def _settings(data: Path | None) -> Settings:
    if data is None:
        return read_settings()
    secret = DataFolder(data).known_secret()
    if secret is None:
        raise typer.BadParameter(f"{data} holds no secret: `fleetbeat up --data {data}` makes one", param_hint="--data")
    return read_settings(jwt_secret=SecretStr(secret))
