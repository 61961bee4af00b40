"""What is known of TensorFlow's operations without TensorFlow: since when there are which, and which depend on the layout."""

from __future__ import annotations

import os
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Tuple

#: What has feature maps for inputs, in either layout: kind to the positions of these inputs; output 0 is a feature map.
#: These are rewritten for CPUs.
IMAGE_INPUTS: Dict[str, Tuple[int, ...]] = {
    "Conv2D": (0,),
    "DepthwiseConv2dNative": (0,),
    "Conv2DBackpropInput": (2,),
    "MaxPool": (0,),
    "AvgPool": (0,),
    "FusedBatchNorm": (0,),
    "FusedBatchNormV2": (0,),
    "FusedBatchNormV3": (0,),
    "SpaceToDepth": (0,),
    "DepthToSpace": (0,),
}

#: Operations of control flow, in the two ways that graphs have it.
LOOPS = frozenset(["Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond"])
CONDITIONS = frozenset(["Switch", "RefSwitch", "Merge", "RefMerge"])
FUNCTIONAL = frozenset(["While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "For"])

_TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations.txt")


class Operations(NamedTuple):
    """Kinds of operations by what has them.

    Attributes:
        first: those of TensorFlow 1.14.
        later: those that came after it, up to 2.21.
    """

    first: FrozenSet[str]
    later: FrozenSet[str]


def known_operations() -> Operations:
    """What TensorFlow itself has; names with a leading underscore, which no saved graph has, are left out."""
    with open(_TABLE, encoding="ascii") as file:
        parts: List[List[str]] = []
        for line in file:
            if line.startswith("#"):
                parts.append([])
            else:
                parts[-1].extend(line.split())
    first, later = parts
    return Operations(frozenset(first), frozenset(later))


def later_and_unknown(kinds: Iterable[str]) -> Tuple[List[str], List[str]]:
    """Of some kinds those that TensorFlow 1.14 has not, and those that no plain TensorFlow has; sorted.

    A call of a function by its name, an old way, is unknown here; leave the names of the graph's functions out.
    """
    known = known_operations()
    kinds = set(kinds) - known.first
    return sorted(kinds & known.later), sorted(kinds - known.later)
