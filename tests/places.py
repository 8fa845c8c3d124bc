"""Folders of the checkout, for tests that read what is shipped."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
DOCS = ROOT / "docs"
SCRIPTS = ROOT / "scripts"
