"""A SavedModel's graph, ready for a session.

TensorFlow's own loader offers no way to change the graph before it is imported; so the few steps that it consists of are
done here: import the graph, restore the variables, run the operation that initialises the rest (tables and the like).
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from ...errors import EngineBootError
from ...model.tensorflow1 import first_line
from ...modelfile.form import SAVED_MODEL_FILE
from ...modelfile.graphinput import graph_input
from ...modelfile.savedmodel import VARIABLES, read_saved_model
from .base import EngineSpec
from .layout import describe
from .prepared import Prepared, fetched, input_tensors, suit_device

_INIT_SIGNATURE = "__saved_model_init_op"
#: Where versions of TensorFlow before that signature keep the operation.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS_COLLECTION = "saved_model_assets"


def prepare_saved_model(tf: Any, spec: EngineSpec) -> Prepared:
    """Reads the graph that serves and, for the CPU, rewrites what was made for GPUs.

    Args:
        tf: the module.
        spec: with the folder's path and its complete card.

    Raises:
        ModelError: when it is no SavedModel.
        EngineBootError: when a CPU, or this TensorFlow, cannot run it.
    """
    folder, card = spec.model, spec.card
    saved = read_saved_model(folder)
    taken = graph_input(folder, saved.graph, card)
    meta_graph = tf.compat.v1.MetaGraphDef()
    with open(os.path.join(folder, SAVED_MODEL_FILE), "rb") as file:
        start, end = saved.meta_graph
        file.seek(start)
        meta_graph.ParseFromString(file.read(end - start))
    rewritten = suit_device(spec, meta_graph.graph_def)
    graph = tf.Graph()
    with graph.as_default():
        frames, image = input_tensors(tf, spec, taken)
        try:
            saver = tf.compat.v1.train.import_meta_graph(
                meta_graph, clear_devices=not spec.on_gpu, input_map={card.image: image}
            )
        except Exception as error:  # Importers raise anything.
            raise EngineBootError(
                "{}: TensorFlow {} cannot load it; it was written by TensorFlow {}: {}".format(
                    folder, tf.__version__, saved.version or "of unknown version", first_line(error)
                )
            )
        initialise = _initialiser(graph, meta_graph)
        assets = _assets(graph, meta_graph, folder)

    def fill(session: Any) -> None:
        if saver is not None:
            saver.restore(session, os.path.join(folder, VARIABLES))
        if initialise is not None:
            session.run(initialise, assets)

    return Prepared(graph, frames, fetched(graph, card), taken, describe(saved.graph, rewritten), fill)


def _assets(graph: Any, meta_graph: Any, folder: str) -> Dict[str, str]:
    """Tensors that hold the names of files of the SavedModel, and where these lie now."""
    files = list(meta_graph.asset_file_def)
    # TensorFlow 1 keeps them, packed, in a collection.
    for packed in graph.get_collection(_ASSETS_COLLECTION):
        files.append(type(meta_graph)().asset_file_def.add())
        packed.Unpack(files[-1])
    return {file.tensor_info.name: os.path.join(folder, "assets", file.filename) for file in files}


def _initialiser(graph: Any, meta_graph: Any) -> Optional[Any]:
    """The operation that initialises what is no variable; None when there is nothing."""
    signatures: Dict[str, Any] = meta_graph.signature_def
    if _INIT_SIGNATURE in signatures:
        return graph.as_graph_element(signatures[_INIT_SIGNATURE].outputs[_INIT_SIGNATURE].name)
    for collection in _INIT_COLLECTIONS:
        for operation in graph.get_collection(collection):
            return operation
    return None
