"""`fleetbeat up`: everything on this machine."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from app.embedded import ServerFailedError
from app.settings import read_settings
from app.up import StartFailedError, Supervisor, Wishes

_DATA = Path(".fleetbeat")


def command(
    data: Annotated[Path, typer.Option(help="Folder of the databases, logs and run.json.")] = _DATA,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the API; another one where it is taken.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the API.")] = None,
    api: Annotated[int, typer.Option(min=1, max=64, help="How many API processes.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many workers.")] = 1,
    demo: Annotated[bool, typer.Option(help="Simulate a small fleet in the tenant `demo`.")] = True,
) -> None:
    """Start MongoDB, Redis, the API, a worker and a small demo fleet; Ctrl-C stops them all."""
    console = Console(highlight=False, soft_wrap=True)
    settings = read_settings(needs_auth=False, host=host, port=port)
    wishes = Wishes(data, api, workers, demo, uses_mongo=_is_set("MONGO_URI"), uses_redis=_is_set("REDIS_URL"))

    def say(line: str) -> None:
        # The terminal may have gone away; what is said to nobody must not keep the parts from being stopped.
        with suppress(OSError):
            console.print(f"[dim]·[/dim] {Text(line).markup}")

    def show_ready(run: Mapping[str, object]) -> None:
        console.print(_panel(run, wishes))

    say("starting")
    try:
        Supervisor(settings, wishes, say, show_ready).run()
    except (StartFailedError, ServerFailedError) as error:
        console.print(str(error), markup=False)
        sys.exit(1)
    say("stopped")


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _panel(run: Mapping[str, object], wishes: Wishes) -> Group:
    data = wishes.data
    fleet = "24 simulated devices beat in the tenant `demo`" if wishes.demo else "no simulated devices (--no-demo)"
    facts = {"GraphQL": run["http"], "WebSocket": run["ws"], "Logs": data / "log", "Details": data / "run.json", "Fleet": fleet}
    lines = Text("\n").join(Text.assemble((f"{label:<11}", "bold"), str(value)) for label, value in facts.items())
    return Group(
        Panel(lines, title="Fleetbeat is running", title_align="left", border_style="green", padding=(1, 2)),
        Text("Your sign-in token (super admin, 30 days):", style="bold"),
        Text(f"{run['token']}\n"),
        Text("Try next, in another terminal:", style="bold"),
        *(Text(f"  {line}") for line in _next_steps(str(run["http"]), wishes)),
        Text("\nCtrl-C stops everything.", style="dim"),
    )


def _next_steps(http: str, wishes: Wishes) -> list[str]:
    program = sys.argv[0] if Path(sys.argv[0]).name == "fleetbeat" else "fleetbeat"
    folder = f" --data {wishes.data}" if wishes.data != _DATA else ""
    beat = 'mutation { heartbeat(input: {tenantId: \\"demo\\", deviceId: \\"pos-1\\"}) { accepted status nextWithinSec } }'
    look = "{ overview { devicesOnline devicesOffline activeAlerts } alerts(first: 5) { nodes { title status } } }"
    return [
        f"TOKEN=$({program} token --sub me --role super_admin --data {wishes.data})",
        *([_curl(http, beat)] if wishes.demo else []),
        _curl(http, look),
        f"{program} simulate --devices 200 --scenario store-outage{folder}",
    ]


def _curl(http: str, query: str) -> str:
    return f'curl -s {http} -H "Authorization: Bearer $TOKEN" -H \'Content-Type: application/json\' -d \'{{"query": "{query}"}}\''
