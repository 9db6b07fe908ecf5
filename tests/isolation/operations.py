"""Every field at the root of the schema, as callers of both tenants ask for it: aimed at `acme` by name or by id, or not aimed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.cast import NOW
from tests.isolation.world import CALLERS, Things, queue, tenant_of

Variables = Callable[[Things, str], dict[str, Any]]
"""From what `acme` has, and who asks."""

WELL = ""
DEVICE = "id tenantId name status health latest { appVersion } heartbeats { appVersion } openAlerts { id title device { name } }"
UPTIME = 'uptime(range: {from: "2026-11-01T00:00:00Z", to: "2026-12-01T00:00:00Z"}) { ratio outages }'
ALERT = (
    "id tenantId title device { name } rule { name openAlerts } timeline { type alert { title } } "
    "parent { title } children { title } childCount suppressedBy deliveries { recipient channel { name } }"
)
RULE = "id tenantId name openAlerts channels { name config }"
OVERVIEW = "devices { total } activeAlerts hosts { name tenantId }"
DAY = '{from: "2026-11-21T00:00:00Z", to: "2026-11-22T00:00:00Z"}'
NEW = {"deviceId": "till-3", "name": "Third till"}
OLD = {"deviceId": "till-1", "name": "First till"}
RULE_INPUT = {"name": "Cold", "severity": "LOW", "condition": {"absence": {"afterSec": 5}}}
HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()
BOTH_TILLS = ("till-1", "till-2")


@dataclass(frozen=True)
class Operation:
    """How a root field is asked, and the code that each caller gets: WELL where it is answered. `heard`: results of a stream, which
    says nothing of its own accord where it has no beginning (`begins`)."""

    root: str
    how: str
    document: str
    variables: Variables
    codes: Mapping[str, str] = field(default_factory=dict)
    heard: int = 0
    begins: bool = True

    def code(self, who: str) -> str:
        return self.codes.get(who, "FORBIDDEN" if who in ("till", "key", "their_till") else WELL)

    @property
    def is_read(self) -> bool:
        return not self.root.startswith("Mutation.")


def nothing(_: Things, __: str) -> dict[str, Any]:
    return {}


def in_acme(things: Things, _: str) -> dict[str, Any]:
    return {"tenant": things.tenant_id}


def alert(state: str) -> Variables:
    return lambda things, who: {"id": things.alert(state, who)}


def rule(things: Things, _: str) -> dict[str, Any]:
    return {"id": things.rule_id}


def rule_in_acme(things: Things, _: str) -> dict[str, Any]:
    return {"id": things.rule_id, "tenant": things.tenant_id}


def hot_of(who: str) -> dict[str, Any]:
    metric = {"metric": queue(tenant_of(CALLERS[who])), "comparison": "GT", "threshold": 0}
    return {**RULE_INPUT, "condition": {"metric": metric}}


def with_input(**values: Any) -> Variables:
    return lambda _, __: {"input": values}


def in_acme_with_input(**values: Any) -> Variables:
    return lambda things, __: {"input": {**values, "tenantId": things.tenant_id}}


def those(*who: str, code: str) -> dict[str, str]:
    return dict.fromkeys(who, code)


STRANGER = those("outsider", code="FORBIDDEN")
UNKNOWN = those("outsider", code="NOT_FOUND")
ADMINS = those("mate", "viewer", code="FORBIDDEN")
NO_ADMINS = those("mate", "viewer", "owner", "outsider", code="FORBIDDEN")
ACTING = those("viewer", code="FORBIDDEN")
OWN_DEVICE = those("till", "key", code=WELL)
ANY_DEVICE = {**OWN_DEVICE, "their_till": WELL}


def both_ways(name: str, document: str, codes: Mapping[str, str] = {}, heard: int = 0) -> Iterator[Operation]:
    """Of the caller's tenants, and of `acme` by name."""
    yield Operation(name, "own", document, nothing, codes, heard)
    yield Operation(name, "aimed", document, in_acme, {**codes, **STRANGER}, heard)


