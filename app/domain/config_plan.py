"""From a document to the changes that it means for the rules of a tenant. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from app.domain.alert import Severity
from app.domain.config_document import Change, Config, WantedRule, rule_change
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.rule import AbsenceCondition, Rule, RuleScope
from app.domain.rule_check import check_channel_ids, check_rule
from app.domain.rule_input import FIELDS, overlaid, override_of

_STAND_INS: Mapping[str, Any] = {"name": "-", "severity": Severity.LOW, "condition": AbsenceCondition()}
"""For what could not be read, so that the rest can be checked."""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a tenant by key: its own, as they hold, and the platform's as the tenant has them. `channel_ids` are the shared
    channels that they may name; None where nobody can tell."""

    tenant_id: str
    now: datetime
    own: Mapping[str, Rule]
    defaults: Mapping[str, Rule]
    channel_ids: frozenset[str] | None = None


def wanted_rules(config: Config, book: Book, faults: Faults) -> dict[str, Rule]:
    """By key, every rule of the document as it would be. Adds everything that is wrong with one."""
    return {**_standing_alone(config, book, faults), **_versions(config, book, faults)}


def rule_changes(config: Config, book: Book, wanted: Mapping[str, Rule]) -> list[Change]:
    """By key; deletions first, so that a key is free when it is taken again."""
    changes: list[Change] = []
    for key in sorted({*book.own, *wanted}):
        changes += _changes(config, book.own.get(key), wanted.get(key))
    return sorted(changes, key=lambda change: change.action != "delete")


def _standing_alone(config: Config, book: Book, faults: Faults) -> dict[str, Rule]:
    return {rule.key: _standing(rule, config, book, faults) for rule in config.rules or ()}


def _standing(rule: WantedRule, config: Config, book: Book, faults: Faults) -> Rule:
    own = book.own.get(rule.key)
    if own is not None and own.overridden is not None and config.overrides is None:
        faults.add(f"{rule.path}.key", "is overridden by the tenant: give an `overrides` section without it")
    if any(one.key == rule.key for one in config.overrides or ()):
        faults.add(f"{rule.path}.key", "is among the overrides too: a rule stands alone or follows the default")
    made = Rule(
        id=new_id(book.now),
        tenant_id=book.tenant_id,
        key=rule.key,
        created_at=book.now,
        updated_at=book.now,
        **{**_STAND_INS, **_scoped(rule.values)},
    )
    _check(made, rule, book, faults)
    if own is None or own.overridden is not None:
        return made
    return msgspec.structs.replace(own, **{name: getattr(made, name) for name in FIELDS})


def _versions(config: Config, book: Book, faults: Faults) -> dict[str, Rule]:
    found = {}
    for one in config.overrides or ():
        default = book.defaults.get(one.key)
        if default is None:
            faults.add(one.path, "is no rule of the platform: it has its place under `rules`")
        else:
            found[one.key] = _version(one, default, config, book, faults)
    return found


def _version(one: WantedRule, default: Rule, config: Config, book: Book, faults: Faults) -> Rule:
    own = book.own.get(one.key)
    if own is not None and own.overridden is None and config.rules is None:
        faults.add(one.path, "is a rule of the tenant that stands alone: give a `rules` section without it")
    base = own if own is not None and own.overridden is not None else override_of(default, book.tenant_id, book.now)
    overridden = tuple(name for name in FIELDS if name in one.values)
    version = overlaid(msgspec.structs.replace(base, **_scoped(one.values), overridden=overridden), default)
    _check(version, one, book, faults)
    return version


def _check(rule: Rule, wanted: WantedRule, book: Book, faults: Faults) -> None:
    """What stands in for something is not checked, nor is a scope without the condition that it belongs to."""
    found = Faults()
    check_rule(rule, wanted.path, found)
    if book.channel_ids is not None and "channel_ids" in wanted.values:
        # What was exported can be imported, though a channel is deleted meanwhile.
        own = book.own.get(rule.key)
        check_channel_ids(
            rule.channel_ids, book.channel_ids | set(own.channel_ids if own else ()), f"{wanted.path}.channelIds", found
        )
    hidden = [name for name in _STAND_INS if name not in wanted.values] if rule.overridden is None else []
    if "condition" in hidden:
        hidden.append("scope")
    for fault in found.found:
        if not any(fault.path.startswith(f"{wanted.path}.{name}") for name in hidden):
            faults.add(fault.path, fault.message)


def _changes(config: Config, own: Rule | None, wanted: Rule | None) -> Iterator[Change]:
    was_version = own is not None and own.overridden is not None
    is_version = wanted is not None and wanted.overridden is not None
    if own is not None and wanted is not None and was_version == is_version:
        pairs: list[tuple[bool, Rule | None, Rule | None]] = [(is_version, own, wanted)]
    else:
        pairs = [(was_version, own, None), (is_version, None, wanted)]
    for versions, before, after in pairs:
        section = config.overrides if versions else config.rules
        change = rule_change("override" if versions else "rule", before, after)
        if change is not None and section is not None:
            yield change


def _scoped(values: Mapping[str, Any]) -> dict[str, Any]:
    """A name that stands twice in a list of the scope, or of channels, is there once, as on the wire."""
    scope, once = values.get("scope"), dict(values)
    if isinstance(scope, RuleScope):
        lists = {name: tuple(dict.fromkeys(one)) for name, one in msgspec.structs.asdict(scope).items()}
        once["scope"] = RuleScope(**lists)
    if "channel_ids" in values:
        once["channel_ids"] = tuple(dict.fromkeys(values["channel_ids"]))
    return once
