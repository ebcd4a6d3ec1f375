"""The command `orgbridge` of `tests.support.guides`: hands its streams to the fork server and ends as the fork did."""

import json
import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    request = {
        "words": ["-m", "orgbridge.cli", *sys.argv[2:]],
        "folder": os.getcwd(),
        "environment": dict(os.environ),  # noqa: TID251 - the shell's, to be handed on
        "session": False,
    }
    message = json.dumps(request).encode()
    socket.send_fds(server, [len(message).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(message)
    process = int.from_bytes(server.recv(4), "big")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(process, signal.SIGTERM))
    status = server.recv(4)
sys.exit(int.from_bytes(status, "big", signed=True) & 255 if status else 70)
