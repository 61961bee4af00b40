"""The model card: what a model does not say of itself, in `obj.config.json` beside `obj.pb`.

A card can be written by hand; every key but `card` may be left out:

    {
      "card": 1,
      "name": "obj_v3",
      "inputs": {"image": "image:0"},
      "outputs": {"boxes": "final_boxes:0", "labels": "final_labels:0", "scores": "final_probs:0",
                  "valid": "final_valid_indices:0", "masks": "final_masks:0"},
      "batch_size": null,
      "short_edge_size": 1080,
      "max_size": 1920,
      "colour_order": "BGR",
      "classes": ["BG", "Vehicle", "Person"],
      "detector": {"resnet": 101, "num_class": 3, "use_dilation": true},
      "digest": "sha256:0f3a..."
    }

`short_edge_size` and `max_size` are in pixels; `classes` starts with the background, its index is the class id;
`batch_size` is the fixed first dimension of a batched graph; `"masks": ""` leaves out the masks of a graph that has them;
`detector` has fields of `Architecture`, for checkpoints. The record that the 2019 program wrote in the same place
(`--pack_modelconfig_path`) has no `card` key; its sizes, class names and what it says of the detector are taken.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Dict, Mapping, Optional, Tuple

from ..errors import ModelError
from .architecture import BLOCKS, Architecture

#: Names of `CONTRACT.md`; "valid" tells a batched graph from a one-image graph.
CONTRACT_OUTPUTS = {"boxes": "final_boxes:0", "labels": "final_labels:0", "scores": "final_probs:0"}
OPTIONAL_OUTPUTS = {"valid": "final_valid_indices:0", "masks": "final_masks:0"}
CARD_VERSION = 1

_ENDING = ".config.json"
#: Fields of an architecture, and their keys in the 2019 program's record where these are others.
_KEYS_OF_2019 = {
    "num_class": ("num_class",),
    "use_dilation": ("use_dilations", "use_dilation"),
    "class_agnostic": ("use_frcnn_class_agnostic",),
    "rpn_test_post_nms_topk": ("rpn_test_post_nms_topk",),
}


@dataclasses.dataclass(frozen=True)
class Card:
    """A model card. None means that the card does not say."""

    name: str = ""
    #: Tensor that takes the frames, float32 or uint8, `[H, W, 3]` or `[B, H, W, 3]`.
    image: str = "image:0"
    #: Role to tensor name: boxes, labels, scores; valid and masks where the graph has them.
    outputs: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(CONTRACT_OUTPUTS))
    #: Fixed first dimension of a batched graph.
    batch_size: Optional[int] = None
    #: Length of a frame's short edge, pixels.
    short_edge_size: Optional[int] = None
    #: Limit of a frame's long edge, pixels.
    max_size: Optional[int] = None
    #: Channel order the graph wants: "BGR" or "RGB".
    colour_order: str = "BGR"
    #: Class names, the background first; empty when unknown.
    classes: Tuple[str, ...] = ()
    #: What is known of a checkpoint's detector: some or all fields of `Architecture`.
    detector: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: "sha256:..." of the model's files, or None when the card does not bind itself to one.
    digest: Optional[str] = None
    #: Where this came from, for messages: a path, "2019 record PATH", or "" when there is no card.
    source: str = ""

    def to_json(self) -> Dict[str, Any]:
        """The card as it stands in a file, keys in the documented order."""
        return {
            "card": CARD_VERSION,
            "name": self.name,
            "inputs": {"image": self.image},
            "outputs": dict(self.outputs),
            "batch_size": self.batch_size,
            "short_edge_size": self.short_edge_size,
            "max_size": self.max_size,
            "colour_order": self.colour_order,
            "classes": list(self.classes),
            "detector": dict(self.detector) or None,
            "digest": self.digest,
        }


def card_path(model: str) -> str:
    """Where a model's card lies: beside it. `.config.json` takes the place of a file's ending (`obj.pb` -> `obj.config.json`).

    To the name of a folder or of a checkpoint, which have no ending, it is added (`obj_v3_model/` ->
    `obj_v3_model.config.json`).
    """
    model = model.rstrip("/") or model
    if os.path.isdir(model) or os.path.isfile(model + ".index"):
        return model + _ENDING
    return os.path.splitext(model)[0] + _ENDING


def read_card(model: str) -> Card:
    """Reads the card beside a model.

    Args:
        model: path of the model.

    Returns:
        The card; without a file, one with the contract's names and an empty `source`.

    Raises:
        ModelError: when the file is there but is not a card.
    """
    path = card_path(model)
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return Card(name=os.path.basename(path)[: -len(_ENDING)])
    except (OSError, ValueError) as error:
        raise ModelError("{}: the model card cannot be read ({}). Mend or remove it.".format(path, error))
    return parse_card(data, path)


def parse_card(data: Any, source: str) -> Card:
    """Checks a card's content.

    Args:
        data: the parsed JSON.
        source: its path, for messages.

    Raises:
        ModelError: one sentence naming the key at fault.
    """
    if not isinstance(data, dict):
        raise ModelError("{}: a model card is a JSON object.".format(source))
    if "card" not in data:
        return _from_2019_record(data, source)
    if data["card"] != CARD_VERSION:
        raise ModelError(
            "{}: card version {!r} is unknown, this divainfer reads version {}.".format(
                source, data["card"], CARD_VERSION
            )
        )
    known = set(Card().to_json())
    unknown = sorted(set(data) - known)
    if unknown:
        raise ModelError("{}: unknown key {!r}; a card has {}.".format(source, unknown[0], ", ".join(sorted(known))))
    outputs = _text_map(data, "outputs", source) or dict(CONTRACT_OUTPUTS)
    roles = set(CONTRACT_OUTPUTS) | set(OPTIONAL_OUTPUTS)
    for role in outputs:
        if role not in roles:
            raise ModelError("{}: unknown output {!r}; known are {}.".format(source, role, ", ".join(sorted(roles))))
    for role in CONTRACT_OUTPUTS:
        outputs.setdefault(role, CONTRACT_OUTPUTS[role])
    colour_order = data.get("colour_order") or "BGR"
    if colour_order not in ("BGR", "RGB"):
        raise ModelError("{}: colour_order is {!r}; it must be BGR or RGB.".format(source, colour_order))
    classes = data.get("classes") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ModelError("{}: classes must be a list of names, the background first.".format(source))
    digest = data.get("digest")
    if digest is not None and not (isinstance(digest, str) and digest.startswith("sha256:")):
        raise ModelError('{}: digest must read "sha256:" and 64 hexadecimal digits.'.format(source))
    name = data.get("name") or ""
    if not isinstance(name, str):
        raise ModelError("{}: name must be text.".format(source))
    return Card(
        name=name,
        image=(_text_map(data, "inputs", source) or {}).get("image", "image:0"),
        outputs=outputs,
        batch_size=_positive(data, "batch_size", source),
        short_edge_size=_positive(data, "short_edge_size", source),
        max_size=_positive(data, "max_size", source),
        colour_order=colour_order,
        classes=tuple(classes),
        detector=_detector(data.get("detector"), source),
        digest=digest,
        source=source,
    )


def write_card(card: Card, path: str) -> None:
    """Writes a card as indented JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(card.to_json(), file, indent=2)
        file.write("\n")


