"""`GET /`: a page that classifies pictures, for people."""

from __future__ import annotations

import functools

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from cnnkit.pages import render_page

router = APIRouter()

# The page says itself what it may load; this is what only headers can say.
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """Return the page. It needs no API key; what it asks does."""
    return HTMLResponse(_page(), headers=_HEADERS)


@functools.cache
def _page() -> str:
    return render_page("cnnkit.serving", "serve.html", title="Classify a picture", data={})
