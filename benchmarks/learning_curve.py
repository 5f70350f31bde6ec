"""The learning-curve figure of the documentation and of lesson 1, from the newest benchmark that measured it.

Usage: python benchmarks/learning_curve.py, after `make bench ARGS="--only few"`
"""

import json
from pathlib import Path

import pandas as pd

from firstread.core.figures import plot_learning_curve, png_bytes

ROOT = Path(__file__).resolve().parents[1]
#: name in the benchmark -> name in the figure, in the order of the legend
WAYS = {
    "phantom, frozen, linear head": "phantom weights, frozen",
    "phantom, all weights trained": "phantom weights, all trained",
    "imagenet, frozen, linear head": "ImageNet weights, frozen",
    "imagenet, all weights trained": "ImageNet weights, all trained",
    "random, all weights trained": "random weights, all trained",
    "rule: 8x8 thumbnail": "rule: thumbnail of 8 x 8 pixels",
}


def newest() -> dict:
    """The newest result that has the work "few"."""
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json"), reverse=True):
        found = json.loads(file.read_text()).get("few", {})
        if any("mednist/rsna" in name for name in found):
            return found
    raise SystemExit('No result yet: run  make bench ARGS="--only few"')


def main() -> None:
    """Write docs/images/learning-curve.png and lessons/01-hello-world/learning-curve.csv."""
    rows = []
    for name, ways in newest().items():
        if name.startswith("mednist/rsna"):
            images = int(name.split()[1])
            rows += [
                {"way": shown, "images": images, **{k: ways[way][k] for k in ("mean", "low", "high")}}
                for way, shown in WAYS.items()
                if way in ways
            ]
    table = pd.DataFrame(rows)
    table.to_csv(ROOT / "lessons" / "01-hello-world" / "learning-curve.csv", index=False)
    title = "Five kinds of published images, read after few of them"
    (ROOT / "docs" / "images" / "learning-curve.png").write_bytes(png_bytes(plot_learning_curve(table, title=title)))


if __name__ == "__main__":
    main()
