"""The expected time of a proposal, and the choice of a recipe for given minutes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from click.testing import CliRunner
from images import write_pictures

from cnnkit.cli import main
from cnnkit.config import config_from_text, load_config
from cnnkit.data.image_facts import ImageFacts
from cnnkit.data.records import Source
from cnnkit.proposal import propose
from cnnkit.proposal.duration import training_seconds
from cnnkit.proposal.findings import Findings
from cnnkit.proposal.recipes import Recipe, recipe_for


def test_minutes_choose_the_most_accurate_recipe_that_fits():
    fact = ImageFacts(size=(300, 300))
    findings = Findings(Source("set", ()), "set", [fact], Counter(cat=500, owl=500))

    def seconds_of(recipe):
        times = 1.5 if recipe.network == "EfficientNetLite2" else 1
        return times * recipe.side**2 * (recipe.epochs + 1) / 1000

    assert recipe_for(findings, seconds_of, 1_300) == Recipe(224, 15, "EfficientNetLite2")
    assert recipe_for(findings, seconds_of, 1_000) == Recipe(224, 15)  # 803 s
    assert recipe_for(findings, seconds_of, 700) == Recipe(224, 10)
    assert recipe_for(findings, seconds_of, 300) == Recipe(160, 10)
    assert recipe_for(findings, seconds_of, 60) == Recipe(224, 0)
    assert recipe_for(findings, seconds_of, 9) is None


def test_the_expected_time_is_the_work_divided_by_the_speed():
    fact = ImageFacts(size=(224, 224))
    counts = Counter(cat=500, owl=500)
    findings = Findings(Source("set", ()), "set", [fact], counts, seconds_per_image=0.01)
    text = propose(findings, "set", Recipe(224, 10))
    slow = training_seconds(findings, config_from_text(text), 1e10)
    fast = training_seconds(findings, config_from_text(text), 2e10)
    small = training_seconds(
        findings, config_from_text(propose(findings, "set", Recipe(112, 10))), 1e10
    )
    fixed = 12 + 18 + 0.01 * 1000
    assert slow - fixed == pytest.approx(2 * (fast - fixed))
    assert slow - fixed == pytest.approx(4 * (small - fixed), rel=0.01)
    # 10 epochs of 800 images, forward and backward, and of 100 forward; the features of 900; the
    # evaluation of 200.
    passes = 10 * (3 * 800 + 100) + 900 + 200
    assert slow - fixed == pytest.approx(passes * 384e6 / (0.55 * 1e10), rel=0.01)


def test_large_batches_use_more_of_the_speed():
    fact = ImageFacts(size=(32, 32))
    counts = Counter(cat=25_000, owl=25_000)
    findings = Findings(Source("set", ()), "set", [fact], counts, from_scratch=True)
    text = propose(findings, "set", Recipe(None, 3))
    large = training_seconds(findings, config_from_text(text), 1e11)
    small = text.replace("batch_size: 256", "batch_size: 255")
    assert training_seconds(findings, config_from_text(small), 1e11) - 12 == pytest.approx(
        (large - 12) * 1.1 / 0.6
    )
    # 3 epochs of 40,000 images, forward and backward, and of 5,000 forward; then the evaluation.
    passes = 3 * (3 * 40_000 + 5_000) + 10_000
    assert large - 12 == pytest.approx(passes * 17.58e6 / (1.1 * 1e11), rel=0.01)


def test_init_says_how_long_the_training_takes_and_keeps_to_the_minutes(tmp_path, monkeypatch):
    write_pictures(tmp_path / "set", [(90, 120)], each=6)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cnnkit.proposal.multiply_adds_per_second", lambda: 1e8)
    done = run_init("set", "--json")
    expected = json.loads(done.stdout)["expected_seconds"]
    assert "Training takes about" in (tmp_path / "set.yaml").read_text().replace("\n# ", " ")
    done = run_init("set", "--json", "--overwrite", "--minutes", 0.6 * expected / 60)
    assert json.loads(done.stdout)["expected_seconds"] <= 0.6 * expected
    assert load_config("set.yaml").training.phases[-1].epochs < 25
    done = run_init("set", "--overwrite", "--minutes", 0.01)
    assert done.exit_code == 0
    assert "Training takes about" in done.stderr
    assert "No proposal is faster. Give more --minutes" in done.stderr


def run_init(*words):
    return CliRunner().invoke(main, ["init", *map(str, words)])
