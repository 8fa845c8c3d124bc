"""The name of a file or class enters; one line of text that shows it leaves."""

from __future__ import annotations

import json
import re

# What breaks a line, or makes a terminal do something. Bytes that are not UTF-8 stay as they are.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def shown(name: str) -> str:
    r"""Return a name as it is, or as a JSON string in quotes where it has control characters.

    A name that begins with a quote is quoted too, so that the text always tells which name it is.

    >>> print(shown("cat/1.jpg"), shown("new\nline.jpg"), shown('"a".png'))
    cat/1.jpg "new\nline.jpg" "\"a\".png"
    """
    return json.dumps(name) if _CONTROL.search(name) or name.startswith('"') else name
