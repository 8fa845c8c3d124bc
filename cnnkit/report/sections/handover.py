"""What the next person needs: exported models, the environment, the commands."""

from __future__ import annotations

from collections.abc import Iterator

from cnnkit.errors import DataError
from cnnkit.report.number_text import percent
from cnnkit.report.run_facts import RunFacts, read_json
from cnnkit.report.section import Section
from cnnkit.text import command_line, duration_text, shown, size_text

_PACKAGES = ("tensorflow", "keras", "numpy", "pillow")


def exports_section(facts: RunFacts) -> Section:
    """Return the section of exported models, each with its difference from the Keras model."""
    title = "Exported models"
    path = facts.run.export / "parity.json"
    command = f"cnnkit export {facts.run.argument}"
    if not path.is_file():
        missing = "Nothing is exported yet besides model.tflite, which predict uses."
        return Section("exports", title, missing=missing, command=command)
    found = read_json(path)
    try:
        values = {
            "limit": f"{found['limit']:g}",
            "num_images": found["num_images"],
            "rows": [
                (
                    name,
                    each["file"],
                    size_text(each["bytes"]),
                    f"{each['max_difference']:.1e}",
                    percent(each["top1_agreement"]),
                )
                for name, each in found["formats"].items()
            ],
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{shown(str(path))} is damaged: {error}. Write it again: {command}", path=str(path)
        ) from error
    return Section("exports", title, values)


def reproduction_section(facts: RunFacts) -> Section:
    """Return the section of versions and commands."""
    values = {
        "facts": list(_environment(facts)),
        "commands": list(_commands(facts)),
    }
    return Section("reproduction", "How to make it again", values)


def _environment(facts: RunFacts) -> Iterator[tuple[str, str]]:
    info = facts.info
    yield from ((name, str(value)) for name, value in info.get("versions", {}).items())
    for name, key in (("trained", "started"), ("seed", "seed")):
        if key in info:
            yield name, str(info[key]).split(".")[0].replace("T", " ")
    if isinstance(info.get("seconds"), int | float):
        yield "took", duration_text(info["seconds"])
    if resumed := info.get("resumed"):
        yield "resumed after epoch", ", ".join(map(str, resumed))
    if fingerprint := facts.data.get("fingerprint"):
        yield "images and labels", f"{fingerprint} (SHA-256)"


def _commands(facts: RunFacts) -> Iterator[tuple[str, str]]:
    """Yield (what it does, command)."""
    versions = facts.info.get("versions", {})
    packages = [f"{name}=={versions[name]}" for name in _PACKAGES if name in versions]
    if packages:
        own = f"cnnkit=={versions['cnnkit']}" if "cnnkit" in versions else "cnnkit"
        yield "Install the same versions", command_line("pip", "install", own, *packages)
    folds = ["--folds", str(len(facts.folds))] if facts.folds else []
    config = facts.folder / "config.yaml"
    name = ["--name", f"{facts.name}-again"]
    yield "Train it again", command_line("cnnkit", "train", str(config), *folds, *name)
    yield "Score it", f"cnnkit evaluate {facts.argument}"
    model = facts.run.argument
    yield "Classify images", f"cnnkit predict IMAGE --model {model}"
    yield "See why it answers so", f"cnnkit explain IMAGE --model {model}"
    yield "Make this page again", f"cnnkit report {facts.argument}"
