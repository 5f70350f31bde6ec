"""Report: a self-contained HTML page of text, tables and figures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from firstread.core.errors import SettingError
from firstread.core.files import write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DISCLAIMER = "For teaching and research. Not a medical device; not for decisions about patients."


#: length of a text from which its column is set in lines, flush left
_LONG_TEXT = 36
#: columns of a table that can be such
_MOST_COLUMNS = 16


@dataclass
class Report:
    """HTML page, built from top to bottom. Every `add_*` method returns the report itself.

    Text of users or files is escaped; nothing in a page can run as script.
    """

    title: str
    subtitle: str = ""
    _parts: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def add_heading(self, text: str) -> Self:
        """Add a section heading."""
        return self._add("heading", text=text)

    def add_text(self, text: str) -> Self:
        """Add a paragraph."""
        return self._add("text", text=text)

    def add_table(self, table: "pd.DataFrame", *, caption: str = "") -> Self:
        """Add a table; numbers are shown with three decimals, long texts whole, in lines."""
        import pandas as pd

        with_index = not _has_default_index(table)
        first = 1 + (table.index.nlevels if with_index else 0)
        wide = [f"text-{place}" for place, name in enumerate(table, start=first) if _is_text(table[name])]
        with pd.option_context("display.max_colwidth", None):
            html = table.to_html(index=with_index, classes=wide, float_format="{:.3f}".format, na_rep="", border=0)
        return self._add("table", html=html, caption=caption)

    def add_figure(self, figure: "Figure | bytes", *, caption: str = "", alt: str = "") -> Self:
        """Add a matplotlib figure (or PNG bytes), embedded."""
        from firstread.core.figures import data_url, png_bytes

        png = figure if isinstance(figure, bytes) else png_bytes(figure)
        return self._add("figure", url=data_url(png), caption=caption, alt=alt or caption)

    def add_drawing(self, svg: str, *, caption: str = "", alt: str = "") -> Self:
        """Add a drawing as SVG, as wide as the page where it says so; a script in it could not run."""
        from firstread.core.figures import data_url

        url = data_url(svg.encode("utf-8"), kind="svg+xml")
        return self._add("figure", url=url, caption=caption, alt=alt or caption)

    def add_code(self, text: str, *, caption: str = "") -> Self:
        """Add preformatted text: settings, versions, a command."""
        return self._add("code", text=text, caption=caption)

    def add_links(self, pages: Mapping[str, str]) -> Self:
        """Add a list of links to files beside the page: relative path -> what is there.

        Raises:
            SettingError: a path that is not relative, or leads out of the page's folder.
        """
        for page in pages:
            if not re.fullmatch(r"(?!.*\.\.)[\w. -]+(/[\w. -]+)*", page):
                raise SettingError(
                    f'"{page}" is no file beside the page', expected='a relative path, such as "a/b.html"'
                )
        return self._add("links", pages=dict(pages))

    def html(self) -> str:
        """Render the page."""
        from jinja2 import Environment

        template = Environment(autoescape=True).from_string(_PAGE_TEMPLATE)
        columns = range(1, _MOST_COLUMNS + 1)
        return template.render(
            title=self.title, subtitle=self.subtitle, parts=self._parts, note=DISCLAIMER, columns=columns
        )

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, atomically."""
        return write_text(path, self.html())

    def show(self) -> "Report":
        """Return the report, which a notebook displays as the page."""
        return self

    def _repr_html_(self) -> str:
        frame = escape(self.html(), quote=True)
        return f'<iframe srcdoc="{frame}" style="width:100%;height:640px;border:1px solid #ccc" sandbox></iframe>'

    def _add(self, kind: str, **values: Any) -> Self:
        self._parts.append({"kind": kind, **values})
        return self


def _is_text(column: "pd.Series") -> bool:
    return any(isinstance(value, str) and len(value) >= _LONG_TEXT for value in column)


def _has_default_index(table: "pd.DataFrame") -> bool:
    return table.index.name is None and list(table.index) == list(range(len(table)))


_PAGE_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; --ink:#1b2430; --quiet:#5b6675; --line:#d9dee5; --accent:#0072B2; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink); background:#fff;
  max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; } .subtitle { color: var(--quiet); margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .6rem; padding-top: .8rem; border-top: 2px solid var(--line); }
.notice { border-left: 4px solid #D55E00; background:#fdf3ec; padding:.5rem .9rem; margin: 1rem 0; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; display:block; }
figcaption, caption { color: var(--quiet); font-size: .92rem; text-align: left; padding: .3rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
{% for n in columns %}.text-{{ n }} td:nth-child({{ n }}), .text-{{ n }} th:nth-child({{ n }}) {
  text-align: left; white-space: normal; min-width: 11rem; overflow-wrap: anywhere; }
{% endfor %}th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid var(--ink); }
pre { background:#f5f7f9; border:1px solid var(--line); padding:.8rem; overflow-x:auto; font-size:.85rem; }
@media print { body { max-width:none; padding:0; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
</style></head><body>
<h1>{{ title }}</h1>{% if subtitle %}<p class="subtitle">{{ subtitle }}</p>{% endif %}
<p class="notice">{{ note }}</p>
{% for part in parts %}
{% if part.kind == "heading" %}<h2>{{ part.text }}</h2>
{% elif part.kind == "text" %}<p>{{ part.text }}</p>
{% elif part.kind == "table" %}<div class="wide">
{% if part.caption %}<figcaption>{{ part.caption }}</figcaption>{% endif %}
{{ part.html | safe }}</div>
{% elif part.kind == "links" %}<ul>{% for page, words in part.pages.items() %}
<li><a href="{{ page }}">{{ page }}</a>: {{ words }}</li>{% endfor %}</ul>
{% elif part.kind == "figure" %}<figure><img src="{{ part.url }}" alt="{{ part.alt }}">
{% if part.caption %}<figcaption>{{ part.caption }}</figcaption>{% endif %}
</figure>
{% elif part.kind == "code" %}
{% if part.caption %}<figcaption>{{ part.caption }}</figcaption>{% endif %}
<pre>{{ part.text }}</pre>
{% endif %}{% endfor %}
</body></html>
"""
