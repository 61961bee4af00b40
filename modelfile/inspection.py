"""What there is to know of a model before it runs: its files, tensors, operations or variables, and where it will run.

TensorFlow is not imported; only what the files show is said.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ..errors import ModelError, UsageError
from .card import card_path, read_card
from .checkpoint import CHECKPOINT, find_checkpoint
from .facts import GraphFacts, Tensor, graph_facts
from .form import SAVED_MODEL, model_form
from .graphdef import read_graph
from .savedmodel import read_saved_model
from .spec import model_digest, model_path, resolve_model
from .variable import read_variable_model
from .words import shape_text, shown

_MOST_OPS = 12
_MOST_SINKS = 12


class VariableFacts(NamedTuple):
    """What a checkpoint shows.

    Attributes:
        prefix: what TensorFlow calls it; the file of an `.npz`.
        total: number of variables.
        numbers: values of all variables together.
        dtypes: kind of numbers to the number of variables.
        detector: fields of the architecture; None when the variables are not those of a detector.
        unused: names of variables that the detector has not; None when there is no detector.
    """

    prefix: str
    total: int
    numbers: int
    dtypes: Dict[str, int]
    detector: Optional[Dict[str, Any]]
    unused: Optional[List[str]]


class Inspection(NamedTuple):
    """A model, looked at.

    Attributes:
        path: of the model.
        form: FROZEN, CHECKPOINT or SAVED_MODEL.
        files: path to bytes.
        digest: "sha256:...".
        card: where its card comes from; "" when there is none.
        tensors: role to the name of the tensor that a run takes; empty when a run would refuse the model.
        signatures: of a SavedModel: name to inputs and outputs.
        writer: version of TensorFlow that wrote a SavedModel; "" when not said.
        graph: None for checkpoints.
        variables: None for other forms.
        refusal: why a run would refuse it; "" when it would not.
        notes: what a run would assume.
    """

    path: str
    form: str
    files: Dict[str, int]
    digest: str
    card: str
    tensors: Dict[str, str]
    signatures: Dict[str, Dict[str, List[Tensor]]]
    writer: str
    graph: Optional[GraphFacts]
    variables: Optional[VariableFacts]
    refusal: str
    notes: List[str]

    @property
    def remarks(self) -> List[str]:
        """Sentences about what will and will not run where."""
        if self.refusal:
            return ["A run refuses it: {}".format(self.refusal)] + (self.graph.remarks if self.graph else [])
        if self.graph is not None:
            return self.graph.remarks
        return [
            "Its graph is built when it is loaded, in NHWC on CPU workers and NCHW on GPU workers, by TensorFlow 1.14 or 2, "
            "for batches of any size."
        ]

    def to_json(self) -> Dict[str, Any]:
        """As plain values."""
        plain: Dict[str, Any] = dict(self._asdict(), remarks=self.remarks)
        plain["signatures"] = {
            name: {kind: [tensor._asdict() for tensor in tensors] for kind, tensors in signature.items()}
            for name, signature in self.signatures.items()
        }
        if self.graph is not None:
            plain["graph"] = dict(self.graph._asdict(), inputs=[tensor._asdict() for tensor in self.graph.inputs])
            del plain["graph"]["remarks"]
        if self.variables is not None:
            plain["variables"] = dict(self.variables._asdict())
        return plain

    def lines(self) -> List[str]:
        """For people."""
        size = sum(self.files.values())
        lines = ["{}: {}, {}".format(self.path, self.form, _bytes(size))]
        rows = [("digest", self.digest), ("card", self.card or "none; it would be {}".format(card_path(self.path)))]
        if len(self.files) > 1:
            rows.append(("files", ", ".join(os.path.basename(path) for path in self.files)))
        rows += self._graph_rows(self.graph) if self.graph else []
        rows += _variable_rows(self.variables) if self.variables else []
        lines += ["  {:<10}{}".format(title, text) for title, text in rows]
        lines += ["- " + sentence for sentence in self.remarks + self.notes]
        return lines

    def _graph_rows(self, graph: GraphFacts) -> List[Any]:
        rows = []
        if self.writer:
            rows.append(("writer", "TensorFlow {}".format(self.writer)))
        for name, signature in self.signatures.items():
            for kind, tensors in signature.items():
                rows.append((kind, "{}, by signature {}".format(_tensors(tensors), name)))
        if not self.signatures:
            rows.append(("inputs", _tensors(graph.inputs)))
        if self.tensors:
            rows.append(("taken", ", ".join("{} {}".format(*item) for item in self.tensors.items())))
        elif not self.signatures:
            rest = len(graph.sinks) - _MOST_SINKS
            rows.append(
                ("ends", ", ".join(graph.sinks[:_MOST_SINKS]) + (" and {} more".format(rest) if rest > 0 else ""))
            )
        kinds = ["{} {:,}".format(*item) for item in list(graph.ops.items())[:_MOST_OPS]]
        rest = len(graph.ops) - len(kinds)
        functions = ", {:,} functions".format(graph.functions) if graph.functions else ""
        rows.append(
            ("nodes", "{:,}{}, GraphDef version {}".format(graph.nodes, functions, graph.producer or "not said"))
        )
        rows.append(("kinds", ", ".join(kinds) + (" and {} other kinds".format(rest) if rest else "")))
        rows.append(("weights", _bytes(graph.weights) + " of constants"))
        for title, counts in (("layout", graph.layouts), ("pinned to", graph.devices), ("flow", graph.control_flow)):
            if counts:
                rows.append((title, ", ".join("{} {:,}".format(*item) for item in counts.items())))
        return rows


def inspect_model(model: str, options: Optional[Mapping[str, str]] = None) -> Inspection:
    """Looks at a model.

    Args:
        model: as `--model` takes it.
        options: as of `--engine tensorflow:...`.

    Raises:
        ModelError: when it is no model, or a damaged one. What a run would refuse for another reason is looked at all the same.
    """
    path = model_path(model)
    form = model_form(path)
    refusal, spec = "", None
    try:
        spec = resolve_model(model, "", options)
    except UsageError as error:
        refusal = str(error)
    graph = variables = None
    signatures: Dict[str, Dict[str, List[Tensor]]] = {}
    writer = ""
    if form == CHECKPOINT:
        files = list(find_checkpoint(path).files)
        variables = _variable_facts(path, options or {})
    elif form == SAVED_MODEL:
        saved = read_saved_model(path)
        graph, writer, files = graph_facts(saved.graph), saved.version, list(saved.files)
        signatures = {
            name: {
                "inputs": [Tensor(key, value.dtype, value.shape) for key, value in signature.inputs.items()],
                "outputs": [Tensor(key, value.dtype, value.shape) for key, value in signature.outputs.items()],
            }
            for name, signature in saved.signatures.items()
        }
    else:
        graph, files = graph_facts(read_graph(path)), [path]
    return Inspection(
        path=path,
        form=form,
        files={file: os.path.getsize(file) for file in files},
        digest=spec.digest if spec else model_digest(files),
        card=_card(path),
        tensors=dict({"image": spec.card.image}, **spec.card.outputs) if spec and graph else {},
        signatures=signatures,
        writer=writer,
        graph=graph,
        variables=variables,
        refusal=refusal,
        notes=spec.notes if spec else [],
    )


def _card(path: str) -> str:
    try:
        return read_card(path).source
    except ModelError as error:
        return str(error)


def _variable_facts(path: str, options: Mapping[str, str]) -> VariableFacts:
    checkpoint = find_checkpoint(path)
    detector, unused = None, None
    try:
        found = read_variable_model(path, read_card(path), options)
        detector, unused = found.architecture.to_json(), found.unused
    except UsageError:
        pass
    dtypes: Dict[str, int] = {}
    numbers = 0
    for name, shape in checkpoint.shapes.items():
        dtypes[checkpoint.dtypes[name]] = dtypes.get(checkpoint.dtypes[name], 0) + 1
        product = 1
        for size in shape:
            product *= size
        numbers += product
    return VariableFacts(checkpoint.prefix, len(checkpoint.shapes), numbers, dtypes, detector, unused)


def _variable_rows(variables: VariableFacts) -> List[Any]:
    rows = [
        (
            "variables",
            "{:,} with {:,} numbers ({})".format(
                variables.total,
                variables.numbers,
                ", ".join("{} {:,}".format(*item) for item in variables.dtypes.items()) or "none",
            ),
        )
    ]
    if variables.detector is not None:
        words = ["{} {}".format(name, str(value).lower()) for name, value in variables.detector.items()]
        rows.append(("detector", ", ".join(words)))
    if variables.unused:
        rows.append(("unused", shown(variables.unused)))
    return rows


def _tensors(tensors: List[Tensor]) -> str:
    return (
        ", ".join("{} {} {}".format(each.name, each.dtype or "", shape_text(each.shape)) for each in tensors) or "none"
    )


def _bytes(size: int) -> str:
    return "{:,} MB".format(round(size / 1e6)) if size >= 10e6 else "{:,.1f} KB".format(size / 1e3)
