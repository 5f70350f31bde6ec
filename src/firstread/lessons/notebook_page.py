"""HTML page of an executed notebook that asks no server for anything."""

import html
from typing import Any

#: nbconvert's page without its scripts (require.js, MathJax, mermaid.js, widgets), which come from other servers, and with a
#: policy by which a browser loads nothing from elsewhere, whatever an output asks for; a figure keeps the alternative text
#: that it has in the notebook
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="{{ resources.content_security_policy }}">
{%- endblock html_head_js -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
{%- block data_png scoped -%}
{%- set alt = output | get_metadata("alt", "image/png") -%}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
<img src="data:image/png;base64,{{ output.data["image/png"] | escape_html }}"{% if alt %} alt="{{ alt | escape_html }}"{% endif %}>
</div>
{%- endblock data_png -%}
"""
#: kinds of output, the preferred first; without widgets and scripts, beside which a notebook keeps a text
_SHOWN_OUTPUTS = "text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "text/plain"
#: Content Security Policy Level 3, section 6: only what stands in the page itself, and no script
CONTENT_SECURITY_POLICY = "default-src 'none'; img-src data:; font-src data:; media-src data:; style-src 'unsafe-inline'"


def render_notebook_page(notebook: Any, *, title: str) -> str:
    """Render a notebook with its outputs as one HTML file that opens anywhere, without a network.

    Nothing in it runs as a script: interactive outputs show what they have as text or as a picture. Formulas in TeX stay as
    they were typed.

    Args:
        notebook: executed notebook (nbformat).
        title: of the page.

    Example:
        >>> import nbformat
        >>> cell = nbformat.v4.new_markdown_cell("# Hello", id="a")
        >>> page = render_notebook_page(nbformat.v4.new_notebook(cells=[cell]), title="A lesson")
        >>> "<title>A lesson</title>" in page, "<script" in page
        (True, False)
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    shown = Config({"NbConvertBase": {"display_data_priority": list(_SHOWN_OUTPUTS)}})
    exporter = HTMLExporter(template_name="lab", embed_images=True, raw_template=_TEMPLATE, config=shown)
    resources = {"metadata": {"name": title}, "content_security_policy": html.escape(CONTENT_SECURITY_POLICY)}
    page, _ = exporter.from_notebook_node(notebook, resources)
    return page
