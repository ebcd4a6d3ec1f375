"""Pages of documentation as tests: their commands are run in one shell, in order, and must say what the page says.

In a page, each fence `console` holds commands after `$ ` with what they write; a line that ends with a backslash goes
on in the next one. In what they write, `...` stands for anything within a line, and alone on a line for any lines. An
id, once shown, stands for the id that the command really wrote, in what follows as well; instants and dates stand for
any. A command that fails must be followed by `echo $?`, or what the page shows must begin with `error:`.

A comment before a fence says what else it is: `<!-- guide: file NAME -->` (the fence is that file, of any language),
`<!-- guide: background -->` (the command goes on until the page ends, and only its standard output is looked at),
`<!-- guide: skip REASON -->` (not run here).

`python -m tests.support.guides PAGE` runs a page and shows what its commands really write.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from orgbridge.cli.demo.processes import clean_environment, free_port
from tests.support.forks import fork_server

DOCS = Path(__file__).parents[2] / "docs"
#: Languages of fences that a reader takes for commands; in a guide they have to be `console`.
_SHELLS = frozenset({"sh", "bash", "shell", "shell-session", "zsh"})
_SECONDS = 60.0
_SENTINEL = "\x1e"

_DIRECTIVE = re.compile(r"^\s*<!-- guide: (?P<verb>\w+)(?: (?P<rest>.*?))? -->\s*$")
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[\w-]*)\s*$")
#: What stands for itself by its shape: bound to the first real one, and the same from then on.
_BOUND = (
    r"\b[a-z]{2,6}_[0-9a-hjkmnp-tv-z]{26}\b",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    r"\b[0-9a-zA-Z]{3}Ob[0-9A-Za-z]{10}(?:[A-Z0-9]{3})?\b",
)
#: What stands for anything of its shape, each time.
_FREE = (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+\d\d:?\d\d)?", r"\b\d{4}-\d\d-\d\d\b")
_TOKEN = re.compile("|".join([r"(?P<dots>\.\.\.)", *(f"(?:{shape})" for shape in (*_FREE, *_BOUND))]))
_PORT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d{4,5})\b|--(?:emulator-)?port (\d{4,5})\b")


class GuideError(AssertionError):
    """A page says something that is not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a page."""

    #: As the page has it, without `$ `.
    text: str
    #: Lines that it writes.
    expected: tuple[str, ...]
    #: Line of the page.
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One fenced block of a page."""

    language: str
    lines: tuple[str, ...]
    #: Line of the page.
    line: int
    #: Word of the comment before it; empty without one.
    verb: str
    #: What the comment says besides.
    rest: str

    @property
    def is_shell(self) -> bool:
        """True for commands that nobody would run."""
        return self.language in _SHELLS

    def commands(self) -> list[Command]:
        """Return the commands of a console."""
        found: list[tuple[str, list[str], int]] = []
        continued = False
        for number, line in enumerate(self.lines, self.line + 1):
            if continued:
                text, expected, at = found[-1]
                found[-1] = (f"{text}\n{line}", expected, at)
                continued = line.endswith("\\")
            elif line.startswith("$ "):
                found.append((line[2:], [], number))
                continued = line.endswith("\\")
            elif not found:
                raise GuideError(f"line {number}: a console begins with a command after `$ `")
            else:
                found[-1][1].append(line)
        for _, lines, _ in found:
            # A blank line between two commands is the page's own.
            while lines and not lines[-1].strip():
                lines.pop()
        return [Command(text=text, expected=tuple(lines), line=at) for text, lines, at in found]


def fences(text: str) -> list[Fence]:
    """Return the fenced blocks of a page, in order.

    Raises:
        GuideError: A fence has no end.
    """
    found: list[Fence] = []
    lines = text.splitlines()
    verb, rest, place = "", "", 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if directive := _DIRECTIVE.match(line):
            verb, rest = directive["verb"], directive["rest"] or ""
        elif opening := _FENCE.match(line):
            start, indent = place, len(opening["indent"])
            while place < len(lines) and lines[place].strip() != opening["ticks"]:
                place += 1
            if place == len(lines):
                raise GuideError(f"line {start}: the fence has no end")
            inner = tuple(one[indent:] for one in lines[start:place])
            found.append(Fence(language=opening["language"], lines=inner, line=start, verb=verb, rest=rest))
            place += 1
            verb, rest = "", ""
        elif line.strip():
            verb, rest = "", ""
    return found


