"""The `firstread` command, one file a group of commands; nothing imports it."""

from firstread.cli.entry_point import app, main

__all__ = ["app", "main"]