def queries() -> Iterator[Operation]:
    yield Operation("Query.alert", "by id", f"query($id: ID!) {{ alert(id: $id) {{ {ALERT} }} }}", alert("open"))
    facets = "totalCount facets { status { count } tenant { key } }"
    yield from both_ways(
        "Query.alerts",
        f"query($tenant: ID) {{ alerts(filter: {{tenantId: $tenant}}) {{ nodes {{ {ALERT} }} {facets} streamCursor }} }}",
    )
    device = f'query($id: ID = "till-1", $tenant: ID) {{ device(deviceId: $id, tenantId: $tenant) {{ {DEVICE} {UPTIME} }} }}'
    yield Operation("Query.device", "own", device, nothing, ANY_DEVICE)
    yield Operation("Query.device", "aimed", device, in_acme, {**OWN_DEVICE, **STRANGER})
    yield Operation("Query.device", "another", device, lambda things, _: {"id": "till-2"})
    yield from both_ways(
        "Query.devices", f"query($tenant: ID) {{ devices(tenantId: $tenant) {{ nodes {{ {DEVICE} }} totalCount }} }}"
    )
    health = "query($tenant: ID) { devices(tenantId: $tenant, filter: {health: [DEGRADED]}) { nodes { name } totalCount } }"
    yield from both_ways("Query.devices", health)
    yield from both_ways("Query.alertRules", f"query($tenant: ID) {{ alertRules(tenantId: $tenant) {{ {RULE} }} }}")
    yield Operation("Query.alertRule", "by id", f"query($id: ID!) {{ alertRule(id: $id) {{ {RULE} }} }}", rule)
    yield from both_ways("Query.overview", f"query($tenant: ID) {{ overview(tenantId: $tenant) {{ {OVERVIEW} }} }}")
    yield Operation("Query.viewer", "own", "{ viewer { id tenantIds } }", nothing, {"key": WELL})
    yield Operation("Query.tenants", "own", "{ tenants { tenantId name defaultChannelIds } }", nothing)
    yield from both_ways("Query.stores", "query($tenant: ID) { stores(tenantId: $tenant) { id tenantId name } }")
    yield from both_ways("Query.members", "query($tenant: ID) { members(tenantId: $tenant) { id tenantIds } }")
    yield from both_ways("Query.apiKeys", "query($tenant: ID) { apiKeys(tenantId: $tenant) { id tenantId name } }", ADMINS)
    audit = "query($tenant: ID) { auditLog(tenantId: $tenant) { nodes { actor action target before after } } }"
    yield from both_ways("Query.auditLog", audit, ADMINS)
    yield from both_ways("Query.metrics", "query($tenant: ID) { metrics(tenantId: $tenant) { name unit lastAt } }")
    series = f"""query($tenant: ID) {{ device(deviceId: "till-1", tenantId: $tenant) {{ name
      series(metric: "cpuUsage", range: {DAY}) {{ at max count }} }} }}"""
    yield Operation("Query.device", "its series", series, in_acme, {**OWN_DEVICE, **STRANGER})
    system = "{ systemStatus { version workers { id } ticks { name lastError } } }"
    yield Operation("Query.systemStatus", "own", system, nothing)


