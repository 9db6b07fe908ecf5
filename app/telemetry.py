"""What Prometheus sees. One registry a process; what belongs to all processes is read from the database when asked for."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.latencies import BOUNDS, Latencies

REGISTRY = CollectorRegistry()

BEATS = Counter("fleetbeat_beats", "Heartbeats stored by this process.", registry=REGISTRY)
BEATS_REFUSED = Counter("fleetbeat_beats_refused", "Heartbeats refused because too many waited.", registry=REGISTRY)
BATCH_SIZE = Histogram(
    "fleetbeat_beat_batch_size", "Heartbeats in one write.", registry=REGISTRY, buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
BATCH_SECONDS = Histogram("fleetbeat_beat_batch_seconds", "Time of one write of beats.", registry=REGISTRY, buckets=BOUNDS)
REQUEST_SECONDS = Latencies("fleetbeat_http_request_seconds", "Time of an HTTP request.", ("path", "status"))
REGISTRY.register(REQUEST_SECONDS)
SUBSCRIBERS = Gauge("fleetbeat_subscribers", "Open subscriptions of this process.", registry=REGISTRY)
STREAM_EVENTS = Gauge("fleetbeat_stream_events", "Alert events that this process has followed.", registry=REGISTRY)
STREAM_HOLES = Gauge("fleetbeat_stream_holes", "Holes in a lane that were skipped.", registry=REGISTRY)
STREAM_RESYNCS = Gauge("fleetbeat_stream_resyncs", "Subscribers told to start anew.", registry=REGISTRY)
EVALUATION_LAG = Gauge("fleetbeat_evaluation_lag_seconds", "How far the judging of beats is behind.", registry=REGISTRY)
TICK_SECONDS = Gauge("fleetbeat_tick_seconds", "How long a tick last took to hand over its work.", ["tick"], registry=REGISTRY)
TICK_AGE = Gauge("fleetbeat_tick_age_seconds", "How long ago a tick last ended.", ["tick"], registry=REGISTRY)
DELIVERY_QUEUE = Gauge(
    "fleetbeat_delivery_queue", "Deliveries on their way, also those that are held on purpose.", registry=REGISTRY
)
OLDEST_DELIVERY = Gauge(
    "fleetbeat_oldest_delivery_seconds", "For how long the oldest delivery that is due has been so.", registry=REGISTRY
)
DELIVERIES = Gauge(
    "fleetbeat_deliveries", "Tries of deliveries by all workers, by what became of them.", ["kind", "outcome"], registry=REGISTRY
)
QUEUE_DEPTH = Gauge("fleetbeat_queue_jobs", "Jobs that wait or run; -1 while Redis is away.", registry=REGISTRY)
WORKERS = Gauge("fleetbeat_workers", "Workers that have reported lately.", registry=REGISTRY)
REDIS_UP = Gauge("fleetbeat_redis_up", "Whether Redis answers.", registry=REGISTRY)
