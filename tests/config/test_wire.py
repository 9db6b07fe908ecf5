"""Configuration as code through the schema."""

from app.context import Context
from app.rule_changes import create_rule
from tests.cast import mate, outsider, owner
from tests.rules.world import hot
from tests.wire import ask, refusal

EXPORT = "query ($tenantId: ID) { exportConfig(tenantId: $tenantId) }"
IMPORT = """mutation ($tenantId: ID, $text: String!, $dryRun: Boolean) {
  importConfig(tenantId: $tenantId, document: $text, dryRun: $dryRun) {
    dryRun errors changes { kind key action before after } } }"""
LEFT_OUT = "mutation ($text: String!) { importConfig(document: $text) { dryRun changes { key } } }"


async def test_a_document_goes_out_and_in(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    text = (await ask(context, owner, EXPORT))["exportConfig"]
    assert "- key: too_hot\n" in text
    done = (await ask(context, owner, IMPORT, text=text.replace("severity: HIGH", "severity: LOW"), dryRun=False))["importConfig"]
    change = {"kind": "rule", "key": "too_hot", "action": "update", "before": {"severity": "HIGH"}, "after": {"severity": "LOW"}}
    assert done == {"dryRun": False, "errors": [], "changes": [change]}
    assert "severity: LOW" in (await ask(context, owner, EXPORT))["exportConfig"]


async def test_an_import_is_a_dry_run_unless_it_is_asked_for(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    text = "{version: 1, rules: []}"
    expected = {"dryRun": True, "changes": [{"key": "too_hot"}]}
    assert (await ask(context, owner, LEFT_OUT, text=text))["importConfig"] == expected
    assert (await ask(context, owner, IMPORT, text=text, dryRun=None))["importConfig"]["dryRun"] is True
    assert "too_hot" in (await ask(context, owner, EXPORT))["exportConfig"]


async def test_faults_are_listed_in_the_answer(context: Context) -> None:
    done = (await ask(context, owner, IMPORT, text="{version: 1, thresholds: {cooldownSec: soon}}", dryRun=False))["importConfig"]
    errors = ["thresholds.cooldownSec: should be a whole number, not 'soon'"]
    assert done == {"dryRun": False, "errors": errors, "changes": []}


async def test_configuration_is_for_admins(context: Context) -> None:
    assert await refusal(context, mate, EXPORT) == ("FORBIDDEN", [])
    assert await refusal(context, outsider, EXPORT, tenantId="acme") == ("FORBIDDEN", [])
    assert await refusal(context, mate, IMPORT, text="{version: 1}") == ("FORBIDDEN", [])
