"""Code of the documentation's how-to pages, as files and as an installed package."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "how-to"
_BLOCK = re.compile(r"^(?:## (?P<title>[^\n]+)|```(?P<language>\w+)\n(?P<text>.*?)^```)$", re.MULTILINE | re.DOTALL)


def code_blocks(name: str) -> list[tuple[str, str, str]]:
    """Blocks of a page as (language, heading above it, text), in their order."""
    blocks, title = [], ""
    for match in _BLOCK.finditer((FOLDER / name).read_text(encoding="utf-8")):
        if match["title"] is not None:
            title = match["title"]
        else:
            blocks.append((match["language"], title, match["text"]))
    return blocks


def install_package(page: str, package: str, folder: Path) -> list[str]:
    """Write a page's package and its metadata to a folder for `sys.path`; returns the code that uses it.

    What stands in Python before the first TOML block is the package, all TOML its entry points, what follows its use.
    A block that begins with a comment such as `# other.py` is a file of its own.
    """
    blocks = code_blocks(page)
    first_toml = [language for language, _, _ in blocks].index("toml")
    files: dict[str, list[str]] = {}
    for text in (text for language, _, text in blocks[:first_toml] if language == "python"):
        named = re.match(r"# (\w+\.py)\n", text)
        files.setdefault(named[1] if named else f"{package}.py", []).append(text)
    for name, texts in files.items():
        (folder / name).write_text("\n".join(texts), encoding="utf-8")
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    points = "\n".join(text for language, _, text in blocks if language == "toml")
    points = points.replace('project.entry-points."', "").replace('"]', "]").replace('"', "")
    (metadata / "entry_points.txt").write_text(points, encoding="utf-8")
    return [text for language, _, text in blocks[first_toml:] if language == "python"]
