"""What `--images` may be, and how results are named."""

from __future__ import annotations

import io
import os
import shutil

import pytest
from videos import FILES, FRAMES, cut_short, write_video

from divainfer.dispatcher.listing import write_listing
from divainfer.errors import ImageListError
from divainfer.imagelist import ImageList


@pytest.fixture
def listing(tmp_path):
    def make(images, flat=False, stdin=None, frame_step=1):
        files = str(tmp_path / "images.lst"), str(tmp_path / "images.idx")
        found = write_listing(images, flat, files[0], files[1], stdin and io.BytesIO(stdin), frame_step)
        images_found = ImageList(*files)
        paths = list(images_found)
        images_found.close()
        assert found.count == len(paths)
        return found, paths

    return make


@pytest.fixture
def tree(tmp_path):
    top = os.fsencode(str(tmp_path / "in"))
    for name in (b"a.jpg", b"cam1/a.jpg", b"cam1/new\nline.PNG", b"cam2/\xff.jpeg", b"notes.txt"):
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()
    return os.fsdecode(top)


def names(found, paths):
    return [found.naming.result_name(path) for path in paths]


def test_a_folder_is_searched_and_other_files_are_mentioned(listing, tree):
    found, paths = listing(tree)
    assert names(found, paths) == [b"a.json", b"cam1/a.json", b"cam1/new\nline.json", b"cam2/\xff.json"]
    assert "1 files" in found.notes[0]


def test_a_folder_with_a_circle_of_links_ends(listing, tree):
    os.symlink(tree, os.path.join(tree, "cam1", "again"))
    found, paths = listing(tree)
    assert len(paths) == 4


def test_a_list_is_relative_to_its_folder(listing, tree):
    with open(os.path.join(tree, "frames.lst"), "wb") as file:
        file.write(b"\xef\xbb\xbfcam1/a.jpg\r\n\n  \n./cam1/../a.jpg\ncam2/none here .jpg")
    found, paths = listing(os.path.join(tree, "frames.lst"))
    top = os.fsencode(tree)
    assert paths == [top + b"/cam1/a.jpg", top + b"/a.jpg", top + b"/cam2/none here .jpg"]
    assert names(found, paths) == [b"cam1/a.json", b"a.json", b"cam2/none here .json"]


def test_a_list_may_be_separated_by_nul(listing, tree):
    found, paths = listing("-", stdin=os.fsencode(tree) + b"/cam1/new\nline.PNG\0/data/x.jpg\0")
    assert paths == [os.fsencode(tree) + b"/cam1/new\nline.PNG", b"/data/x.jpg"]


def test_a_glob(listing, tree):
    found, paths = listing(os.path.join(tree, "**", "*.jpg"))
    assert names(found, paths) == [b"a.json", b"cam1/a.json"]


def test_a_glob_does_not_follow_a_circle_of_links(listing, tree):
    os.symlink(tree, os.path.join(tree, "cam1", "again"))
    found, paths = listing(os.path.join(tree, "**", "*.jpg"))
    assert names(found, paths) == [b"a.json", b"cam1/a.json"]


@pytest.mark.parametrize("content,words", [(b"\xff\xd8\xff\xe0 and so on", "an image"), (b"a\x01\x02", "binary")])
def test_a_file_that_is_no_list(listing, tmp_path, content, words):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(ImageListError, match=words):
        listing(str(tmp_path / "list"))


def test_one_image(listing, tree):
    found, paths = listing(os.path.join(tree, "cam1", "a.jpg"))
    assert names(found, paths) == [b"a.json"]


def test_an_image_listed_twice_is_done_once(listing):
    found, paths = listing("-", stdin=b"/d/a.jpg\n/d/b.jpg\n/d//a.jpg\n")
    assert paths == [b"/d/a.jpg", b"/d/b.jpg"]
    assert "more than once" in found.notes[0]


def test_images_that_differ_in_their_extension_keep_it(listing):
    found, paths = listing("-", stdin=b"/d/a.jpg\n/d/a.png\n/d/b.jpg\n")
    assert names(found, paths) == [b"a.jpg.json", b"a.png.json", b"b.jpg.json"]
    assert "extension" in found.notes[0]


def test_flat_names_are_refused_when_they_collide(listing):
    found, paths = listing("-", flat=True, stdin=b"/d/x/a.jpg\n/d/y/b.jpg\n")
    assert names(found, paths) == [b"a.json", b"b.json"]
    with pytest.raises(ImageListError, match="/d/x/a.jpg and /d/y/a.jpg"):
        listing("-", flat=True, stdin=b"/d/x/a.jpg\n/d/y/a.jpg\n")


def test_roots(listing):
    found, paths = listing("-", stdin=b"/a/x.jpg\n/b/x.jpg\n")
    assert names(found, paths) == [b"a/x.json", b"b/x.json"]
    found, paths = listing("-", stdin=b"/data/cam1/x.jpg\n/data/cam10/x.jpg\n")
    assert names(found, paths) == [b"cam1/x.json", b"cam10/x.json"]
    found, paths = listing("-", stdin=b"/x.jpg\n")
    assert names(found, paths) == [b"x.json"]


@pytest.mark.parametrize("images", ["", "/nowhere/frames.lst", "/nowhere/*.jpg"])
def test_nothing_there(listing, images):
    with pytest.raises(ImageListError):
        listing(images)


