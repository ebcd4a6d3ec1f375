"""Becomes Python programs by forking: one process imports everything once, and each program starts within milliseconds.

    python -m tests.support.fork_server SOCKET

What `python -m MODULE ARGUMENT…` or `python -c CODE ARGUMENT…` would run, a fork runs: a process of its own, with an
id, an environment, a working folder and streams, which ends and can be killed as any other. `tests.support.forks` and
`tests.support.command_client` ask for them. A fork ends with whoever asked for it, and the server, with all of its
forks, when its standard input does.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NoReturn

# Imported for the forks: what the programs import by themselves otherwise.
import orgbridge.cli.commands
import orgbridge.cli.main
import orgbridge.wiring.administration
import orgbridge.wiring.checkup
import orgbridge.wiring.local
import orgbridge.wiring.service

for _command in pkgutil.iter_modules(orgbridge.cli.commands.__path__, "orgbridge.cli.commands."):
    import_module(_command.name)

#: Each number of the protocol: length of a request, process id, exit status.
NUMBER_BYTES = 4


def _stream(number: int, mode: str, environment: Mapping[str, str]) -> io.TextIOWrapper:
    """Return a standard stream as the interpreter makes it at its start."""
    at_once = "PYTHONUNBUFFERED" in environment and mode == "wb"
    binary: Any = open(number, mode, 0 if at_once else -1, closefd=False)  # noqa: SIM115 - lives as long as the process
    return io.TextIOWrapper(
        binary,
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else "strict",
        line_buffering=number == 2 or os.isatty(number),
        write_through=at_once,
    )


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Be another process."""
    signal.set_wakeup_fd(-1)
    for usual in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(usual, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["session"]:
        os.setsid()
    os.chdir(request["folder"])
    environment: dict[str, str] = request["environment"]
    os.environ.clear()  # noqa: TID251 - it becomes another process
    os.environ.update(environment)  # noqa: TID251
    time.tzset()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        if stream > 2:
            os.close(stream)
    sys.stdin = sys.__stdin__ = _stream(0, "rb", environment)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "wb", environment)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "wb", environment)  # type: ignore[misc]


def _run(words: list[str]) -> None:
    """Run the program; whatever ends it comes out."""
    flag, program, *arguments = words
    sys.argv = [program if flag == "-m" else flag, *arguments]
    if flag == "-m":
        # A module that runs as the program is not the one that others have imported.
        sys.modules.pop(program, None)
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), module.__dict__)


def _live(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be another process from its first line to its end, which is as the interpreter ends a process."""
    status = 0
    try:
        _become(request, streams)
        _run(request["words"])
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    # What the interpreter does before it takes itself to pieces; the pieces go with the process.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status & 255)


@dataclass(slots=True)
class _Server:
    listener: socket.socket
    #: What else is the server's own and no fork's.
    own: tuple[socket.socket, ...]
    selector: selectors.BaseSelector
    #: Who hears of the end of each fork.
    callers: dict[int, socket.socket] = field(default_factory=dict)

    def take(self) -> None:
        """Fork for one caller."""
        caller, _ = self.listener.accept()
        head, streams, _, _ = socket.recv_fds(caller, NUMBER_BYTES, 3)
        wanted, text = int.from_bytes(head, "big"), b""
        while len(text) < wanted and (chunk := caller.recv(wanted - len(text))):
            text += chunk
        if not text or len(text) < wanted:
            caller.close()
            return
        child = os.fork()
        if child == 0:
            self.selector.close()
            for kept in (self.listener, *self.own, caller, *self.callers.values()):
                kept.close()
            _live(json.loads(text), streams)
        for stream in streams:
            os.close(stream)
        self.callers[child] = caller
        self.selector.register(caller, selectors.EVENT_READ, child)
        _tell(caller, child)

    def leave(self, child: int) -> None:
        """End a fork whose caller is gone."""
        self.selector.unregister(self.callers[child])
        os.kill(child, signal.SIGKILL)

    def bury(self) -> None:
        """Tell of every fork that has ended."""
        while self.callers:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            caller = self.callers.pop(child)
            if caller in self.selector.get_map():
                self.selector.unregister(caller)
            _tell(caller, os.waitstatus_to_exitcode(status))
            caller.close()

    def end(self) -> None:
        """End every fork."""
        for child in self.callers:
            os.kill(child, signal.SIGKILL)


def _tell(caller: socket.socket, number: int) -> None:
    try:
        caller.sendall(number.to_bytes(NUMBER_BYTES, "big", signed=True))
    except OSError:
        return  # it does not want to know any more


def _serve(address: str) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    deaths, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Forks share what is there now, and their collectors leave it alone.
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen(128)
        server = _Server(listener, (deaths, waker), selector)
        for source in (listener, deaths, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    server.end()
                    return
                if key.fileobj is deaths:
                    deaths.recv(4096)
                    server.bury()
                elif key.fileobj is listener:
                    server.take()
                elif key.data in server.callers:
                    server.leave(key.data)


if __name__ == "__main__":
    _serve(sys.argv[1])