def rule_questions() -> Iterator[Operation]:
    parts = "{ summary steps { stage reason } next { what } }"
    explain = f"query($id: ID!) {{ explainAlert(id: $id) {parts} }}"
    yield Operation("Query.explainAlert", "by id", explain, alert("open"), UNKNOWN)
    told = f'query($id: ID!) {{ explainAlert(id: $id, userId: "bea") {parts} }}'
    yield Operation("Query.explainAlert", "about a person", told, alert("open"), {**UNKNOWN, **ACTING})
    why = f'query($id: ID!, $tenant: ID) {{ explainRule(ruleId: $id, deviceId: "till-1", tenantId: $tenant) {parts} }}'
    yield Operation("Query.explainRule", "by id", why, rule, UNKNOWN)
    yield Operation("Query.explainRule", "aimed", why, rule_in_acme, STRANGER)
    trial = """query($tenant: ID, $rule: AlertRuleInput, $id: ID) {
      testAlertRule(tenantId: $tenant, rule: $rule, id: $id) { subjects matches { subject reason } } }"""
    yield Operation("Query.testAlertRule", "by id", trial, rule, UNKNOWN)
    yield Operation("Query.testAlertRule", "own", trial, lambda _, who: {"rule": hot_of(who)})
    yield Operation(
        "Query.testAlertRule", "aimed", trial, lambda things, who: {"rule": hot_of(who), **in_acme(things, who)}, STRANGER
    )
    replay = f"""query($tenant: ID, $rule: AlertRuleInput!, $against: ID) {{
      backtestAlertRule(tenantId: $tenant, rule: $rule, against: $against, range: {{from: "{HOUR_AGO}", to: "{NOW.isoformat()}"}}) {{
        alerts {{ subject reason }} notificationsByRecipient {{ key count }} comparedWith {{ onlyBefore {{ reason }} }} }} }}"""
    root = "Query.backtestAlertRule"
    yield Operation(root, "own", replay, lambda _, who: {"rule": hot_of(who)})
    yield Operation(root, "aimed", replay, lambda things, who: {"rule": hot_of(who), **in_acme(things, who)}, STRANGER)
    yield Operation(root, "against", replay, lambda things, who: {"rule": RULE_INPUT, "against": things.rule_id}, UNKNOWN)


def device_mutations() -> Iterator[Operation]:
    beat = "mutation($input: HeartbeatInput!) { heartbeat(input: $input) { accepted } }"
    yield Operation("Mutation.heartbeat", "own", beat, with_input(deviceId="till-1"), {**ACTING, **ANY_DEVICE})
    yield Operation(
        "Mutation.heartbeat", "aimed", beat, in_acme_with_input(deviceId="till-1"), {**ACTING, **OWN_DEVICE, **STRANGER}
    )
    yield Operation("Mutation.heartbeat", "another", beat, with_input(deviceId="till-2"), ACTING)
    beats = "mutation($inputs: [HeartbeatInput!]!) { heartbeats(inputs: $inputs) { accepted rejected { index code message } } }"
    yield Operation(
        "Mutation.heartbeats",
        "aimed",
        beats,
        lambda things, _: {"inputs": [{"tenantId": things.tenant_id, "deviceId": one} for one in BOTH_TILLS]},
        {**ACTING, **ANY_DEVICE},
    )
    events = """mutation($events: [OperationalEventInput!]!) {
      recordEvents(events: $events) { accepted rejected { index deviceId code message } } }"""
    sold: dict[str, Any] = {"kind": "SALE"}
    yield Operation("Mutation.recordEvents", "own", events, lambda _, __: {"events": [sold]}, {**ACTING, **ANY_DEVICE})
    yield Operation(
        "Mutation.recordEvents",
        "aimed",
        events,
        lambda things, _: {"events": [{**sold, "tenantId": things.tenant_id, "deviceId": one} for one in BOTH_TILLS]},
        {**ACTING, **ANY_DEVICE},
    )
    for name, given in (("registerDevice", NEW), ("updateDevice", OLD)):
        shown = "device { id name }" if name == "registerDevice" else "id name"
        document = f"mutation($input: DeviceInput!) {{ {name}(input: $input) {{ {shown} }} }}"
        yield Operation(f"Mutation.{name}", "own", document, with_input(**given), ADMINS)
        yield Operation(f"Mutation.{name}", "aimed", document, in_acme_with_input(**given), {**ADMINS, **STRANGER})
    hosting = "mutation($input: DeviceInput!) { updateDevice(input: $input) { id hostedTenantIds } }"
    yield Operation(
        "Mutation.updateDevice",
        "for another",
        hosting,
        lambda things, _: {"input": {"deviceId": "till-1", "hostedTenantIds": [things.tenant_id]}},
        {**ADMINS, "outsider": "BAD_USER_INPUT"},
    )
    for name, shown in (("rotateDeviceToken", "device { id name }"), ("retireDevice", "id name")):
        document = f'mutation($tenant: ID) {{ {name}(deviceId: "till-1", tenantId: $tenant) {{ {shown} }} }}'
        yield from both_ways(f"Mutation.{name}", document, ADMINS)


