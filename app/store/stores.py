"""All stores of one database, opened together."""

from dataclasses import dataclass

from app.store.alert_lists import AlertListStore
from app.store.alerts import AlertStore
from app.store.api_keys import ApiKeyStore
from app.store.audit import AuditStore
from app.store.channels import ChannelStore
from app.store.connectivity import ConnectivityStore
from app.store.deliveries import DeliveryStore
from app.store.delivery_figures import DeliveryFigureStore
from app.store.devices import DeviceStore
from app.store.event_counts import EventCountStore
from app.store.events import EventStore
from app.store.folds import FoldStore
from app.store.heartbeats import HeartbeatStore
from app.store.intakes import IntakeStore
from app.store.leases import LeaseStore
from app.store.members import MemberStore
from app.store.metrics import MetricStore
from app.store.mongo import Mongo
from app.store.notifications import NotificationStore
from app.store.operational_events import OperationalEventStore
from app.store.paces import PaceStore
from app.store.preferences import PreferencesStore
from app.store.rollup_feed import RollupFeed
from app.store.rollups import RollupStore
from app.store.rule_states import RuleStateStore
from app.store.rules import RuleStore
from app.store.services import ServiceStore
from app.store.siblings import SiblingStore
from app.store.sites import SiteStore
from app.store.tenants import TenantStore
from app.store.watch import WatchStore
from app.store.workers import WorkerStore


@dataclass(frozen=True, slots=True)
class Stores:
    """One store for each noun."""

    alert_lists: AlertListStore
    alerts: AlertStore
    api_keys: ApiKeyStore
    audit: AuditStore
    channels: ChannelStore
    connectivity: ConnectivityStore
    deliveries: DeliveryStore
    delivery_figures: DeliveryFigureStore
    devices: DeviceStore
    event_counts: EventCountStore
    events: EventStore
    folds: FoldStore
    heartbeats: HeartbeatStore
    intakes: IntakeStore
    leases: LeaseStore
    members: MemberStore
    operational_events: OperationalEventStore
    paces: PaceStore
    metrics: MetricStore
    notifications: NotificationStore
    preferences: PreferencesStore
    rollup_feed: RollupFeed
    rollups: RollupStore
    rule_states: RuleStateStore
    rules: RuleStore
    services: ServiceStore
    siblings: SiblingStore
    sites: SiteStore
    tenants: TenantStore
    watch: WatchStore
    workers: WorkerStore


def open_stores(mongo: Mongo) -> Stores:
    return Stores(
        alert_lists=AlertListStore(mongo),
        alerts=AlertStore(mongo),
        api_keys=ApiKeyStore(mongo),
        audit=AuditStore(mongo),
        channels=ChannelStore(mongo),
        connectivity=ConnectivityStore(mongo),
        deliveries=DeliveryStore(mongo),
        delivery_figures=DeliveryFigureStore(mongo),
        devices=DeviceStore(mongo),
        event_counts=EventCountStore(mongo),
        events=EventStore(mongo),
        folds=FoldStore(mongo),
        heartbeats=HeartbeatStore(mongo),
        intakes=IntakeStore(mongo),
        leases=LeaseStore(mongo),
        members=MemberStore(mongo),
        operational_events=OperationalEventStore(mongo),
        paces=PaceStore(mongo),
        metrics=MetricStore(mongo),
        notifications=NotificationStore(mongo),
        preferences=PreferencesStore(mongo),
        rollup_feed=RollupFeed(mongo),
        rollups=RollupStore(mongo),
        rule_states=RuleStateStore(mongo),
        rules=RuleStore(mongo),
        services=ServiceStore(mongo),
        siblings=SiblingStore(mongo),
        sites=SiteStore(mongo),
        tenants=TenantStore(mongo),
        watch=WatchStore(mongo),
        workers=WorkerStore(mongo),
    )
