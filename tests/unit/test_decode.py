"""Decoding against `cv2.imread`, on every image of the zoo and on damage of all kinds."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile

import cv2
import image_zoo as zoo
import numpy as np
import pytest
import simplejpeg

from divainfer.loader import imagefile
from divainfer.loader.decode import ImageError, decode, image_size, read_image_file

MAX_PIXELS = 200000000


@pytest.fixture(scope="module")
def inhabitants(tmp_path_factory):
    return zoo.make_zoo(tmp_path_factory.mktemp("zoo"))


def outcome(path, into=None):
    """The kind of failure, or "result"; and the reason, or the pixels."""
    try:
        return "result", decode(read_image_file(path), MAX_PIXELS, into)
    except ImageError as error:
        return error.kind, error.reason


def imread(path):
    # Some builds of OpenCV take no path that is not UTF-8.
    link = os.path.join(os.path.dirname(os.path.dirname(path)), b"link")
    os.symlink(path, link)
    try:
        return cv2.imread(os.fsdecode(link), cv2.IMREAD_COLOR)
    finally:
        os.unlink(link)


def refused(data, max_pixels=MAX_PIXELS):
    with pytest.raises(ImageError) as caught:
        decode(data, max_pixels)
    return caught.value


def test_every_inhabitant_ends_as_expected(inhabitants):
    wrong = []
    for image in inhabitants:
        kind, what = outcome(image.path)
        if kind not in image.expect:
            wrong.append((image.path, image.note, kind, what if isinstance(what, str) else what.shape))
    assert not wrong
    assert len(inhabitants) > 100


def test_every_result_has_the_pixels_of_imread(inhabitants):
    wrong = []
    for image in inhabitants:
        kind, pixels = outcome(image.path)
        if kind == "result":
            truth = imread(image.like or image.path)
            same = truth is not None and pixels.dtype == np.uint8 and np.array_equal(pixels, truth)
            if not same or not pixels.flags.c_contiguous:
                wrong.append((image.path, image.note))
    assert not wrong


def test_every_result_is_the_same_in_place(inhabitants):
    wrong, in_place = [], 0
    for image in inhabitants:
        kind, pixels = outcome(image.path)
        if kind != "result":
            continue
        into = np.full(pixels.size + 100, 7, np.uint8)
        _, again = outcome(image.path, into)
        inside = np.shares_memory(again, into)
        in_place += inside
        known = image_size(read_image_file(image.path))
        if (
            not np.array_equal(pixels, again)
            or inside != (known == pixels.shape[:2])
            or (into[pixels.size :] != 7).any()
        ):
            wrong.append((image.path, image.note))
    assert not wrong
    assert in_place > 30


def test_every_reason_is_one_sentence_without_the_path(inhabitants):
    for image in inhabitants:
        kind, reason = outcome(image.path)
        if kind != "result":
            assert isinstance(reason, str) and "\n" not in reason and 10 < len(reason) < 200
            assert os.fsdecode(os.path.basename(image.path)) not in reason


def test_a_place_that_is_too_small_is_left_alone():
    into = np.full(zoo.HEIGHT * zoo.WIDTH * 3 - 1, 7, np.uint8)
    pixels = decode(zoo.pillow(zoo.picture(), "JPEG"), MAX_PIXELS, into)
    assert pixels.shape == (zoo.HEIGHT, zoo.WIDTH, 3)
    assert (into == 7).all()


def test_each_cut_of_a_jpeg_is_a_failure_or_has_all_pixels():
    for jpeg in (
        zoo.pillow(zoo.picture(24, 40), "JPEG"),
        zoo.pillow(zoo.picture(24, 40), "JPEG", progressive=True),
        zoo.opencv(zoo.picture(24, 40), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    ):
        whole = decode(jpeg, MAX_PIXELS)
        for length in range(2, len(jpeg)):
            try:
                pixels = decode(jpeg[:length], MAX_PIXELS)
            except ImageError as error:
                # With 2 bytes it is no JPEG yet.
                assert error.kind == "truncated" or length < 3
                assert length < len(jpeg) - 1
            else:
                assert length >= len(jpeg) - 3
                assert np.array_equal(pixels, whole)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "GIF"])
def test_each_cut_of_another_format_is_a_failure_or_has_all_pixels(kind):
    data = zoo.pillow(zoo.picture(24, 40), kind)
    try:
        whole = decode(data, MAX_PIXELS)
    except ImageError as error:
        assert error.kind == "unsupported" and kind == "GIF"
        return
    for length in list(range(1, 80)) + list(range(80, len(data), 37)) + list(range(len(data) - 20, len(data))):
        try:
            pixels = decode(data[:length], MAX_PIXELS)
        except ImageError as error:
            assert error.kind in ("truncated", "corrupt", "not-an-image")
        else:
            assert np.array_equal(pixels, whole)


def test_an_animation_cut_in_a_later_frame_is_a_failure():
    data = zoo.pillow(
        zoo.picture(), "PNG", save_all=True, append_images=[zoo.Image.new("RGB", (zoo.WIDTH, zoo.HEIGHT))]
    )
    assert refused(data[:-20]).kind == "truncated"


def test_damage_gives_a_failure_or_the_pixels_of_a_file_without_warning():
    numbers = np.random.RandomState(5)
    outcomes = set()
    for options in ({}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}):
        jpeg = zoo.pillow(zoo.picture(), "JPEG", **options)
        scan = jpeg.index(b"\xff\xda") + 20
        for _ in range(150):
            at = numbers.randint(scan, len(jpeg) - 8)
            damaged = zoo.patched(jpeg, at, numbers.bytes(numbers.randint(1, 9)))
            try:
                pixels = decode(damaged, 10000000)
            except ImageError as error:
                outcomes.add(error.kind)
                continue
            outcomes.add("result")
            # Damage that leaves a sound JPEG of other pixels cannot be seen; at a file's very end it can look like filler.
            try:
                sound = simplejpeg.decode_jpeg(damaged, "BGR", strict=True)
            except ValueError as complaint:
                assert re.search(": [1-4] extraneous bytes before marker 0xd9", str(complaint))
                assert "progressive" not in options
            else:
                assert np.array_equal(pixels, sound)
    assert {"result", "corrupt"} <= outcomes


def test_rubbish_only_raises_image_errors():
    numbers = np.random.RandomState(6)
    starts = [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"II+\0",
        b"P6 ",
        b"P7\n",
    ]
    starts += [b"RIFF\x20\0\0\0WEBPVP8X", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n", b"\0\0\0\x18ftypavif", b"Pf\n"]
    for start in starts:
        for length in (0, 1, 5, 20, 300):
            for _ in range(3):
                data = start + numbers.bytes(length)
                try:
                    decode(data, 1000000)
                except ImageError as error:
                    assert error.reason


def test_tags_of_all_orders_and_types_turn_as_in_opencv():
    jpeg = zoo.pillow(zoo.picture(24, 40), "JPEG")
    exif = zoo.exif_segment(6)
    variants = [
        zoo.exif_segment(6, before=b"Xxif\0\0"),
        zoo.exif_segment(0),
        zoo.exif_segment(9, ">"),
        zoo.exif_segment(1) + zoo.exif_segment(6),
        zoo.exif_segment(6) + zoo.exif_segment(3),
        exif.replace(b"\x12\x01\x03\0", b"\x12\x01\x04\0"),
        exif.replace(b"II*", b"II+"),
        exif.replace(b"II*", b"XX*"),
        zoo.segment(0xE1, exif[4:20]),
        zoo.segment(0xE1, b""),
        zoo.segment(0xE1, b"Exif\0\0"),
    ]
    for variant in variants:
        data = zoo.before_tables(jpeg, variant)
        truth = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(decode(data, MAX_PIXELS), truth)


def test_a_turned_image_that_is_cut_is_a_failure():
    data = zoo.before_tables(zoo.pillow(zoo.picture(), "JPEG"), zoo.exif_segment(6))
    assert image_size(data) is None
    assert refused(data[:-40]).kind == "truncated"


def test_a_progressive_file_without_its_last_scans_is_cut():
    jpeg = zoo.pillow(zoo.picture(), "JPEG", progressive=True)
    ends = zoo.progressive_scans(jpeg)
    whole = decode(jpeg, MAX_PIXELS)
    assert len(ends) > 5
    for end in ends[:-1]:
        assert refused(jpeg[:end]).kind == "truncated"
        # libjpeg itself has nothing to complain about once there is an end marker.
        assert not np.array_equal(simplejpeg.decode_jpeg(jpeg[:end] + b"\xff\xd9", "BGR"), whole)
    assert np.array_equal(decode(jpeg[: ends[-1]], MAX_PIXELS), whole)


def test_two_harmless_faults_at_once():
    jpeg = zoo.pillow(zoo.picture(), "JPEG")
    faulty = zoo.before_tables(zoo.patched(jpeg, 11, b"\2"), b"\0\0")
    whole = decode(jpeg, MAX_PIXELS)
    assert np.array_equal(decode(faulty[:-2], MAX_PIXELS), whole)
    assert np.array_equal(decode(faulty[:-2] + b"\0" * 20 + b"\xff\xd9", MAX_PIXELS), whole)


def test_a_harmless_fault_hides_no_damage():
    jpeg = zoo.before_tables(zoo.pillow(zoo.picture(), "JPEG"), b"\0\0\0")
    assert refused(jpeg[: len(jpeg) // 2]).kind == "truncated"
    assert refused(jpeg[: len(jpeg) // 2] + b"\xff\xd9").kind == "corrupt"


def test_a_sampling_that_only_opencv_knows():
    # Three components of one size, but declared as twice the smallest unit: nothing but OpenCV decodes it.
    jpeg = zoo.pillow(zoo.picture(32, 32), "JPEG", subsampling=0)
    frame = jpeg.index(b"\xff\xc0")
    data = jpeg
    for component, sampling in enumerate(b"\x31\x11\x11"):
        data = zoo.patched(data, frame + 11 + 3 * component, bytes([sampling]))
    with pytest.raises(ValueError):
        simplejpeg.decode_jpeg(data, "BGR")
    truth = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if truth is None:
        assert refused(data).kind == "unsupported"
    else:
        assert np.array_equal(decode(data, MAX_PIXELS), truth)
    assert refused(data[:-2]).kind == "truncated"


@pytest.mark.parametrize("suffix", sorted(zoo.bombs()))
def test_the_limit_is_the_callers(suffix):
    data = zoo.bombs(3000, 2000)[suffix]
    error = refused(data, 5999999)
    assert error.kind == "too-large"
    assert error.reason == "it is 2000 x 3000 pixels = 6 megapixels, above --max-pixels 5999999"
    if suffix != "hdr":  # OpenCV 4.8 does not close the file of a bad one of these.
        try:
            decode(data, 6000000)
        except ImageError as other:
            assert other.kind != "too-large"


def test_an_image_at_the_limit_is_decoded():
    jpeg = zoo.pillow(zoo.picture(), "JPEG")
    assert decode(jpeg, zoo.HEIGHT * zoo.WIDTH).shape == (zoo.HEIGHT, zoo.WIDTH, 3)
    assert refused(jpeg, zoo.HEIGHT * zoo.WIDTH - 1).kind == "too-large"


def test_one_edge_beyond_opencvs_own_limit():
    # Some libpng refuses the header before OpenCV sees the size.
    assert refused(zoo.png_bomb(1, 2000000)).kind in ("too-large", "corrupt")


BOMB_PROGRAM = """
import resource, sys
sys.path.insert(0, {tests!r})
import image_zoo
from divainfer.loader.decode import ImageError, decode
bombs = image_zoo.bombs()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for suffix, data in sorted(bombs.items()):
    try:
        decode(data, {limit})
        print(suffix, "result")
    except ImageError as error:
        print(suffix, error.kind)
