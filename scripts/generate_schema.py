"""Write `configs/schema.json`, with which editors complete and check configs.

    python scripts/generate_schema.py

With `--check`, write nothing, and exit with 1 if the file is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path

from generated_file import write_or_check

from cnnkit.config import json_schema

OUTPUT = Path(__file__).resolve().parent.parent / "configs" / "schema.json"

if __name__ == "__main__":
    write_or_check(OUTPUT, json.dumps(json_schema(), indent=1) + "\n")
