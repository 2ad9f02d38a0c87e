"""`/metrics`: what the relay has done since it started and what waits now, in the words of Prometheus.

The only module that knows Prometheus; everybody else counts in plain numbers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from storage.timing import LIMITS, Spans

__all__ = ["CONTENT_TYPE", "Measured", "metrics"]


@dataclass(frozen=True)
class Measured:
    """All that is told, at one moment. Moments and spans in seconds."""

    updates: Mapping[str, int]
    """What became of an update → how often."""
    behind: float
    """How old the last message was when it was taken in."""
    calls: Mapping[str, int]
    """What a call for a message came to → how often."""
    doubled: int
    """First sends that were repeated because nobody knows whether they arrived."""
    moments: Mapping[str, int]
    """Kind of timer → how often one fired."""
    times: Mapping[str, Spans]
    """`read`, `write` → how long the database took."""
    due: int | None = None
    """None here and below: the database does not say."""
    lag: float | None = None
    """For how long the message has been due that has waited longest."""
    broken: int | None = None
    set_aside: int | None = None
    incidents: Mapping[str, int] = field(default_factory=dict)
    """Status → how many open incidents."""
    troubles: int = 0
    """What /readyz names."""


def metrics(measured: Measured) -> bytes:
    """The page, in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Page(measured))
    return generate_latest(registry)


class _Page(Collector):
    def __init__(self, measured: Measured) -> None:
        self._told = measured

    def collect(self) -> Iterator[Metric]:
        told = self._told
        yield _counter("updates", "Updates taken in, by what became of them", "outcome", told.updates)
        yield _gauge("update_age_seconds", "How old the last message was when it was taken in", told.behind)
        yield _counter("calls", "Calls for messages, by what they came to", "outcome", told.calls)
        yield CounterMetricFamily("relay_doubled", "First sends repeated after an unknown outcome", told.doubled)
        yield _counter("timers", "Moments of incidents that came, by kind", "kind", told.moments)
        spans = HistogramMetricFamily("relay_storage_seconds", "How long the database took", labels=("way",))
        for way, span in told.times.items():
            spans.add_metric((way,), list(_buckets(span)), span.seconds)
        yield spans
        for name, words, value in (
            ("posts_due", "Messages that are behind and whose moment has come", told.due),
            ("posts_lag_seconds", "For how long the one has been due that has waited longest", told.lag),
            ("posts_broken", "Messages refused for good", told.broken),
            ("updates_set_aside", "Updates that no handler survived", told.set_aside),
        ):
            if value is not None:
                yield _gauge(name, words, value)
        waiting = GaugeMetricFamily("relay_incidents_open", "Open incidents by status", labels=("status",))
        for status, count in sorted(told.incidents.items()):
            waiting.add_metric((status,), count)
        yield waiting
        yield _gauge("troubles", "Troubles that /readyz names", told.troubles)


def _counter(name: str, told: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"relay_{name}", told, labels=(label,))
    for key, count in sorted(counts.items()):
        family.add_metric((key,), count)
    return family


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"relay_{name}", told, value)


def _buckets(spans: Spans) -> Iterator[tuple[str, float]]:
    """(upper end, how many spans were at most so long)."""
    so_far = 0
    for limit, count in zip(LIMITS, spans.counts, strict=True):
        so_far += count
        yield ("+Inf" if limit == float("inf") else str(limit), so_far)
