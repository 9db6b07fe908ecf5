"""Node scripts from a test."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from tests.api.node.conftest import ROOT

SCRIPTS = Path(__file__).parent


async def start(script: str, *arguments: str, **environment: str) -> Process:
    command = ("node", str(SCRIPTS / script), *arguments)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, env={**os.environ, **environment})


async def lines(script: str, *arguments: str, **environment: str) -> list[Any]:
    """The JSON lines that a script prints until it ends."""
    process = await start(script, *arguments, **environment)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


async def next_line(process: Process) -> Any:
    assert process.stdout is not None
    return json.loads(await process.stdout.readline())
