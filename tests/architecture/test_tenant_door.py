"""Every query goes through the doors of `app/store/mongo.py`: a tenant's data is asked for with its scope, or not at all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = {"app/store/mongo.py", "app/store/indexes.py", "app/store/replica_set.py"}
TENANT_FREE = {"tenants", "members", "preferences", "lanes", "leases", "workers", "intakes", "alert_rules"}
"""What `platform_collection` may open: Fleetbeat's own, people over several tenants and how they want to be told, and rules, whose tenant may be null."""


def violations(path: str, source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] in ("motor", "pymongo", "bson") for name in names):
                yield f"{path}:{node.lineno} imports the driver"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in ("motor", "pymongo", "bson"):
                yield f"{path}:{node.lineno} imports the driver"
            case ast.Attribute(attr="_collection"):
                yield f"{path}:{node.lineno} reaches behind the door"
            case ast.Attribute(attr="database", value=ast.Attribute(attr="mongo") | ast.Name(id="mongo")):
                yield f"{path}:{node.lineno} takes the database itself"
            case ast.Call(func=ast.Attribute(attr="platform_collection"), args=[ast.Constant(value=name)]) if (
                name not in TENANT_FREE
            ):
                yield f"{path}:{node.lineno} opens {name!r} without a tenant's scope"
            case ast.Call(func=ast.Attribute(attr="platform_collection" | "tenant_collection"), args=[argument]) if (
                not isinstance(argument, ast.Constant)
            ):
                yield f"{path}:{node.lineno} opens a collection by a computed name"
            case _:
                pass


def test_no_query_goes_round_the_tenant_door() -> None:
    found = [
        violation
        for folder in ("app", "schema", "jobs")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (path := file.relative_to(ROOT).as_posix()) not in DOORS
        for violation in violations(path, file.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pymongo",
        "from motor.motor_asyncio import AsyncIOMotorClient",
        "await store.alerts._alerts._collection.find({})",
        "await context.mongo.database['provider_alerts'].find_one({})",
        "mongo.platform_collection('provider_alerts')",
        "mongo.tenant_collection(name)",
    ],
)
def test_the_guard_sees_every_way_round(source: str) -> None:
    body = f"async def ask():\n    {source}\n"
    assert len(list(violations("app/anything.py", body))) == 1
