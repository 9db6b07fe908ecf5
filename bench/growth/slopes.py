"""What one more of something costs: a straight line through what was measured."""

from collections.abc import Sequence

import msgspec


class Line(msgspec.Struct, frozen=True):
    """`each` for one more, on top of `fixed`."""

    fixed: float
    each: float


def line(points: Sequence[tuple[float, float]]) -> Line:
    """Through (how many, cost) so that the sum of squared distances is least. Needs two different numbers of how many."""
    many = sum(one for one, _ in points) / len(points)
    cost = sum(one for _, one in points) / len(points)
    spread = sum((one - many) ** 2 for one, _ in points)
    if not spread:
        raise ValueError("all points are at one place")
    each = sum((one - many) * (paid - cost) for one, paid in points) / spread
    return Line(cost - each * many, each)
