"""Who may work on a run folder: with locks, without them, and what is told of the holder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from running import wait_for

from divainfer import lock, ownerfile
from divainfer.errors import OutputError
from divainfer.lock import RunLock, holder
from divainfer.ownerfile import UNKNOWN, OwnerFile, own_record, read_record
from divainfer.runfolder import RunFolder


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(str(tmp_path / "out"))
    made.make()
    return made


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def no_locks(request, monkeypatch):
    def refuse(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    monkeypatch.setattr(ownerfile, "_SETTLE_SECONDS", 0.01)


def run_lock(folder):
    said = []
    return RunLock(folder, said.append), said


def leave(folder, seconds_ago=0.0, **changes):
    """What another process has written, and when it has last renewed it."""
    with open(folder.owner, "w") as file:
        json.dump(dict(own_record(), **changes), file)
    then = time.time() - seconds_ago
    os.utime(folder.owner, (then, then))


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_held_folder_is_refused_and_the_holder_is_named(folder):
    assert holder(folder) is None
    mine, said = run_lock(folder)
    with mine:
        owner = holder(folder)
        assert owner.pid == os.getpid() and owner.host and abs(owner.since - time.time()) < 60
        with pytest.raises(OutputError, match="process {} on .*, since 20".format(os.getpid())):
            run_lock(folder)[0].__enter__()
        assert holder(folder) == owner, "looking and trying do not disturb it"
    assert holder(folder) is None and not said and not os.path.exists(folder.owner)


def test_a_folder_that_is_none_has_no_holder(tmp_path):
    assert holder(RunFolder(str(tmp_path / "nothing"))) is None
    assert not os.listdir(str(tmp_path))


def test_a_holder_without_a_record_is_a_holder(folder):
    with open(folder.lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(folder) == UNKNOWN
        with pytest.raises(OutputError, match="it has left no name"):
            run_lock(folder)[0].__enter__()


def test_somebody_who_only_looks_is_waited_for(folder):
    with open(folder.lock) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.15, fcntl.flock, (file.fileno(), fcntl.LOCK_UN)).start()
        with run_lock(folder)[0]:
            pass


def test_without_locks_an_owner_file_takes_their_place(folder, no_locks):
    mine, said = run_lock(folder)
    with mine:
        assert "has no locks" in said[0] and folder.owner in said[0]
        assert holder(folder).pid == os.getpid()
        with pytest.raises(OutputError, match="another divainfer is at work on this folder \\(process"):
            run_lock(folder)[0].__enter__()
        assert os.path.exists(folder.owner), "whoever was refused removes nothing"
    assert holder(folder) is None
    assert sorted(os.listdir(folder.path)) == ["lock", "logs", "parts"]


@pytest.mark.parametrize("case", ["ended", "zombie", "another program has its number"])
def test_a_dead_holder_on_this_machine_is_followed_at_once(folder, no_locks, case):
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    changes = {
        "ended": {"pid": ended_process()},
        "zombie": {"pid": zombie.pid, "start": None},
        "another program has its number": {"start": 1},
    }
    leave(folder, **changes[case])
    assert holder(folder) is None
    with run_lock(folder)[0]:
        assert read_record(folder.owner)["pid"] == os.getpid() and holder(folder).pid == os.getpid()
    zombie.wait()
    assert sorted(os.listdir(folder.path)) == ["lock", "logs", "parts"]


def test_a_holder_elsewhere_is_dead_when_it_has_not_renewed_its_file_for_a_minute(folder, no_locks):
    elsewhere = {"host": "elsewhere", "machine": "elsewhere", "pid": ended_process()}
    leave(folder, 50, **elsewhere)
    with pytest.raises(OutputError, match="on elsewhere, since"):
        run_lock(folder)[0].__enter__()
    leave(folder, 70, **elsewhere)
    with run_lock(folder)[0]:
        assert holder(folder).pid == os.getpid()


def test_a_file_without_content_is_somebody_who_is_about_to_write_it(folder, no_locks):
    open(folder.owner, "w").close()
    with pytest.raises(OutputError, match="it has left no name"):
        run_lock(folder)[0].__enter__()
    os.utime(folder.owner, (time.time() - 70,) * 2)
    with run_lock(folder)[0]:
        pass


def test_a_lock_does_not_help_against_an_owner_that_has_none(folder):
    leave(folder, host="elsewhere", machine="elsewhere")
    with pytest.raises(OutputError, match="on elsewhere"):
        run_lock(folder)[0].__enter__()
    os.unlink(folder.owner)
    with run_lock(folder)[0]:
        pass


def test_one_of_many_takes_a_dead_holder_s_place(folder):
    for _ in range(5):
        leave(folder, pid=ended_process())
        claims = [OwnerFile(folder.owner) for _ in range(8)]
        with ThreadPoolExecutor(len(claims)) as pool:
            refused = list(pool.map(OwnerFile.claim, claims))
        assert refused.count(None) == 1
        for claim in claims:
            claim.release()
        assert sorted(os.listdir(folder.path)) == ["lock", "logs", "parts"]


def test_who_judged_an_earlier_file_puts_a_new_one_back(folder):
    leave(folder, pid=ended_process())
    judged = read_record(folder.owner)
    first, slow = OwnerFile(folder.owner), OwnerFile(folder.owner)
    assert first.claim() is None
    there = read_record(folder.owner)
    slow._put_aside(judged)
    assert read_record(folder.owner) == there
    first.release()


def test_the_file_is_renewed_while_it_is_ours(folder, monkeypatch, caplog):
    monkeypatch.setattr(ownerfile, "_RENEW_SECONDS", 0.05)
    mine = OwnerFile(folder.owner)
    assert mine.claim() is None
    os.utime(folder.owner, (0, 0))
    wait_for(lambda: os.stat(folder.owner).st_mtime > time.time() - 60)
    leave(folder, host="elsewhere")
    wait_for(lambda: mine.lost)
    assert "taken over by another divainfer" in caplog.text
    mine.release()
    assert read_record(folder.owner)["host"] == "elsewhere", "it is not ours any more"
