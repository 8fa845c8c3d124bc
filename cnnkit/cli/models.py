"""`cnnkit models`."""

from __future__ import annotations

from dataclasses import asdict

import click

from cnnkit.cli.command import Command, print_json
from cnnkit.cli.options import json_option


@click.command(
    cls=Command,
    examples=[
        "cnnkit models                     # the list",
        "cnnkit models resnet18 > my.yaml  # a config of your own",
    ],
)
@click.argument("name", required=False)
@json_option
def models(name: str | None, as_json: bool) -> None:
    """List the shipped configs and the pretrained backbones, or print a config to start from."""
    from cnnkit.explore.zoo import architecture, architectures, config_text

    if name and as_json:
        print_json({**asdict(architecture(name)), "config": config_text(name)})
    elif name:
        click.echo(config_text(name), nl=False)
    elif as_json:
        configs = [asdict(each) for each in architectures()]
        print_json({"configs": configs, "backbones": _backbones()})
    else:
        _print_table([asdict(each) for each in architectures()])
        _print_backbones(_backbones())


def _print_table(rows: list[dict]) -> None:
    width = max(len(row["name"]) for row in rows)
    click.echo(f"{'name':{width}}  {'input':>13}  classes  trained parameters  MFLOPs  source")
    for row in rows:
        shape = " x ".join(map(str, row["input_shape"]))
        flops = 2 * row["multiply_adds"] / 1e6
        click.echo(
            f"{row['name']:{width}}  {shape:>13}  {row['num_classes']:>7,}  "
            f"{row['trained_parameters']:>18,}  {flops:>6,.0f}  {row['source']}"
        )


def _backbones() -> list[dict]:
    from cnnkit.networks import NETWORKS

    keys = ("name", "minimum_size", "default_size", "parameters", "top1", "licence")
    return [{key: getattr(row, key) for key in keys} for row in NETWORKS.values()]


def _print_backbones(rows: list[dict]) -> None:
    width = max(len(row["name"]) for row in rows)
    click.echo("\nFor model.backbone, with ImageNet weights (docs/backbones.md):")
    click.echo(f"{'name':{width}}  at least  usual size  parameters  top-1  licence")
    for row in rows:
        top1 = "" if row["top1"] is None else f"{row['top1']:.3f}"
        click.echo(
            f"{row['name']:{width}}  {row['minimum_size']:>8}  {row['default_size']:>10}  "
            f"{row['parameters'] / 1e6:>8.1f} M  {top1:>5}  {row['licence']}"
        )
