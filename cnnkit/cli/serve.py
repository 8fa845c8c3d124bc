"""`cnnkit serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say
from cnnkit.cli.model_options import foreign_model_options
from cnnkit.cli.options import number_option, runs_option
from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.foreign.how_to_read import HowToRead


@click.command(
    cls=Command,
    examples=[
        "cnnkit serve --model runs/photos",
        "cnnkit serve --model photos=runs/photos-3 --model digits=digits.tflite --port 8080",
    ],
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[NAME=]RUN|FILE|NETWORK",
    help="A run, a model file, a folder with numbered versions of one (1/, 2/, ...), or the name "
    "of a network that knows ImageNet. "
    "Repeatable: other models have other names, versions of a model the same. Default: the newest "
    "finished run.",
)
@foreign_model_options
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@number_option("--port", default=8000, least=0, most=65535, help="The port; 0 for any free one.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the key that requests must have. Default: the environment variable "
    "CNNKIT_API_KEY, or no key.",
)
@click.option(
    "--cors",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let web pages of this origin ask, as https://example.org. Repeatable. Default: none.",
)
@number_option("--max-images", default=32, help="The most images in a request.")
@number_option("--max-megabytes", default=32, help="The largest request.")
@number_option("--max-megapixels", default=50, help="The largest image.")
@number_option("--max-queue", default=128, help="Images that may wait; then the answer is 429.")
@number_option("--max-batch", default=8, help="The most images that a worker takes at a time.")
@number_option("--workers", default=0, least=0, help="Images side by side; 0 for one per core.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may take to arrive, and again its answer.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How long requests are still answered after SIGTERM, while /ready says no.",
)
@runs_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print the log as JSON lines on stdout, one a request."
)
def serve(
    models: tuple[str, ...],
    how: HowToRead,
    host: str,
    port: int,
    api_key_file: Path | None,
    origins: tuple[str, ...],
    max_images: int,
    max_megabytes: int,
    max_megapixels: int,
    max_queue: int,
    max_batch: int,
    workers: int,
    timeout: float,
    drain: float,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Answer images over HTTP, until it is stopped.

    The answers are those of `cnnkit predict`. A model is loaded again when its file changes. After
    SIGTERM or Ctrl-C, all requests that have come are answered.
    """
    from cnnkit.usable_cores import usable_cores

    key = _api_key(api_key_file)
    if max_queue < max_images:
        raise UsageError(f"--max-queue {max_queue} is less than --max-images {max_images}.")
    try:
        from cnnkit.serving.limits import MEGA, Limits
        from cnnkit.serving.serve_models import ServerSettings, serve_models
    except ModuleNotFoundError as error:
        if (error.name or "cnnkit").startswith("cnnkit"):
            raise
        raise UsageError(
            f'cnnkit serve needs {error.name}, which is an extra: pip install "cnnkit[serve]"'
        ) from error
    if key is None and host not in ("127.0.0.1", "::1", "localhost"):
        say(f"Everybody who reaches {host} may ask: set CNNKIT_API_KEY or --api-key-file.")
    limits = Limits(
        body_bytes=max_megabytes * MEGA,
        image_pixels=max_megapixels * MEGA,
        request_images=max_images,
        queue_images=max_queue,
        request_seconds=timeout,
        batch_images=max_batch,
        workers=workers or usable_cores(),
        drain_seconds=drain,
    )
    settings = ServerSettings(
        models, how, runs_folder, host, port, key, origins, limits, log_json=as_json
    )
    serve_models(settings, say)


def _api_key(file: Path | None) -> str | None:
    key = os.environ.get("CNNKIT_API_KEY")
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"--api-key-file {file} is not a UTF-8 text. Write the key into it as letters and "
                "digits."
            ) from error
        if not key:
            raise UsageError(f"--api-key-file {file} is empty.")
    return key or None
