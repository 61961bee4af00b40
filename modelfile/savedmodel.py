"""SavedModels, of TensorFlow 1 or 2, read without TensorFlow: the graph that serves, and its signature.

`saved_model.pb` is a protocol-buffers message that holds graphs for several uses, told apart by tags; the one tagged
"serve" is taken. A signature gives a graph's tensors names for those who call it. TensorFlow 1 writes the graph as it was
built; TensorFlow 2 writes a call of a function, whose results have no other names than the signature's.
"""

from __future__ import annotations

import dataclasses
import glob
import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import ModelError
from .card import CONTRACT_OUTPUTS, OPTIONAL_OUTPUTS, Card, card_path
from .checkpoint import find_checkpoint
from .form import SAVED_MODEL_FILE
from .graphdef import VARIABLE_OPS, GraphSkeleton, mapped, node_name, read_nodes
from .graphinput import has_tensor
from .wire import BYTES, Broken, Shape, Walker, dtype_name

#: The signature that is taken when there are several.
DEFAULT_SIGNATURE = "serving_default"
#: Where the variables are, as a checkpoint's prefix in the SavedModel's folder.
VARIABLES = os.path.join("variables", "variables")
#: Signatures that are no functions of the model.
_OWN_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_TAG = "serve"


class SignatureTensor(NamedTuple):
    """A tensor of a signature.

    Attributes:
        name: in the graph, such as "image:0"; "" when it is none (a sparse one).
        dtype: such as "float32".
        shape: None when not even the rank is known.
    """

    name: str
    dtype: str
    shape: Optional[Shape]


class Signature(NamedTuple):
    """Names to tensors.

    Attributes:
        inputs: what it takes.
        outputs: what it gives.
    """

    inputs: Mapping[str, SignatureTensor]
    outputs: Mapping[str, SignatureTensor]


class SavedModel(NamedTuple):
    """A SavedModel without its values.

    Attributes:
        folder: where it is.
        graph: the graph that serves.
        signatures: name to signature, those of TensorFlow itself left out.
        version: of the TensorFlow that wrote it; "" when not said.
        meta_graph: begin and end of the `MetaGraphDef` in its file.
        files: all that belong to it, sorted.
    """

    folder: str
    graph: GraphSkeleton
    signatures: Mapping[str, Signature]
    version: str
    meta_graph: Tuple[int, int]
    files: Tuple[str, ...]

    @property
    def has_variables(self) -> bool:
        """Whether the graph has variables, whose values are in files of their own."""
        return any(node.op in VARIABLE_OPS for node in self.graph.nodes.values())


class _MetaGraph(NamedTuple):
    """A graph's place in the file, and what is said of it."""

    start: int
    end: int
    graph: Tuple[int, int]
    tags: List[str]
    version: str
    signatures: Dict[str, Signature]


def read_saved_model(folder: str) -> SavedModel:
    """Reads a SavedModel's graph and signatures.

    Args:
        folder: has `saved_model.pb`.

    Raises:
        ModelError: one sentence, when it is damaged, has no graph that serves, or its variables are missing or cut off.
    """
    path = os.path.join(folder, SAVED_MODEL_FILE)
    with mapped(path) as data:
        walker = Walker(data)
        try:
            meta = _serving(
                path,
                [
                    _meta_graph(walker, start, end)
                    for number, wire, start, end in walker.fields(0, len(data))
                    if (number, wire) == (2, BYTES)
                ],
            )
            graph = read_nodes(walker, *meta.graph, path=path)
        except Broken as broken:
            raise ModelError("{}: not a SavedModel, or a damaged one ({}). Copy it again.".format(path, broken))
    saved = SavedModel(folder, graph, meta.signatures, meta.version, (meta.start, meta.end), ())
    files = [path] + [
        file
        for file in glob.glob(os.path.join(glob.escape(folder), "assets", "**"), recursive=True)
        if os.path.isfile(file)
    ]
    if saved.has_variables:
        if not os.path.isfile(os.path.join(folder, VARIABLES + ".index")):
            raise ModelError("{}: its folder variables/ is missing or empty. Copy the SavedModel again.".format(folder))
        files.extend(find_checkpoint(os.path.join(folder, VARIABLES)).files)
    return saved._replace(files=tuple(sorted(files)))


def signature_of(saved: SavedModel) -> Optional[Signature]:
    """The signature that counts: the default one, or the only one."""
    if DEFAULT_SIGNATURE in saved.signatures:
        return saved.signatures[DEFAULT_SIGNATURE]
    if len(saved.signatures) == 1:
        return next(iter(saved.signatures.values()))
    return None


