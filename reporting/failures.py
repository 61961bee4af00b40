"""What failed: by kind, with the commonest reasons and some images of each."""

from __future__ import annotations

import collections
import itertools
from typing import Counter, Dict, Iterable, List, NamedTuple, Tuple

from ..imagelist import ImageList
from ..messages import Failure

#: Failures that are looked at; reasons and examples are of these.
MOST_FAILURES = 100000
#: Different reasons that are counted for a kind; of further ones only their kind counts.
_MOST_REASONS = 1000
_REASONS_SHOWN, _EXAMPLES_KEPT = 3, 12


class Example(NamedTuple):
    """A failed image: its path and its record."""

    image: bytes
    failure: Failure


class Kind(NamedTuple):
    """Failures of one kind.

    Attributes:
        kind: one word, see docs/reference/files.md.
        count: how many there are of all.
        reasons: the commonest sentences, each with how many of those that were looked at have it.
        examples: some images.
    """

    kind: str
    count: int  # type: ignore[assignment]
    reasons: List[Tuple[str, int]]
    examples: List[Example]


class FailureFigures(NamedTuple):
    """What failed.

    Attributes:
        kinds: the commonest first.
        looked_at: failures whose reasons were looked at.
        total: how many there are.
    """

    kinds: List[Kind]
    looked_at: int
    total: int


def survey_failures(
    failures: Iterable[Failure], counts: Dict[str, int], images: ImageList, most: int = MOST_FAILURES
) -> FailureFigures:
    """Looks at failures.

    Args:
        failures: those that stand.
        counts: how many there are of each kind.
        images: the image list.
        most: how many are looked at.
    """
    reasons: Dict[str, Counter[str]] = {}
    examples: Dict[str, List[Failure]] = {}
    looked_at = 0
    for failure in itertools.islice(failures, most):
        looked_at += 1
        said = reasons.setdefault(failure.kind, collections.Counter())
        if failure.reason in said or len(said) < _MOST_REASONS:
            said[failure.reason] += 1
        kept = examples.setdefault(failure.kind, [])
        if len(kept) < _EXAMPLES_KEPT:
            kept.append(failure)
    kinds = [
        Kind(
            kind,
            count,
            reasons[kind].most_common(_REASONS_SHOWN) if kind in reasons else [],
            [Example(images[failure.index], failure) for failure in examples.get(kind, [])],
        )
        for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return FailureFigures(kinds, looked_at, sum(counts.values()))
