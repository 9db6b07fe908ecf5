"""The schema, put together from its nouns."""

from functools import cache

from strawberry.tools import merge_types

from schema.administration import AdministrationMutation, AdministrationQuery
from schema.alert_actions import AlertMutation
from schema.alerts import AlertQuery
from schema.channels import ChannelMutation, ChannelQuery
from schema.config import ConfigMutation, ConfigQuery
from schema.devices import DeviceMutation, DeviceQuery
from schema.engine import FleetbeatSchema
from schema.explanations import ExplanationQuery
from schema.notifications import NotificationMutation, NotificationQuery
from schema.operational_events import OperationalEventMutation
from schema.overview import OverviewQuery
from schema.preferences import PreferencesMutation, PreferencesQuery
from schema.rule_questions import RuleQuestionQuery
from schema.rules import RuleMutation, RuleQuery
from schema.series import MetricQuery
from schema.subscriptions import DeviceHealthUpdate, Subscription
from schema.system import SystemQuery

_QUERIES = (
    AlertQuery,
    DeviceQuery,
    RuleQuery,
    RuleQuestionQuery,
    ExplanationQuery,
    ConfigQuery,
    OverviewQuery,
    AdministrationQuery,
    SystemQuery,
    MetricQuery,
    ChannelQuery,
    NotificationQuery,
    PreferencesQuery,
)
_MUTATIONS = (
    DeviceMutation,
    OperationalEventMutation,
    AlertMutation,
    RuleMutation,
    ConfigMutation,
    AdministrationMutation,
    ChannelMutation,
    NotificationMutation,
    PreferencesMutation,
)


@cache
def build_schema() -> FleetbeatSchema:
    """One for all: it holds no state but the documents that it has seen."""
    return FleetbeatSchema(
        query=merge_types("Query", _QUERIES),
        mutation=merge_types("Mutation", _MUTATIONS),
        subscription=Subscription,
        types=(DeviceHealthUpdate,),
    )
