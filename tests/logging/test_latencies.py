"""Our own histogram of requests says what the library's says."""

from hypothesis import given, strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from app.latencies import BOUNDS, Latencies

NAME, WHAT, LABELS = "seconds", "Time of an HTTP request.", ("path", "status")
SERIES = st.tuples(st.sampled_from(("/graphql", "other")), st.sampled_from(("200", "500")))
SECONDS = st.floats(0, 20) | st.sampled_from([float(bound) for bound in BOUNDS])


def shown(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(st.lists(st.tuples(SERIES, SECONDS), max_size=30))
def test_it_shows_what_the_histogram_of_the_library_shows(observed: list[tuple[tuple[str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    own, library = Latencies(NAME, WHAT, LABELS), Histogram(NAME, WHAT, LABELS, registry=theirs, buckets=BOUNDS)
    ours.register(own)
    for labels, seconds in observed:
        own.labels(*labels).observe(seconds)
        library.labels(*labels).observe(seconds)
    assert shown(ours) == shown(theirs)
