"""`fleetbeat`: the command line."""

import importlib
import sys
from collections.abc import Mapping, Sequence

import typer
from rich.console import Console

from app import __version__
from app.data_folder import DataInUseError
from app.embedded import MissingServerError
from app.settings import SettingsError

# A command is imported when it is asked for: `token` needs neither the schema nor the server.
COMMANDS: Mapping[str, str] = {
    "up": "app.commands.up",
    "api": "app.commands.api",
    "worker": "app.commands.worker",
    "tick": "app.commands.tick",
    "token": "app.commands.token",
    "seed": "app.commands.seed",
    "contract": "app.commands.contract",
    "simulate": "app.commands.simulate",
    "rules": "app.commands.rules",
    "notify": "app.commands.notify",
}


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        application(next((word for word in given if not word.startswith("-")), None))(given)
    except SettingsError as error:
        _fail("These settings cannot be used:", *(f"  {problem}" for problem in error.problems))
    except (MissingServerError, DataInUseError) as error:
        _fail(str(error))


def application(wanted: str | None) -> typer.Typer:
    """The command line with the wanted command, or with all of them where none of that name is known."""
    app = typer.Typer(
        name="fleetbeat",
        help="Watches fleets of devices and the services behind them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback(invoke_without_command=True)(_every_command)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        app.command(name)(importlib.import_module(COMMANDS[str(name)]).command)
    return app


def _every_command(version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True)) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _fail(*lines: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)
    sys.exit(2)


if __name__ == "__main__":
    main()
