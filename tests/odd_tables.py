"""Make CSV, JSONL and list files as people and programs leave them: odd cells, odd encodings."""

from __future__ import annotations

import json

IMAGES = [
    "../input/a.png", "../input/b c.png", "../input/sub/d\xe9.png", "../input/sub/e.jpg",
    "../input/f.png", "../input/g.png", "..\\input\\a.png", "../input/sub/de\u0301.png",
]  # fmt: skip
_PATHS = [
    "", " ", ".", "..", "/", "../../../etc/passwd", "/etc/passwd", "/dev/zero", "/dev/stdin",
    "https://example.com/a.jpg", "s3://b/c.png", "file:///etc/passwd", "C:\\x\\a.png",
    "\\\\server\\share\\a.png", "../input", "../input/broken.jpg", "../input/a", "a\0b.png",
    "../input/a.png ", " ../input/a.png", "../input/A.PNG", "x.tfrecord#0", "../input/r.tfrecord",
    "../input/r.tfrecord#0", "../input/r.tfrecord#99999999999999999999", "~/a.png", "$HOME/a.png",
    "-", "--help", "*", "a" * 300, "x/" * 3000, "a" * 140_000, "\ufeff../input/a.png",
    "\u202e../input/a.png", "a\nb.png", "a\rb", "\x1b[2J", "nan", "../input/a.png/b.png",
    "../input/./../input/a.png", "../input/loop.png", "%00",
]  # fmt: skip
_LABELS = [
    "cat", "dog", "Cat", "cat ", "e\u0301", "\xe9", "", "0", "1", "1.0", "nan", "None", "NaN",
    "cat|dog", "a/b", "a\nb", "..", "=1+1", "\0", "\u2028", "x" * 140_000, '"', "'", "no",
]  # fmt: skip
_SPLITS = ["train", "test", "validation", "val", "Train", "0", "", "holdout", "train,test", " test"]
_GROUPS = ["", "g1", "g2", "\xe9", "1e400", "\0"]
_HASHES = ["", "0" * 64, "F" * 64, "0" * 63, "x", "0" * 65]
_NAMES = [
    "path", "label", "split", "group", "sha256", "Path", " label ", "filename", "class", "",
    "\ufeffpath", "path", "x" * 5000, "a.png", "labels",
]  # fmt: skip
_ENCODINGS = [
    *["utf-8"] * 8, "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1",
    "cp1252", "shift_jis", "utf-7",
]  # fmt: skip
_ENDS = [*["\n"] * 5, "\r\n", "\r", "\n\n", "\n\r", "\0", "\u2028", "\x0b"]
_SEPARATORS = [*[","] * 5, ";", "\t", "|", ":", " "]
_JSON_LINES = [
    "null", "[]", "{}", "1", '"path"', "{", "}{", "[" * 100_000, '{"a":' * 50_000, "NaN", "-", "\0",
    '{"path": "../input/a.png", "path": "b", "label": "cat"}', '{"path": 1e999, "label": 1}',
    '{"path": "../input/a.png", "label": ' + "9" * 10_000 + "}", "\\", "'", "true",
    '{"path": "../input/a.png", "label": "\\ud800"}', '{"path": "\\ud800", "label": "cat"}',
    '{"path": "../input/a.png", "label": "cat", "group": "\\udfff"}',
    '{"path": "\\udc80.png", "label": "cat", "split": "\\ud800"}',
    '{"path": "../input/a.png", "label": "cat", "sha256": "\\ud800"}',
    '{"\\ud800": 1}', '{"\\ud800": 1, "\\ud800": 1}', '{"path": null, "label": null}',
]  # fmt: skip


def odd_csv(random):
    """Return the bytes of a CSV file."""
    names = ["path", "label", *random.sample(["split", "group", "sha256", "other"], k=2)]
    if random.random() < 0.2:
        names = random.choices(_NAMES, k=random.randrange(8))
    separator, quote = random.choice(_SEPARATORS), random.choice(['"', '"', '"', "'", ""])
    rows = [names]
    for _ in range(random.choice((0, 1, 6, 6, 6, 30))):
        row = [_cell(name, random) for name in names]
        if random.random() < 0.1:
            row = row[: random.randrange(len(row) + 1)] + ["more"] * random.randrange(3)
        rows.append(row)
    is_quoted = random.random() < 0.3
    lines = [_joined(row, separator, quote, is_quoted) for row in rows]
    if random.random() < 0.1:
        lines.insert(0, random.choice([f"sep={separator}", "", "sep=", "#comment", "sep=x"]))
    end = random.choice(_ENDS)
    return _encoded(end.join(lines) + random.choice(("", end)), random)


def _joined(row, separator, quote, is_quoted):
    cells = []
    for cell in row:
        if is_quoted or separator in cell or "\n" in cell:
            cell = f"{quote}{cell.replace(quote, quote * 2) if quote else cell}{quote}"
        cells.append(cell)
    return separator.join(cells)


def odd_json_lines(random):
    """Return the bytes of a JSONL file."""
    lines = []
    for _ in range(random.choice((0, 1, 6, 6, 30))):
        names = ["path", "label", *random.sample(["split", "group", "sha256", "other"], k=2)]
        row = {name: _value(name, random) for name in names}
        if random.random() < 0.1:
            del row[random.choice(names)]
        lines.append(json.dumps(row, ensure_ascii=random.random() < 0.7))
    if random.random() < 0.05:
        return _encoded(json.dumps(lines), random)
    for _ in range(random.choice((0, 0, 1, 2))):
        lines.insert(random.randrange(len(lines) + 1), random.choice(_JSON_LINES))
    return _encoded(random.choice(_ENDS[:6]).join(lines), random)


def odd_list(random):
    """Return the bytes of a list of paths, as for `predict -`."""
    paths = [*IMAGES, *(path[:20_000] for path in _PATHS)]
    chosen = random.choices(paths, k=random.choice((0, 1, 5, 20)))
    return _encoded(random.choice(_ENDS).join(chosen) + random.choice(("", "\n", "\0")), random)


def _cell(name, random):
    usual = {"path": IMAGES, "label": ["cat", "dog"], "split": _SPLITS[:4], "sha256": [""]}
    odd = {"path": _PATHS, "label": _LABELS, "split": _SPLITS, "group": _GROUPS, "sha256": _HASHES}
    if random.random() < 0.9 and name in usual:
        return random.choice(usual[name])
    return random.choice(odd.get(name, _LABELS))


def _value(name, random):
    if random.random() < 0.9:
        return _cell(name, random)
    odd = [None, True, 0, -1.5, 10**30, float("nan"), float("inf"), [], {}, ["a"], {"a": [1, {}]}]
    return random.choice([*odd, "\ud800", "a\0", "\udc80", [[[[]]]]])


def _encoded(text, random):
    encoding = random.choice(_ENCODINGS)
    return text.encode(encoding, "surrogatepass" if encoding[:3] == "utf" else "replace")
