"""The log file that many processes write at once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from orgbridge.kit.logfiles import SharedFileHandler

_WRITER = """
import logging, pathlib, sys
from orgbridge.kit.logfiles import SharedFileHandler
handler = SharedFileHandler(pathlib.Path(sys.argv[1]), max_bytes=int(sys.argv[3]), backup_count=50)
print("ready", flush=True)
sys.stdin.readline()
for number in range(2000):
    handler.emit(logging.LogRecord("x", 20, "", 0, f"{sys.argv[2]} {number} {'.' * 40}", None, None))
"""


def _files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, text, None, None)


def test_of_many_processes_no_line_is_lost_doubled_or_broken(tmp_path: Path) -> None:
    """Four processes write 2,000 lines each into a file that turns over at 20 kB: each line is there once, whole."""
    path = tmp_path / "service.log"
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(number), "20000"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"\n", timeout=60)
        assert writer.returncode == 0
    lines = [line for file in _files(path) for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{who} {number} {'.' * 40}" for who in range(4) for number in range(2000))
    assert len(_files(path)) > 10
    assert max(file.stat().st_size for file in _files(path)) < 25_000


def test_no_more_backups_are_kept_than_asked_for(tmp_path: Path) -> None:
    """With two backups there are three files, the newest lines in the one without a number."""
    path = tmp_path / "service.log"
    handler = SharedFileHandler(path, max_bytes=100, backup_count=2)
    for number in range(50):
        handler.emit(_record(f"line {number:02d} {'.' * 30}"))
    handler.close()
    assert [file.name for file in _files(path)] == ["service.log", "service.log.1", "service.log.2"]
    assert "line 49" in path.read_text()
    assert "line 47" in (tmp_path / "service.log.1").read_text()


def test_without_backups_the_file_still_has_a_bound(tmp_path: Path) -> None:
    """LOG_BACKUP_COUNT=0 keeps no old file, and the new one does not grow for ever."""
    path = tmp_path / "service.log"
    handler = SharedFileHandler(path, max_bytes=100, backup_count=0)
    for number in range(50):
        handler.emit(_record(f"line {number}"))
    handler.close()
    assert [file.name for file in _files(path)] == ["service.log"]
    assert path.stat().st_size <= 100
    assert "line 49" in path.read_text()


def test_a_file_that_somebody_moved_away_is_made_anew(tmp_path: Path) -> None:
    """logrotate and the like may rename the file at any moment: the next line goes to a new one."""
    path = tmp_path / "service.log"
    handler = SharedFileHandler(path, max_bytes=10_000, backup_count=1)
    handler.emit(_record("before"))
    path.rename(tmp_path / "elsewhere")
    handler.emit(_record("after"))
    handler.close()
    assert path.read_text() == "after\n"
    assert (tmp_path / "elsewhere").read_text() == "before\n"
