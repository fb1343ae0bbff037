"""A Dockerfile read, and carried out without Docker: its steps, replayed below a directory.

What Docker would put at `/opt` lands in `<root>/opt`, and such paths in the steps are rewritten.
The base image is this machine, with the Python that the tests run on; each stage begins with an
empty root. Owners are not replayed.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_OURS = re.compile(r"(?<![\w.\-/])/(?=(?:opt|src|srv|data)\b)")
_OWNER = re.compile(r"--(?:owner|group)=\S+\s*")


@dataclass(frozen=True, slots=True)
class Instruction:
    """`RUN …`, with continued lines joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments of the exec form, or those that a space parts."""
        found: list[str] = json.loads(self.text) if self.text[0] == "[" else shlex.split(self.text)
        return found


def read(file: Path) -> list[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = (line.partition(" ") for line in joined.splitlines() if line)
    return [Instruction(keyword, text.strip()) for keyword, _, text in parts]


def rules(file: Path) -> list[str]:
    """What .dockerignore says, line by line."""
    lines = (line.strip() for line in file.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def sent(path: str, ignore: list[str]) -> bool:
    """Whether a file goes to the builder: the last rule that fits it or a folder of it decides."""
    places = [str(place) for place in (PurePosixPath(path), *PurePosixPath(path).parents)]
    fitting = [
        rule for rule in ignore if any(map(_pattern(rule.removeprefix("!")).fullmatch, places))
    ]
    return not fitting or fitting[-1].startswith("!")


def _pattern(text: str) -> re.Pattern[str]:
    wild = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*|\?)", text)
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))


@dataclass
class Image:
    """What the steps make of an empty `directory`; the files come from `project`."""

    directory: Path
    project: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """What would be `/` in the image."""
        return self.directory / "root"

    def build(self, file: Path) -> None:
        """Carry out every step; one that fails says what it printed."""
        base = self.directory / "base"
        base.mkdir()
        (base / "python").symlink_to(Path(sys.base_prefix, "bin", "python3"))
        for instruction in read(file):
            self._carry_out(instruction)

    def below(self, text: str) -> str:
        """`text` with the paths that the image owns moved below its root."""
        return _OURS.sub(f"{self.root}/", text)

    def environment(self) -> dict[str, str]:
        """What a process in the image is told by its surroundings."""
        own = {name: self.below(value) for name, value in self.env.items()}
        return {"PATH": self._base_path} | own

    @property
    def _base_path(self) -> str:
        return f"{self.directory / 'base'}:{os.defpath}:/usr/sbin:/sbin"

    def _carry_out(self, instruction: Instruction) -> None:
        text = instruction.text
        match instruction.keyword:
            case "FROM":
                self._begin_stage()
            case "ENV":
                pairs = (word.partition("=") for word in instruction.words)
                self.env |= {k: value.replace("$PATH", self._base_path) for k, _, value in pairs}
            case "WORKDIR":
                self.workdir = text
                Path(self.below(text)).mkdir(parents=True)
            case "COPY":
                self._copy(instruction.words)
            case "RUN":
                self._run(text)
            case "ENTRYPOINT":
                self.entrypoint = instruction.words
            case "HEALTHCHECK":
                self.health = json.loads(text.partition("CMD ")[2])

    def _begin_stage(self) -> None:
        # there are two: what is left of the first is what the second copies from
        if self.root.exists():
            self.root.rename(self._built)
        self.root.mkdir()
        self.env, self.workdir = {}, "/"

    @property
    def _built(self) -> Path:
        return self.directory / "built"

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        if sources[0].startswith("--from="):
            # moved, not copied: its scripts know the place where they were made
            Path(self.below(target)).parent.mkdir(parents=True)
            (self._built / sources[1].lstrip("/")).rename(self.below(target))
            return
        into = Path(self.below(self.workdir), target)
        for source in sources:
            self._copy_from_project(source, into / source if target.endswith("/") else into)

    def _copy_from_project(self, source: str, target: Path) -> None:
        found = list(_files(self.project, source))
        assert found, f"COPY {source}: .dockerignore keeps it from the builder"
        for path in found:
            place = target / path.relative_to(self.project / source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def _run(self, command: str) -> None:
        # the index is this machine's affair, and its cache spares the same downloads at each run
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        image = {k: v for k, v in self.environment().items() if k != "PIP_NO_CACHE_DIR"}
        done = subprocess.run(  # noqa: S603 - the committed Dockerfile
            ["/bin/sh", "-ec", self.below(_OWNER.sub("", command))],
            cwd=Path(self.below(self.workdir)) if self.workdir != "/" else self.root,
            env={"HOME": str(Path.home())} | pip | image,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}{done.stderr}"


def _files(project: Path, source: str) -> Iterator[Path]:
    ignore = rules(project / ".dockerignore")
    start = project / source
    for path in [start] if start.is_file() else sorted(start.rglob("*")):
        if path.is_file() and sent(path.relative_to(project).as_posix(), ignore):
            yield path