def test_an_empty_list_and_an_empty_folder(listing, tmp_path):
    (tmp_path / "empty.lst").write_text("\n\n")
    with pytest.raises(ImageListError, match="no image in it"):
        listing(str(tmp_path / "empty.lst"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageListError, match="no image in it"):
        listing(str(tmp_path / "empty"))


def test_the_digest_tells_lists_apart(listing):
    one = listing("-", stdin=b"/d/a.jpg\n/d/b.jpg\n")[0].digest
    assert listing("-", stdin=b"/d/a.jpg\n/d/b.jpg")[0].digest == one
    assert listing("-", stdin=b"/d/b.jpg\n/d/a.jpg\n")[0].digest != one


@pytest.fixture
def filmed(tmp_path):
    """A folder with two videos of one name, an image, a broken video and one of another kind."""
    top = tmp_path / "filmed"
    (top / "cam").mkdir(parents=True)
    write_video(str(top / "a.avi"), 3)
    shutil.copyfile(str(FILES / "h264.mp4"), str(top / "a.mp4"))
    shutil.copyfile(str(FILES / "h264.mp4"), str(top / "cam" / "b.MP4"))
    cut_short(str(FILES / "open.mp4"), str(top / "cam" / "broken.mp4"), 0.5)
    (top / "cam" / "c.jpg").write_bytes(b"")
    (top / "cam" / "d.mkv").write_bytes(b"")
    return str(top)


def test_a_video_is_listed_as_its_frames(listing, filmed):
    found, paths = listing(os.path.join(filmed, "a.avi"))
    assert paths == [os.fsencode(filmed) + b"/a.avi/0000000%d" % number for number in range(3)]
    assert names(found, paths) == [b"a.avi/0000000%d.json" % number for number in range(3)]
    assert found.notes == ["3 frames of 1 video are listed."] and found.source == ""


def test_videos_in_a_folder_a_glob_and_a_list(listing, filmed):
    expected = [b"a.avi/%08d.json" % number for number in (0,)] + [b"a.mp4/%08d.json" % number for number in (0, 30)]
    expected += [b"cam/b.MP4/%08d.json" % number for number in (0, 30)]
    found, paths = listing(filmed, frame_step=30)
    assert names(found, paths) == expected + [b"cam/broken.json", b"cam/c.json", b"cam/d.json"]
    assert "5 frames of 3 videos" in found.notes[0]
    assert "1 videos" in found.notes[1] and "cam/broken.mp4" in found.notes[1]
    found, paths = listing(os.path.join(filmed, "**", "[ab]*"), frame_step=30)
    assert names(found, paths) == expected + [b"cam/broken.json"]
    with open(os.path.join(filmed, "frames.lst"), "wb") as file:
        file.write(b"cam/c.jpg\na.avi\ncam/b.MP4/00000007\n./a.mp4\nnowhere.mov")
    found, paths = listing(os.path.join(filmed, "frames.lst"), frame_step=2)
    wanted = [b"cam/c.json", b"a.avi/00000000.json", b"a.avi/00000002.json", b"cam/b.MP4/00000007.json"]
    assert names(found, paths) == wanted + [b"a.mp4/%08d.json" % number for number in range(0, FRAMES, 2)] + [
        b"nowhere.json"
    ]
    assert found.source != ""


def test_results_cannot_go_where_a_video_lies(tmp_path, filmed):
    files = str(tmp_path / "list"), str(tmp_path / "index")
    with pytest.raises(ImageListError, match="a.avi itself lies"):
        write_listing(filmed, False, *files, results=filmed)
    assert write_listing(filmed, False, *files, results=str(tmp_path / "out")).count
    write_listing(os.path.join(filmed, "a.avi"), True, *files, results=filmed)


def test_one_frame_of_a_video(listing, filmed):
    found, paths = listing(os.path.join(filmed, "a.mp4", "00000012"))
    assert names(found, paths) == [b"a.mp4/00000012.json"]
    with pytest.raises(ImageListError, match="cannot be read"):
        listing(os.path.join(filmed, "none.mp4", "00000012"))


def test_a_video_that_has_no_frames_is_one_entry(listing, filmed):
    broken = os.path.join(filmed, "cam", "broken.mp4")
    found, paths = listing(broken)
    assert paths == [os.fsencode(broken)] and "tells why" in found.notes[0]
    other = os.path.join(filmed, "cam", "d.mkv")
    assert listing(other)[1] == [os.fsencode(other)], "a loader will say what to do with it"


def test_videos_and_flat_names(listing, filmed):
    found, paths = listing(os.path.join(filmed, "a.avi"), flat=True)
    assert names(found, paths)[2] == b"00000002.json"
    with pytest.raises(ImageListError, match="--flat"):
        listing(filmed, flat=True)


def test_a_video_listed_twice_is_done_once(listing, filmed):
    found, paths = listing("-", stdin=os.fsencode(filmed + "/a.avi\n" + filmed + "/a.avi/00000001\n"))
    assert len(paths) == 3 and any("more than once" in note for note in found.notes)


def test_many_frames_come_in_batches(monkeypatch, listing, filmed):
    monkeypatch.setattr("divainfer.dispatcher.videos._BATCH", 7)
    found, paths = listing(filmed, frame_step=3)
    numbers = [int(path[-8:]) for path in paths if path.startswith(os.fsencode(filmed) + b"/a.mp4/")]
    assert numbers == list(range(0, FRAMES, 3))