def alert_mutations() -> Iterator[Operation]:
    for name, arguments, state in (
        ("acknowledgeAlert", "", "open"),
        ("unacknowledgeAlert", "", "acknowledged"),
        ("resolveAlert", ', reason: "fixed"', "open"),
        ("reopenAlert", ', reason: "not fixed"', "resolved"),
        ("assignAlert", ', assignee: "vera"', "open"),
        ("commentAlert", ', text: "hm"', "open"),
    ):
        document = f"mutation($id: ID!) {{ {name}(id: $id{arguments}) {{ {ALERT} }} }}"
        yield Operation(f"Mutation.{name}", "by id", document, alert(state), {**ACTING, **UNKNOWN})
    for name, arguments in (("acknowledgeAlerts", ""), ("resolveAlerts", ', reason: "fixed"')):
        document = f"mutation($id: ID!) {{ {name}(ids: [$id]{arguments}) {{ id code alert {{ {ALERT} }} }} }}"
        yield Operation(f"Mutation.{name}", "by id", document, alert("open"), ACTING)


def rule_mutations() -> Iterator[Operation]:
    create = (
        f"mutation($tenant: ID, $input: AlertRuleInput!) {{ createAlertRule(tenantId: $tenant, input: $input) {{ {RULE} }} }}"
    )
    yield Operation("Mutation.createAlertRule", "own", create, with_input(**RULE_INPUT), ADMINS)
    aimed = {**ADMINS, **STRANGER}
    yield Operation(
        "Mutation.createAlertRule", "aimed", create, lambda things, _: {"tenant": things.tenant_id, "input": RULE_INPUT}, aimed
    )
    for name, arguments, shown in (
        ("updateAlertRule", ', patch: {name: "Hotter"}', f"{{ {RULE} }}"),
        ("setAlertRuleEnabled", ", enabled: false", f"{{ {RULE} }}"),
        ("deleteAlertRule", "", ""),
    ):
        document = f"mutation($id: ID!) {{ {name}(id: $id{arguments}) {shown} }}"
        yield Operation(f"Mutation.{name}", "by id", document, rule, {**ADMINS, **UNKNOWN})
        yield Operation(f"Mutation.{name}", "everybody's", document, lambda _, __: {"id": "default-cpu_high"}, NO_ADMINS)
    override = f"""mutation($tenant: ID) {{
      overrideAlertRule(tenantId: $tenant, key: "cpu_high", patch: {{severity: LOW}}) {{ {RULE} }} }}"""
    yield from both_ways("Mutation.overrideAlertRule", override, ADMINS)


def administration() -> Iterator[Operation]:
    create = 'mutation($tenant: ID = "initech") { createTenant(id: $tenant, input: {}) { name } }'
    yield Operation("Mutation.createTenant", "new", create, nothing, NO_ADMINS)
    yield Operation("Mutation.createTenant", "there", create, in_acme, NO_ADMINS)
    config = "mutation($tenant: ID) { updateTenantConfig(tenantId: $tenant, input: {offlineAfterSec: 7}) { name } }"
    yield from both_ways("Mutation.updateTenantConfig", config, ADMINS)
    save = "mutation($input: StoreInput!) { saveStore(input: $input) { id name } }"
    north = {"storeId": "north", "timezone": "Europe/Vienna"}
    yield Operation("Mutation.saveStore", "own", save, with_input(**north), ADMINS)
    yield Operation("Mutation.saveStore", "aimed", save, in_acme_with_input(**north), {**ADMINS, **STRANGER})
    key = 'mutation($tenant: ID) { createApiKey(name: "k", role: VIEWER, tenantId: $tenant) { key { id tenantId name } } }'
    yield from both_ways("Mutation.createApiKey", key, ADMINS)
    yield Operation(
        "Mutation.revokeApiKey",
        "by id",
        "mutation($id: ID!) { revokeApiKey(id: $id) }",
        lambda things, _: {"id": things.key_id},
        {**ADMINS, **UNKNOWN},
    )


