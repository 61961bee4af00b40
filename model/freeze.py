"""Freezing: a detector's graph with its weights as constants, and the card that goes with it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from ..commandline import quoted
from ..digest import digest_of_file
from ..errors import ModelError
from ..geometry import check_sizes
from ..modelfile.architecture import Architecture, check_variables, settle
from ..modelfile.card import CONTRACT_OUTPUTS, OPTIONAL_OUTPUTS, Card, card_path, read_card, write_card
from ..modelfile.checkpoint import find_checkpoint
from ..modelfile.classes import class_list
from ..modelfile.form import FROZEN, SAVED_MODEL, model_form
from ..modelfile.graphdef import read_graph
from ..modelfile.spec import DEFAULT_SHORT_EDGE_SIZE, check_classes, checked_digest
from ..modelfile.words import shown
from .tensorflow1 import import_tensorflow
from .weights import random_weights, read_weights

#: Instead of a batch size: any number of frames at a time.
ANY = "any"
#: Gets the weights, once all else is known to fit.
_Read = Callable[[], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class FreezeOptions:
    """What is to be frozen, and how. None: as the checkpoint, its card or the default says."""

    #: Where the graph goes; its card goes beside it.
    out: str
    #: A checkpoint (folder, prefix or `.npz`); "" for random weights.
    load_from: str = ""
    #: Seed of random weights; None for a checkpoint's.
    random_weights: Optional[int] = None
    #: Name of the model, for its card.
    name: str = ""
    #: Name or file of class names; "" takes the card's.
    class_list: str = ""
    num_class: Optional[int] = None
    resnet: Optional[int] = None
    use_dilation: Optional[bool] = None
    class_agnostic: Optional[bool] = None
    rpn_test_post_nms_topk: Optional[int] = None
    #: Longest edge of a frame, pixels.
    max_size: Optional[int] = None
    #: Short edge of a frame, pixels.
    short_edge_size: Optional[int] = None
    #: Frames a step: None or 1 for a graph that takes one frame, a number for batches of just so many, or "any".
    im_batch_size: Union[int, str, None] = None
    #: "NCHW" or "NHWC".
    layout: str = "NCHW"
    #: Whether `fpn_box_feat` is among the outputs.
    features: bool = False


class Frozen(NamedTuple):
    """What was written.

    Attributes:
        path: the graph.
        card_path: its card.
        size: bytes of the graph.
        card: as written.
        architecture: of the detector.
    """

    path: str
    card_path: str
    size: int
    card: Card
    architecture: Architecture

    def lines(self) -> List[str]:
        """For the operator: what it is, and how to go on."""
        built = self.architecture
        return [
            "{}: ResNet-{}{}, {} classes{}, {:,} MB".format(
                self.path,
                built.resnet,
                " dilated" if built.use_dilation else "",
                built.num_class,
                "" if self.card.classes else " without names",
                round(self.size / 1e6),
            ),
            "{}: its card".format(self.card_path),
            "Try it: divainfer run --model {} --images LIST --out DIR --dry-run".format(quoted(self.path)),
        ]


def freeze(options: FreezeOptions, say: Callable[[str], None]) -> Frozen:
    """Writes a frozen graph and its card.

    Args:
        options: what and how.
        say: gets sentences for the operator.

    Raises:
        ModelError: one sentence, when the checkpoint or what is said of it does not do.
        ConfigError: when there is no such class list, or sizes contradict each other.
        EngineBootError: when TensorFlow cannot be imported.
    """
    if bool(options.load_from) == (options.random_weights is not None):
        raise ModelError("Either --load-from or --random-weights is wanted: where do the weights come from?")
    _check_target(options)
    card, architecture, read = _loaded(options, say) if options.load_from else _random(options)
    classes = class_list(options.class_list) if options.class_list else card.classes
    check_classes(options.load_from or "--random-weights", architecture.num_class, classes, options.class_list)
    short_edge_size = options.short_edge_size or card.short_edge_size or DEFAULT_SHORT_EDGE_SIZE
    check_sizes(short_edge_size, architecture.max_size)
    batch_size = None if options.im_batch_size == 1 else options.im_batch_size
    # Before the weights, which may be read by it: only the first import can be quiet.
    import_tensorflow(quiet=True)
    graph = frozen_graph(architecture, read(), options.layout, batch_size, options.features)
    for path in (options.out, card_path(options.out)):
        if os.path.exists(path):
            say("{} was there and is replaced.".format(path))
    _replace(options.out, lambda path: _write(path, graph))
    card = dataclasses.replace(
        card,
        name=options.name or os.path.splitext(os.path.basename(options.out))[0],
        image=Card().image,
        outputs=_outputs(batched=batch_size is not None),
        batch_size=batch_size if isinstance(batch_size, int) else None,
        short_edge_size=short_edge_size,
        max_size=architecture.max_size,
        classes=classes,
        detector=architecture.to_json(),
        digest=digest_of_file(options.out),
    )
    _replace(card_path(options.out), lambda path: write_card(card, path))
    return Frozen(options.out, card_path(options.out), len(graph), card, architecture)


def frozen_graph(
    architecture: Architecture,
    values: Mapping[str, np.ndarray],
    layout: str,
    batch_size: Union[int, str, None] = None,
    features: bool = False,
) -> bytes:
    """A detector as a binary GraphDef, with the names of the 2019 contract.

    It holds no attribute that says what is said without it, so that an older TensorFlow reads what a newer one wrote.

    Args:
        architecture: what to build.
        values: variable name to float32 array.
        layout: "NCHW" or "NHWC".
        batch_size: None for a graph that takes one frame, `[H, W, 3]`; a number for batches of just so many, or "any".
        features: whether `fpn_box_feat` is among the outputs.

    Returns:
        The same bytes for the same weights, with one version of TensorFlow.

    Raises:
        EngineBootError: when TensorFlow cannot be imported.
    """
    tf = import_tensorflow(quiet=True).compat.v1
    from .detector.graph import build_detector
    from .detector.parameters import Constants

    shape: List[Optional[int]] = [None, None, 3]
    if batch_size is not None:
        shape.insert(0, None if batch_size == ANY else int(batch_size))
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, shape, "image")
        outputs = build_detector(architecture, Constants(values), image, layout, features)
        names = [tensor.op.name for tensor in outputs.values()]
        graph_def = tf.train.export_meta_graph(graph=graph, clear_devices=True, strip_default_attrs=True).graph_def
    pruned: Any = tf.graph_util.extract_sub_graph(graph_def, names)
    for node in pruned.node:
        # The exporter writes down what every importer finds out for itself.
        node.attr.pop("_output_shapes", None)
    return bytes(pruned.SerializeToString(deterministic=True))


def _said(options: FreezeOptions) -> Dict[str, Any]:
    """The fields of an architecture that the options name."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(Architecture)}