@dataclass(slots=True)
class Bindings:
    """What ids and addresses of the page are in reality."""

    real: dict[str, str] = field(default_factory=dict)

    def apply(self, text: str) -> str:
        """Return a text of the page with the real values in it."""
        for told in sorted(self.real, key=len, reverse=True):
            text = text.replace(told, self.real[told])
        return text

    def match(self, expected: Sequence[str], written: str) -> bool:
        """Return whether a command wrote what the page shows, and remember the ids."""
        names: dict[str, str] = {}
        pattern = "".join(self._line(line, names) for line in expected)
        written = written.rstrip()
        found = re.fullmatch(pattern, f"{written}\n" if written else "")
        if found is None:
            return False
        self.real |= {told: found[name] for told, name in names.items()}
        return True

    def _line(self, line: str, names: dict[str, str]) -> str:
        if line.strip() == "...":
            return r"(?:.*\n)*?"
        parts, place = [], 0
        for token in _TOKEN.finditer(line):
            parts.append(re.escape(self.apply(line[place : token.start()])))
            parts.append(self._token(token, names))
            place = token.end()
        parts.append(re.escape(self.apply(line[place:])))
        return "".join(parts) + r"\n"

    def _token(self, token: re.Match[str], names: dict[str, str]) -> str:
        told = token[0]
        if token["dots"]:
            return ".*?"
        for shape in _FREE:
            if re.fullmatch(shape, told):
                return f"(?:{shape})"
        if told in self.real:
            return re.escape(self.real[told])
        if told in names:
            return f"(?P={names[told]})"
        shape = next(shape for shape in _BOUND if re.fullmatch(shape, told))
        names[told] = f"id{len(names)}"
        return f"(?P<{names[told]}>{shape})"


class Shell:
    """A bash that is told one command after the other.

    Args:
        folder: Where it works.
        environment: All that it knows.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str, seconds: float = _SECONDS) -> tuple[str, int]:
        """Return what a command wrote, to either stream, and its exit status.

        Raises:
            GuideError: It did not end in time, or ended the shell.
        """
        assert self._process.stdin is not None
        ended = f'status=$?; printf "{_SENTINEL}%d{_SENTINEL}" $status; (exit $status)\n'
        # In the shell itself and not in a child, so that variables stay; without the shell's own input.
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\n{ended}".encode())
        self._process.stdin.flush()
        written = _read(self._process, lambda text: text.count(_SENTINEL) == 2, seconds, command)
        output, status, _ = written.split(_SENTINEL)
        return output, int(status)

    def close(self) -> None:
        """End it and whatever runs in it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _read(process: subprocess.Popen[bytes], enough: Callable[[str], bool], seconds: float, what: str) -> str:
    assert process.stdout is not None
    got, deadline = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not enough(got.decode(errors="replace")):
            if not selector.select(deadline - time.monotonic()):
                raise GuideError(f"{what!r} did not end within {seconds:.0f} s; it wrote: {got.decode()[-2000:]}")
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                raise GuideError(f"{what!r} ended the shell; it wrote: {got.decode()[-2000:]}")
            got += chunk
    return got.decode()


def _command(folder: Path) -> Path:
    """Return a folder that holds the command `orgbridge`; what it is told runs in forks, a tenth of the time."""
    client, command = Path(__file__).with_name("command_client.py"), folder / "bin" / "orgbridge"
    command.parent.mkdir()
    address = fork_server()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -SE {client} {address} "$@"\n')
    command.chmod(0o755)
    return command.parent


