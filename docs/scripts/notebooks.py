"""Write what is published from the lessons and from the repository's address: notebooks, and links that open them.

`make notebooks` runs it; a test fails where a file differs from what it would write.
"""

from pathlib import Path
from urllib.parse import urlsplit

import nbformat

from firstread.core.files import write_text
from firstread.lessons import LessonInfo, find_lessons
from firstread.lessons.install_requirement import PLACEHOLDER_OWNER, repository_url

ROOT = Path(__file__).resolve().parents[2]
LINKS_PAGE = ROOT / "docs" / "how-to" / "colab-kaggle.md"
BEGIN, END = "<!-- links: written by make notebooks -->", "<!-- end of links -->"
_NO_ADDRESS = """
!!! note
    This copy of firstread has no public address yet, so these links lead nowhere. Whoever publishes it sets
    `Repository` in `pyproject.toml` and runs `make notebooks`. Until then, upload the file.
"""


def render_notebook(lesson: LessonInfo) -> str:
    """The notebook of a lesson as text."""
    return nbformat.writes(lesson.notebook()) + "\n"


def render_links(lessons: list[LessonInfo], *, repository: str) -> str:
    """Table of links that open each lesson in Colab or Kaggle, in Markdown."""
    path = urlsplit(repository).path.strip("/").removesuffix(".git")
    rows = ["| lesson | minutes | open | or upload |", "|---|---|---|---|"]
    for lesson in lessons:
        file = f"lessons/{lesson.folder.name}/lesson.ipynb"
        colab = f"https://colab.research.google.com/github/{path}/blob/main/{file}"
        kaggle = f"https://www.kaggle.com/kernels/welcome?src=https://github.com/{path}/blob/main/{file}"
        opened = f"[Open in Colab]({colab}) · [Open in Kaggle]({kaggle})"
        rows.append(f"| {lesson.title} | {lesson.values['minutes']} | {opened} | `{file}` |")
    note = _NO_ADDRESS if path.startswith(PLACEHOLDER_OWNER) else ""
    return "\n".join([*rows, note])


def render_page(page: str, links: str) -> str:
    """The page with its links in place of those between the two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{links}\n{END}{rest.split(END)[1]}"


def published_files() -> dict[Path, str]:
    """Every file that is written from the lessons and the address, with its text."""
    lessons = find_lessons(ROOT / "lessons")
    files = {lesson.folder / "lesson.ipynb": render_notebook(lesson) for lesson in lessons}
    links = render_links(lessons, repository=repository_url())
    return files | {LINKS_PAGE: render_page(LINKS_PAGE.read_text(encoding="utf-8"), links)}


if __name__ == "__main__":
    for path, text in published_files().items():
        write_text(path, text)
        print(path.relative_to(ROOT))
