"""What a graph shows of itself, for people, and what follows from it: on what it will run, and on what not."""

from __future__ import annotations

import collections
from typing import Dict, Iterable, List, NamedTuple, Optional

from .graphdef import GraphSkeleton
from .operations import CONDITIONS, FUNCTIONAL, IMAGE_INPUTS, LOOPS, later_and_unknown
from .wire import Shape
from .words import shown

#: GraphDef version that TensorFlow 1.14 writes.
_PRODUCER_OF_1_14 = 38
#: What CPUs take in either layout, though it is not rewritten.
_EITHER_LAYOUT = ("BiasAdd",)
_TENSORRT = "TRTEngineOp"


class Tensor(NamedTuple):
    """An input or output.

    Attributes:
        name: such as "image:0", or a signature's name for it.
        dtype: such as "float32"; None when not said.
        shape: None when not even the rank is known.
    """

    name: str
    dtype: Optional[str]
    shape: Optional[Shape]


class GraphFacts(NamedTuple):
    """What a graph shows.

    Attributes:
        producer: GraphDef version of the program that made it; 0 when not said.
        inputs: its placeholders.
        sinks: names of nodes whose values nobody takes: candidates for outputs.
        nodes: number of nodes; functions aside.
        functions: number of the library's functions.
        ops: kind to count, functions included, the most frequent first.
        weights: bytes of all constants.
        layouts: "NCHW" and "NHWC" to the number of operations that say so, functions included.
        devices: device to the number of nodes pinned to it.
        control_flow: kinds of loops and conditions to their number.
        later: kinds that TensorFlow 1.14 has not.
        unknown: kinds that no plain TensorFlow has.
        remarks: sentences about what will and will not run where.
    """

    producer: int
    inputs: List[Tensor]
    sinks: List[str]
    nodes: int
    functions: int
    ops: Dict[str, int]
    weights: int
    layouts: Dict[str, int]
    devices: Dict[str, int]
    control_flow: Dict[str, int]
    later: List[str]
    unknown: List[str]
    remarks: List[str]


def graph_facts(graph: GraphSkeleton) -> GraphFacts:
    """Looks at all nodes of a graph and of its functions."""
    everything = list(graph.everything())
    ops = _counted(node.op for node in everything)
    flow = LOOPS | CONDITIONS | FUNCTIONAL
    later, unknown = later_and_unknown(set(ops) - set(graph.functions))
    facts = GraphFacts(
        producer=graph.producer,
        inputs=[Tensor(name + ":0", graph.nodes[name].dtype, graph.nodes[name].shape) for name in graph.placeholders],
        sinks=list(graph.sinks),
        nodes=len(graph.nodes),
        functions=len(graph.functions),
        ops=ops,
        weights=sum(node.weights for node in everything),
        layouts=_counted(node.data_format for node in everything if node.data_format),
        devices=_counted(node.device for node in everything if node.device),
        control_flow={kind: count for kind, count in ops.items() if kind in flow},
        later=later,
        unknown=unknown,
        remarks=[],
    )
    return facts._replace(remarks=_remarks(graph, facts))


def _remarks(graph: GraphSkeleton, facts: GraphFacts) -> List[str]:
    return _on_versions(facts) + _on_layout(graph) + _on_devices(facts)


def _on_versions(facts: GraphFacts) -> List[str]:
    remarks = []
    plain = [kind for kind in facts.unknown if kind != _TENSORRT]
    if _TENSORRT in facts.unknown:
        remarks.append(
            "It has parts compiled for TensorRT ({}): it runs on GPU workers only, with a TensorFlow and a GPU as those it was "
            "compiled with.".format(_TENSORRT)
        )
    if plain:
        remarks.append(
            "No plain TensorFlow up to 2.21 has {}: it will not run unless the installed one has.".format(shown(plain))
        )
    if facts.later:
        remarks.append("TensorFlow 1.14 does not have {}: it runs on TensorFlow 2 only.".format(shown(facts.later)))
    elif not facts.unknown and facts.producer > _PRODUCER_OF_1_14:
        remarks.append(
            "TensorFlow 1.14 has all of its operations, but a later one wrote it (GraphDef version {}, 1.14 writes {}): if an "
            "operation has a new attribute, 1.14 refuses it. That shows when it is loaded.".format(
                facts.producer, _PRODUCER_OF_1_14
            )
        )
    elif not facts.unknown:
        remarks.append("TensorFlow 1.14 and 2 have all of its operations.")
    return remarks


def _on_layout(graph: GraphSkeleton) -> List[str]:
    remarks = []
    first = [node for node in graph.nodes.values() if node.data_format == "NCHW"]
    rewritten = sum(node.op in IMAGE_INPUTS for node in first)
    others = sorted({node.op for node in first if node.op not in IMAGE_INPUTS and node.op not in _EITHER_LAYOUT})
    if rewritten:
        remarks.append(
            "It is made for GPUs (NCHW); on CPU workers {:,} of its operations are rewritten to NHWC when it is loaded.".format(
                rewritten
            )
        )
    if others:
        remarks.append("Not rewritten is {} in NCHW, which a CPU may refuse.".format(shown(others)))
    if graph.channels_first_functions:
        remarks.append(
            "NCHW operations are also in functions ({}), where they cannot be rewritten: it runs on GPU workers only.".format(
                shown(list(graph.channels_first_functions))
            )
        )
    return remarks


def _on_devices(facts: GraphFacts) -> List[str]:
    if not facts.devices:
        return []
    return [
        "{:,} of its nodes are pinned to devices. That is harmless: a GPU worker has one GPU and puts on the CPU what only a "
        "CPU can do; a CPU worker forgets the pins.".format(sum(facts.devices.values()))
    ]


def _counted(words: Iterable[str]) -> Dict[str, int]:
    return dict(collections.Counter(words).most_common())
