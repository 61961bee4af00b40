"""The shape of a Faster R-CNN ResNet-FPN detector: what a checkpoint's variables are, and what no checkpoint says of itself.

Variable names are those of tensorpack's FasterRCNN, which public checkpoints and those of the 2019 program use.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ..errors import ModelError
from .words import shown

#: Depth to bottleneck blocks in each of the four groups.
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
#: Channels of the first two convolutions of a bottleneck, by group; its output has four times as many.
WIDTHS = (64, 128, 256, 512)
FPN_CHANNELS = 256
HEAD_CHANNELS = 1024
#: Anchors at each position: one a ratio.
ANCHORS = 3
#: Height and width of the features that the head gets of each proposal.
POOLED = 7
#: Positions and sizes of all levels are multiples of this many pixels.
COARSEST = 32

_FIRST_KERNEL = 7

#: Variable name to shape.
Shapes = Mapping[str, Tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A detector to build.

    Raises:
        ModelError: when a value cannot be.
    """

    #: Depth of the backbone: 50, 101 or 152.
    resnet: int = 101
    #: Classes, the background included.
    num_class: int = 15
    #: Whether the 3x3 convolutions of the last group are dilated. No variable tells.
    use_dilation: bool = False
    #: Whether the head predicts one box a proposal, not one for each class.
    class_agnostic: bool = False
    #: Proposals that are taken from each level, and of all levels together.
    rpn_test_post_nms_topk: int = 1000
    #: Longest edge of a frame in training, pixels; bounds how far a box may grow beyond its anchor.
    max_size: int = 1920

    def __post_init__(self) -> None:
        if self.resnet not in tuple(BLOCKS):
            raise ModelError("resnet is {!r}; it must be 50, 101 or 152.".format(self.resnet))
        for name, least in (("num_class", 2), ("rpn_test_post_nms_topk", 1), ("max_size", COARSEST)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ModelError("{} is {!r}; a whole number of at least {} is wanted.".format(name, value, least))
        for name in ("use_dilation", "class_agnostic"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError("{} is {!r}; true or false is wanted.".format(name, getattr(self, name)))

    def to_json(self) -> Dict[str, Any]:
        """As it stands in a model card."""
        return dataclasses.asdict(self)

    def variables(self) -> Dict[str, Tuple[int, ...]]:
        """Name to shape of every variable, in the order of the forward pass.

        Convolutions are `[height, width, in, out]`, fully connected layers `[in, out]`, all float32.
        """
        shapes: Dict[str, Tuple[int, ...]] = {}

        def normed(name: str, size: int, channels: int, out: int) -> None:
            shapes[name + "/W"] = (size, size, channels, out)
            for statistic in ("gamma", "beta", "mean/EMA", "variance/EMA"):
                shapes["{}/bn/{}".format(name, statistic)] = (out,)

        def biased(name: str, *shape: int) -> None:
            shapes[name + "/W"] = shape
            shapes[name + "/b"] = shape[-1:]

        normed("conv0", _FIRST_KERNEL, 3, WIDTHS[0])
        channels = WIDTHS[0]
        for group, (width, count) in enumerate(zip(WIDTHS, BLOCKS[self.resnet])):
            for block in range(count):
                name = "group{}/block{}".format(group, block)
                normed(name + "/conv1", 1, channels, width)
                normed(name + "/conv2", 3, width, width)
                normed(name + "/conv3", 1, width, 4 * width)
                if block == 0:
                    normed(name + "/convshortcut", 1, channels, 4 * width)
                channels = 4 * width
        for level, width in enumerate(WIDTHS, start=2):
            biased("fpn/lateral_1x1_c{}".format(level), 1, 1, 4 * width, FPN_CHANNELS)
            biased("fpn/posthoc_3x3_p{}".format(level), 3, 3, FPN_CHANNELS, FPN_CHANNELS)
        biased("rpn/conv0", 3, 3, FPN_CHANNELS, FPN_CHANNELS)
        biased("rpn/class", 1, 1, FPN_CHANNELS, ANCHORS)
        biased("rpn/box", 1, 1, FPN_CHANNELS, 4 * ANCHORS)
        biased("fastrcnn/fc6", FPN_CHANNELS * POOLED * POOLED, HEAD_CHANNELS)
        biased("fastrcnn/fc7", HEAD_CHANNELS, HEAD_CHANNELS)
        biased("fastrcnn/outputs/class", HEAD_CHANNELS, self.num_class)
        biased("fastrcnn/outputs/box", HEAD_CHANNELS, 4 * (1 if self.class_agnostic else self.num_class))
        return shapes


class Inferred(NamedTuple):
    """What the variables of a checkpoint tell of its architecture."""

    resnet: int
    num_class: int
    class_agnostic: bool


def infer(source: str, found: Shapes) -> Inferred:
    """Depth, number of classes and kind of heads, from the shapes of the variables.

    Args:
        source: the checkpoint, for messages.
        found: all its variables.

    Raises:
        ModelError: when these are not the variables of such a detector.
    """
    blocks = sum("group2/block{}/conv1/W".format(block) in found for block in range(max(BLOCKS[152])))
    depths = [depth for depth, counts in BLOCKS.items() if counts[2] == blocks]
    classes = found.get("fastrcnn/outputs/class/W", ())
    boxes = found.get("fastrcnn/outputs/box/W", ())
    if not depths or len(classes) != 2 or len(boxes) != 2:
        raise ModelError(
            "{}: the variables are not those of a Faster R-CNN ResNet-FPN (50, 101, 152) in tensorpack's names ({}).".format(
                source, shown(sorted(found)) if found else "it has none"
            )
        )
    return Inferred(depths[0], classes[1], boxes[1] == 4)


def settle(source: str, found: Shapes, *said: Mapping[str, Any]) -> Tuple[Architecture, List[str]]:
    """The architecture of a checkpoint: what its variables tell, what is said of it, and defaults.

    Args:
        source: the checkpoint, for messages.
        found: all its variables.
        said: fields of `Architecture`, by whoever knows (a card, an operator); later ones win, None says nothing.

    Returns:
        The architecture, and the fields that neither the variables nor anybody told.

    Raises:
        ModelError: when what is said contradicts the variables, or these do not fit.
    """
    told: Dict[str, Any] = {}
    for layer in said:
        told.update((name, value) for name, value in layer.items() if value is not None)
    seen = infer(source, found)._asdict()
    for name, value in seen.items():
        if told.get(name, value) != value:
            raise ModelError(
                "{}: {} {} is asked for, but its variables are those of {}.".format(
                    source, name, str(told[name]).lower(), str(value).lower()
                )
            )
    architecture = Architecture(**dict(told, **seen))
    return architecture, [name for name in architecture.to_json() if name not in told and name not in seen]


def check_variables(source: str, architecture: Architecture, found: Shapes) -> List[str]:
    """Compares a checkpoint with an architecture.

    Args:
        source: the checkpoint, for messages.
        architecture: what is to be built.
        found: all its variables.

    Returns:
        The names that are not needed (optimizer state, mask head, ...), sorted.

    Raises:
        ModelError: one sentence that names what is missing or has another shape.
    """
    wanted = architecture.variables()
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ModelError(
            "{}: {} of the {} variables of this detector are missing: {}.".format(
                source, len(missing), len(wanted), shown(missing)
            )
        )
    other = [
        "{} is {}, {} is wanted".format(name, list(found[name]), list(shape))
        for name, shape in wanted.items()
        if tuple(found[name]) != shape
    ]
    if other:
        raise ModelError("{}: {} variables have another shape: {}.".format(source, len(other), shown(other)))
    return sorted(set(found) - set(wanted))
