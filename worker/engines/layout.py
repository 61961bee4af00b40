"""Graphs made for the GPU's layout (NCHW: channels before height and width), rewritten for the CPU.

TensorFlow 1.14 has no NCHW convolution and pooling for the CPU, and later ones have it only in some builds. So these
operations get a transpose before and after and work on NHWC. The rest of the graph stays as it is; `BiasAdd` takes NCHW on
the CPU. The node definitions are edited in place: a round trip through a newer importer would add attributes that 1.14
refuses. No TensorFlow is imported here; a GraphDef of either version does.
"""

from __future__ import annotations

from typing import Any, Dict, List, Set

from ...errors import EngineBootError
from ...modelfile.graphdef import GraphSkeleton
from ...modelfile.operations import IMAGE_INPUTS

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)

#: Operation to the positions of its inputs that hold one number a dimension.
_SIZE_INPUTS = {"Conv2DBackpropInput": (0,)}
_LISTS = ("strides", "dilations", "ksize")

# Numbers of the DataType enumeration.
_FLOAT = 1
_INT32 = 3


def to_nhwc(graph_def: Any) -> int:
    """Rewrites the NCHW operations of a graph in place.

    Args:
        graph_def: a `GraphDef`.

    Returns:
        The number of rewritten operations; 0 when the graph has none.

    Raises:
        EngineBootError: when a library function (the body of a loop) has some, where this cannot be done.
    """
    for function in graph_def.library.function:
        for node in function.node_def:
            if _is_nchw(node):
                raise EngineBootError(
                    "the graph's function {} has an NCHW {}, which a CPU cannot run; run it on a GPU, or freeze the graph with "
                    "NHWC.".format(function.signature.name, node.op)
                )
    found = [node for node in graph_def.node if _is_nchw(node)]
    if not found:
        return 0
    taken = {node.name for node in graph_def.node}
    to_nhwc_name = _permutation(graph_def, "to_nhwc", TO_NHWC, taken)
    to_nchw_name = _permutation(graph_def, "to_nchw", TO_NCHW, taken)
    axis_name = _constant(graph_def, _free("layout/axis", taken), [0], scalar=True)
    renamed: Dict[str, str] = {}
    for node in found:
        name = node.name
        inner = _free(name + "/nhwc", taken)
        # MaxPool's type is left out when it is the default, float32.
        dtype = node.attr["T"].type if "T" in node.attr else _FLOAT
        device = node.device
        for position in IMAGE_INPUTS[node.op]:
            before = _free("{}/nhwc_input_{}".format(name, position), taken)
            _transpose(graph_def, before, node.input[position], to_nhwc_name, dtype, device)
            node.input[position] = before
        for position in _SIZE_INPUTS.get(node.op, ()):
            sizes = _free("{}/nhwc_sizes".format(name), taken)
            _gather(graph_def, sizes, node.input[position], to_nhwc_name, axis_name, device)
            node.input[position] = sizes
        _permute_attributes(node)
        node.name = inner
        renamed[name] = inner
        # Consumers, fetches and "after this" inputs keep the name they know.
        _transpose(graph_def, name, inner, to_nchw_name, dtype, device)
    _redirect_other_outputs(graph_def, renamed)
    return len(found)


def describe(skeleton: GraphSkeleton, rewritten: int) -> str:
    """The layout in words, for people.

    Args:
        skeleton: the graph as it is on disk.
        rewritten: number of operations that `to_nhwc` rewrote.
    """
    if rewritten:
        return "NHWC (rewritten from NCHW)"
    return "NCHW" if skeleton.channels_first or skeleton.channels_first_functions else "NHWC"


def _is_nchw(node: Any) -> bool:
    # Asking for an attribute that is not there would create it.
    return node.op in IMAGE_INPUTS and "data_format" in node.attr and node.attr["data_format"].s == b"NCHW"


def _permute_attributes(node: Any) -> None:
    node.attr["data_format"].s = b"NHWC"
    for key in _LISTS:
        if key in node.attr:
            numbers = list(node.attr[key].list.i)
            node.attr[key].list.i[:] = [numbers[axis] for axis in TO_NHWC] if len(numbers) == 4 else numbers
    if "explicit_paddings" in node.attr:
        # Before and after, for each dimension.
        pads = list(node.attr["explicit_paddings"].list.i)
        if len(pads) == 8:
            node.attr["explicit_paddings"].list.i[:] = [pads[2 * axis + side] for axis in TO_NHWC for side in (0, 1)]
    # It describes the old output, and importers check it.
    if "_output_shapes" in node.attr:
        del node.attr["_output_shapes"]


def _redirect_other_outputs(graph_def: Any, renamed: Dict[str, str]) -> None:
    """Batch norms have outputs beside the image; these come from the operation itself, not from the transpose."""
    for node in graph_def.node:
        for position, source in enumerate(node.input):
            name, colon, index = source.partition(":")
            if colon and index != "0" and name in renamed:
                node.input[position] = "{}:{}".format(renamed[name], index)


def _free(name: str, taken: Set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _permutation(graph_def: Any, name: str, axes: Any, taken: Set[str]) -> str:
    return _constant(graph_def, _free("layout/" + name, taken), list(axes))


def _constant(graph_def: Any, name: str, numbers: List[int], scalar: bool = False) -> str:
    node = graph_def.node.add()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = _INT32
    tensor = node.attr["value"].tensor
    tensor.dtype = _INT32
    if scalar:
        tensor.tensor_shape.SetInParent()
    else:
        tensor.tensor_shape.dim.add().size = len(numbers)
    tensor.int_val.extend(numbers)
    return name


def _transpose(graph_def: Any, name: str, source: str, permutation: str, dtype: int, device: str) -> None:
    node = graph_def.node.add()
    node.name, node.op, node.device = name, "Transpose", device
    node.input.extend([source, permutation])
    node.attr["T"].type = dtype
    node.attr["Tperm"].type = _INT32


def _gather(graph_def: Any, name: str, source: str, permutation: str, axis: str, device: str) -> None:
    node = graph_def.node.add()
    node.name, node.op, node.device = name, "GatherV2", device
    node.input.extend([source, permutation, axis])
    for key in ("Tparams", "Tindices", "Taxis"):
        node.attr[key].type = _INT32
