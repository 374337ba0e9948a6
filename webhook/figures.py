"""What admission counts: ours, and the Go webhook's by its names, so that dashboards made for it keep working.

Its counters lack the suffix that the Prometheus client for Python gives to each, hence a collector of our own.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import Metric, Sample

from irsa.runtime.figures import Decisions

# Its buckets are microseconds, the first 125 ms: kept, since a dashboard's queries name them.
BUCKETS: Final = (125_000, 250_000, 375_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 4_000_000, 8_000_000)


SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


def decisions() -> Decisions:
    """What became of reviews, why, and how long it took; labels are the result and its reason."""
    return Decisions(
        ("irsa_admission", "Reviews by what became of them, and why."),
        ("irsa_admission_seconds", "Seconds from a review's last byte to its answer."),
        labels=("result", "reason"),
        edges=SECONDS,
    )


class GoFigures:
    """What the Go webhook counts."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._microseconds: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._pods: Counter[str] = Counter()
        self._missing = 0
        self.used = False
        self.decisions = decisions()

    def answered(self, verb: str, path: str, code: int, seconds: float) -> None:
        """An HTTP request was answered."""
        self._requests[verb, path, str(code)] += 1
        self._microseconds[verb, path] += seconds * 1e6  # type: ignore[assignment]  # a Counter adds floats as well
        counts = self._buckets.setdefault((verb, path), [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds * 1e6)] += 1

    def pod(self, method: str) -> None:
        """A pod is to be mutated, by `sts_web_identity` or `container_credentials`."""
        self._pods[method] += 1

    def missing(self) -> None:
        """A pod's ServiceAccount was not found."""
        self._missing += 1

    def collect(self) -> Iterator[Metric]:
        """All of them, as Prometheus is to see them."""
        requests: dict[tuple[str, ...], float] = {key: float(count) for key, count in self._requests.items()}
        yield _counter("http_request_count", "Requests answered.", ("verb", "path", "code"), requests)
        yield self._latencies()
        yield self._duration()
        pods: dict[tuple[str, ...], float] = {(method,): count for method, count in self._pods.items()}
        yield _counter("pod_identity_webhook_pod_count", "Pods that were to be mutated.", ("method",), pods)
        yield _counter("pod_identity_webhook_missing_sa_count", "ServiceAccounts not found.", (), {(): self._missing})
        used = Metric("pod_identity_webhook_used", "1 once a ServiceAccount was seen.", "gauge")
        used.add_sample("pod_identity_webhook_used", {}, float(self.used))
        yield used

    def _latencies(self) -> Metric:
        name = "http_request_latencies"
        metric = Metric(name, "Microseconds to an answer.", "histogram")
        for (verb, path), counts in self._buckets.items():
            labels, seen = {"verb": verb, "path": path}, 0
            for edge, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                seen += count
                metric.add_sample(f"{name}_bucket", {**labels, "le": edge}, seen)
            metric.add_sample(f"{name}_sum", labels, self._microseconds[verb, path])
            metric.add_sample(f"{name}_count", labels, seen)
        return metric

    def _duration(self) -> Metric:
        name = "http_request_duration_microseconds"
        metric = Metric(name, "Microseconds to an answer.", "summary")
        for (verb, path), counts in self._buckets.items():
            labels = {"verb": verb, "path": path}
            metric.add_sample(f"{name}_sum", labels, self._microseconds[verb, path])
            metric.add_sample(f"{name}_count", labels, sum(counts))
        return metric


def _counter(name: str, words: str, labels: tuple[str, ...], counts: Mapping[tuple[str, ...], float]) -> Metric:
    metric = Metric(name, words, "unknown")  # a counter would be given the suffix _total
    metric.samples = [Sample(name, dict(zip(labels, key, strict=True)), count) for key, count in counts.items()]
    return metric


def registered(registry: CollectorRegistry = REGISTRY) -> GoFigures:
    """Figures that `registry` shows."""
    figures = GoFigures()
    for collector in (figures, figures.decisions):
        registry.register(collector)  # type: ignore[arg-type,unused-ignore]
    return figures
