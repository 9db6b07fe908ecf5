"""The README is true: its examples run, its tables agree with the code."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from typer.testing import CliRunner

from app import telemetry
from app.channels.sms import LONGEST_TEXT
from app.cli import COMMANDS, application
from app.config_yaml import read_yaml
from app.delivering import MOST_REFUSALS
from app.domain.channel import ChannelKind
from app.domain.config_document import read_config
from app.domain.config_plan import Book, wanted_rules
from app.domain.defaults import platform_rules
from app.domain.delivery import FIRST_PAUSE_SEC, LONGEST_PAUSE_SEC, MOST_ATTEMPTS, DeliveryStatus, pause_sec
from app.domain.faults import Faults
from app.domain.pace import GAPS, UNPACED
from app.domain.plain import wire_name
from app.domain.rule import MetricCondition, OutsideHoursCondition, RatioCondition, Rule, ServiceCondition, SpikeCondition
from app.fallbacks import FAILS_FOR
from app.settings import ALIASES, Settings
from app.simulation.scenarios import Scenario
from tests.cast import NOW
from tests.flows.documents import CREATE_TENANT, DEVICE, REGISTER
from tests.flows.installation import Installation, installed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture
async def installation(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database) as here:
        yield here


async def _run(*command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def _registered(installation: Installation) -> str:
    root = installation.person()
    await root.ask(CREATE_TENANT, id="demo", name="Demo")
    token: str = (await root.ask(REGISTER, input={"tenantId": "demo", "deviceId": "till-7"}))["registerDevice"]["token"]
    return token


async def test_the_python_device_beats(installation: Installation, tmp_path: Path) -> None:
    found = re.search(r"<!-- device-example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    assert len(found.group(1).splitlines()) <= 25
    script = tmp_path / "device.py"
    script.write_text(found.group(1))
    token = await _registered(installation)
    await _run(sys.executable, str(script), FLEETBEAT_URL=installation.url, DEVICE_TOKEN=token, DEVICE_ID="till-7", BEATS="2")
    shown = await installation.person().ask(DEVICE, tenantId="demo", deviceId="till-7")
    assert shown["device"]["status"] == "ONLINE"
    wrong = {"FLEETBEAT_URL": installation.url, "DEVICE_TOKEN": token, "DEVICE_ID": "till-8", "BEATS": "1"}
    assert "this token is not for device 'till-8'" in await _run(sys.executable, str(script), **wrong)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here: the README's examples with it were LEFT OUT")
async def test_the_curl_device_beats_and_the_curl_admin_reads(installation: Installation) -> None:
    token = await _registered(installation)
    examples = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "curl -s" in block]
    assert len(examples) == 4
    said = ""
    for example in examples:
        script = re.sub(r"^TOKEN=.*\n", "", example).replace("http://127.0.0.1:8080/graphql", installation.url)
        script = script.replace('till-7\\"', 'till-8\\"')  # registering is of another one than the device that beats
        environment = {"TOKEN": installation.authorization().removeprefix("Bearer "), "DEVICE_TOKEN": token}
        said += await _run(
            "bash", "-ec", script.replace("{deviceId:", '{tenantId: \\"demo\\", deviceId:'), PATH="/usr/bin:/bin", **environment
        )
    assert '"errors"' not in said
    assert '"nextWithinSec"' in said
    assert '"accepted": 2' in said or '"accepted":2' in said


def test_the_table_of_settings_is_whole_and_true() -> None:
    table = README.split("## Settings")[1].split("\n## ")[0]
    rows = {
        name: row.split("|")[2]
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }
    fields = {name.upper(): field for name, field in Settings.model_fields.items()}
    assert sorted(rows) == sorted(fields)
    for name, field in fields.items():
        default = field.default
        shown = "none" if default in (None, ()) else f"{default:g}" if isinstance(default, float) else str(default)
        if isinstance(default, bool):
            shown = shown.lower()
        assert shown in rows[name], f"{name} is {shown}"
    for alias in (alias for aliases in ALIASES.values() for alias in aliases):
        assert alias in table


def test_the_table_of_rules_is_whole() -> None:
    table = README.split("## Rules out of the box")[1].split("\n## ")[0]
    rows = {row.split("`")[1]: row for row in table.splitlines() if row.startswith("| `")}
    rules = {rule.key: rule for rule in platform_rules(90, NOW)}
    assert sorted(rows) == sorted(rules)
    for key, rule in rules.items():
        fires, severity, cooldown = rows[key].split("|")[2:5]
        follows_tier = isinstance(rule.condition, ServiceCondition) and rule.condition.service is None
        assert ("by tier" if follows_tier else rule.severity.name) in severity
        assert f"{rule.cooldown_sec // 60} min" in cooldown
        assert _numbers(fires) == _bounds(rule)
        assert ("a person resolves it" in fires) is not rule.auto_resolve


def test_the_chapter_on_telling_people_agrees_with_the_code() -> None:
    chapter = README.split("## Telling people")[1].split("\n## ")[0]
    rows = set(re.findall(r"^\| `([a-zA-Z]+)`", chapter, re.MULTILINE))
    assert {wire_name(kind.value) for kind in ChannelKind} <= rows
    assert {status.name for status in DeliveryStatus} <= set(re.findall(r"`([A-Z]+)`", chapter))
    assert (MOST_ATTEMPTS, FIRST_PAUSE_SEC, LONGEST_PAUSE_SEC) == (12, 2, 20 * 60)
    said = " ".join(chapter.split())
    assert "tried again, twelve times in about an hour: after 2 s, and twice as long each time up to 20 minutes" in said
    assert 0.8 < sum(pause_sec(tried, 0.5) for tried in range(1, MOST_ATTEMPTS)) / 3600 < 1.2
    assert [gap.total_seconds() for gap in GAPS] == [5, 20]
    assert "5 s later, then 20 s later, and then when the first is a minute old, so three in a minute" in said
    assert {ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY, ChannelKind.IN_APP} == UNPACED
    assert (MOST_REFUSALS, FAILS_FOR.total_seconds()) == (5, 300)
    assert "failing for five minutes. Five such refusals" in said
    assert f"of {LONGEST_TEXT} letters at most" in chapter


def test_what_the_chapter_on_telling_people_asks_for_is_in_the_schema() -> None:
    chapter = README.split("## Telling people")[1].split("\n## ")[0]
    asked = re.findall(r"`(alert\(id:\).*?)`", " ".join(chapter.split()))
    assert asked
    schema = build_schema((ROOT / "frontend-contract" / "schema.graphql").read_text())
    for one in asked:
        assert validate(schema, parse("{ " + one.replace("id:", 'id: "1"') + " }")) == []


def _numbers(text: str) -> set[float]:
    clock = re.compile(r"(\d\d):00")
    plain = clock.sub("", text)
    return {float(number.replace(",", "")) for number in re.findall(r"(?<![\w])[\d,.]*\d", plain)} | {
        float(hour) for hour in clock.findall(text)
    }


def _bounds(rule: Rule) -> set[float]:
    """What makes a rule fire, as the table says it: ratios in percent, windows in minutes, clocks by the hour."""
    hold = {float(rule.for_sec)} if rule.for_sec else set()
    match rule.condition:
        case MetricCondition(metric=metric, threshold=threshold, recovery_threshold=recovery):
            factor = 100 if metric == "errorRate5m" else 1
            return hold | {bound * factor for bound in (threshold, recovery) if bound is not None}
        case RatioCondition(threshold=share, window_sec=window):
            return {share * 100, window / 60}
        case SpikeCondition(factor=factor, window_sec=window):
            return {factor, window / 60}
        case OutsideHoursCondition(opens=opens, closes=closes):
            return {float(opens[:2]), float(closes[:2])}
        case ServiceCondition():
            return hold
    return {float(Settings.model_fields["heartbeat_offline_seconds"].default)}


def test_the_example_of_a_configuration_is_one() -> None:
    text = re.findall(r"<!-- config-example -->\n```yaml\n(.*?)```", README, re.DOTALL)[0]
    faults = Faults()
    config = read_config(read_yaml(text, faults), faults)
    defaults = {rule.key: rule for rule in platform_rules(90, NOW)}
    wanted = wanted_rules(config, Book(tenant_id="demo", now=NOW, own={}, defaults=defaults), faults)
    assert faults.found == []
    assert sorted(wanted) == ["after_hours_sales", "cpu_high", "payments_at_the_gate"]


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:`|\.venv/bin/)fleetbeat ([a-z][^`\n]*)", README))))
def test_every_command_of_the_readme_is_understood(line: str) -> None:
    command, *words = line.rstrip(")").split()
    assert command in COMMANDS
    options = [word for word in words if word.startswith("--")]
    shown = CliRunner().invoke(application(command), [command, "--help"], env={"COLUMNS": "200"}).output
    assert [option for option in options if option not in shown] == []


def test_every_make_target_of_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`?make ([a-z]+)\b", README)) - {"it"}
    assert [target for target in sorted(targets) if re.search(rf"^{target}:", makefile, re.MULTILINE) is None] == []


def test_every_metric_of_the_readme_is_measured() -> None:
    named = set(re.findall(r"`(fleetbeat_\w+)`", README))
    shown = {sample.name for metric in telemetry.REGISTRY.collect() for sample in metric.samples}
    shown |= {metric.name for metric in telemetry.REGISTRY.collect()}
    assert named
    assert named - shown == set()


def test_every_log_event_of_the_readme_is_written() -> None:
    table = README.split("| at night |")[1].split("\n\n")[0]
    sources = "".join(path.read_text() for folder in ("app", "jobs") for path in (ROOT / folder).rglob("*.py"))
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", table)
    assert named
    assert [event for event in named if f'"{event}"' not in sources] == []


def test_every_scenario_of_the_readme_is_there() -> None:
    line = README.split("Scenarios: ")[1].split(".")[0]
    assert re.findall(r"`([a-z-]+)`", line) == [scenario.value for scenario in Scenario]


def test_every_file_that_the_readme_links_to_is_there() -> None:
    assert [link for link in re.findall(r"\]\(([^#)]+)\)", README) if not (ROOT / link).exists()] == []
