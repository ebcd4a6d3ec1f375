"""Runs `orgbridge` command lines in forks of a process that has imported everything, for `tests.support.guides`."""

from __future__ import annotations

import os
import signal
import socket
import sys

# Imported for the forks: what each command imports by itself otherwise.
import orgbridge.wiring.administration
import orgbridge.wiring.checkup
import orgbridge.wiring.service  # noqa: F401
from orgbridge.cli.main import main


def _run(connection: socket.socket, message: bytes, streams: list[int]) -> None:
    """Be one command, and tell how it ended."""
    parts = [part.decode() for part in message.split(b"\0")]
    count = int(parts[1])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(parts[0])
    arguments, pairs = parts[2 : 2 + count], parts[2 + count :]
    os.environ.clear()  # noqa: TID251 - it becomes another process
    os.environ.update(pair.split("=", 1) for pair in pairs if "=" in pair)  # noqa: TID251
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    sys.argv = ["orgbridge", *arguments]
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    connection.sendall(bytes([status & 255]))


def _serve(address: str) -> None:
    # Nobody waits for the forks: the system forgets them by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            size, streams, _, _ = socket.recv_fds(connection, 8, 3)
            wanted, message = int.from_bytes(size, "big"), b""
            while len(message) < wanted:
                message += connection.recv(wanted - len(message))
            if os.fork() == 0:
                try:
                    _run(connection, message, streams)
                finally:
                    os._exit(0)
            connection.close()
            for stream in streams:
                os.close(stream)


if __name__ == "__main__":
    _serve(sys.argv[1])
