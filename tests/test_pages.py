"""What the Markdown pages name is there, and their code runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

FOLDERS = ("", "dataflow", "golden", "quant_models", "rtl_ref", "weights")
PAGES = {f"{folder}/README.md".lstrip("/"): REPOSITORY / folder for folder in FOLDERS}
TRACKED = ("dataflow", "golden", "quant_models", "rtl_ref", "scripts", "tests", "weights")
KINDS = {".lock", ".py", ".sh", ".toml", ".v", ".vlt"}
PLACEHOLDER = re.compile(r"[<*]|NAME")

each_page = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text()


def code_of(page: str) -> list[str]:
    """Return what a page shows as code: its blocks, and what stands between backticks."""
    blocks = text_of(page).split("```")
    return [*blocks[1::2], *re.findall(r"`([^`]+)`", "\n".join(blocks[::2]))]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(word: str, folder: Path) -> bool:
    """Say whether a path exists, or a bare name where a page may leave its folder out."""
    places = [REPOSITORY] if "/" in word else [REPOSITORY, REPOSITORY / "scripts", folder]
    return any((place / word).exists() for place in places)


def test_every_page_is_looked_at() -> None:
    own = [path for folder in TRACKED for path in (REPOSITORY / folder).rglob("*.md")]
    found = {str(path.relative_to(REPOSITORY)) for path in [*REPOSITORY.glob("*.md"), *own]}
    assert found == set(PAGES)


@each_page
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (PAGES[page] / path) if path else REPOSITORY / page
        assert target.exists(), link
        if anchor:
            assert target.suffix == ".md" and anchor in anchors_of(target), link


@each_page
def test_every_file_that_is_named_exists(page: str) -> None:
    words = {word for code in code_of(page) for word in re.findall(r"[\w./<>*-]+", code)}
    named = {
        word
        for word in words
        if not PLACEHOLDER.search(word)
        and (word.split("/")[0] in TRACKED if "/" in word else Path(word).suffix in KINDS)
    }
    assert {word for word in named if not is_there(word, PAGES[page])} == set()


@each_page
def test_every_verb_is_in_the_makefile(page: str) -> None:
    verbs = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    named = {verb for code in code_of(page) for verb in re.findall(r"\bmake (\w+)", code)}
    assert named <= set(verbs)


def blocks_of(page: str, heading: str) -> list[str]:
    """Return the blocks of code below a heading, each after the line that names its language."""
    section = text_of(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [block.partition("\n")[2] for block in section.split("```")[1::2]]


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder; return what it printed, which must be no error."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_python_of_the_page_about_integers_runs() -> None:
    (code,) = blocks_of("golden/README.md", "The floor-shift network")
    silence = "import numpy\nfingerprints = numpy.zeros((2, 30, 10), numpy.int8)\n"
    found = run([sys.executable, "-c", f"{silence}{code}\nprint(result.logits.shape)"], REPOSITORY)
    assert found == "(2, 4)\n"


@pytest.mark.rtl
def test_every_tool_reads_the_sources_as_the_page_says(
    require_tool: Callable[[str], None], tmp_path: Path
) -> None:
    for tool in ("iverilog", "verilator", "yosys"):
        require_tool(tool)
    for folder in ("rtl_ref", "weights"):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    python, shell = blocks_of("rtl_ref/README.md", "Reading the sources")
    run([sys.executable, "-c", python], tmp_path)
    said = run(["sh", "-ec", shell], tmp_path)
    assert "Top module:  \\kws_accelerator" in said
    assert "warning" not in said.lower()
