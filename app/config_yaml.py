"""Configuration as YAML: text to plain lists and mappings, and back.

What is read is less than YAML has. No aliases, which let a small text stand for an enormous one; no tags; no key twice, of
which one would be lost; no `22:00`, `no` or `2026-11-21` that would silently be a number, a truth value or a day.
"""

import re
from typing import Any

import yaml

from app.domain.faults import Faults

MOST_BYTES = 1_000_000
DEEPEST = 20

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What text is left plain is decided by the writer, which knows YAML 1.1: nothing here may match more than that does.
_PLAIN = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
}


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A safe loader that knows fewer plain values, and refuses a key that stands twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML keeps them on the class


class _Dumper(yaml.SafeDumper):
    """A safe dumper that writes what comes twice twice, since aliases are not read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool | None):
            raise _refusal("a name has to be text", key_node.start_mark)
        if key in found:
            raise _refusal(f"{str(key)[:64]!r} stands there twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def write_yaml(document: dict[str, Any]) -> str:
    written: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return written


def read_yaml(text: str, faults: Faults) -> object:
    """The document; None where it cannot be read, which is then among the faults."""
    if len(text) > MOST_BYTES or len(text.encode(errors="replace")) > MOST_BYTES:
        faults.add("document", f"should have at most {MOST_BYTES:,} bytes")
        return None
    try:
        _refuse_traps(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe one
    except yaml.MarkedYAMLError as error:
        faults.add("document", f"is not such YAML: {_refusal(str(error.problem), error.problem_mark)}")
    except (yaml.YAMLError, ValueError) as error:
        faults.add("document", f"is not such YAML: {str(error)[:200]}")
    return None


def _refuse_traps(text: str) -> None:
    """Before anything is built of it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refusal("anchors and aliases are not taken", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _refusal("tags are not taken", event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or documents > 1:
            problem = "only one document is taken" if documents > 1 else f"it is more than {DEEPEST} levels deep"
            raise _refusal(problem, event.start_mark)


def _refusal(problem: str, mark: Any) -> yaml.YAMLError:
    return yaml.YAMLError(problem if mark is None else f"{problem} in line {mark.line + 1}, column {mark.column + 1}")