print("grown", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_no_memory():
    program = BOMB_PROGRAM.format(tests=os.path.dirname(zoo.__file__), limit=MAX_PIXELS)
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split() for line in done.stdout.decode().splitlines())
    assert int(lines.pop("grown")) < 5000
    assert set(lines.values()) == {"too-large"}
    assert len(lines) == len(zoo.bombs())


def test_a_gif_on_an_old_opencv_says_what_to_do():
    kind, what = "", ""
    try:
        decode(zoo.pillow(zoo.picture(), "GIF"), MAX_PIXELS)
    except ImageError as error:
        kind, what = error.kind, error.reason
    if kind:
        assert kind == "unsupported"
        assert what == "this OpenCV {} cannot read GIF; convert it to JPEG or PNG".format(cv2.__version__)


def test_what_is_no_image_says_how_it_begins():
    assert "'%PDF-1.4" in refused(b"%PDF-1.4\n" + b"x" * 100).reason


def test_no_bytes():
    assert refused(b"").kind == "empty"


def test_nothing_is_left_in_the_temporary_folder():
    for suffix in (".hdr", ".pfm"):
        data = zoo.opencv(zoo.picture().astype(np.float32) / 255, suffix)
        before = set(os.listdir(tempfile.gettempdir()))
        assert decode(data, MAX_PIXELS).shape == (zoo.HEIGHT, zoo.WIDTH, 3)
        if suffix == ".pfm":
            assert refused(data[:3000]).kind == "corrupt"
        assert set(os.listdir(tempfile.gettempdir())) == before