def _detector(data: Any, source: str) -> Mapping[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ModelError('{}: detector must be an object, such as {{"use_dilation": true}}.'.format(source))
    known = Architecture().to_json()
    for name in data:
        if name not in known:
            raise ModelError(
                "{}: detector has an unknown key {!r}; known are {}.".format(source, name, ", ".join(sorted(known)))
            )
    try:
        # Whatever is not said has a default that is sound, so this checks what is said.
        Architecture(**data)
    except ModelError as error:
        raise ModelError("{}: detector: {}".format(source, error))
    return dict(data)


def _from_2019_record(data: Mapping[str, Any], source: str) -> Card:
    """Sizes, class names and detector out of the 2019 program's own record; everything else in it is about training."""
    ids = data.get("classname2id") or data.get("class2id") or {}
    classes: Tuple[str, ...] = ()
    if isinstance(ids, dict) and sorted(ids.values()) == list(range(len(ids))):
        classes = tuple(sorted(ids, key=lambda name: ids[name]))
    # Its im_batch_size counts the GPUs of one process; a graph packed for batches says so in its placeholder.
    return Card(
        short_edge_size=_positive(data, "short_edge_size", source),
        max_size=_positive(data, "max_size", source),
        classes=classes,
        detector=_detector_of_2019(data),
        source="2019 record " + source,
    )


def _detector_of_2019(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the record says of the detector. Frozen graphs do not need it, so what makes no sense is left out."""
    said = {name: data[key] for name, keys in _KEYS_OF_2019.items() for key in keys if data.get(key) is not None}
    for depth, blocks in BLOCKS.items():
        if data.get("resnet_num_block") == list(blocks):
            said["resnet"] = depth
    detector = {}
    for name, value in said.items():
        try:
            Architecture(**{name: value})
        except ModelError:
            continue
        detector[name] = value
    return detector


def _positive(data: Mapping[str, Any], key: str, source: str) -> Optional[int]:
    value = data.get(key)
    if value is None:
        return None
    # JSON written by other programs may say 1080.0.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError("{}: {} is {!r}; it must be a whole number above 0.".format(source, key, value))
    return value


def _text_map(data: Mapping[str, Any], key: str, source: str) -> Dict[str, str]:
    value = data.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ModelError("{}: {} must map roles to tensor names.".format(source, key))
    return {role: name if ":" in name or not name else name + ":0" for role, name in value.items()}
