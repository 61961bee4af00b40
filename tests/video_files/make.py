"""Makes the videos in this folder; needs PyAV (`pip install av`) and is not run by the tests: `python make.py`.

OpenCV's own writer makes none of these: frames that refer to later ones, changing rates, fragments. What they show is drawn by
`tests/videos.py`, which also tells what each of them is for.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
from videos import FRAMES, draw  # noqa: E402


def write(name, codec, times=None, rate=10, base=None, container=None, **options):
    """Encodes the frames; `times`: in units of `base` seconds, or None for a constant rate."""
    with av.open(str(FOLDER / name), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.thread_count = 1
        if base is not None:
            stream.codec_context.time_base = base
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(draw(number), format="bgr24")
            if times is not None:
                frame.pts, frame.time_base = times[number], base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def cut(source, name, key, **container):
    """Copies a video from its key frame number `key` on, without encoding it anew."""
    with av.open(str(FOLDER / source)) as old, av.open(str(FOLDER / name), "w", options=container) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        seen = -1
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is None:
                continue
            seen += packet.is_keyframe
            if seen >= key:
                packet.stream = stream
                new.mux(packet)


def two_tracks(name):
    """The first track has every second frame of the second one."""
    with av.open(str(FOLDER / name), "w") as file:
        streams = []
        for rate in (5, 10):
            stream = file.add_stream("libx264", rate=rate, options={"g": "12", "bf": "0", "crf": "18"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            streams.append(stream)
        for step, stream in zip((2, 1), streams):
            for number in range(0, FRAMES, step):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(draw(number), format="bgr24")))
            file.mux(stream.encode())


def main() -> None:
    """Writes them all."""
    reordered = {"bf": "3", "g": "12", "sc_threshold": "0", "preset": "fast", "crf": "18"}
    # As of a telephone: now fast, now slow.
    changing = np.cumsum([0] + [(40, 40, 80, 200, 33, 34)[number % 6] for number in range(FRAMES - 1)]).tolist()
    millisecond = Fraction(1, 1000)
    write("h264.mp4", "libx264", container={"movflags": "faststart"}, **reordered)
    write("h264.avi", "libx264", **reordered)
    write("hevc.mp4", "libx265", **{"x265-params": "keyint=12:bframes=3:log-level=error:crf=18"})
    write("negative.mp4", "libx264", container={"movflags": "negative_cts_offsets"}, **reordered)
    write("changing.mp4", "libx264", times=changing, rate=1000, base=millisecond, **reordered)
    write("paused.mp4", "libx264", times=[n + 60 * (n > 20) for n in range(FRAMES)], base=Fraction(1, 10), **reordered)
    write("fragments.mp4", "libx264", container={"movflags": "frag_keyframe+empty_moov"}, **reordered)
    write("open.mp4", "mpeg2video", bf="2", g="12", qmin="2", qmax="2", sc_threshold="1000000000")
    two_tracks("tracks.mp4")
    cut("open.mp4", "begins-late.mp4", 1)


if __name__ == "__main__":
    main()