def with_signature(path: str, saved: SavedModel, card: Card) -> Card:
    """The card with the graph's own names of its tensors.

    A role's tensor is the one that the card (or, without a word of it, the 2019 contract) names; or the signature's of that
    name; or the signature's that has the role for a name. The only input of a signature is the image.

    Args:
        path: the model, for messages.
        saved: the SavedModel.
        card: as read.

    Raises:
        ModelError: one sentence with the signature's names, when a tensor is not found.
    """
    signature = signature_of(saved) or Signature({}, {})
    inputs, outputs = signature.inputs, signature.outputs
    image = _find(saved, inputs, "image", card.image)
    if not image and len(inputs) == 1:
        image = next(iter(inputs.values())).name
    found = {}
    for role, tensor in dict(CONTRACT_OUTPUTS, **OPTIONAL_OUTPUTS).items():
        named = card.outputs.get(role, tensor)
        found[role] = _find(saved, outputs, role, named) if named else ""
    needed = [role for role in card.outputs if card.outputs[role]]
    missing = [card.outputs[role] for role in needed if not found[role]]
    if not image or missing:
        kind, names = ("input", [card.image]) if not image else ("output", missing)
        raise ModelError(
            '{}: there is no {} {}. Name the right one in {} ("{}s": ...); {}.'.format(
                path, kind, ", ".join(names), card_path(path), kind, _offered(saved, kind)
            )
        )
    kept = {role: tensor for role, tensor in found.items() if tensor or role in card.outputs}
    return dataclasses.replace(card, image=image, outputs=kept)


def _find(saved: SavedModel, tensors: Mapping[str, SignatureTensor], role: str, named: str) -> str:
    """The graph's tensor for a role; "" when there is none."""
    if has_tensor(saved.graph, named):
        return named
    for key in (node_name(named), role):
        if key in tensors and tensors[key].name:
            return tensors[key].name
    return ""


def _offered(saved: SavedModel, kind: str) -> str:
    signature = signature_of(saved)
    if signature is None:
        names = ", ".join(sorted(saved.signatures)) or "none"
        return "it has no signature {!r} that would tell; its signatures are: {}".format(DEFAULT_SIGNATURE, names)
    tensors = signature.inputs if kind == "input" else signature.outputs
    return "its signature has the {}s: {}".format(kind, ", ".join(sorted(tensors)) or "none")


def _serving(path: str, graphs: List[_MetaGraph]) -> _MetaGraph:
    serving = [graph for graph in graphs if _TAG in graph.tags]
    if not serving:
        tags = "; ".join(", ".join(graph.tags) for graph in graphs) or "none"
        raise ModelError(
            "{}: it has no graph that is tagged {!r} (its graphs' tags: {}). Save it with that tag.".format(
                path, _TAG, tags
            )
        )
    # Others are for special hardware: "serve, tpu".
    return min(serving, key=lambda graph: len(graph.tags))


def _meta_graph(walker: Walker, start: int, end: int) -> _MetaGraph:
    """A `MetaGraphDef`: meta_info_def = 1 (tags = 4, tensorflow_version = 5), graph_def = 2, signature_def = 5."""
    graph, tags, version, signatures = (start, start), [], "", {}
    for number, wire, first, last in walker.fields(start, end):
        if wire != BYTES:
            continue
        if number == 1:
            for part, kind, begin, stop in walker.fields(first, last):
                if (part, kind) == (4, BYTES):
                    tags.append(walker.text(begin, stop))
                elif (part, kind) == (5, BYTES):
                    version = walker.text(begin, stop)
        elif number == 2:
            graph = first, last
        elif number == 5:
            name, (begin, stop) = _entry(walker, first, last)
            if name not in _OWN_SIGNATURES:
                signatures[name] = _signature(walker, begin, stop)
    return _MetaGraph(start, end, graph, tags, version, signatures)


def _entry(walker: Walker, start: int, end: int) -> Tuple[str, Tuple[int, int]]:
    """An entry of a map: key = 1, value = 2."""
    key, value = "", (start, start)
    for number, wire, first, last in walker.fields(start, end):
        if (number, wire) == (1, BYTES):
            key = walker.text(first, last)
        elif (number, wire) == (2, BYTES):
            value = first, last
    return key, value


def _signature(walker: Walker, start: int, end: int) -> Signature:
    """A `SignatureDef`: inputs = 1, outputs = 2, maps of `TensorInfo`."""
    found: Dict[int, Dict[str, SignatureTensor]] = {1: {}, 2: {}}
    for number, wire, first, last in walker.fields(start, end):
        if number in found and wire == BYTES:
            name, (begin, stop) = _entry(walker, first, last)
            found[number][name] = _tensor(walker, begin, stop)
    return Signature(found[1], found[2])


def _tensor(walker: Walker, start: int, end: int) -> SignatureTensor:
    """A `TensorInfo`: name = 1, dtype = 2, tensor_shape = 3."""
    name, shape = "", None
    for number, wire, first, last in walker.fields(start, end):
        if (number, wire) == (1, BYTES):
            name = walker.text(first, last)
        elif (number, wire) == (3, BYTES):
            shape = walker.shape(first, last)
    return SignatureTensor(name, dtype_name(walker.number(start, end, 2)), shape)