def channels() -> Iterator[Operation]:
    shown = "id tenantId name target config ownerId fallback { name }"
    sent = "id alertId status recipient channel { name }"
    yield from both_ways("Query.channels", f"query($tenant: ID) {{ channels(tenantId: $tenant) {{ {shown} }} }}")
    yield from both_ways("Query.deliveries", f"query($tenant: ID) {{ deliveries(tenantId: $tenant) {{ {sent} }} }}")
    of_alert = f"query($id: ID!) {{ deliveries(alertId: $id) {{ {sent} }} }}"
    yield Operation("Query.deliveries", "by alert", of_alert, alert("open"))
    create = f"mutation($input: ChannelInput!) {{ createChannel(input: $input) {{ {shown} }} }}"
    hook = {"name": "New", "config": {"webhook": {"url": "https://hooks.example.com/new", "secret": "0123456789abcdef"}}}
    yield Operation("Mutation.createChannel", "own", create, with_input(**hook), ADMINS)
    yield Operation("Mutation.createChannel", "aimed", create, in_acme_with_input(**hook), {**ADMINS, **STRANGER})
    for name, arguments, what in (
        ("updateChannel", ', patch: {name: "Newer"}', f"{{ {shown} }}"),
        ("testChannel", "", f"{{ {sent} }}"),
        ("deleteChannel", "", ""),
    ):
        document = f"mutation($id: ID!) {{ {name}(id: $id{arguments}) {what} }}"
        yield Operation(f"Mutation.{name}", "by id", document, lambda things, _: {"id": things.channel_id}, {**ADMINS, **UNKNOWN})
    own = {**hook, "personal": True}
    yield Operation("Mutation.createChannel", "personal", create, with_input(**own))
    yield Operation("Mutation.createChannel", "personal, aimed", create, in_acme_with_input(**own), STRANGER)
    for name, arguments, what in (
        ("updateChannel", ', patch: {name: "Newer"}', f"{{ {shown} }}"),
        ("testChannel", "", f"{{ {sent} }}"),
        ("deleteChannel", "", ""),
    ):
        document = f"mutation($id: ID!) {{ {name}(id: $id{arguments}) {what} }}"
        not_mine = {**UNKNOWN, **those("owner", code="NOT_FOUND"), **those("mate", code="FORBIDDEN")}
        yield Operation(f"Mutation.{name}", "the viewer's own", document, lambda things, _: {"id": things.personal_id}, not_mine)
    retry = f"mutation($id: ID!) {{ retryDelivery(id: $id) {{ {sent} }} }}"
    yield Operation(
        "Mutation.retryDelivery",
        "by id",
        retry,
        lambda things, who: {"id": things.dead(who)},
        {**ACTING, **UNKNOWN},
    )


def naming_channels() -> Iterator[Operation]:
    """Of `acme`, from within the caller's own tenant."""
    refused = {**ADMINS, **those("outsider", code="BAD_USER_INPUT")}
    rule = f"mutation($input: AlertRuleInput!) {{ createAlertRule(input: $input) {{ {RULE} }} }}"
    yield Operation(
        "Mutation.createAlertRule",
        "with a channel",
        rule,
        lambda things, _: {"input": {**RULE_INPUT, "channelIds": [things.channel_id]}},
        refused,
    )
    override = f"""mutation($ids: [ID!]) {{ overrideAlertRule(key: "cpu_high", patch: {{channelIds: $ids}}) {{ {RULE} }} }}"""
    config = "mutation($ids: [ID!]) { updateTenantConfig(input: {defaultChannelIds: $ids}) { name defaultChannelIds } }"
    for name, document in (("overrideAlertRule", override), ("updateTenantConfig", config)):
        yield Operation(f"Mutation.{name}", "with a channel", document, lambda things, _: {"ids": [things.channel_id]}, refused)
    create = "mutation($input: ChannelInput!) { createChannel(input: $input) { id name fallback { name } } }"
    mail = {"name": "New", "config": {"email": {"to": ["ops@example.com"]}}}
    yield Operation(
        "Mutation.createChannel",
        "with a fallback",
        create,
        lambda things, _: {"input": {**mail, "fallbackChannelId": things.channel_id}},
        refused,
    )
    yield Operation(
        "Mutation.createChannel",
        "for people",
        create,
        lambda things, _: {"input": {"name": "New", "config": {"inApp": {"userIds": [f"vera of {things.tenant_id}"]}}}},
        refused,
    )


