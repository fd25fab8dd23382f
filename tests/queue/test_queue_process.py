"""P2: whether a process on this machine is alive, by the mark that it has left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from flask_mailhandler.queue import process
from flask_mailhandler.queue.process import boot_id
from flask_mailhandler.queue.process import is_dead
from flask_mailhandler.queue.process import process_mark
from forking import fork

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not process_mark(), reason="This system does not tell which process is alive."
)

_PROGRAM = """
import sys
from flask_mailhandler.queue.process import process_mark
print(process_mark(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that ends when its input does."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        yield started


def mark_of(child: subprocess.Popen[str]) -> str:
    """The mark that a child has printed."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_this_process() -> None:
    """This process is alive, and has one mark."""
    mark = process_mark()
    assert mark == process_mark()
    assert mark.startswith(f"{boot_id()}:")
    assert f":{os.getpid()}:" in mark
    assert "." not in mark  # which is between the parts of an owner
    assert not is_dead(mark)


def test_a_child(child: subprocess.Popen[str]) -> None:
    """Another process is alive until it is killed, and dead from then on: as a zombie that its
    parent has not waited for, and when its process id is free again."""
    mark = mark_of(child)
    assert not is_dead(mark)

    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(mark)
    child.wait()
    assert is_dead(mark)


def test_a_stopped_process(child: subprocess.Popen[str]) -> None:
    """A process that was stopped by a signal is not dead, because it may continue."""
    mark = mark_of(child)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    try:
        assert not is_dead(mark)
    finally:
        child.send_signal(signal.SIGCONT)


def test_a_fork_is_another_process() -> None:
    """The child of a fork has a mark of its own."""
    read, write = os.pipe()
    child = fork()
    if child == 0:  # pragma: no cover
        os.write(write, process_mark().encode())
        os._exit(0)
    os.waitpid(child, 0)
    mark = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)

    assert mark != process_mark()
    assert is_dead(mark)


def _changed(mark: str, part: int, value: str) -> str:
    parts = mark.split(":")
    parts[part] = value
    return ":".join(parts)


def test_a_number_that_was_given_again() -> None:
    """A process with the same process id but another start time is another process: the first is
    dead."""
    began = int(process_mark().split(":")[3])
    assert is_dead(_changed(process_mark(), 3, str(began - 1)))
    assert is_dead(_changed(process_mark(), 3, str(began + 1)))


@pytest.mark.parametrize(
    ("part", "value"), [(0, "0" * 32), (0, ""), (1, "1"), (1, ""), (2, "x"), (2, ""), (3, "")]
)
def test_what_nobody_can_tell_from_here(part: int, value: str) -> None:
    """A process of another machine, of an earlier boot or of another container may be alive,
    whatever process has its id here; and so may one whose mark cannot be read."""
    gone = _changed(process_mark(), 2, "4194305")  # no process has so large a number
    assert is_dead(gone)
    assert not is_dead(_changed(gone, part, value))


@pytest.mark.parametrize("mark", ["", ":", ":::", "a.b", "host:1:2"])
def test_what_is_no_mark(mark: str) -> None:
    """An owner without a mark is never known to be dead."""
    assert not is_dead(mark)


def test_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a boot id there are no marks, and no process is considered dead."""
    mark = _changed(process_mark(), 2, "4194305")
    monkeypatch.setattr(process, "_BOOT", tmp_path / "none")
    assert process_mark() == ""
    assert not is_dead(mark)
    assert not is_dead(process_mark())


def test_a_process_that_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """If /proc hides the processes of other users (hidepid), a signal finds out: the error that one
    may not send it also shows that the process exists."""
    mark = _changed(process_mark(), 2, "4194305")
    answers: list[OSError | None] = [PermissionError(), None, ProcessLookupError()]

    def kill(number: int, signal_number: int) -> None:
        assert (number, signal_number) == (4194305, 0)
        if (answer := answers.pop(0)) is not None:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    assert [is_dead(mark) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES])
def test_what_cannot_be_read_now(
    number: int, child: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without a free file descriptor, such as a busy server, cannot read about another
    process, which counts as alive until then."""
    mark = mark_of(child)
    opened = open

    def full(name: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        if str(name) == f"/proc/{child.pid}/stat":
            raise OSError(number, os.strerror(number))
        return opened(name, *args, **options)

    monkeypatch.setattr("builtins.open", full)
    assert not is_dead(mark)
