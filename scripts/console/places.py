"""Where things lie: the repository's own files, and what belongs to a network of some name."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RTL_FOLDER = REPOSITORY / "rtl_ref"


def network_name(path: Path) -> str:
    """Return the name of the network in a file: the file's, or its folder's for `network.npz`.

    A network lies in `weights/<name>/network.npz` beside its checkpoint, which is called
    `<name>.npz`; whatever commands write goes by this name.
    """
    name = path.name.removesuffix(".npz")
    return path.resolve().parent.name if name == "network" else name


def weights_folder(name: str) -> Path:
    """Return where the export of a network goes."""
    return Path("weights") / name


def vectors_folder(name: str) -> Path:
    """Return where the golden vectors of a network go."""
    return Path("golden/vectors") / name


def stored_vectors(network_path: Path) -> Path:
    """Return where the golden vectors of the network in a file are looked for: here, or else in the
    repository."""
    here = vectors_folder(network_name(network_path))
    return here if here.exists() or not (REPOSITORY / here).exists() else REPOSITORY / here


def golden_cases(network_path: Path) -> Path:
    """Return where the golden cases of the network in a file are looked for."""
    return stored_vectors(network_path) / "cases.npz"
