"""`fleetbeat simulate`: a fleet that beats through the public API."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
import uvloop
from rich.console import Console
from rich.live import Live

from app.data_folder import DataFolder
from app.simulation.fleet import FleetPlan, enrol
from app.simulation.run import Course, Simulation
from app.simulation.scenarios import Scenario
from app.simulation.tally import progress_table, summary
from app.simulation.wire import NoAnswerError, RefusedError, Wire

_DEMO_PLAN = FleetPlan(tenants=("demo",), devices=24, offline_after_sec=20)
_CONNECTIONS = 64


def command(
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="How many devices.")] = 50,
    tenants: Annotated[int, typer.Option(min=1, max=1_000, help="Over how many tenants, `demo-1` and on.")] = 1,
    scenario: Annotated[Scenario, typer.Option(help="What happens to them.")] = Scenario.STEADY,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two beats of a device.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60.0,
    beats: Annotated[int | None, typer.Option(min=1, help="Stop after so many beats.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=500, help="Beats in one call, as a gateway sends them.")] = 1,
    seed: Annotated[int, typer.Option(help="The same number gives the same course.")] = 1,
    offline_after: Annotated[int | None, typer.Option(min=1, help="Seconds of silence until a device is offline.")] = None,
    url: Annotated[
        str | None, typer.Option(help="The GraphQL endpoint. Default: that of the Fleetbeat that runs on --data.")
    ] = None,
    token: Annotated[str | None, typer.Option(envvar="FLEETBEAT_TOKEN", help="An administrator's token.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of a running `fleetbeat up`.")] = Path(".fleetbeat"),
    demo: Annotated[bool, typer.Option("--demo", help="A small mixed fleet in the tenant `demo`, until it is stopped.")] = False,
) -> None:
    """Beat for many devices, and count what is acknowledged."""
    endpoint, admin = _where(url, token, data)
    plan = FleetPlan(tuple(f"demo-{n + 1}" for n in range(tenants)), devices, offline_after)
    course = Course(scenario, every, seconds, beats, batch, seed)
    if demo:
        plan, course = _DEMO_PLAN, Course(Scenario.MIXED, 4.0, None, None, 1, seed)
    console = Console(highlight=False)
    try:
        uvloop.run(_until_stopped(_simulate(console, endpoint, admin, plan, course)))
    except* (RefusedError, NoAnswerError) as failures:
        console.print(f"The fleet could not be registered at {endpoint}: {failures.exceptions[0]}", markup=False)
        raise typer.Exit(1) from None


def _where(url: str | None, token: str | None, data: Path) -> tuple[str, str]:
    run = DataFolder(data).read_run() or {}
    endpoint, admin = url or run.get("http"), token or run.get("token")
    if not endpoint or not admin:
        raise typer.BadParameter(f"no Fleetbeat runs on {data}: say where with --url and --token (FLEETBEAT_TOKEN)")
    return endpoint, admin


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


async def _simulate(console: Console, url: str, admin: str, plan: FleetPlan, course: Course) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:
        wire = Wire(url, session)
        console.print(f"registering {plan.devices:,} devices in {', '.join(plan.tenants[:3])}{' …' if plan.tenants[3:] else ''}")
        fleet = await enrol(wire, admin, plan)
        simulation = Simulation(wire, admin, fleet, course)
        title = f"{course.scenario.value} · {plan.devices:,} devices · a beat every {course.every_sec:g} s"
        try:
            with Live(console=console, auto_refresh=False) as live:

                def show() -> None:
                    live.update(progress_table(simulation.tally, title, simulation.elapsed), refresh=console.is_terminal)

                await simulation.run(show)
        finally:
            # Away from a terminal the table ends without a line break.
            console.print("" if console.is_terminal else "\n", summary(simulation.tally), sep="", markup=False)
