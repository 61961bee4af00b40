"""The command line of the 2019 program's `--mode pack`, told to `divainfer freeze`."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

#: Flags that say the same in other words.
_SAME: Dict[str, List[str]] = {
    "--diva-class3": ["--class-list", "diva"],
    "--resnet50": ["--resnet", "50"],
    "--resnet152": ["--resnet", "152"],
    "--use-dilations": ["--use-dilation"],
    "--use-frcnn-class-agnostic": ["--class-agnostic"],
}
#: Options whose value is the same, under another name.
_RENAMED = {"--pack-model-path": "--out", "--note": "--name"}
#: Flags for what is always so here, or means nothing to a frozen graph.
_PASSED_OVER = {
    "--is-fpn": "it is always so",
    "--is-pack-model": "it is always so",
    "--use-all-mem": "freezing needs no GPU",
    "--show-restore": "what is not needed of a checkpoint is always said",
    "--log": "freezing needs no GPU",
}
#: Options with a value that a frozen graph has no use for, and why.
_IGNORED = {
    "--rpn-batch-size": "it is for training",
    "--frcnn-batch-size": "it is for training",
    "--rpn-test-pre-nms-topk": "with a feature pyramid --rpn-test-post-nms-topk counts for each level",
    "--gpu": "divainfer run has --gpus",
    "--gpuid-start": "divainfer run has --gpus",
    "--pack-modelconfig-path": "the card lies beside the graph, where divainfer run looks for it",
}
#: Unsupported kinds of network, in words.
_OTHER_NETWORKS = {
    "--use-gn": "group norm",
    "--use-se": "squeeze-excitation",
    "--use-deformable": "deformable convolutions",
    "--use-resnext": "ResNeXt",
    "--add-mask": "a mask head",
    "--resnet18": "basic blocks",
    "--resnet34": "basic blocks",
    "--use-conv-frcnn-head": "a convolutional head",
    "--use-att-frcnn-head": "a head with attention",
    "--finer-resolution": "a finer pyramid",
    "--add-act": "an activity head",
}


class Translated(NamedTuple):
    """A command line in today's words.

    Attributes:
        arguments: for `divainfer freeze`.
        notes: sentences for the operator: what was passed over.
        refused: kinds of network that are asked for and cannot be built.
    """

    arguments: List[str]
    notes: List[str]
    refused: List[str]


def translate(arguments: Sequence[str]) -> Translated:
    """Puts the 2019 program's spellings into today's; today's own are left as they are.

    Args:
        arguments: what follows `divainfer freeze`, such as `nothing nothing --mode pack --num_class 15 --is_fpn`.
    """
    found = Translated([], [], [])
    left = list(arguments)
    while left and left[0] == "nothing":
        # Its two positions for data, which packing did not use.
        left.pop(0)
    while left:
        name, value = _split(left.pop(0))
        if not name.startswith("--"):
            found.arguments.append(name)
        elif name == "--mode":
            value = value or (left.pop(0) if left else "")
            if value != "pack":
                found.refused.append("--mode {} (divainfer run does --mode forward)".format(value))
        elif name in _SAME:
            found.arguments.extend(_SAME[name])
        elif name in _PASSED_OVER:
            found.notes.append("{} is passed over: {}.".format(name, _PASSED_OVER[name]))
        elif name in _OTHER_NETWORKS:
            found.refused.append("{} ({})".format(name, _OTHER_NETWORKS[name]))
        elif name in _IGNORED:
            if not value and left:
                left.pop(0)
            found.notes.append("{} is passed over: {}.".format(name, _IGNORED[name]))
        else:
            found.arguments.append(_RENAMED.get(name, name))
            if value:
                found.arguments[-1] += "=" + value
    return found


def _split(word: str) -> Tuple[str, str]:
    """Option, in today's spelling, and the value behind "="; any other word as it is."""
    if not word.startswith("--"):
        return word, ""
    name, _, value = word.partition("=")
    return name.replace("_", "-"), value