def test_a_socket_is_not_read(tmp_path):
    path = str(tmp_path / "s.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        with pytest.raises(ImageError) as caught:
            read_image_file(os.fsencode(path))
    assert caught.value.kind == "special"


def test_a_path_with_a_zero_byte():
    with pytest.raises(ImageError) as caught:
        read_image_file(b"/tmp/a\0b.jpg")
    assert caught.value.kind == "missing"


def test_a_file_of_the_wrong_size_is_not_read(tmp_path):
    path = tmp_path / "film.jpg"
    with open(str(path), "wb") as file:
        file.truncate(imagefile.MAX_FILE_BYTES + 1)
    with pytest.raises(ImageError) as caught:
        read_image_file(os.fsencode(str(path)))
    assert caught.value.kind == "too-large"


def test_running_out_of_descriptors_is_not_the_images_fault(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(OSError):
            read_image_file(os.fsencode(str(path)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_descriptors_are_closed(inhabitants):
    before = os.listdir("/proc/self/fd")
    for image in inhabitants:
        outcome(image.path)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_permission_denied(tmp_path):
    path = tmp_path / "forbidden.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(ImageError) as caught:
            read_image_file(os.fsencode(str(path)))
    finally:
        os.seteuid(0)
    assert caught.value.kind == "unreadable"
    assert "permission denied" in caught.value.reason


def test_a_smaller_scale_is_never_below_the_frame_and_still_strict():
    image = cv2.resize(np.random.RandomState(3).randint(0, 256, (30, 40, 3)).astype(np.uint8), (1000, 750))
    data = cv2.imencode(".jpg", image)[1].tobytes()
    for wanted in ((375, 500), (300, 400), (94, 125), (750, 1000)):
        small = decode(data, MAX_PIXELS, at_least=wanted)
        assert wanted[0] <= small.shape[0] <= 750 and wanted[1] <= small.shape[1] <= 1000
        assert abs(float(small.mean()) - float(image.mean())) < 2, "the same picture"
    assert decode(data, MAX_PIXELS, at_least=(94, 125)).shape[:2] == (94, 125), "an eighth"
    with pytest.raises(ImageError) as cut:
        decode(data[: len(data) // 2], MAX_PIXELS, at_least=(94, 125))
    assert cut.value.kind == "truncated"
