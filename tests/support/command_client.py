"""The command `orgbridge` of `tests.support.guides`: hands its streams to the command server and ends as it did."""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    arguments = sys.argv[2:]
    pairs = [f"{name}={value}" for name, value in os.environ.items()]  # noqa: TID251 - the shell's, to be handed on
    message = "\0".join([os.getcwd(), str(len(arguments)), *arguments, *pairs]).encode()
    socket.send_fds(server, [len(message).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(message)
    status = server.recv(1)
sys.exit(status[0] if status else 70)
