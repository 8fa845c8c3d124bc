"""Fill the lessons in docs/course with the output and the pictures of their own commands.

    python scripts/build_course.py                    # the index and all lessons, in place
    python scripts/build_course.py 1 3                # lessons 1 and 3
    python scripts/build_course.py --check 2          # what would differ in lesson 2; exit code 1

A lesson is a Markdown page with marked blocks. A marker is an HTML comment above the block:

    <!-- run: cnnkit train configs/lenet5.yaml
    keep: /^epoch 1 |^test/ -->                       the fenced block below shows only these lines
    <!-- picture: runs/lenet5/plots/curves.png
    width: 600 -->                                    the picture below, at most that wide

`keep` takes a regular expression of lines, `from` one (that line and all below it), or numbers of
lines such as `1-5 9`; `none` shows the command alone. The commands of a lesson run in their order
in a copy of docs/course, next to a link to scripts. Times and the names of folders of this computer
are removed from the output.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPTS = Path(__file__).resolve().parent
COURSE = SCRIPTS.parent / "docs" / "course"
INDEX = COURSE / "README.md"

_MARKER = re.compile(r"<!-- (run|picture): ")
_BLOCK = re.compile(
    r"<!-- (?P<kind>run|picture): (?P<what>.*?) -->\n"
    r"(?:```(?P<language>\w+)\n(?P<body>.*?)^```$|!\[(?P<alt>[^]]*)\]\((?P<file>[^)]+)\))",
    re.S | re.M,
)
_OPTIONS = re.compile(r"\n(keep|width): *(.*)")
# What differs from run to run and from computer to computer.
_TIMES = (
    (re.compile(r" +[\d,]+ images/s"), ""),
    (re.compile(r" +\d+ (s|min|h)( \d+ (s|min))? left"), ""),
    (re.compile(r"(,| ) ?\d+(\.\d+)? (s|ms|min|h)( \d+ (s|min))?(?=$|  )", re.M), ""),
)
_NOT_MET = 3  # exit code of a command whose requirement is not met, such as a pass mark
_SAME_LEVELS = 2.0  # pictures whose pixels differ by less on average are the same


class LessonError(Exception):
    """A page that cannot be read, or a command that failed."""


@dataclass(frozen=True)
class Block:
    """A marked block of a page.

    Attributes:
        kind: `run` or `picture`.
        what: the command, or the file in the work folder.
        options: `keep` and `width`, as written.
        language: of a fenced block.
        target: of a picture: its path from the page, such as `pictures/4-curves.png`.
        text: the whole block, with its marker.
        head: the marker.
    """

    kind: str
    what: str
    options: dict[str, str]
    language: str
    target: str
    text: str
    head: str

    @property
    def words(self) -> list[str]:
        """The words of the command line."""
        return shlex.split(self.what.replace("\\\n", " "))


def lessons() -> list[Path]:
    """Return the pages of all lessons, in order."""
    return sorted(COURSE.glob("[0-9]-*.md"))


def blocks_of(text: str, name: str) -> list[Block]:
    """Return the marked blocks of a page.

    Raises:
        LessonError: a marker without a block that fits.
    """
    found = [_block(match) for match in _BLOCK.finditer(text)]
    markers = len(_MARKER.findall(text))
    for block in found:
        if len(_MARKER.findall(block.text)) > 1 or (block.kind == "run") != bool(block.language):
            raise LessonError(f"{name}: no block of its kind follows this marker:\n{block.head}")
    if markers != len(found):
        raise LessonError(f"{name} has {markers} markers, but {len(found)} blocks that follow one.")
    return found


def _block(match: re.Match[str]) -> Block:
    what = _OPTIONS.sub("", match["what"]).strip()
    head = match[0][: match[0].index(" -->\n") + 5]
    return Block(
        match["kind"], what, dict(_OPTIONS.findall(match["what"])),
        match["language"] or "", match["file"] or "", match[0], head,
    )  # fmt: skip


def kept(output: str, rule: str | None) -> str:
    """Return the lines of an output that a rule keeps, with `...` where lines are left out."""
    lines = output.rstrip().splitlines()
    if rule is None:
        return "\n".join(lines)
    if rule == "none":
        return ""
    chosen = _chosen(lines, rule)
    if not chosen:
        raise LessonError(f"keep: {rule} keeps no line of this output:\n{output}")
    shown, last = [], -1
    for index in chosen:
        shown += ["..."] * (index > last + 1) + [lines[index]]
        last = index
    return "\n".join(shown + ["..."] * (last + 1 < len(lines)))


def _chosen(lines: list[str], rule: str) -> list[int]:
    """Return the indices of the lines that a rule keeps."""
    if rule.startswith("from /"):
        first = _chosen(lines, rule.removeprefix("from "))[:1]
        return [index for start in first for index in range(start, len(lines))]
    if rule.startswith("/"):
        pattern = re.compile(rule.strip("/"))
        return [index for index, line in enumerate(lines) if pattern.search(line)]
    chosen: list[int] = []
    for part in rule.split():
        first, _, last = part.partition("-")
        chosen += range(int(first) - 1, min(int(last or first), len(lines)))
    return chosen


class Workshop:
    """The folder in which the commands of a lesson run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "my-course"
        shutil.copytree(COURSE, self._folder, ignore=shutil.ignore_patterns("*.md", "pictures"))
        (folder / "scripts").symlink_to(SCRIPTS)

    def output(self, block: Block) -> str:
        """Run a command and return what it prints, without times and folders of this computer."""
        program, *arguments = block.words
        words = [sys.executable, *(["-m", program] if program == "cnnkit" else []), *arguments]
        environment = {**os.environ, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
        environment.pop("CNNKIT_RUNS", None)
        done = subprocess.run(
            words, cwd=self._folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode not in (0, _NOT_MET):
            raise LessonError(f"{block.what}\nfailed with {done.returncode}:\n{done.stdout}")
        return self._without_times_and_places(done.stdout)

    def _without_times_and_places(self, text: str) -> str:
        text = text.replace(f"{self._folder}/", "")
        if cache := os.environ.get("CNNKIT_CACHE"):
            text = text.replace(cache, "~/.cache/cnnkit")
        text = text.replace(str(Path.home()), "~")
        for pattern, replacement in _TIMES:
            text = pattern.sub(replacement, text)
        return "\n".join(line.rstrip() for line in text.splitlines())

    def picture(self, block: Block) -> Image.Image:
        """Return a picture that a command has drawn, with 256 colours, so that it is small."""
        path = self._folder / block.what
        if not path.is_file():
            raise LessonError(f"{block.what} was not written by a command above it.")
        image = Image.open(path).convert("RGB")
        width = int(block.options.get("width", image.width))
        if width < image.width:
            size = (width, round(image.height * width / image.width))
            image = image.resize(size, Image.Resampling.LANCZOS)
        return image.quantize(256, kmeans=2, dither=Image.Dither.NONE)


def follow(page: Path, folder: Path) -> tuple[list[tuple[Block, str]], dict[str, Image.Image]]:
    """Run the commands of a page.

    Returns:
        Each block with its new text, and the pictures by their path from the page.
    """
    workshop = Workshop(folder)
    texts, pictures = [], {}
    for block in blocks_of(page.read_text(encoding="utf-8"), page.name):
        print(f"  {block.what}", file=sys.stderr)
        if block.kind == "picture":
            pictures[block.target] = workshop.picture(block)
            texts.append((block, block.text))
            continue
        shown = kept(workshop.output(block), block.options.get("keep"))
        lines = [f"```{block.language}", f"$ {block.what}", *([shown] if shown else []), "```"]
        texts.append((block, block.head + "\n".join(lines)))
    return texts, pictures


def rebuild(page: Path, folder: Path) -> None:
    """Fill a page and write its pictures; the index gets the minutes."""
    start = time.monotonic()
    texts, pictures = follow(page, folder)
    minutes = (time.monotonic() - start) / 60
    text = page.read_text(encoding="utf-8")
    for block, new in texts:
        text = text.replace(block.text, new)
    page.write_text(text, encoding="utf-8")
    for target, image in pictures.items():
        (COURSE / target).parent.mkdir(exist_ok=True)
        image.save(COURSE / target, optimize=True)
    row = re.compile(rf"^(\| .*\({re.escape(page.name)}\) \|)[^|]*\|$", re.M)
    index = row.sub(rf"\g<1> {max(minutes, 0.1):.1f} |", INDEX.read_text(encoding="utf-8"))
    INDEX.write_text(index, encoding="utf-8")
    print(f"{page.name}: {len(texts)} blocks, {minutes:.1f} minutes")


def check(page: Path, folder: Path) -> bool:
    """Print what a page would have instead, and return whether it is as it should be."""
    texts, pictures = follow(page, folder)
    differ = [(block, new) for block, new in texts if block.text != new]
    for block, new in differ:
        print(f"{page.name}: {block.what}")
        lines = difflib.unified_diff(
            block.text.splitlines(), new.splitlines(), "page", "now", lineterm="", n=0
        )
        print("\n".join(lines))
    others = [name for name, image in pictures.items() if not _same(COURSE / name, image)]
    for name in others:
        print(f"{page.name}: {name} is another picture")
    print(f"{page.name}: {len(differ) + len(others)} of {len(texts)} blocks differ")
    return not differ and not others


def _same(path: Path, image: Image.Image) -> bool:
    if not path.is_file():
        return False
    old, new = (np.asarray(each.convert("RGB"), float) for each in (Image.open(path), image))
    return old.shape == new.shape and float(abs(old - new).mean()) < _SAME_LEVELS


def main() -> None:
    """Rebuild or check the lessons that were named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="1 to 9, or 0 for the index")
    parser.add_argument("--check", action="store_true", help="only say which blocks differ")
    arguments = parser.parse_args()
    pages = {"0": INDEX, **{page.name[0]: page for page in lessons()}}
    for name in arguments.lessons:
        if name not in pages:
            parser.error(f"there is no page {name}; there are {', '.join(pages)}")
    all_same = True
    for name in arguments.lessons or pages:
        with tempfile.TemporaryDirectory(prefix="course-") as folder:
            if arguments.check:
                all_same &= check(pages[name], Path(folder).resolve())
            else:
                rebuild(pages[name], Path(folder).resolve())
    sys.exit(0 if all_same else 1)


if __name__ == "__main__":
    try:
        main()
    except LessonError as error:
        sys.exit(str(error))
