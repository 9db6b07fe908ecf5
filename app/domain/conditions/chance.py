"""How likely it is that chance alone brings so many. Pure arithmetic, in logarithms, so that large counts do no harm."""

import math
from collections.abc import Callable, Sequence

_NEGLIGIBLE = 1e-12
"""The share of a sum that its rest may be."""


def chance_of_hits(hits: int, total: int, share: float) -> float:
    """The probability of at least so many hits among `total`, each of which is one with the probability `share` (0 < share < 1).

    1 for no more hits than are to be expected: nobody asks how likely that is.
    """
    if hits <= total * share:
        return 1.0
    ways = math.lgamma(total + 1) - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)
    first = ways + hits * math.log(share) + (total - hits) * math.log1p(-share)
    odds = share / (1 - share)
    return _tail(first, hits, lambda at: (total - at) / (at + 1) * odds)


def chance_of_count(count: int, like: Sequence[int]) -> float:
    """The probability of at least so many events in a window, after these counts in windows like it; 1 for no more than usual.

    Events come by themselves, at a rate that is known no better than the counts tell: a Poisson process whose rate has the
    gamma distribution that they leave behind.
    """
    shape, windows = sum(like) + 1, len(like)
    if count * windows <= shape:
        return 1.0
    first = math.lgamma(count + shape) - math.lgamma(count + 1) - math.lgamma(shape)
    first += shape * math.log(windows / (windows + 1)) - count * math.log(windows + 1)
    return _tail(first, count, lambda at: (at + shape) / ((at + 1) * (windows + 1)))


def _tail(first: float, start: int, ratio: Callable[[int], float]) -> float:
    """The sum of terms that grow smaller: the logarithm of the first, and how each follows from the one before."""
    term = total = math.exp(first)
    at = start
    while term > _NEGLIGIBLE * total:
        term *= ratio(at)
        total += term
        at += 1
    return min(total, 1.0)
