"""No rule of PROTOCOL.md stands there without a test."""

import re
from itertools import pairwise

import pytest

from tests.contract.protocol import PROTOCOL, ROOT
from tests.contract.rules import RULES

TEXT = re.sub(r"\s+", " ", PROTOCOL)


@pytest.mark.parametrize(("rule", "test"), RULES.items(), ids=list(RULES))
def test_a_rule_of_the_protocol_has_its_test(rule: str, test: str) -> None:
    assert rule in TEXT, "the protocol does not say so any more"
    file, name = test.split("::")
    source = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
    assert re.search(rf"\bdef {name}\(", source), f"{file}.py has no {name}"


def test_every_section_has_rules_and_every_close_code_is_one() -> None:
    places = [TEXT.index(rule) for rule in RULES]
    bounds = [TEXT.index(title) for title in re.findall(r"^## \d.*", PROTOCOL, re.MULTILINE)]
    for start, end in pairwise(bounds):
        assert [place for place in places if start < place < end], TEXT[start : start + 30]
    assert {f"| {code} |" for code in re.findall(r"^\| (\d{4}) \|", PROTOCOL, re.MULTILINE)} <= set(RULES)
