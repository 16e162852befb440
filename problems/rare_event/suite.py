"""All rare-event cases."""

from __future__ import annotations

from problems.rare_event import counting, credit, networks, queues, reliability, sums, walks
from problems.rare_event.problem import RareEventProblem


def suite() -> list[RareEventProblem]:
    """Return every case, each with its reference, the reference's error and its source.

    Examples
    --------
    >>> cases = {case.name: case for case in suite()}
    >>> cases["RP22"].level, round(cases["RP22"].reference, 7)
    (0.0, 0.0042073)
    """
    topics = (reliability, sums, networks, credit, walks, counting, queues)
    return [case for topic in topics for case in topic.problems()]
