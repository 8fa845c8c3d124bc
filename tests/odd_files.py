"""Change JSON documents, lines of text and checksummed files so that they still look whole."""

from __future__ import annotations

import hashlib
import json

_VALUES = (
    None, True, -1, 0, 10**30, 1.5, float("nan"), float("inf"), "", "x", "\ud800", "a\0b", "../..",
    "/etc/passwd", [], {}, [1], ["x"], {"a": 1}, "x" * 200_000,
)  # fmt: skip
_LINES = (
    "", " ", "\0", "\ufeff", '"', ",", ",,,,,,,,,", "path,label,split,sha256", "\udc80", "- a",
    "x" * 200_000, "../../etc/passwd,blue,test,", "a: {", "\t", "\u2028", "data: 1",
)  # fmt: skip


def odd_json(content, random):
    """Return a JSON document with other values at one to three places, or without them."""
    document = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        document = _changed(document, random)
    return json.dumps(document, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")


def _changed(value, random):
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return random.choice(_VALUES)
    place = random.choice(list(value if isinstance(value, dict) else range(len(value))))
    if random.random() < 0.2:
        del value[place]
    else:
        value[place] = _changed(value[place], random)
    return value


def odd_lines(content, random):
    """Return a text with lines and cells that are repeated, lost, moved or replaced."""
    lines = content.decode().split("\n")
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(lines))
        kind = random.randrange(6)
        if kind == 0:
            lines.insert(place, random.choice(_LINES))
        elif kind == 1 and len(lines) > 1:
            del lines[place]
        elif kind == 2:
            lines.append(lines[place])
        elif kind == 3:
            random.shuffle(lines)
        elif kind == 4:
            lines[place] = random.choice(_LINES)
        else:
            cells = lines[place].split(",")
            cells[random.randrange(len(cells))] = random.choice((*_LINES, *cells))
            lines[place] = ",".join(cells)
    return "\n".join(lines).encode(errors="surrogateescape")


def odd_index(content, random):
    """Return the index of a pack with other facts or rows, and with the checksum of these."""
    head, _, rows = content[:-32].partition(b"\n")
    kind = random.randrange(3)
    if kind == 0:
        head = odd_json(head, random)
    elif kind == 1:
        rows = rows[: random.randrange(len(rows))]
    else:
        rows = rows + rows[: random.choice((1, 32, 36))]
    changed = head + random.choice((b"\n", b"\n", b"\n", b"")) + rows
    return changed + hashlib.sha256(changed).digest()


def is_signed(content):
    """Tell whether a file ends in the checksum of what is before."""
    return hashlib.sha256(content[:-32]).digest() == content[-32:]