class Guide:
    """A page that is being walked through.

    Args:
        page: The page.
        folder: The reader's folder.
        stand_ins: Texts of the page, for example addresses of somebody's cloud, with what stands in for them here.
        settings: Further environment of the reader's shell.
        show: Told of every command with what it really wrote; differences then do not end the walk.
    """

    def __init__(
        self,
        page: Path,
        folder: Path,
        *,
        stand_ins: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        show: Callable[[str], object] | None = None,
    ) -> None:
        self.page = page
        self.text = page.read_text()
        self._folder = folder / "work"
        self._folder.mkdir(parents=True)
        self._show = show
        #: Reasons of the fences that were not run.
        self.skipped: list[str] = []
        #: How many commands were run.
        self.ran = 0
        # curl is a reader's own; `orgbridge` is what a virtual environment gives.
        plain = clean_environment({"LANG": "C.UTF-8", "ORGBRIDGE_POLL_SECONDS": "0.2", **(settings or {})})
        plain["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        plain["PATH"] = os.pathsep.join([*([str(_command(folder))] if "orgbridge" in self.text else []), os.defpath])
        self._environment = plain
        self._shell = Shell(self._folder, plain)
        self._background: list[subprocess.Popen[bytes]] = []
        ports = {one for found in _PORT.findall(self.text) for one in found if one} | {"8000", "8080"}
        self._ports = {port: str(free_port()) for port in sorted(ports)}
        self._bindings = Bindings(dict(stand_ins or {}))
        for told, real in self._ports.items():
            self._bindings.real |= {f"127.0.0.1:{told}": f"127.0.0.1:{real}", f"localhost:{told}": f"127.0.0.1:{real}"}
            self._bindings.real |= {f"port {told}": f"port {real}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.close()
        for process in reversed(self._background):
            process.terminate()
        for process in reversed(self._background):
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def walk(self) -> None:
        """Do what the page says, from its first line to its last.

        Raises:
            GuideError: Something is not as the page says; the message has the line.
        """
        for fence in fences(self.text):
            match fence.verb:
                case "file":
                    target = self._folder / fence.rest
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(self._bindings.apply("\n".join(fence.lines) + "\n"))
                case "skip":
                    if not fence.rest.strip():
                        raise GuideError(f"{self.page.name}:{fence.line}: a skipped fence says why")
                    self.skipped.append(fence.rest)
                case "background":
                    # All first and then each: they come up side by side.
                    started = [self._start(command) for command in fence.commands()]
                    for up in started:
                        up()
                case "":
                    if fence.is_shell:
                        raise GuideError(f"{self.page.name}:{fence.line}: commands stand in a fence `console`")
                    if fence.language == "console":
                        self._console(fence.commands())
                case other:
                    raise GuideError(f"{self.page.name}:{fence.line}: there is no directive {other!r}")

    def _console(self, commands: Sequence[Command]) -> None:
        for place, command in enumerate(commands):
            written, status = self._shell.run(self._bindings.apply(command.text))
            self.ran += 1
            matched = self._bindings.match(command.expected, written)
            if self._show is not None:
                mark = "" if matched else f"   <-- differs, line {command.line}"
                self._show(f"$ {command.text}{mark}\n{written}" + (f"[{status}]\n" if status else ""))
                continue
            after = commands[place + 1].text if place + 1 < len(commands) else ""
            told = any(line.startswith("error:") for line in command.expected)
            if status and not told and after != "echo $?":
                raise GuideError(f"{self._at(command)} ended with {status}:\n{written}")
            if not matched:
                shown = self._bindings.apply("\n".join(command.expected))
                raise GuideError(f"{self._at(command)} wrote\n{written}\nand the page shows\n{shown}")

    def _start(self, command: Command) -> Callable[[], None]:
        text = self._bindings.apply(self._with_ports(command.text))
        found = re.search(r"(^|(?<= ))orgbridge ", text)
        if found is None:
            raise GuideError(f"{self._at(command)}: only orgbridge runs in the background")
        # One process, which is told to end by a signal and hands it on: no shell is left around it.
        words = text if "=" in text[: found.start()] else f"exec {text}"
        # What goes wrong there is told by the commands that meet it; warnings of a process are not the page's matter.
        log = (self._folder.parent / f"background{len(self._background)}.log").open("wb")
        process = subprocess.Popen(
            ["/bin/bash", "-c", words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        log.close()
        self._background.append(process)
        self.ran += 1
        name, port = Path(log.name), re.search(r"--port (\d+)", text)
        return lambda: self._wait(process, command, name, port)

    def _wait(self, process: subprocess.Popen[bytes], command: Command, log: Path, port: re.Match[str] | None) -> None:
        """Wait for a process that writes no result: for a service to answer, for a worker to say that it works."""
        if command.expected:
            expected = (*command.expected, "...")
            written = _read(
                process,
                lambda text: "\n" in text and self._bindings.match(expected, text[: text.rindex("\n") + 1]),
                _SECONDS,
                command.text,
            )
            if self._show is not None:
                self._show(f"$ {command.text}\n{written}")
            return
        deadline = time.monotonic() + _SECONDS
        while True:
            if port is None and "engine.started" in log.read_text():
                return
            if port is not None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port[1])), 1):
                    return
            if process.poll() is not None or time.monotonic() > deadline:
                raise GuideError(f"{self._at(command)} does not work: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _with_ports(self, text: str) -> str:
        if "--port" in text:
            return text
        if re.search(r"\borgbridge up\b", text):
            return f"{text} --port 8000 --emulator-port 8080"
        if "emulator serve" in text:
            return f"{text} --port 8080"
        return f"{text} --port 8000" if re.search(r"\borgbridge serve\b", text) else text

    def _at(self, command: Command) -> str:
        return f"{self.page.name}:{command.line}: `{command.text}`"


def reasons(page: Path) -> Iterator[str]:
    """Yield why fences of a page are not run."""
    return (fence.rest for fence in fences(page.read_text()) if fence.verb == "skip")


def _main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="guide"))
    stand_ins = dict(pair.split("=", 1) for pair in sys.argv[2:])
    try:
        with Guide(Path(sys.argv[1]), folder, stand_ins=stand_ins, show=sys.stdout.write) as guide:
            guide.walk()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main()
