r"""Parquet: one row an image, its detections as a list of structs; zstd.

    index int64, image string, height int32, width int32,
    detections list<struct<category_id int32, cat_name string, score double, bbox list<double>, segmentation string>>

`segmentation` is JSON. `im_size` of the style "later" is not repeated in each detection. Names that are not UTF-8 have their
odd bytes as `\xNN`; `index` tells for certain which image it is. Needs pyarrow: `pip install "divainfer[parquet]"`.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any, Dict, Iterator, List, Optional

from ..errors import ConfigError
from .format import Row


def check_pyarrow() -> None:
    """Whether Parquet can be written and read here.

    Raises:
        ConfigError: when pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError('The format parquet needs pyarrow: pip install "divainfer[parquet]", or take --format jsonl.')


def encode(rows: List[Row]) -> bytes:
    """A file's content."""
    import pyarrow
    import pyarrow.parquet

    columns = {
        "index": [row.index for row in rows],
        "image": [row.image.decode("utf-8", "backslashreplace") for row in rows],
        "height": [row.image_size[0] for row in rows],
        "width": [row.image_size[1] for row in rows],
        "detections": [[_struct(detection) for detection in row.detections] for row in rows],
    }
    target = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=_schema()), target, compression="zstd")
    return target.getvalue().to_pybytes()  # type: ignore[no-any-return]


def decode(content: bytes) -> Iterator[Row]:
    """The rows of a file; `image` as far as it can be told.

    Raises:
        ValueError, KeyError: when it is no such file.
    """
    import pyarrow
    import pyarrow.parquet

    # Without threads: those of pyarrow's pools abort the process when it ends at the wrong moment.
    table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read(use_threads=False)
    for row in table.to_pylist():
        yield Row(
            row["index"],
            row["image"].encode("utf-8"),
            (row["height"], row["width"]),
            [dict(found, segmentation=_unpacked(found["segmentation"])) for found in row["detections"]],
        )


def _struct(detection: Dict[str, Any]) -> Dict[str, Any]:
    segmentation = detection["segmentation"]
    return dict(detection, segmentation=None if segmentation is None else json.dumps(segmentation))


def _unpacked(segmentation: Optional[str]) -> Any:
    return None if segmentation is None else json.loads(segmentation)


def _schema() -> Any:
    import pyarrow

    detection = pyarrow.struct(
        [
            ("category_id", pyarrow.int32()),
            ("cat_name", pyarrow.string()),
            ("score", pyarrow.float64()),
            ("bbox", pyarrow.list_(pyarrow.float64())),
            ("segmentation", pyarrow.string()),
        ]
    )
    return pyarrow.schema(
        [
            ("index", pyarrow.int64()),
            ("image", pyarrow.string()),
            ("height", pyarrow.int32()),
            ("width", pyarrow.int32()),
            ("detections", pyarrow.list_(detection)),
        ]
    )
