"""The exercises of `cnnkit quiz`: their answers against Keras, scikit-learn and plain loops."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys

import pytest
from quiz_solutions import CHECKS, check
from whole_command import run

from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.sheet import KINDS, make_sheet
from cnnkit.quiz.topic_names import TOPIC_NAMES
from cnnkit.quiz.typed_answers import Choice, Decimal, Matrix, Names, Sizes, UnreadableError, Whole

_SEEDS = range(24)


@pytest.mark.parametrize("seed", _SEEDS)
def test_answers_are_what_keras_and_plain_loops_compute(seed):
    for exercise in make_sheet((), seed, len(TOPIC_NAMES)).exercises:
        check(exercise)


@pytest.mark.parametrize("topic", TOPIC_NAMES)
def test_every_kind_of_exercise_is_checked(topic):
    exercises = make_sheet((topic,), 1, 2 * len(KINDS[topic])).exercises
    assert {exercise.kind for exercise in exercises} == {kind.__name__ for kind in KINDS[topic]}
    for exercise in exercises:
        assert exercise.kind in CHECKS
        check(exercise)


@pytest.mark.slow
def test_answers_of_a_thousand_sheets():
    for seed in range(1000, 2000):
        for exercise in make_sheet((), seed, 10).exercises:
            check(exercise)


def test_every_solution_leads_to_the_answer():
    """Each formula of a solution evaluates to the number after its last equals sign."""
    names = {"floor": math.floor, "ceil": math.ceil, "max": max}
    evaluated = 0
    for seed in _SEEDS:
        for exercise in make_sheet((), seed, 18).exercises:
            for line in (
                exercise.solution if exercise.topic not in ("convolution", "pooling") else ()
            ):
                found = re.fullmatch(r"(?:.*: )?([^=:]*) = ([-\d.,]+?)(, learns|, frozen)?", line)
                if found is None or not re.fullmatch(r"(floor|ceil|max|[-+*/()\d., ])+", found[1]):
                    continue
                value = eval(found[1], {}, names)
                assert value == pytest.approx(float(found[2].replace(",", "")), abs=1e-3), line
                evaluated += 1
            assert exercise.solution
    assert evaluated > 500


def test_the_same_seed_gives_the_same_sheet_on_every_machine():
    """Written down once; another version of Python must give the same."""
    draw = Draw(7)
    assert [draw.whole(0, 99) for _ in range(8)] == [32, 15, 65, 7, 53, 36, 5, 50]
    assert draw.shuffled("abcdef") == list("adbcef")
    assert draw.matrix(2, 3, -1, 1) == [[-1, -1, 0], [1, 0, 0]]
    answers = [exercise.answer.text for exercise in make_sheet((), 7, 9).exercises]
    expected = "-5, 11 x 11 x 6, 29 x 29 x 16, 7 x 7 x 4, 9 8; 8 8, 151, 7, 0.3333, 992"
    assert answers == expected.split(", ")


def test_a_longer_sheet_begins_with_the_shorter_one_and_repeats_nothing():
    for topics in [(), ("padding",), ("transfer", "stride")]:
        long = make_sheet(topics, 5, 60).exercises
        assert long[:10] == make_sheet(topics, 5, 10).exercises
        assert len({(each.question, each.material) for each in long}) == 60
    assert make_sheet((), 5, 10).exercises != make_sheet((), 6, 10).exercises


def test_no_exercise_occurs_again_in_other_words():
    exercises = make_sheet(("padding",), 50_273, 28).exercises  # one was asked twice
    facts = [(each.kind, str(each.given), each.answer.text) for each in exercises]
    assert len(set(facts)) == len(facts)


def test_what_is_given_does_not_have_the_answer():
    for exercise in make_sheet(("padding", "stride"), 3, 30).exercises:
        if exercise.kind in ("keeping_border", "stride_from_sizes"):
            assert not {"layers", "strides", "padding"} & set(exercise.given)


def test_the_topics_of_the_help_are_those_of_the_sheets():
    assert list(KINDS) == list(TOPIC_NAMES)
    assert [each.topic for each in make_sheet((), 0, 9).exercises] == list(TOPIC_NAMES)


def test_the_right_answer_can_be_typed_as_the_key_shows_it():
    for seed in _SEEDS:
        for exercise in make_sheet((), seed, 18).exercises:
            answer = exercise.answer
            typed = answer.value if isinstance(answer, Choice) else answer.text
            assert answer.is_right(typed), (exercise.question, typed)


_SHAPE = Sizes((26, 26, 8), ("height", "width", "channels"))
_ROWS = Matrix(((1, -2), (0.5, 4)), 0.01)


@pytest.mark.parametrize(
    ("answer", "right", "wrong", "unreadable"),
    [
        (
            Whole(1216, "pixels"),
            ["1216", "1,216", " 1216 ", "1216 pixels"],
            ["1217", "-1216"],
            ["12.16", "x", "1e3", "1,21"],
        ),
        (
            Decimal(2 / 3, 0.001),
            ["2/3", "2 / 3", "0.667", "0,667", ".6664", "66.7%", "66.7 %", "0.6666666666666666"],
            ["0.66", "-2/3", "0.6688"],
            ["two", "1/0", "1/2/3", "1e-1", "nan"],
        ),
        (
            _SHAPE,
            ["26x26x8", "26, 26, 8", "(26, 26, 8)", "26 × 26 × 8"],
            ["26 x 26 x 3"],
            ["26", "a"],
        ),
        (
            _ROWS,
            [
                "1 -2; 0.5 4",
                "[[1,-2],[0.5,4]]",
                "1, -2; 1/2, 4;",
                "1 \u22122 ; .5 4",
                "1 -2; 0,5 4",
            ],
            ["1 -2; 0.5 4.1", "1 -2 0.5 4", "1 -2", "1 2; 0.5 4", "1,-2; 0,5 4"],
            ["1 -2; a 4", "1 -2; ; 0.5 4", "9" * 5000],
        ),
        (
            Names(("conv_2", "output"), ("conv_1", "conv_2", "output")),
            ["output, conv_2", "Conv_2 and output", "conv_2 output"],
            ["conv_2", "conv_1, conv_2, output"],
            ["conv_9", ","],
        ),
        (Choice(("no", "yes", "maybe"), 1), ["b", "B", "b)", "(b)"], ["a"], ["d", "yes", "ab"]),
    ],
)
def test_answers_are_read_as_people_type_them(answer, right, wrong, unreadable):
    for typed in right:
        assert answer.is_right(typed), typed
    for typed in wrong:
        assert not answer.is_right(typed), typed
    for typed in unreadable:
        with pytest.raises(UnreadableError, match=r"^Type .*\.$"):
            answer.is_right(typed)


# --- the command


def _answers(*words):
    sheet = json.loads(run("quiz", *words, "--json", "--key").stdout)
    return [each["answer_text"] for each in sheet["exercises"]]


def _ask(typed, *words):
    from click.testing import CliRunner

    from cnnkit.cli import main

    return CliRunner().invoke(main, ["quiz", *words], input=typed)


def test_exercises_are_asked_checked_and_explained():
    words = ("padding", "parameters", "--seed", "4", "--count", "4")
    first, second, third, _ = _answers(*words)
    found = _ask(f"{first}\nwhat\n{second}0\n\n", *words)
    assert found.exit_code == 0
    text = found.output
    assert "1 of 4, padding" in text
    assert text.count("Right.") == 1
    assert "Type a whole number, for example 12." in text
    assert f"Wrong. The answer is {second}." in text
    assert f"Skipped. The answer is {third}." in text
    assert "4 of 4, parameters" in text
    # the input ended, as after Ctrl-D
    assert "1 of 3 right. 1 is not answered." in text
    assert "Practise: cnnkit quiz parameters padding" in text
    assert "The same sheet again: cnnkit quiz padding parameters --seed 4 --count 4" in text


def test_ctrl_c_shows_the_score_so_far():
    command = [sys.executable, "-u", "-m", "cnnkit", "quiz", "stride", "--seed", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdin.write(f"{_answers('stride', '--seed', '1')[0]}\n")
        process.stdin.flush()
        shown = ""
        while "2 of 10" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "1 of 1 right. 9 are not answered." in out
    assert err.strip() == "Interrupted."
    assert process.returncode == 130


def test_the_sheet_has_no_answers_and_the_key_has_them():
    words = ("quiz", "--seed", "9", "--count", "18")
    sheet, key = run(*words, "--markdown").stdout, run(*words, "--markdown", "--key").stdout
    assert sheet.count("\nAnswer (") == key.count("\n**Answer: ") == 18
    assert "Answer: " not in sheet
    assert sheet.count("```") % 2 == key.count("```") % 2 == 0
    for answer in _answers("--seed", "9", "--count", "18"):
        assert f"**Answer: {answer}**" in key
    without = json.loads(run(*words, "--json").stdout)["exercises"][0]
    assert not {"answer", "answer_text", "solution"} & set(without)
    assert "receptive field" in run(*words, "--key").stdout


def test_only_the_key_says_from_which_seed_it_comes():
    sheet, key = run("quiz", "--seed", "9", "--markdown"), run("quiz", "--seed", "9", "--key")
    assert "--seed" not in sheet.stdout
    assert sheet.stderr == "The key of this sheet: cnnkit quiz --seed 9 --count 10 --key\n"
    assert "The sheet is printed by cnnkit quiz --seed 9 --count 10." in key.stdout


def test_a_sheet_without_a_seed_names_the_one_that_was_drawn():
    sheet = json.loads(run("quiz", "--json").stdout)
    again = json.loads(run(*sheet["command"].split()[1:], "--json").stdout)
    assert again == sheet


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--key",), "--key needs --seed"),
        (("--markdown", "--json"), "--markdown or --json, not both"),
        (("algebra",), "'algebra' is not one of 'convolution'"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--count", "0"), "0 is not in the range"),
    ],
)
def test_wrong_options_are_refused(words, text):
    found = run("quiz", *words)
    assert found.exit_code == 2
    assert text in found.output
