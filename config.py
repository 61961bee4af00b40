"""What an operator can choose. One frozen dataclass; the command line, the environment and TOML files all speak its fields.

Precedence: command line, then `DIVAINFER_*`, then the file named by `--config`, then the default.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Tuple

from .errors import ConfigError
from .naming import FORMATS, JSON
from .values import address, flag, names, number, number_or_0, one_of, parse_size, text, whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import tomli_w

ENVIRONMENT_PREFIX = "DIVAINFER_"
AUTO = "auto"
#: Values of `--precision`.
FULL, MIXED = "full", "mixed"


def _auto_or(parse: Callable[[Any], int]) -> Callable[[Any], Optional[int]]:
    def parse_auto(value: Any) -> Optional[int]:
        return None if value is None or value == AUTO else parse(value)

    return parse_auto


def _option(default: Any, help: str, parse: Callable[[Any], Any], metavar: str = "TEXT", auto: bool = False) -> Any:
    """A field with what the command line needs to know of it; `auto` fields hold None for "auto"."""
    if auto:
        parse = _auto_or(parse)
    return dataclasses.field(default=default, metadata={"help": help, "parse": parse, "metavar": metavar, "auto": auto})


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One run, as asked for. Each field's help text is its documentation; None stands for "auto".

    Raises:
        ConfigError: one sentence naming the option whose value cannot be used.
    """

    images: str = _option(
        "",
        "What to run on: a list file (one path a line, relative ones against the list's folder; or separated by NUL), "
        "- for a list on standard input, a folder (searched recursively), an image, a video, or a quoted glob. A video "
        "(.mp4, .m4v, .mov, .avi) stands for its frames, here and in a list, folder or glob.",
        text,
        "LIST|DIR|GLOB|-",
    )
    frame_step: int = _option(1, "Of videos, take each N-th frame: 0, N, 2N, ...", whole(1), "N")
    out: str = _option("", "Folder for the results; the run's own files go to its subfolder .divainfer.", text, "DIR")
    model: str = _option(
        "",
        "Frozen graph (.pb), checkpoint (training folder, prefix, .npz), SavedModel folder, or 'demo', the built-in detector.",
        text,
        "PATH",
    )
    gpus: str = _option(
        "all",
        "Devices: indices or UUIDs joined by commas, 'all', 'cpu', or 'cpu:N' for N workers on the CPU.",
        text,
        "LIST",
    )
    engine: str = _option(
        "tensorflow",
        "Engine, with its options: tensorflow, or emulated:busy_ms=160[,cpu_ms=5], or one of your own. For checkpoints "
        "tensorflow:use_dilation=true and the like say what the detector is.",
        text,
        "NAME[:K=V,...]",
    )
    loaders: Optional[int] = _option(
        None,
        "Loader processes for each worker; 'auto' adds and removes some by how long the engine waits for frames.",
        whole(1, 256),
        "N",
        auto=True,
    )
    batch_size: int = _option(
        1, "Frames of one size computed in one step; a graph with a fixed batch brings its own.", whole(1, 1024), "N"
    )
    streams: int = _option(1, "Batches in flight on one device.", whole(1, 16), "N")
    precision: str = _option(
        FULL,
        "Arithmetic of TensorFlow on GPUs: 'full' (float32), or 'mixed' (float16 where TensorFlow holds it safe): quicker on "
        "GPUs with tensor cores, with slightly other results.",
        one_of(FULL, MIXED),
        "full|mixed",
    )
    xla: bool = _option(
        False,
        "Let TensorFlow compile the graph for the GPU (XLA): each new frame size then takes long once; slightly other results.",
        flag,
    )
    queue_mem: Optional[int] = _option(
        None,
        "Shared memory for decoded frames, for each worker, such as 512MiB, or 'auto'.",
        parse_size,
        "SIZE",
        auto=True,
    )
    short_edge_size: Optional[int] = _option(
        None, "Short edge of a frame, pixels; 'auto': the card's, else 1080.", whole(1), "PIXELS", auto=True
    )
    max_size: Optional[int] = _option(
        None, "Longest edge of a frame, pixels; 'auto': the card's, else 1920.", whole(1), "PIXELS", auto=True
    )
    score_threshold: float = _option(0.0, "Leave out detections with a lower score.", number(0, 1), "SCORE")
    classes: Tuple[str, ...] = _option(
        (), "Keep only these classes, names or ids joined by commas; empty keeps all.", names, "NAMES"
    )
    class_list: str = _option(
        "",
        "Class names for a model without a card: diva, coco, or a file with one a line, the background first.",
        text,
        "LIST",
    )
    result_style: str = _option(
        "seed",
        "Rounding of the results: 'seed' (score 4 places, box 1) or 'later' (7 and 2, and im_size with each detection).",
        one_of("seed", "later"),
        "seed|later",
    )
    format: str = _option(
        JSON,
        "Result format: 'json' (a file an image), 'jsonl' or 'parquet' (files of some hundred images; parquet needs pyarrow).",
        one_of(*FORMATS),
        "json|jsonl|parquet",
    )
    flat: bool = _option(
        False, "Name results by the image's base name alone, as in 2019; refused when two would be the same.", flag
    )
    fast_decode: bool = _option(
        False,
        "Decode JPEGs of at least twice a frame's size at a smaller scale: quicker, with slightly other pixels, and so "
        "slightly other results.",
        flag,
    )
    max_pixels: int = _option(200000000, "Refuse images with more pixels than this, unread.", whole(1), "PIXELS")
    threads: int = _option(
        0, "CPU threads of each engine; 0 lets it choose (on CPU workers: its share of the cores).", whole(0), "N"
    )
    boot_timeout: float = _option(300.0, "Seconds a worker or loader may take to come up.", number(1, 86400), "SECONDS")
    hang_timeout: float = _option(
        120.0,
        "Seconds without a sign of life, or on one image or batch, until a process counts as hung.",
        number(1, 86400),
        "SECONDS",
    )
    retry: str = _option(
        "none",
        "'failed': do images that have a failure record once more; the others as always.",
        one_of("none", "failed"),
        "none|failed",
    )
    force: bool = _option(
        False,
        "Go on in a folder whose run differs in its model, sizes, thresholds or engine; run.json notes it.",
        flag,
    )
    grace: float = _option(
        60.0,
        "Seconds from the first Ctrl-C or SIGTERM to the end of the program; what is not computed by then is given up.",
        number(0, 86400),
        "SECONDS",
    )
    progress: str = _option(
        "auto",
        "'live' (a view of all workers, in a terminal), 'lines' (one every 30 s), 'none', or 'auto' by where the output goes.",
        one_of("auto", "live", "lines", "none"),
        "MODE",
    )
    sample_every: float = _option(
        1.0,
        "Seconds between two samples of what GPUs, processes and queues do, in the run folder's metrics.jsonl; 0 for none.",
        number_or_0(0.1, 3600),
        "SECONDS",
    )
    metrics_port: str = _option(
        "",
        "Serve the samples to Prometheus at this port of this machine alone, or at HOST:PORT; port 0 takes any that is free.",
        address,
        "PORT|HOST:PORT",
    )
    report: bool = _option(
        True, "Write report.html into the run folder at the end of a start that took 10 s or more.", flag
    )

    def __post_init__(self) -> None:
        for name, field in self.__dataclass_fields__.items():  # type: ignore[attr-defined]
            value = getattr(self, name)
            if value != field.default:
                object.__setattr__(self, name, _parse(name, value, "RunConfig"))