def people() -> Iterator[Operation]:
    wanted = "userId channels { name } quietHours { start } storeIds"
    yield Operation("Query.preferences", "own", f"{{ preferences {{ {wanted} }} }}", nothing)
    update = f"mutation($input: PreferencesInput!) {{ updatePreferences(input: $input) {{ {wanted} }} }}"
    yield Operation("Mutation.updatePreferences", "own", update, with_input(digestSec=60))
    others = those("viewer", "mate", "outsider", code="BAD_USER_INPUT")
    yield Operation(
        "Mutation.updatePreferences", "by id", update, lambda things, _: {"input": {"channelIds": [things.own_id]}}, others
    )
    yield Operation("Query.notifications", "own", "{ notifications { id tenantId title body } }", nothing)
    mark = "mutation($id: ID!) { markNotificationsRead(ids: [$id]) }"
    yield Operation("Mutation.markNotificationsRead", "by id", mark, lambda things, _: {"id": things.notification_id})
    test = "mutation { testNotification { id alertId recipient channel { name } } }"
    yield Operation("Mutation.testNotification", "own", test, nothing, those("mate", code="CONFLICT"))


def configuration() -> Iterator[Operation]:
    yield from both_ways("Query.exportConfig", "query($tenant: ID) { exportConfig(tenantId: $tenant) }", ADMINS)
    emptied = """mutation($tenant: ID) { importConfig(tenantId: $tenant, document: "{version: 1, rules: []}", dryRun: %s) {
      errors changes { key before after } } }"""
    for dry_run in ("true", "false"):
        yield from both_ways("Mutation.importConfig", emptied % dry_run, ADMINS)


def subscriptions() -> Iterator[Operation]:
    events = f"""subscription($tenant: ID, $after: Cursor) {{
      alertEvents(filter: {{tenantId: $tenant}}, after: $after) {{ type cursor alert {{ {ALERT} }} }} }}"""
    yield Operation("Subscription.alertEvents", "own", events, lambda things, _: {"after": things.beginning}, {}, 4)
    yield Operation(
        "Subscription.alertEvents",
        "aimed",
        events,
        lambda things, _: {"tenant": things.tenant_id, "after": things.beginning},
        STRANGER,
        4,
    )
    health = f"""subscription($tenant: ID) {{ healthUpdates(filter: {{tenantId: $tenant}}) {{
      tenantId status ... on DeviceHealthUpdate {{ device {{ {DEVICE} }} }} }} }}"""
    yield from both_ways("Subscription.healthUpdates", health, {}, 3)
    named = """subscription($stores: [ID!]) { healthUpdates(filter: {storeIds: $stores, deviceIds: ["till-1"]}) {
      tenantId ... on DeviceHealthUpdate { device { id } } } }"""
    yield Operation("Subscription.healthUpdates", "by store", named, lambda _, __: {"stores": ["north"]}, {}, 2)
    picture = f"subscription($tenant: ID) {{ overview(tenantId: $tenant) {{ {OVERVIEW} }} }}"
    yield from both_ways("Subscription.overview", picture, {}, 2)
    told = "subscription { notifications { id tenantId title } }"
    yield Operation("Subscription.notifications", "own", told, nothing, {}, 3, begins=False)


OPERATIONS = [
    *queries(),
    *rule_questions(),
    *device_mutations(),
    *alert_mutations(),
    *rule_mutations(),
    *administration(),
    *channels(),
    *naming_channels(),
    *people(),
    *configuration(),
    *subscriptions(),
]
