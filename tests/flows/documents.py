"""What the flows ask."""

REGISTER = "mutation($input: DeviceInput!) { registerDevice(input: $input) { token device { id } } }"
BEAT = "mutation($input: HeartbeatInput!) { heartbeat(input: $input) { accepted status receivedAt nextWithinSec } }"
BEATS = "mutation($inputs: [HeartbeatInput!]!) { heartbeats(inputs: $inputs) { accepted receivedAt rejected { index deviceId code message } } }"
CREATE_TENANT = "mutation($id: ID!, $name: String) { createTenant(id: $id, input: {name: $name}) { tenantId } }"
EVENTS = """subscription($filter: AlertFilter, $after: Cursor) {
  alertEvents(filter: $filter, after: $after) { id type at cursor alert { id subjectId severity status ruleKey resolution version } }
}"""
ALERTS = "query($filter: AlertFilter, $first: Int) { alerts(filter: $filter, first: $first) { streamCursor totalCount nodes { id subjectId } } }"
ACKNOWLEDGE = (
    "mutation($id: ID!, $version: Int) { acknowledgeAlert(id: $id, version: $version) { status acknowledgedBy version } }"
)
RESOLVE = "mutation($id: ID!, $reason: String!) { resolveAlert(id: $id, reason: $reason) { status resolution } }"
DEVICE = "query($tenantId: ID, $deviceId: ID!) { device(tenantId: $tenantId, deviceId: $deviceId) { status health openAlerts { id } } }"
