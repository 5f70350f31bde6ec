"""Tables of de-identification: score by the truth of a phantom archive, and speed on published files."""

from typing import Any

from kept_results import format_table, load_newest

PROGRAMS = {
    "firstread": "firstread",
    "dicom-anonymizer": "dicom-anonymizer 2.1",
    "deid": "deid 0.4",
    "dicognito": "dicognito 0.19",
}


def score_table() -> str:
    """Share of the truth's rows that each program fulfilled, by action, and the files that it did not write."""
    result, machine = load_newest("deidentification-score")
    programs = [program for program in PROGRAMS if "by_action" in result.get(program, {})]
    actions = sorted({action for program in programs for action in result[program]["by_action"]})
    rows = [[action, *(_share(result[program]["by_action"].get(action)) for program in programs)] for action in actions]
    rows.append(["*all*", *(f"**{result[program]['overall']:.2%}**" for program in programs)])
    rows.append(["rows scored", *(f"{result[program]['scored']:,}" for program in programs)])
    for action in ("text_removed", "pixels_hidden"):
        counts = (result[program]["hidden_by_holding"].get(action, 0) for program in programs)
        rows.append([f"... of {action}, hidden because the file is not written", *(f"{count:,}" for count in counts)])
    rows.append(["files not written", *(str(result[program]["not_written"]) for program in programs)])
    kinds = {
        "waits for a person": "of a kind that a person has to look at",
        "fault": "with a fault that demands it",
        "plain": "of all others",
    }
    for kind, words in kinds.items():
        rows.append([f"... {words}", *(_not_written(result[program]["files_by_kind"], kind) for program in programs)])
    table = format_table(["", *(PROGRAMS[program] for program in programs)], rows)
    size = f"{result['patients']} phantom patients, {result['files']:,} files, {result['rows']:,} rows of truth."
    return f"{table}\n{size} {_machine(machine)}\n"


def speed_table() -> str:
    """Files a second and values left on published files."""
    result, machine = load_newest("deidentify")
    rows = [
        [
            PROGRAMS[program],
            row["files_per_cpu_second"],
            row["files_per_second"],
            row["files_with_values_left"],
            row["values_left"],
            row["written"],
            row["held"],
            row["failed"],
            row["peak_mib"],
        ]
        for program in PROGRAMS
        if "written" in (row := result.get(program, {}))
    ]
    header = ["", "files a CPU second", "files a second", "files with values left", "values left", "written"]
    table = format_table([*header, "held back", "failed", "peak memory, MiB"], rows)
    return f"{table}\n{result['files']} files, {result['files_timed']} of them timed. {_machine(machine)}\n"


def _share(found: dict[str, Any] | None) -> str:
    return f"{found['share']:.2%} of {found['scored']:,}" if found else ""


def _not_written(counts: dict[str, int], kind: str) -> str:
    return f"{counts.get(f'{kind}, not written', 0)} of {counts.get(kind, 0)}"


def _machine(machine: dict[str, Any]) -> str:
    return f"{machine['cpu']}, {machine['cores']} cores, shared with other work."
