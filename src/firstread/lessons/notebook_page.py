"""HTML page of an executed notebook that asks no server for anything."""

import html
from typing import Any

#: nbconvert's page without its scripts (require.js, MathJax, mermaid.js, widgets), which come from other servers, and with a
#: policy by which a browser loads nothing from elsewhere, whatever an output asks for
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="{{ resources.content_security_policy }}">
{%- endblock html_head_js -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
"""
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

    exporter = HTMLExporter(template_name="lab", embed_images=True, raw_template=_TEMPLATE)
    resources = {"metadata": {"name": title}, "content_security_policy": html.escape(CONTENT_SECURITY_POLICY)}
    page, _ = exporter.from_notebook_node(notebook, resources)
    return page
