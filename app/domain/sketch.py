"""A sketch of many values, from which percentiles are read: small, mergeable, and within 1 % of the truth. Pure.

With an accuracy a, buckets grow by g = (1 + a) / (1 - a). A value v > 0 falls into bucket i = ceil(log_g(v)), which stands for
2 g^i / (g + 1): at most a v away from v. Negative values mirror that, zero has a bucket of its own. Sketches merge by adding up
counts, so it makes no difference where a value was counted. From: Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable
Quantile Sketch with Relative-Error Guarantees", PVLDB 12(12), 2019; beyond `MOST_BUCKETS` the lowest fall together, as there.
"""

import math
import struct
from collections.abc import Iterable, Mapping

import msgspec

ACCURACY = 0.01
"""How far an estimate may be from the true value, as a share of it."""

MOST_BUCKETS = 1_024
"""Enough for values that differ by a factor of 6·10⁸; beyond that the lowest lose precision, the highest never."""

_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GROWTH = math.log(_GROWTH)
_PER_LOG = 1 / _LOG_GROWTH
_LOG_MIDDLE = math.log((_GROWTH + 1) / 2)
_LOG_LARGEST = math.log(1.79e308)

_CENTRE = 1 << 16
"""Added to the index of positive values, so that the keys of buckets are in the order of what they stand for."""


class Sketch(msgspec.Struct, frozen=True):
    """`counts`: how many values fell into each bucket, by its key; keys are in the order of values, 0 is zero."""

    counts: dict[int, int] = {}

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, q: float) -> float:
        """About the smallest value that a share `q` (0..1) of all do not exceed: within `ACCURACY` of it.

        Raises ValueError for an empty sketch.
        """
        rank = max(1, math.ceil(q * self.total))
        for key in sorted(self.counts):
            rank -= self.counts[key]
            if rank <= 0:
                return _value_of(key)
        raise ValueError("a quantile of no values")

    def encode(self) -> bytes:
        """Pairs of (key, count), by key, as 32-bit little-endian integers."""
        flat = [number for key in sorted(self.counts) for number in (key, self.counts[key])]
        return struct.pack(f"<{len(flat)}i", *flat)


def sketch_of(values: Iterable[float]) -> Sketch:
    """The sketch of finite values."""
    counts: dict[int, int] = {}
    log, ceil = math.log, math.ceil
    for value in values:
        if value > 0:
            key = _CENTRE + ceil(log(value) * _PER_LOG)
        elif value < 0:
            key = -_CENTRE - ceil(log(-value) * _PER_LOG)
        else:
            key = 0
        counts[key] = counts.get(key, 0) + 1
    return Sketch(_bounded(counts))


def merge_sketches(sketches: Iterable[Sketch]) -> Sketch:
    """The sketch of everything that went into any of them."""
    counts: dict[int, int] = {}
    for sketch in sketches:
        for key, count in sketch.counts.items():
            counts[key] = counts.get(key, 0) + count
    return Sketch(_bounded(counts))


def decode_sketch(data: bytes) -> Sketch:
    flat = struct.unpack(f"<{len(data) // 4}i", data)
    return Sketch(dict(zip(flat[::2], flat[1::2], strict=True)))


def _value_of(key: int) -> float:
    if key == 0:
        return 0.0
    index = abs(key) - _CENTRE
    # The middle of the highest buckets is beyond the largest float.
    size = math.exp(min(index * _LOG_GROWTH - _LOG_MIDDLE, _LOG_LARGEST))
    return size if key > 0 else -size


def _bounded(counts: Mapping[int, int]) -> dict[int, int]:
    # Whatever is merged later, the highest keys of all are among the highest of each: falling together early or late is the same.
    if len(counts) <= MOST_BUCKETS:
        return dict(counts)
    keys = sorted(counts)
    kept = keys[-MOST_BUCKETS:]
    bounded = {key: counts[key] for key in kept}
    bounded[kept[0]] += sum(counts[key] for key in keys[:-MOST_BUCKETS])
    return bounded
