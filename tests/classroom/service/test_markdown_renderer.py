"""Markdown of strangers: a text is shown as a text, and nothing in it runs, loads, leads away or covers the page."""

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("markdown_it", reason="the classroom needs firstread[classroom]")

from firstread.classroom.service.markdown_renderer import ELEMENTS, render_markdown

from ..simulated_class import ATTACK


class Elements(HTMLParser):
    """Elements and attributes as a browser would find them."""

    def __init__(self, html):
        super().__init__()
        self.names, self.attributes = set(), set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_decl(self, decl):
        self.names.add(decl)

    def handle_pi(self, data):
        self.names.add(data)


def is_harmless(html):
    found = Elements(html)
    return found.names <= ELEMENTS and found.attributes <= {"start"}


def test_a_text_is_shown_as_it_was_meant():
    html = render_markdown("# Title\n\nA **bold** word\nin `code`, and [more](https://example.org).\n\n3. three\n")
    assert html == (
        "<h1>Title</h1>\n<p>A <strong>bold</strong> word\nin <code>code</code>, and more.</p>\n"
        '<ol start="3">\n<li>three</li>\n</ol>\n'
    )
    table = render_markdown("| a | b |\n|---|:-:|\n| 1 | 2 |")
    assert "<td>2</td>" in table
    assert "style" not in table


@pytest.mark.parametrize(
    "text",
    [
        ATTACK,
        "<script>alert(1)</script>",
        "<style>body{display:none}</style>",
        '<div style="position:fixed;inset:0">all of the page</div>',
        "<svg onload=alert(1)>",
        "<!-- --!><img src=x onerror=alert(1)> -->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        '<form action="/services/classroom/actions/door"><button name=value value=locked>',
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[log in again](https://evil.example/login)",
        "<https://evil.example>",
        "[x]: javascript:alert(1)\n[x]",
        "![x](https://evil.example/pixel.png)",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        '![x](y "onerror=alert(1)")',
        "```html\n</code></pre><script>alert(1)</script>\n```",
        '``` "onmouseover=alert(1)\nx\n```',
        "`</code><script>alert(1)</script>`",
        "# <math><mtext></p><style><img src=x onerror=alert(1)>",
        "| <img src=x onerror=alert(1)> |\n|---|\n| x |",
        "&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62;",
        "\0<scr\0ipt>alert(1)</scr\0ipt>",
    ],
)
def test_nothing_of_an_attack_is_left_but_its_text(text):
    html = render_markdown(text)
    assert is_harmless(html), html
    assert "href" not in Elements(html).attributes
    assert str(html).strip()


@given(st.text(alphabet=st.sampled_from("<>&\"'`*_[]()!|#-:/=\n\\ aonscriptimgsvg\0"), max_size=200))
def test_whatever_is_written_only_elements_of_a_text_come_out(text):
    assert is_harmless(render_markdown(text))


@pytest.mark.parametrize("unit", ["[", "*a", "> ", "`a", "_a_ ", "<", "![", "[a](", "- ", "|a", "&amp;", "(("])
def test_a_long_row_of_signs_does_not_hold_the_service_up(unit):
    begin = time.process_time()
    render_markdown(unit * (6000 // len(unit)))
    assert time.process_time() - begin < 3