FIELDS: Dict[str, Any] = {field.name: field for field in dataclasses.fields(RunConfig)}


def resolve(
    command_line: Mapping[str, Any], environment: Optional[Mapping[str, str]] = None, file: Optional[str] = None
) -> RunConfig:
    """Builds the configuration from its layers.

    Args:
        command_line: field name to value; None means that it was not given.
        environment: the process environment; None takes `os.environ`.
        file: path of a TOML file, or None.

    Raises:
        ConfigError: one sentence that names the option, its value and the layer.
    """
    values: Dict[str, Any] = {}
    if file is not None:
        values.update(_parse_layer(read_toml(file), file))
    environment = os.environ if environment is None else environment
    named = {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}
    values.update(
        _parse_layer(
            {name[len(ENVIRONMENT_PREFIX) :].lower(): value for name, value in named.items()}, "the environment"
        )
    )
    values.update(_parse_layer({k: v for k, v in command_line.items() if v is not None}, "the command line"))
    return RunConfig(**values)


def read_toml(path: str) -> Dict[str, Any]:
    """The top-level table of a TOML file, with `-` in names turned into `_`.

    Raises:
        ConfigError: when it cannot be read or is not TOML.
    """
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise ConfigError("{}: the configuration file cannot be read ({}).".format(path, error.strerror))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("{}: not a TOML file ({}).".format(path, error))
    return {key.replace("-", "_"): value for key, value in data.items()}


def to_toml(config: RunConfig) -> str:
    """The configuration as TOML that `--config` reads back to the same."""
    return str(tomli_w.dumps(to_json(config)))


def to_json(config: RunConfig) -> Dict[str, Any]:
    """The configuration as plain values; "auto" where a field holds None."""
    plain: Dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(config, name)
        plain[name] = AUTO if value is None else list(value) if isinstance(value, tuple) else value
    return plain


def lasting(config: RunConfig) -> Dict[str, Any]:
    """As `to_json`, to be used again: paths hold in any folder, and nothing is retried or forced once more."""
    plain = dict(to_json(config), retry="none", force=False)
    for name in ("images", "out", "model", "class_list"):
        # Of a checkpoint's prefix only files that begin with it are there.
        if plain[name] and (os.path.exists(plain[name]) or os.path.exists(plain[name] + ".index")):
            plain[name] = os.path.abspath(plain[name])
    return plain


def option_name(field: str) -> str:
    """The command line's spelling of a field."""
    return "--" + field.replace("_", "-")


def _parse_layer(layer: Mapping[str, Any], source: str) -> Dict[str, Any]:
    return {name: _parse(name, value, source) for name, value in layer.items()}


def _parse(name: str, value: Any, source: str) -> Any:
    field = RunConfig.__dataclass_fields__.get(name)  # type: ignore[attr-defined]
    if field is None:
        raise ConfigError("{}: there is no option {!r}{}.".format(source, name, suggestion(name, FIELDS)))
    try:
        return field.metadata["parse"](value)
    except ValueError as error:
        raise ConfigError("{} {!r} ({}): {}.".format(option_name(name), value, source, error))


def suggestion(word: str, known: Iterable[str]) -> str:
    """The hint `(did you mean 'x'?)` for a misspelt word; "" when nothing is close."""
    close = difflib.get_close_matches(word, list(known), 1)
    return " (did you mean {!r}?)".format(close[0]) if close else ""
