"""Metrics of a server's hot path: counted where it runs, made into Prometheus's shapes only when somebody asks.

For everything else prometheus_client's own metrics serve; these cost a quarter of them. They are for one thread, and do
not say when they came to be (`_created`).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric


class _Times(msgspec.Struct):
    """How many decisions took no longer than each edge but longer than the one before, and their seconds together."""

    buckets: list[int]
    sum: float = 0.0


class _Row(msgspec.Struct):
    """What is counted for one set of labels."""

    times: _Times
    count: int = 0


class Decisions:
    """What was decided, counted by labels, and how long it took; to be registered with a registry.

    Args:
        counter: the counter's name without `_total`, and its help text.
        histogram: that of the times, likewise.
        labels: of the counter.
        edges: upper bounds of the histogram's buckets in seconds, rising.
        shared: how many of the labels, from the first, the histogram has as well.
    """

    def __init__(
        self,
        counter: tuple[str, str],
        histogram: tuple[str, str],
        *,
        labels: Sequence[str],
        edges: Sequence[float],
        shared: int = 0,
    ) -> None:
        self._counter, self._histogram = counter, histogram
        self._labels, self._edges, self._shared = tuple(labels), tuple(edges), shared
        self._rows: dict[tuple[str, ...], _Row] = {}
        self._times: dict[tuple[str, ...], _Times] = {}
        if not shared:
            self._shared_by(())

    def made(self, labels: tuple[str, ...], seconds: float) -> None:
        """A decision, which took so long."""
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = _Row(self._shared_by(labels[: self._shared]))
        row.count += 1
        row.times.sum += seconds
        row.times.buckets[bisect_left(self._edges, seconds)] += 1

    def _shared_by(self, labels: tuple[str, ...]) -> _Times:
        return self._times.setdefault(labels, _Times([0] * (len(self._edges) + 1)))

    def collect(self) -> Iterator[Metric]:
        """As Prometheus is to see them."""
        counter = CounterMetricFamily(*self._counter, labels=self._labels)
        for labels, row in self._rows.items():
            counter.add_metric(labels, row.count)
        yield counter
        histogram = HistogramMetricFamily(*self._histogram, labels=self._labels[: self._shared])
        edges = (*map(str, map(float, self._edges)), "+Inf")
        for shared, times in self._times.items():
            histogram.add_metric(shared, list(zip(edges, accumulate(times.buckets), strict=True)), times.sum)
        yield histogram
