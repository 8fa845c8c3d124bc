"""Write a model card: what a model is for, how good it is and where it fails, in Markdown.

The fields and headings are those of Hugging Face, so that the file can be the README.md of a model
there. Nothing is claimed that was not measured.

Source: Mitchell et al. 2019, Model Cards for Model Reporting, arXiv:1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cnnkit.data.records import SPLITS
from cnnkit.evaluation.all_metrics import HEADLINE_METRICS
from cnnkit.files import write_text
from cnnkit.metrics import MOST_CLASSES_IN_FULL
from cnnkit.report.card_limits import limits_of
from cnnkit.report.card_text import code, markdown_table
from cnnkit.report.fold_card import (
    how_to_start,
    kept_epochs,
    limits_of_folds,
    spread_over_folds,
    training_time,
    what_it_is,
)
from cnnkit.report.kind_of_images import kind_of_images
from cnnkit.report.number_text import interval_text, metric_text
from cnnkit.report.run_facts import RunFacts, Scores, fold_facts, run_facts
from cnnkit.report.run_report import WrittenReport
from cnnkit.report.sections.request import network_in_words, request_section
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import FoldRuns
from cnnkit.text import count_of, duration_text, shown, size_text

# The name of a metric on Hugging Face -> the key in metrics.json.
_HUB_METRICS = {
    "accuracy": "accuracy",
    "f1": "macro_f1",
    "roc_auc": "roc_auc",
    "brier_score": "brier_score",
    "matthews_correlation": "matthews_corrcoef",
}
FILE_NAME = "model_card.md"
_PACKAGES = ("cnnkit", "tensorflow", "keras", "python")
_UNKNOWN = "not stated; add it to the copy that you publish"


def write_model_card(of: Run | FoldRuns) -> Path:
    """Write model_card.md into a finished run or cross-validation, and return its path.

    Raises:
        UsageError: files of the run are missing or damaged.
        DataError: results of an evaluation are damaged.
    """
    facts = fold_facts(of) if isinstance(of, FoldRuns) else run_facts(of)
    path = of.folder / FILE_NAME
    write_text(path, card_text(facts))
    return path


def with_model_card(written: WrittenReport, of: Run | FoldRuns) -> WrittenReport:
    """Write the model card too if the report is that of a finished run or cross-validation."""
    if isinstance(of, Run) and of.info()["status"] != "finished":
        return written  # a cross-validation that is not finished has no report
    return replace(written, model_card=write_model_card(of))


def card_text(facts: RunFacts, model: str = "model.tflite") -> str:
    """Return the card: the front matter, which programs read, and the sections.

    Args:
        facts: about the run.
        model: the file beside the card that is used in its examples.
    """
    sections = (
        _summary(facts),
        _details(facts),
        _uses(facts),
        _limits(facts),
        _start(facts, model),
        _training(facts),
        _evaluation(facts),
        _environment(facts),
    )
    lines = [line for section in sections for line in (*section, "")]
    return f"---\n{_front_matter(facts)}---\n\n" + "\n".join(lines)


def _front_matter(facts: RunFacts) -> str:
    """Return the YAML fields. There is no license, because it is not known."""
    kind = kind_of_images(facts)
    values: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": kind.task,
        "tags": [kind.task, "keras", "tflite", "cnnkit"],
    }
    if scores := facts.judged:
        names = {
            key: name for key, name in _HUB_METRICS.items() if _value(scores, name) is not None
        }
        values["metrics"] = list(names)
        task = {"type": kind.task, "name": kind.task.replace("-", " ").capitalize()}
        dataset = {"name": _data_name(facts), "type": kind.loader, "split": scores.name}
        metrics = [
            {"type": key, "value": _value(scores, name), "name": name}
            for key, name in names.items()
        ]
        result = {"task": task, "dataset": dataset, "metrics": metrics}
        values["model-index"] = [{"name": facts.name, "results": [result]}]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _value(scores: Scores, name: str) -> float | None:
    return scores.metrics.get(name)


def _data_name(facts: RunFacts) -> str:
    # Not the path: it would tell strangers how folders of this computer are called.
    own = None if facts.folds else facts.data.get("source")
    return Path(str(own or facts.config.data.source)).name


def _summary(facts: RunFacts) -> Iterator[str]:
    number = count_of(len(facts.class_names), "class", "classes")
    yield f"# Model card of {shown(facts.name)}"
    yield ""
    words = kind_of_images(facts)
    yield f"{words.classifier} with {number}: {network_in_words(facts.config.model)}."
    if scores := facts.judged:
        ends = scores.metrics.get("intervals", {}).get("accuracy")
        between = f" (95% interval {interval_text('accuracy', ends)})" if ends else ""
        accuracy = metric_text("accuracy", scores.metrics["accuracy"])
        kind = words.noun if facts.folds else f"{scores.name} {words.noun}"
        images = count_of(scores.metrics["num_images"], kind)
        yield f"It is right for {accuracy} of {images}{between}."
    if facts.folds:
        yield from ("", what_it_is(facts))


def _details(facts: RunFacts) -> Iterator[str]:
    height, width = facts.config.data.image_size
    colour = "RGB" if facts.config.data.color_mode == "rgb" else "grey"
    yield from ("## Model details", "")
    yield f"- **Classes**: {_class_list(facts.class_names)}"
    yield f"- **Network**: {network_in_words(facts.config.model)}"
    if isinstance(number := facts.info.get("parameters"), int):
        yield f"- **Parameters**: {number:,}"
    yield (
        f"- **Input**: one image or a batch, `uint8` {colour} values from 0 to 255, "
        f"{height} x {width} pixels; scaling is part of the model{kind_of_images(facts).more_input}"
    )
    yield f"- **Output**: {_output(facts)}"
    yield f"- **Developed by**: {_UNKNOWN}"
    yield f"- **License**: {_UNKNOWN}"


def _class_list(names: Sequence[str]) -> str:
    few = ", ".join(map(code, names[:MOST_CLASSES_IN_FULL]))
    more = len(names) - MOST_CLASSES_IN_FULL
    return f"{few} and {more:,} more" if more > 0 else few


def _output(facts: RunFacts) -> str:
    if facts.is_calibrated:
        return (
            "calibrated probabilities of the classes, and in `model.tflite` the distance from the "
            "training images, by which cnnkit answers `unknown`"
        )
    return "probabilities of the classes, which are not calibrated"


def _uses(facts: RunFacts) -> Iterator[str]:
    kind = kind_of_images(facts)
    yield from ("## Uses", "", "### Direct use", "", kind.use)
    yield from ("", "### Out-of-scope use", "")
    if facts.is_calibrated:
        yield (
            f"{kind.foreign}. cnnkit answers `unknown` if {kind.one} is too far from the training "
            f"{kind.noun}s; a program that uses the probabilities alone gets one of the classes."
        )
    else:
        every = kind.one.replace("a ", "every ", 1)
        yield f"{kind.foreign}: the model names one of its classes for {every}."
    yield "Decisions about people, or where an error does harm, without a person who checks them."


def _limits(facts: RunFacts) -> Iterator[str]:
    yield from ("## Bias, risks, and limitations", "")
    yield from (f"- {sentence}" for sentence in limits_of(facts))
    if facts.folds:
        yield f"- {limits_of_folds()}"


def _start(facts: RunFacts, model: str) -> Iterator[str]:
    yield from ("## How to get started with the model", "")
    if facts.folds:
        yield from how_to_start(facts)
        return
    kind = kind_of_images(facts)
    word = kind.noun.upper()
    yield from ("```", "pip install cnnkit", f"cnnkit predict {word} --model {model}", "```", "")
    yield f"Or in Python, with {kind.any_file}:"
    yield from ("", "```python", "import cnnkit", "")
    yield from (f'model = cnnkit.load_run("{model}")', f'print(model.predict(["{kind.file}"]))')
    yield "```"


def _training(facts: RunFacts) -> Iterator[str]:
    yield from ("## Training details", "", "### Training data", "")
    yield f"{code(_data_name(facts))}:"
    found = facts.counts()
    counts = {split: found[split] for split in (*SPLITS, *found) if split in found}
    rows = [
        [code(name), *(f"{of_split.get(name, 0):,}" for of_split in counts.values())]
        for name in facts.class_names[:MOST_CLASSES_IN_FULL]
    ]
    totals = ["all", *(f"{sum(of_split.values()):,}" for of_split in counts.values())]
    yield from ("", *markdown_table(["class", *counts], [*rows, totals]), "")
    if left_out := facts.data.get("skipped"):
        yield f"{count_of(len(left_out), 'image')} could not be read and was left out."
        yield ""
    yield from ("### Training procedure", "")
    for topic, sentences in request_section(facts.config).values["topics"]:
        yield f"- **{topic}**: {shown(' '.join(sentences))}"
    epochs, best = facts.info.get("epochs"), facts.info.get("best_epoch")
    if facts.folds:
        yield f"- **Epochs**: {kept_epochs(facts)}"
    elif epochs and best:
        yield f"- **Epochs**: {epochs:,}, of which epoch {best:,} is kept."


def _evaluation(facts: RunFacts) -> Iterator[str]:
    yield from ("## Evaluation", "")
    scores = facts.judged
    if scores is None:
        yield "The model was not evaluated."
        return
    seen = f"{scores.name} image" if not facts.folds else "image"
    yield (
        f"On {count_of(scores.metrics['num_images'], seen)} that the training did not see. A 95% "
        "interval says what the value could be on other images of the same kind."
    )
    if facts.folds:
        yield spread_over_folds(facts)
    if scores.name != "test":
        yield "These images decided which epoch is kept, so the numbers are a little too good."
    intervals = scores.metrics.get("intervals", {})
    rows = [
        [name, metric_text(name, value), interval_text(name, intervals.get(name))]
        for name in HEADLINE_METRICS
        if (value := _value(scores, name)) is not None
    ]
    yield from ("", *markdown_table(["metric", "value", "95% interval"], rows), "")
    yield from _of_classes(scores)


def _of_classes(scores: Scores) -> Iterator[str]:
    per_class = {
        name: values for name, values in scores.metrics["per_class"].items() if values["support"]
    }
    shown_first = sorted(per_class, key=lambda name: per_class[name]["recall"])
    chosen = shown_first if len(shown_first) > MOST_CLASSES_IN_FULL else list(per_class)
    names = chosen[:MOST_CLASSES_IN_FULL]
    keys = ("precision", "recall", "f1")
    rows = []
    for name in names:
        values = per_class[name]
        recall = values.get("intervals", {}).get("recall")
        cells = [metric_text(key, values[key]) for key in keys]
        rows.append([code(name), *cells, interval_text("recall", recall), f"{values['support']:,}"])
    yield from markdown_table(["class", *keys, "95% interval of recall", "images"], rows)
    if len(chosen) > len(names):
        yield f"and {len(chosen) - len(names):,} more classes, whose recall is higher."


def _environment(facts: RunFacts) -> Iterator[str]:
    info = facts.info
    versions = info.get("versions", {})
    yield from ("## Technical specifications", "")
    seconds = info.get("seconds")
    took = duration_text(seconds) if isinstance(seconds, int | float) else None
    if took := training_time(facts) if facts.folds else took:
        platform = f" on {versions['platform']}" if "platform" in versions else ""
        yield f"- **Training time**: {took}{platform}"
    if facts.run.tflite.is_file():
        yield f"- **Size of `model.tflite`**: {size_text(facts.run.tflite.stat().st_size)}"
    known = [f"{name} {versions[name]}" for name in _PACKAGES if name in versions]
    yield f"- **Software**: {', '.join(known)}"
    yield "- **Carbon emitted**: not measured"
