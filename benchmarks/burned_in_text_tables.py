"""Tables of burned-in text for the documentation."""

from typing import Any

from kept_results import format_table, load_newest


def recall_table() -> str:
    """Table of lines that are gone or held back, by contrast and set of images; misses by size below it."""
    result, _ = load_newest("pixels")
    rows, misses = [], []
    for name, counts in result.items():
        for contrast, row in counts["by_contrast"].items():
            share = f"{row['gone or held']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            rows.append([name, contrast, row["lines"], row["blacked"], row["held back"], row["missed"], share])
        misses += [_miss(name, miss) for miss in counts["misses"]]
    header = ["", "contrast, gray levels", "lines", "black", "held back", "missed", "gone or held"]
    listed = "; ".join(misses) if misses else "none"
    return f"{format_table(header, rows)}Missed lines: {listed}.\n"


def _miss(name: str, miss: dict[str, Any]) -> str:
    return f"{miss['kind']} ({name}), contrast {miss['contrast']}, {miss['font']} of {miss['font_px']} pixels"


def clean_table() -> str:
    """Table of what the search costs images without text, and seconds of one core."""
    result, machine = load_newest("pixels")
    rows = []
    for name, counts in result.items():
        if not counts["images_without_identity"]:
            continue
        marks = f"{counts['marks_kept']} of {counts['marks']}" if counts["marks"] else ""
        rows.append(
            [
                name,
                counts["images_without_identity"],
                counts["of_them_held_back"],
                counts["of_them_blacked_over_1_percent"],
                f"{counts['largest_blacked_share']:.2%}",
                marks,
                counts["pixels_changed_outside_of_boxes"],
            ]
        )
    header = [
        "",
        "images",
        "held back",
        "blacked over 1 % of their area",
        "largest share blacked",
        "side markers kept",
        "pixels changed outside of boxes",
    ]
    archive = result["phantom archive"]
    seconds = ", ".join(f"{kind} {value}" for kind, value in archive["cpu_seconds_a_frame"].items())
    text = f"Seconds of one core a frame, median by modality ({machine['cpu']}): {seconds}.\n"
    return format_table(header, rows) + text
