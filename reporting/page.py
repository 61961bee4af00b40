"""The page: what is known of a run as one HTML file that needs nothing else."""

from __future__ import annotations

from typing import Iterable, List, Sequence

from ..console import one_line
from ..histogram import Histogram
from ..monitor.status import FAILED_RUN, KILLED, SILENT
from . import chartset
from .chartset import LATENCIES, Chart, Run
from .evidence import Evidence
from .figures import STATES, Worker
from .markup import code, escaped, paragraph, section, table, with_code
from .pictures import Album, Picture
from .provenance import provenance
from .seedtable import seed_row
from .style import STYLE
from .timeline import role_name
from .units import duration_text, moment_text, share_text, size_text

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
"""


def document(title: str, parts: Iterable[str], written: float) -> str:
    """A whole page.

    Args:
        title: of the window.
        parts: HTML.
        written: when, seconds since 1970.
    """
    foot = "<footer>Written {} by divainfer.</footer>".format(escaped(moment_text(written)))
    body = "\n".join(part for part in parts if part)
    return "{}{}\n{}\n</body>\n</html>\n".format(_HEAD.format(title=escaped(title), style=STYLE), body, foot)


def report_page(evidence: Evidence, album: Album) -> str:
    """The report of one run.

    Args:
        evidence: what is known of it.
        album: pictures of its images.
    """
    run = Run("this run", evidence)
    return document(
        "Report of {}".format(evidence.folder.out),
        [
            _top(evidence),
            _tiles(evidence),
            _notes(evidence),
            _seed_table(evidence),
            section("Over time", [figures(chartset.throughput([run]) + chartset.over_time([run]))]),
            section("Workers", [figures(chartset.time_split([run])), _workers(evidence)]),
            section("How long things took", [figures(chartset.latencies([run]), "narrow"), _quantiles(evidence)]),
            section("GPUs", [figures(chartset.gpus([run])), _gpus(evidence)]),
            section("Machine", [figures(chartset.machine([run])), _machine(evidence)]),
            section(
                "Detections",
                [_survey(evidence), figures(chartset.detections([run])), pictures(album.found), _late(album)],
            ),
            section("Failures", [_failures(evidence), pictures(album.failed)]),
            section("What ran", provenance(evidence)),
        ],
        evidence.time,
    )


def figures(found: Sequence[Chart], kind: str = "") -> str:
    """Charts side by side."""
    if not found:
        return ""
    one = "<figure><h3>{}</h3>{}<figcaption>{}</figcaption></figure>"
    inside = "\n".join(one.format(escaped(chart.title), chart.svg, escaped(chart.caption)) for chart in found)
    return '<div class="{}">\n{}\n</div>'.format(("charts " + kind).strip(), inside)


def pictures(found: Sequence[Picture]) -> str:
    """Pictures side by side."""
    if not found:
        return ""
    one = '<figure><img src="{}" width="{}" height="{}" alt="{}"><figcaption>{}<br>{}</figcaption></figure>'
    inside = "\n".join(
        one.format(
            picture.uri, picture.width, picture.height, escaped(_path(picture.image)), code(_path(picture.image)),
            escaped(picture.text),
        )
        for picture in found
    )  # fmt: skip
    return '<div class="pictures">\n{}\n</div>'.format(inside)


def state_words(evidence: Evidence) -> str:
    """How the run stands, in one sentence."""
    return evidence.status.lines()[0].replace("{}: ".format(one_line(evidence.status.out)), "", 1)


# --- parts


def _top(evidence: Evidence) -> str:
    status = evidence.status
    parts = ["<h1>{}</h1>".format(escaped(status.out)), paragraph(state_words(evidence), "soft")]
    bad = status.state in (FAILED_RUN, KILLED, SILENT)
    said = (
        evidence.verdict or "Nothing tells what bounds this run: no batch was computed, or nothing was recorded of it."
    )
    said = said[:1].upper() + said[1:]
    if evidence.verdict and len(evidence.figures.starts) > 1:
        said = "The last start: " + said
    parts.append('<p class="verdict{}">{}</p>'.format(" bad" if bad else "", with_code(said)))
    return "<header>\n{}\n</header>".format("\n".join(parts))


def _tiles(evidence: Evidence) -> str:
    status, totals = evidence.status, evidence.figures
    done = status.results + status.failures
    tiles = [
        ("{:,} of {:,}".format(done, status.images), "images are done"),
        ("{:,}".format(status.failures), "failures"),
    ]
    if totals.workers:
        tiles += [
            (
                duration_text(totals.seconds),
                "run time" + (", {} starts".format(len(totals.starts)) if totals.starts[1:] else ""),
            ),
            ("{:.2f}".format(totals.frames_per_second), "frames/s"),
            (share_text(totals.busy), "busy"),
        ]
    if totals.utilisation is not None:
        tiles.append((share_text(totals.utilisation), "GPU utilisation"))
    if totals.restarts:
        tiles.append(("{:,}".format(totals.restarts), "workers started again"))
    if status.open and status.seconds_left:
        tiles.append((duration_text(status.seconds_left), "left"))
    inside = "\n".join(
        "<div><b>{}</b><span>{}</span></div>".format(escaped(big), escaped(small)) for big, small in tiles
    )
    return '<div class="tiles">\n{}\n</div>'.format(inside)


def _notes(evidence: Evidence) -> str:
    if not evidence.notes:
        return ""
    return '<ul class="notes">{}</ul>'.format("".join("<li>{}</li>".format(escaped(note)) for note in evidence.notes))


def _seed_table(evidence: Evidence) -> str:
    if not evidence.figures.workers:
        return ""
    row = seed_row(evidence)
    parts = ["<pre>{}</pre>".format("\n".join(escaped(line) for line in row.markdown().splitlines()))]
    return section("Row for the table of 2019", parts + [paragraph(" ".join(row.notes), "soft")])


def _workers(evidence: Evidence) -> str:
    heads = [
        "worker",
        "device",
        "results",
        "failures",
        *STATES,
        "writing",
        "batches",
        "frames a batch",
        "loaders",
        "restarts",
    ]
    rows = [[escaped(cell) for cell in _worker_cells(worker)] for worker in evidence.figures.workers]
    return table(heads, rows, range(2, len(heads))) if rows else ""


def _worker_cells(worker: Worker) -> List[str]:
    stats = worker.stats
    return [
        str(worker.number),
        worker.device,
        "{:,}".format(stats.images),
        "{:,}".format(stats.failures),
        *(share_text(worker.shares[state]) for state in STATES),
        share_text(stats.writing / stats.span if stats.span else None),
        "{:,}".format(stats.batches),
        "{:.1f}".format(stats.images / stats.batches) if stats.batches else "–",
        str(worker.loaders or "–"),
        str(worker.restarts),
    ]


def _quantiles(evidence: Evidence) -> str:
    rows = []
    for name, (title, _) in LATENCIES.items():
        counted = Histogram(evidence.figures.times(name))
        if counted.total:
            quantiles = [counted.quantile(share) or 0.0 for share in (0.5, 0.9, 0.99, 1.0)]
            cells = ["{:,}".format(counted.total)] + ["{:.3g} ms".format(1000 * seconds) for seconds in quantiles]
            rows.append([escaped(cell) for cell in [title, *cells]])
    if not rows:
        return ""
    heads = ["", "times", "half within", "90 % within", "99 % within", "all within"]
    # "All within" is not so of what took longer than the histogram's last bound.
    note = "To the next bound of the histogram, which are 41 % apart; the last bound is 105 s."
    return table(heads, rows, range(1, 6)) + paragraph(note, "soft")


def _gpus(evidence: Evidence) -> str:
    rows = []
    for gpu in evidence.figures.gpus:
        throttled = ", ".join("{} {}".format(reason, share_text(share)) for reason, share in gpu.throttled.items())
        limit = " of {:.0f}".format(gpu.power_limit) if gpu.power_limit else ""
        cells = [
            gpu.label,
            share_text(gpu.utilisation),
            size_text(gpu.memory_used) + (" of " + size_text(gpu.memory_total) if gpu.memory_total else ""),
            "–" if gpu.power is None else "{:.0f}{} W".format(gpu.power, limit),
            "–" if gpu.temperature is None else "{:.0f} °C".format(gpu.temperature),
            "–" if gpu.clock is None else "{:.0f} MHz".format(gpu.clock),
            throttled or "no",
            "–" if gpu.ecc_errors is None else "{:,}".format(gpu.ecc_errors),
            ", ".join(map(str, gpu.xids)) or "none",
            gpu.gone or "answers",
            gpu.uuid,
        ]
        rows.append([escaped(cell) for cell in cells])
    heads = [
        "GPU",
        "utilisation",
        "memory, most",
        "power",
        "hottest",
        "clock",
        "throttled",
        "ECC errors",
        "Xid errors",
        "at the end",
        "UUID",
    ]
    return table(heads, rows, range(1, 6)) if rows else ""


def _machine(evidence: Evidence) -> str:
    host = evidence.host
    if host is None:
        return ""
    rows = [
        ["cores this run may use", "{:g}".format(host.cores)],
        ["memory", size_text(host.memory_total)],
        ["shared memory (/dev/shm)", size_text(host.shared_total)],
    ]
    rows += [[role_name(role) + " at the end", str(sample.processes)] for role, sample in host.roles.items()]
    return table(["", ""], [[escaped(cell) for cell in row] for row in rows], [1])


def _survey(evidence: Evidence) -> str:
    survey = evidence.survey
    sentences = []
    if survey.images:
        sentences.append(
            "Of {:,} results {:,} were looked at, spread evenly over the list: {:,} detections, {:.1f} an image; {} without "
            "any.".format(
                survey.of, survey.images, survey.detections, survey.detections / survey.images,
                "{:,} image{}".format(survey.empty, "" if survey.empty == 1 else "s"),
            )
        )  # fmt: skip
    elif not survey.unreadable:
        sentences.append("No result was looked at." if survey.of else "There is no result yet.")
    if survey.unreadable:
        sentences.append(
            "{:,} {} could not be read, or lie in too large a file; `divainfer verify` tells which results are not as they "
            "were written.".format(survey.unreadable, "more" if survey.images else "results")
        )
    return paragraph(" ".join(sentences))


def _late(album: Album) -> str:
    return paragraph("Reading images took too long; there would be more pictures.", "soft") if album.late else ""


def _failures(evidence: Evidence) -> str:
    failures = evidence.failures
    if not failures.total:
        return paragraph("There is no failure.")
    rows = []
    for kind in failures.kinds:
        reasons = "<br>".join("{} ({:,})".format(escaped(reason), count) for reason, count in kind.reasons)
        examples = "<br>".join(code(_path(example.image)) for example in kind.examples[:3])
        rows.append([code(kind.kind), "{:,}".format(kind.count), reasons or "–", examples or "–"])
    parts = [table(["kind", "images", "commonest reasons", "for example"], rows, [1])]
    if failures.looked_at < failures.total:
        text = "Reasons and examples are of the first {:,} of {:,} failures."
        parts.append(paragraph(text.format(failures.looked_at, failures.total), "soft"))
    return "\n".join(parts + [paragraph("All of them: divainfer failures DIR", "soft")])


def _path(image: bytes) -> str:
    return image.decode("utf-8", "surrogateescape")
