"""GPUs by the real Python binding of this environment, over the stand-in for NVIDIA's library."""

from __future__ import annotations

import pytest
from nvml_standin import SLICES, UUIDS, Standin

from divainfer.monitor.gpus import reasons
from divainfer.monitor.sample import GpuSample

LARGE = GpuSample(
    UUIDS[0], 0, "Stand-in 80GB", 0.9, 1 << 30, 80 << 30, 250.5, 700.0, 1700, 1980, 60, [], 0
)  # fmt: skip
THROTTLED = GpuSample(
    UUIDS[2], 2, "Stand-in 24GB", 0.92, 3 << 30, 24 << 30, 252.5, None, 900, 1980, 91,
    ["software power cap", "hardware thermal slowdown"], None,
)  # fmt: skip


@pytest.fixture(params=[False, True], ids=["new", "old"])
def standin(tmp_path, request):
    return Standin(tmp_path / "standin", old=request.param)


def steps(standin, uuids, *words):
    """What each `sample` said: the GPUs, and why there are none."""
    return [([GpuSample(**gpu) for gpu in said["gpus"]], said["missing"]) for said in standin.steps(uuids, *words)]


def test_both_list_and_sample_see_four_gpus_of_two_kinds(standin):
    listed, sampled = standin.steps(UUIDS, "list", "sample")
    assert [(gpu["index"], gpu["uuid"]) for gpu in listed["list"]] == list(enumerate(UUIDS))
    assert [gpu["memory"] >> 30 for gpu in listed["list"]] == [80, 80, 24, 24]
    gpus = [GpuSample(**gpu) for gpu in sampled["gpus"]]
    assert sampled["missing"] == "" and [gpu.name for gpu in gpus] == [gpu["name"] for gpu in listed["list"]]
    assert gpus[0] == LARGE and gpus[2] == THROTTLED
    assert gpus[1].ecc_errors == 1 and gpus[3].utilisation == 0.0 and gpus[3].throttled == []


def test_without_gpus_in_use_no_driver_is_asked(standin):
    standin.cause("no-driver")
    assert steps(standin, [], "sample") == [([], "")]


def test_a_gpu_that_is_lost_is_told_with_its_last_words_and_looked_for_again(standin):
    uuids = [UUIDS[0], UUIDS[2]]
    words = ["sample", "cause:xid-0=79", "cause:lost-0", "sample", "mend:lost-0", "sample", "later", "sample"]
    before, lost, still, again = steps(standin, uuids, *words)
    xids = [] if (standin.folder / "xid-0").exists() else [79]  # An old driver has no events.
    gone = GpuSample(UUIDS[0], 0, "Stand-in 80GB", gone="GPU is lost", xids=xids)
    assert before == ([LARGE, THROTTLED], "")
    assert lost == still == ([gone, THROTTLED], "")
    assert again == ([LARGE._replace(xids=xids), THROTTLED], "")


def test_events_are_told_by_new_drivers(tmp_path):
    new = Standin(tmp_path / "standin")
    causes = ["cause:xid-0={}".format(code) for code in range(30)]
    words = [word for cause in causes for word in (cause, "sample")]
    ends = [said[0][0].xids for said in steps(new, UUIDS[:1], *words)]
    assert ends[0] == [0] and ends[1] == [0, 1] and ends[-1] == list(range(14, 30))


def test_a_driver_that_is_gone_is_told_and_looked_for_again(standin):
    words = ["cause:no-driver", "sample", "mend:no-driver", "sample", "later", "sample"]
    words += ["cause:no-driver", "sample", "mend:no-driver", "sample", "later", "sample"]
    never, not_yet, there, gone, still, again = steps(standin, UUIDS[:1], *words)
    assert never == not_yet == ([], "no NVIDIA driver answers on this machine (Driver Not Loaded)")
    assert gone == still == ([], "the NVIDIA driver has gone (Driver Not Loaded)")
    assert there == again == ([LARGE], "")


def test_a_gpu_of_which_nothing_can_be_read_is_gone(standin):
    """As in a container whose access to the devices was taken away while it ran."""
    there, gone = steps(standin, UUIDS[:1], "sample", "cause:unknown", "sample")
    assert there == ([LARGE], "")
    assert gone == ([GpuSample(UUIDS[0], 0, "Stand-in 80GB", gone="Unknown Error")], "")


def test_one_that_never_was_there(standin):
    ((gpus, missing),) = steps(standin, ["GPU-11111111-0000-0000-0000-000000000000", UUIDS[2]], "sample")
    assert [gpu.gone for gpu in gpus] == ["Not Found", ""] and missing == "" and gpus[1] == THROTTLED


def test_slices_have_their_own_memory_and_the_sensors_of_the_whole(standin):
    standin.cause("mig")
    ((gpus, missing),) = steps(standin, SLICES + UUIDS[:1], "sample")
    piece = LARGE._replace(uuid=SLICES[0], name="Stand-in 80GB MIG 1g.10gb", utilisation=None, memory_total=10 << 30)
    assert missing == "" and gpus == [piece, piece._replace(uuid=SLICES[1]), LARGE._replace(utilisation=None)]


def test_without_a_library_there_is_no_driver(standin):
    (standin.folder / "libnvidia-ml.so.1").write_bytes(b"")
    ((gpus, missing),) = steps(standin, UUIDS, "sample")
    assert gpus == [] and "no NVIDIA driver answers on this machine" in missing


def test_reasons_in_words():
    assert reasons(0) == reasons(1) == []
    assert reasons(0x8 | 0x80 | 0x1) == ["hardware slowdown", "hardware power brake"]
    assert reasons(0x4000) == ["reason 0x4000"]
