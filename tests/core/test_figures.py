"""Figures: the learning curve shows each method with its interval, distinguishable without color."""

import numpy as np
import pandas as pd

from firstread.core.figures import describe_figure, figure_html, new_figure, plot_learning_curve, png_bytes, show_images


def table():
    rows = []
    for way, start in (("phantom", 0.8), ("random", 0.6)):
        for images in (5, 10, 50):
            mean = start + images / 500
            rows.append({"way": way, "images": images, "mean": mean, "low": mean - 0.05, "high": mean + 0.03})
    return pd.DataFrame(rows)


def test_a_learning_curve_shows_each_way_with_its_interval():
    axis = plot_learning_curve(table(), title="Few images").axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["phantom", "random"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["5", "10", "50"]
    lowest = min(segment[:, 1].min() for bars in axis.collections for segment in bars.get_segments())
    assert round(lowest, 3) == 0.56
    assert (
        len({line.get_linestyle() for line in axis.lines if line.get_marker() in "os" and len(line.get_xdata()) == 3})
        == 2
    )


def test_the_same_table_is_the_same_picture():
    assert png_bytes(plot_learning_curve(table())) == png_bytes(plot_learning_curve(table()))


def test_a_figure_says_what_it_shows_to_who_cannot_see_it():
    black = np.zeros((8, 8), np.uint8)
    assert describe_figure(show_images([black] * 2, ["chest", "abdomen"])) == "2 images: chest, abdomen"
    assert describe_figure(show_images([black] * 3, ["original"])) == "3 images, titled original"
    assert describe_figure(show_images([black])) == "1 image"
    text = describe_figure(plot_learning_curve(table(), title="Few images"))
    assert text == (
        "chart: Few images by training images of each class, accuracy, mean and 95% interval, curves phantom, random"
    )
    assert describe_figure(new_figure()[0]) == "chart: values"


def test_html_of_a_figure_has_its_text_escaped():
    html = figure_html(show_images([np.zeros((8, 8), np.uint8)], ['a "quoted" <name>']))
    assert 'alt="1 image: a &quot;quoted&quot; &lt;name&gt;"' in html
    assert html.count("data:image/png;base64,") == 1
