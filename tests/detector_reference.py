"""The detector of 2019 in plain NumPy, written from its description alone: what `divainfer.model.detector` is compared with.

It shares no line and no author's thought with the graph that it judges, so a step that both get wrong is one that the
description gets wrong. It is made to be read: one image, float64, a function for each step, loops where they are clearer.

Feature maps are `[height, width, channels]`; boxes are `[N, 4]`, `x1, y1, x2, y2` in pixels of the image, `x2` and `y2`
exclusive; weights go by their names in a checkpoint (convolutions `[rows, columns, inputs, outputs]`).
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from detector_reference_boxes import anchors, best_first, clip, decode, decode_limit, nms

Weights = Dict[str, np.ndarray]
#: The pyramid, p2 to p6.
STRIDES = (4, 8, 16, 32, 64)
ANCHOR_SIZES = (32, 64, 128, 256, 512)
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
#: In BGR order.
MEAN = (0.406, 0.456, 0.485)
DEVIATION = (0.225, 0.224, 0.229)
#: What a detection must score, how many of them a class and an image may have.
LEAST_SCORE = 1e-4
MOST = 100


class Detections(NamedTuple):
    """Boxes `[R, 4]`, classes from 1 `[R]`, scores `[R]`, the best first."""

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


class Found(NamedTuple):
    """Detections and what led to them: the cropped pyramid p2 to p6, and the proposals `[P, 4]`, the best first."""

    detections: Detections
    maps: List[np.ndarray]
    proposals: np.ndarray


def detect(
    image: np.ndarray,
    weights: Weights,
    resnet: int = 50,
    num_class: int = 15,
    use_dilation: bool = False,
    class_agnostic: bool = False,
    rpn_post_nms_topk: int = 1000,
    max_size: int = 1920,
) -> Found:
    """Everything, for one image `[H, W, 3]`, BGR, 0 to 255.

    Args:
        image: pixels, already resized.
        weights: by name.
        resnet: 50, 101 or 152.
        num_class: with the background, which is class 0.
        use_dilation: 3x3 convolutions of group3 have dilation 2.
        class_agnostic: one box a proposal instead of one a class.
        rpn_post_nms_topk: proposals, a level and in all.
        max_size: longest edge of any image, in pixels.
    """
    height, width = image.shape[:2]
    limit = decode_limit(max_size)
    maps = crop(pyramid(backbone(prepare(image), weights, resnet, use_dilation), weights), height, width)
    best = proposals(maps, weights, height, width, rpn_post_nms_topk, max_size)
    logits, deltas = head(roi_align(maps, best), weights, num_class, class_agnostic)
    return Found(detections(best, logits, deltas, height, width, limit), maps, best)


def box_features(maps: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """What a tracker compares: RoIAlign of the final boxes, `[R, 256, 7, 7]`."""
    return roi_align(maps, boxes)


# --- layers


def convolve(values: np.ndarray, kernel: np.ndarray, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """Without padding: the sum over the kernel's taps of the map, shifted to the tap, times the tap's matrix."""
    rows, columns, inputs, outputs = kernel.shape
    height = (values.shape[0] - (rows - 1) * dilation - 1) // stride + 1
    width = (values.shape[1] - (columns - 1) * dilation - 1) // stride + 1
    total = np.zeros((height * width, outputs))
    for row in range(rows):
        for column in range(columns):
            top, left = row * dilation, column * dilation
            seen = values[
                top : top + (height - 1) * stride + 1 : stride, left : left + (width - 1) * stride + 1 : stride
            ]
            total += seen.reshape(-1, inputs) @ kernel[row, column].astype(float)
    return total.reshape(height, width, outputs)


def pad(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """Zeros: `before` rows and columns at the top and left, `after` at the bottom and right."""
    return np.pad(values, [(before, after), (before, after), (0, 0)], mode="constant")


def convolve_same(values: np.ndarray, kernel: np.ndarray, dilation: int = 1) -> np.ndarray:
    """With zeros around, so that the size stays."""
    margin = kernel.shape[0] // 2 * dilation
    return convolve(pad(values, margin, margin), kernel, dilation=dilation)


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def batch_norm(values: np.ndarray, weights: Weights, convolution: str) -> np.ndarray:
    """With the stored moments, of the batch norm that belongs to a convolution."""
    gamma, beta, mean, variance = (
        weights[convolution + "/bn/" + name].astype(float) for name in ("gamma", "beta", "mean/EMA", "variance/EMA")
    )
    return gamma * (values - mean) / np.sqrt(variance + 1e-5) + beta


def convolve_with_bias(values: np.ndarray, weights: Weights, scope: str) -> np.ndarray:
    return convolve_same(values, weights[scope + "/W"]) + weights[scope + "/b"]


def max_pool(values: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Without padding."""
    height, width = ((edge - size) // stride + 1 for edge in values.shape[:2])
    windows = [
        values[row : row + (height - 1) * stride + 1 : stride, column : column + (width - 1) * stride + 1 : stride]
        for row in range(size)
        for column in range(size)
    ]
    return np.max(windows, axis=0)


# --- backbone and pyramid


def prepare(image: np.ndarray) -> np.ndarray:
    """Normalised, then filled up with zeros to multiples of 32 at the bottom and right."""
    normal = (image.astype(float) / 255 - MEAN) / DEVIATION
    height, width = image.shape[:2]
    return np.pad(normal, [(0, -height % 32), (0, -width % 32), (0, 0)], mode="constant")


def backbone(image: np.ndarray, weights: Weights, resnet: int = 50, use_dilation: bool = False) -> List[np.ndarray]:
    """c2 to c5 of an image from `prepare`: strides 4 to 32, 256 to 2048 channels."""
    values = convolve(pad(image, 3, 2), weights["conv0/W"], stride=2)
    values = max_pool(pad(relu(batch_norm(values, weights, "conv0")), 1, 0), 3, 2)
    maps = []
    for group, blocks in enumerate(BLOCKS[resnet]):
        for block in range(blocks):
            stride = 2 if group > 0 and block == 0 else 1
            # "The last three blocks of group3" are all it has.
            dilation = 2 if use_dilation and group == 3 else 1
            values = bottleneck(values, weights, "group{}/block{}".format(group, block), stride, dilation)
        maps.append(values)
    return maps


def bottleneck(values: np.ndarray, weights: Weights, scope: str, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """1x1, 3x3 (where the stride and the dilation are), 1x1, and the shortcut around them."""
    names = [scope + "/conv" + number for number in "123"]
    inner = relu(batch_norm(convolve(values, weights[names[0] + "/W"]), weights, names[0]))
    if stride == 2:
        inner = convolve(pad(inner, 1, 0), weights[names[1] + "/W"], 2, dilation)
    else:
        inner = convolve_same(inner, weights[names[1] + "/W"], dilation)
    inner = relu(batch_norm(inner, weights, names[1]))
    if stride == 2 and dilation == 2:
        # The wider kernel ate a row and a column.
        inner = pad(inner, 1, 0)
    inner = batch_norm(convolve(inner, weights[names[2] + "/W"]), weights, names[2])
    shortcut = scope + "/convshortcut"
    if values.shape[2] != inner.shape[2]:
        values = values[:-1, :-1] if stride == 2 else values
        values = batch_norm(convolve(values, weights[shortcut + "/W"], stride), weights, shortcut)
    return relu(inner + values)


def pyramid(maps: Sequence[np.ndarray], weights: Weights) -> List[np.ndarray]:
    """p2 to p6 of c2 to c5, 256 channels each."""
    merged: List[np.ndarray] = []
    for level in (5, 4, 3, 2):
        lateral = convolve_with_bias(maps[level - 2], weights, "fpn/lateral_1x1_c{}".format(level))
        if merged:
            lateral = lateral + merged[0].repeat(2, axis=0).repeat(2, axis=1)
        merged.insert(0, lateral)
    out = [
        convolve_with_bias(values, weights, "fpn/posthoc_3x3_p{}".format(level))
        for level, values in enumerate(merged, 2)
    ]
    return out + [max_pool(out[-1], 1, 2)]


def crop(maps: Sequence[np.ndarray], height: int, width: int) -> List[np.ndarray]:
    """p2, p3 and p4 without what only the filled-up image has; p5 and p6 as they are."""
    sizes = [(-(-height // stride), -(-width // stride)) for stride in STRIDES[:3]]
    return [values[:rows, :columns] for values, (rows, columns) in zip(maps, sizes)] + list(maps[3:])


# --- region proposals


def rpn(values: np.ndarray, weights: Weights) -> Tuple[np.ndarray, np.ndarray]:
    """Logits `[height, width, 3]` and deltas `[height, width, 3, 4]` of one level."""
    hidden = relu(convolve_with_bias(values, weights, "rpn/conv0"))
    logits = convolve_with_bias(hidden, weights, "rpn/class")
    return logits, convolve_with_bias(hidden, weights, "rpn/box").reshape(logits.shape + (4,))


def proposals(
    maps: Sequence[np.ndarray], weights: Weights, height: int, width: int, topk: int, max_size: int
) -> np.ndarray:
    """The boxes to look at, `[P, 4]`, the best first, from the cropped maps p2 to p6."""
    boxes, scores = [], []
    for values, stride, size in zip(maps, STRIDES, ANCHOR_SIZES):
        logits, deltas = rpn(values, weights)
        field = anchors(stride, size, max_size)[: values.shape[0], : values.shape[1]]
        decoded = decode(deltas, field, decode_limit(max_size)).reshape(-1, 4)
        level_boxes, level_scores = level_proposals(decoded, logits.reshape(-1), height, width, topk)
        boxes.append(level_boxes)
        scores.append(level_scores)
    best = best_first(np.concatenate(scores))[:topk]
    return np.concatenate(boxes)[best]


def level_proposals(
    boxes: np.ndarray, scores: np.ndarray, height: int, width: int, topk: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Boxes and scores of one level, of all its decoded boxes and logits."""
    best = best_first(scores)[:topk]
    boxes, scores = clip(boxes[best], height, width), scores[best]
    there = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    boxes, scores = boxes[there], scores[there]
    kept = nms(boxes, scores, 0.7, topk)
    return boxes[kept], scores[kept]


# --- regions


def level_of(boxes: np.ndarray) -> np.ndarray:
    """The level of the pyramid, 2 to 5, that each box is looked at in."""
    side = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    return np.clip(np.floor(4 + np.log2(side / 224 + 1e-6)), 2, 5).astype(int)


def roi_align(maps: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """7x7 cells of each box, `[N, channels, 7, 7]`, each from the map of its level."""
    out = np.zeros((len(boxes), maps[0].shape[2], 7, 7))
    for index, level in enumerate(level_of(boxes)):
        cells = sample(maps[level - 2], boxes[index] / STRIDES[level - 2])
        out[index] = cells.reshape(7, 2, 7, 2, -1).mean(axis=(1, 3)).transpose(2, 0, 1)
    return out


def sample(values: np.ndarray, box: np.ndarray, count: int = 14) -> np.ndarray:
    """Bilinear samples in the middles of `count` x `count` cells of a box on the map, 0 outside of the pixels' middles."""
    height, width = values.shape[:2]
    steps = (np.arange(count) + 0.5) / count
    # A pixel's value sits in its middle, half a pixel from its edge.
    across = box[0] + (box[2] - box[0]) * steps - 0.5
    down = box[1] + (box[3] - box[1]) * steps - 0.5
    inside = ((down >= 0) & (down <= height - 1))[:, None] & ((across >= 0) & (across <= width - 1))[None, :]
    top, left = np.clip(np.floor(down), 0, height - 1).astype(int), np.clip(np.floor(across), 0, width - 1).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    below, beside = (down - top)[:, None, None], (across - left)[None, :, None]
    upper = values[top][:, left] * (1 - beside) + values[top][:, right] * beside
    lower = values[bottom][:, left] * (1 - beside) + values[bottom][:, right] * beside
    return np.where(inside[:, :, None], upper * (1 - below) + lower * below, 0)


# --- head


def head(
    features: np.ndarray, weights: Weights, num_class: int, class_agnostic: bool = False
) -> Tuple[np.ndarray, np.ndarray]:
    """Logits `[P, num_class]` and deltas `[P, num_class - 1, 4]` of the proposals' features `[P, 256, 7, 7]`."""
    hidden = features.reshape(len(features), -1)
    for scope in ("fastrcnn/fc6", "fastrcnn/fc7"):
        hidden = relu(hidden @ weights[scope + "/W"] + weights[scope + "/b"])
    logits, deltas = (
        hidden @ weights[scope + "/W"] + weights[scope + "/b"]
        for scope in ("fastrcnn/outputs/class", "fastrcnn/outputs/box")
    )
    if class_agnostic:
        return logits, deltas[:, None].repeat(num_class - 1, axis=1)
    return logits, deltas.reshape(-1, num_class, 4)[:, 1:]


def detections(
    boxes: np.ndarray, logits: np.ndarray, deltas: np.ndarray, height: int, width: int, limit: float
) -> Detections:
    """The end: of proposals, logits and deltas (see `head`) to detections."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    decoded = clip(decode(deltas / [10, 10, 5, 5], boxes[:, None], limit), height, width)
    found: List[Tuple[np.ndarray, int, float]] = []
    for label in range(1, logits.shape[1]):
        those = np.flatnonzero(scores[:, label] > LEAST_SCORE)
        kept = those[nms(decoded[those, label - 1], scores[those, label], 0.5, MOST)]
        found += [(decoded[index, label - 1], label, scores[index, label]) for index in kept]
    best = best_first(np.array([score for _, _, score in found], float))[:MOST]
    return Detections(
        np.array([found[index][0] for index in best], float).reshape(-1, 4),
        np.array([found[index][1] for index in best], int),
        np.array([found[index][2] for index in best], float),
    )
