"""Build `cnnkit-predict`: the same package and command with only what `cnnkit predict` needs.

    python scripts/build_predict_wheel.py dist/

TensorFlow and everything for training are left out, so that a device or a server that only
predicts needs a tenth of the room. The result and `cnnkit` have the same files: install one of
them into an environment, not both.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Of the dependencies in pyproject.toml.
NEEDED = tuple("pillow click numpy opencv-python-headless psutil ai-edge-litert urllib3".split())
SOURCES = ("cnnkit", "configs", "pyproject.toml", "README.md", "LICENSE")


def main() -> None:
    """Build the wheel and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, metavar="FOLDER")
    output = parser.parse_args().output.resolve()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in SOURCES:
            if (ROOT / name).is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, copy / name, ignore=ignore)
            else:
                shutil.copy(ROOT / name, copy / name)
        project = copy / "pyproject.toml"
        project.write_text(light(project.read_text(encoding="utf-8")), encoding="utf-8")
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(output), str(copy)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(next(output.glob("cnnkit_predict-*.whl")))


def light(project: str) -> str:
    """Return a pyproject.toml with the other name, fewer dependencies and no extras."""
    head, begin, rest = project.partition("dependencies = [\n")
    dependencies, _, rest = rest.partition("\n]\n")
    kept = [line for line in dependencies.splitlines() if line.strip().startswith(_quoted(NEEDED))]
    if len(kept) != len(NEEDED):
        sys.exit("pyproject.toml does not have all of " + ", ".join(NEEDED))
    rest = re.sub(r"\[project\.optional-dependencies\]\n.*?\n(?=\[)", "", rest, flags=re.S)
    head = head.replace('name = "cnnkit"', 'name = "cnnkit-predict"')
    return "\n".join([head + begin.rstrip(), *kept, "]", rest])


def _quoted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f'"{name}>=' for name in names)


if __name__ == "__main__":
    main()
