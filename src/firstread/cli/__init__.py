"""Command-line interface `firstread`, one module per group of commands; no other package imports it."""

from firstread.cli.entry_point import app, main

__all__ = ["app", "main"]
