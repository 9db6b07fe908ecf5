"""A tenant's configuration as a document of plain lists and mappings: writing it, reading it, and what it would change. Pure.

`thresholds` are settings of the tenant, `rules` its rules that stand alone, `overrides` its versions of the platform's.
A section that is left out is left alone. One that is there is whole, but for `thresholds`: what it does not name is deleted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from app.domain.faults import Faults
from app.domain.plain import UNREADABLE, below, field_types, read_fields, wire_name, write
from app.domain.rule import Rule
from app.domain.rule_check import MOST_RULES, check_key
from app.domain.rule_input import FIELDS
from app.domain.rule_tests import RuleTest, read_tests
from app.domain.tenant import Tenant

VERSION = 1
THRESHOLDS = (
    "offline_after_sec",
    "sync_lag_warn_sec",
    "cooldown_sec",
    "max_alerts_per_hour",
    "shared_fate_ratio",
    "shared_fate_min",
)
_SECTIONS = ("version", "thresholds", "rules", "overrides")
_RULE_FIELDS = {name: kind for name, kind in field_types(Rule).items() if name in FIELDS}
_REQUIRED = ("key", "name", "severity", "condition")


class WantedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of the document: what it says, by the names of the domain; what could not be read is left out."""

    path: str
    key: str
    values: dict[str, Any]
    tests: tuple[RuleTest, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read; None for a section that is left out."""

    thresholds: dict[str, Any] | None = None
    rules: tuple[WantedRule, ...] | None = None
    overrides: tuple[WantedRule, ...] | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `action` is create, update or delete; before and after are as the document has them."""

    kind: str
    key: str
    action: str
    before: Any = None
    after: Any = None
    was: Rule | None = None
    wanted: Rule | None = None


def write_config(tenant: Tenant, own: Iterable[Rule]) -> dict[str, Any]:
    """The document of a tenant as it is; `own` are its rules as they hold."""
    rules = sorted(own, key=lambda rule: rule.key)
    return {
        "version": VERSION,
        "thresholds": {wire_name(name): getattr(tenant, name) for name in THRESHOLDS},
        "rules": [_written(rule) for rule in rules if rule.overridden is None],
        "overrides": {rule.key: written_override(rule) for rule in rules if rule.overridden is not None},
    }


def written_rule(rule: Rule) -> dict[str, Any]:
    """Every field, also those that are as in a new rule."""
    return {wire_name(name): write(getattr(rule, name), whole=True) for name in FIELDS}


def written_override(rule: Rule) -> dict[str, Any]:
    return {wire_name(name): write(getattr(rule, name)) for name in FIELDS if name in (rule.overridden or ())}


def read_config(document: object, faults: Faults) -> Config:
    """What of the document could be read; everything else is among the faults."""
    if not isinstance(document, dict):
        faults.add("document", "should have the fields version, thresholds, rules and overrides")
        return Config()
    for name in document:
        faults.require(name in _SECTIONS, below("", name), f"is not known; there are {', '.join(_SECTIONS)}")
    version = document.get("version")
    faults.require(type(version) is int and version == VERSION, "version", f"should be {VERSION}")
    return Config(
        thresholds=_read_thresholds(document["thresholds"], faults) if "thresholds" in document else None,
        rules=_read_rules(document["rules"], faults) if "rules" in document else None,
        overrides=_read_overrides(document["overrides"], faults) if "overrides" in document else None,
    )


def threshold_changes(config: Config, tenant: Tenant) -> list[Change]:
    """One change for each setting that becomes another."""
    before = {name: getattr(tenant, name) for name in config.thresholds or ()}
    return [
        Change(kind="threshold", key=wire_name(name), action="update", before=before[name], after=value)
        for name, value in (config.thresholds or {}).items()
        if value != before[name]
    ]


def rule_change(kind: str, was: Rule | None, wanted: Rule | None) -> Change | None:
    """From one to the other, either of which may not be there; None where they say the same."""
    rule = wanted or was
    written = written_override if kind == "override" else written_rule
    before = None if was is None else written(was)
    after = None if wanted is None else written(wanted)
    if rule is None or before == after:
        return None
    if before is None or after is None:
        action = "create" if before is None else "delete"
    else:
        action = "update"
        changed = [name for name in {**before, **after} if (name in before, before.get(name)) != (name in after, after.get(name))]
        before, after = ({name: one[name] for name in changed if name in one} for one in (before, after))
    return Change(kind=kind, key=rule.key, action=action, before=before, after=after, was=was, wanted=wanted)


def _written(rule: Rule) -> dict[str, Any]:
    fields = msgspec.structs.fields(Rule)
    by_itself = {field.name: field.default for field in fields if not field.required}
    said = [name for name in FIELDS if name not in by_itself or getattr(rule, name) != by_itself[name]]
    return {"key": rule.key, **{wire_name(name): write(getattr(rule, name)) for name in said}}


def _read_thresholds(value: object, faults: Faults) -> dict[str, Any]:
    kinds = {name: kind for name, kind in field_types(Tenant).items() if name in THRESHOLDS}
    return _readable(read_fields(value, kinds, (), "thresholds", faults))


def _read_rules(value: object, faults: Faults) -> tuple[WantedRule, ...]:
    if not isinstance(value, list):
        faults.add("rules", "should be a list of rules; [] for none")
        return ()
    if len(value) > MOST_RULES:
        faults.add("rules", f"has {len(value)} rules; at most {MOST_RULES}")
        return ()
    found: dict[str, WantedRule] = {}
    for index, one in enumerate(value):
        path = f"rules[{index}]"
        rule = _read_rule(one, path, faults)
        if rule is not None:
            faults.require(rule.key not in found, f"{path}.key", f"is there already, as {rule.key} of an earlier rule")
            found.setdefault(rule.key, rule)
    return tuple(found.values())


def _read_rule(value: object, path: str, faults: Faults) -> WantedRule | None:
    kinds = {"key": str, **_RULE_FIELDS, "tests": object}
    said = {name: one for name, one in value.items() if name != "tests"} if isinstance(value, dict) else value
    read = read_fields(said, {name: kind for name, kind in kinds.items() if name != "tests"}, _REQUIRED, path, faults)
    tests = read_tests(value["tests"], f"{path}.tests", faults) if isinstance(value, dict) and "tests" in value else ()
    key = read.pop("key", UNREADABLE)
    if not isinstance(key, str):
        return None
    check_key(key, path, faults)
    return WantedRule(path=path, key=key, values=_readable(read), tests=tests)


def _read_overrides(value: object, faults: Faults) -> tuple[WantedRule, ...]:
    if not isinstance(value, dict):
        faults.add("overrides", "should be the keys of rules of the platform with what is overridden; {} for none")
        return ()
    found = []
    for key, said in value.items():
        path = below("overrides", key)
        if not isinstance(said, dict) or not said:
            faults.add(path, "should have at least one field to override; leave the key out to follow the default in all")
        else:
            found.append(WantedRule(path=path, key=str(key), values=_readable(read_fields(said, _RULE_FIELDS, (), path, faults))))
    return tuple(found)


def _readable(read: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in read.items() if value is not UNREADABLE}