def _random(options: FreezeOptions) -> Tuple[Card, Architecture, _Read]:
    assert options.random_weights is not None
    said = {name: value for name, value in _said(options).items() if value is not None}
    if options.class_list:
        said.setdefault("num_class", len(class_list(options.class_list)))
    architecture = Architecture(**said)
    seed = options.random_weights
    return Card(), architecture, lambda: random_weights(architecture, seed)


def _loaded(options: FreezeOptions, say: Callable[[str], None]) -> Tuple[Card, Architecture, _Read]:
    _check_source(options.load_from)
    checkpoint = find_checkpoint(options.load_from)
    card = read_card(options.load_from)
    checked_digest(options.load_from, card, checkpoint.files)
    architecture, unsaid = settle(
        options.load_from, checkpoint.shapes, {"max_size": card.max_size}, card.detector, _said(options)
    )
    if "use_dilation" in unsaid:
        say(
            "{}: no variable tells whether the last group is dilated; it is taken for not dilated, unless --use-dilation is "
            "given.".format(options.load_from)
        )
    unused = check_variables(options.load_from, architecture, checkpoint.shapes)
    if unused:
        say("{}: {} of its variables are not needed: {}.".format(options.load_from, len(unused), shown(unused)))
    return card, architecture, lambda: read_weights(checkpoint, architecture.variables())


def _check_source(path: str) -> None:
    """Says what a model is that is no checkpoint."""
    form = model_form(path)
    if form == FROZEN and os.path.exists(path):
        # Which says what else it is.
        read_graph(path)
    if form == SAVED_MODEL or (form == FROZEN and os.path.exists(path)):
        raise ModelError("--load-from {}: this is a {}, which divainfer run takes as it is.".format(path, form))


def _outputs(batched: bool) -> Dict[str, str]:
    outputs = dict(CONTRACT_OUTPUTS)
    if batched:
        outputs["valid"] = OPTIONAL_OUTPUTS["valid"]
    return outputs


def _check_target(options: FreezeOptions) -> None:
    """Refuses a place where nothing can be written, or something would be lost, before anything is computed."""
    path = options.out
    folder = os.path.dirname(path) or "."
    if not path:
        raise ModelError("--out is empty; give the name of a file, such as obj_v3.pb.")
    if os.path.isdir(path):
        raise ModelError("--out {}: this is a folder; give the name of a file, such as obj_v3.pb.".format(path))
    if not path.endswith(".pb"):
        raise ModelError("--out {}: the name of a frozen graph ends in .pb.".format(path))
    if not os.path.isdir(folder):
        raise ModelError("--out {}: there is no folder {}.".format(path, folder))
    if not os.access(folder, os.W_OK):
        raise ModelError("--out {}: nothing can be written into {}.".format(path, folder))
    card = card_path(path)
    if options.load_from and os.path.realpath(card) == os.path.realpath(card_path(options.load_from)):
        raise ModelError(
            "--out {}: the graph and {} would share one card, {}. Give the graph another name.".format(
                path, options.load_from, card
            )
        )


def _replace(path: str, write: Callable[[str], None]) -> None:
    """Writes a file under another name and gives it its own when it is whole."""
    unfinished = path + ".new"
    try:
        write(unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        raise ModelError("{}: it cannot be written ({}).".format(path, error.strerror))
    finally:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
