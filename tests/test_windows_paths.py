r"""Windows paths in configs: what `\` in double quotes does to them, and what to write instead."""

from __future__ import annotations

import pytest

from cnnkit.config import load_config, read_yaml
from cnnkit.errors import ConfigError

ADVICE = "Write it in single quotes: "


def refusal(text):
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "a.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "what", "advised"),
    [
        (r"C:\Users\me\new", r"\ begins an escape", r"'C:\Users\me\new', or with /: C:/Users/me"),
        (r"D:\data", r"\d is unknown", r"'D:\data', or with /: D:/data."),
        (r"C:\new\temp", r"\n is a line break", r"'C:\new\temp', or with /: C:/new/temp."),
        (r"C:\temp", r"\t is a tab", r"'C:\temp'"),
        (r"C:\_photos", r"\_ is another character", r"'C:\_photos'"),
        (r"C:\xyz", r"\ begins an escape", r"'C:\xyz'"),
        ("D:\\photos\\", r"\p is unknown", r"'D:\photos', or with /: D:/photos."),
        ("D:\\new\\", r"\ begins an escape", r"'D:\new', or with /: D:/new."),
        (r"(patient\d+)_", r"\d is unknown", r"'(patient\d+)_'."),
    ],
)
def test_single_quotes_are_advised(written, what, advised):
    message = refusal(f'data: {{source: "{written}", image_size: 16}}\n')
    assert message.startswith("a.yaml:1:")
    assert f"in double quotes, {what}" in message
    assert ADVICE + advised in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"'C:\new\temp'", r"C:\new\temp"),
        (r'"C:\\new\\temp"', r"C:\new\temp"),
        (r"C:\new\temp", r"C:\new\temp"),
        (r'"caf\u00e9"', "café"),
        (r'"a\tb"', "a\tb"),
    ],
)
def test_other_ways_to_write_a_text_are_read(written, value):
    assert read_yaml(f"source: {written}\n", "a.yaml").data == {"source": value}


def test_a_relative_path_with_a_line_break_is_shown_escaped(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text('data: {source: "data\\new", image_size: 16}\nmodel: {layers: [flatten]}\n')
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert r'data.source  "data\new" has a control character' in str(caught.value)
    assert "write a path in single quotes, or with / instead of" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le"])
def test_configs_and_class_lists_of_windows_programs_are_read(tmp_path, encoding):
    config, classes = tmp_path / "c.yaml", tmp_path / "classes.txt"
    text = "data: {source: photos, image_size: 16, classes: classes.txt}\n"
    config.write_bytes((text + "model: {layers: [flatten]}\n").encode(encoding))
    classes.write_bytes("café\r\nthé\r\nmaté\r\n".encode(encoding))
    assert load_config(config).data.classes == ("café", "thé", "maté")
