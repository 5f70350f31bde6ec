"""Texts of a project's own files: JSON decoded, tables unpacked, pages, comments of pictures."""

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

_MAX_BYTES = 256 * 1024**2
_ROWS_AT_ONCE = 4_096
#: who did it is meant to be said
_PEOPLE_AT_WORK = frozenset({"actor", "decided_by"})


def file_texts(path: Path) -> Iterator[str]:
    """All texts of a file; its bytes as text where its kind is not known."""
    if path.suffix == ".parquet":
        yield from _table_texts(path)
        return
    data = path.open("rb").read(_MAX_BYTES)
    if path.suffix == ".png":
        yield from _picture_texts(path)
        return
    text = data.decode("utf-8", "replace")
    if path.suffix in (".json", ".jsonl"):
        try:
            parts = text.splitlines() if path.suffix == ".jsonl" else [text]
            yield from (found for part in parts for found in _json_texts(json.loads(part)))
            return
        except ValueError:
            pass
    yield unescape(text) if path.suffix in (".html", ".svg") else text


def _table_texts(path: Path) -> Iterator[str]:
    with pq.ParquetFile(path) as table:
        yield "\n".join(table.schema_arrow.names)
        yield "\n".join(f"{key} {value}" for key, value in (table.schema_arrow.metadata or {}).items())
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE):
            for name in set(batch.schema.names) - _PEOPLE_AT_WORK:
                yield "\n".join(
                    {str(value) for value in batch[name].to_pylist() if isinstance(value, (str, list, dict))}
                )


def _picture_texts(path: Path) -> Iterator[str]:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
        yield "\n".join(f"{key} {value}" for key, value in image.info.items())


def _json_texts(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _json_texts(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _json_texts(item, name)
    elif isinstance(value, str) and name not in _PEOPLE_AT_WORK:
        yield value
