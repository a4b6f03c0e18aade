"""The rows of the table: what was measured, beside what, and whether it is as good as it is meant to be."""

import dataclasses
import math
import statistics


@dataclasses.dataclass
class Row:
    """One line of the table."""

    work: str
    figure: str
    beside: str = ""
    ratio: str = ""
    target: str = ""
    met: str = ""
    how: str = ""


def per_second(value):
    return f"{value:,.0f}/s"


def mib(value):
    return f"{value:.1f} MiB"


def milliseconds(value):
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def rounded_down(ratio):
    """So that what misses a target does not look as if it met it."""
    return f"{math.floor(ratio * 100) / 100:.2f}"


def verdict(holds):
    return "met" if holds else "MISSED"


def compared(work, program, yardsticks, how):
    """Rows of throughput: one for each yardstick, which is (name, runs or None, target or None, why it is missing)."""
    ours = statistics.median(run.per_second for run in program)
    figure = per_second(ours)
    if program[0].p99 is not None:
        p50, p99 = (statistics.median(getattr(run, name) for run in program) for name in ("p50", "p99"))
        figure += f" (p50 {milliseconds(p50)}, p99 {milliseconds(p99)})"
    rows = []
    for name, runs, target, missing in yardsticks:
        row = Row(work, figure, name, how=how, target=f">= {target}" if target else "")
        if runs is None:
            row.beside, row.met = f"{name}: missing, {missing}", "not measured" if target else ""
        else:
            theirs = statistics.median(run.per_second for run in runs)
            row.beside, row.ratio = f"{name} {per_second(theirs)}", rounded_down(ours / theirs)
            each = [this.per_second / that.per_second for this, that in zip(program, runs)]
            if len(each) > 1:
                row.ratio += f" ({min(each):.2f} to {max(each):.2f})"
            row.met = verdict(ours / theirs >= target) if target else ""
        rows.append(row)
    return rows or [Row(work, figure, how=how)]


def below(work, value, limit, write, how, beside=""):
    """A row of something that should be less than a limit."""
    return Row(work, write(value), beside, target=f"< {write(limit)}", met=verdict(value < limit), how=how)


def missing(work, why, target=""):
    """A row of something that can not be measured here."""
    return Row(work, "not measured", target=target, met="not measured", how=why)


HEADS = ("Work", "Anteroom", "Beside it", "Ratio", "Target", "", "How it was got")


def table(rows):
    """The rows as a table in Markdown, in columns that line up but for the last."""
    lines = [HEADS] + [dataclasses.astuple(row) for row in rows]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS) - 1)]
    lines.insert(1, ["-" * width for width in widths] + ["---"])
    return "\n".join(
        "| " + " | ".join([cell.ljust(width) for cell, width in zip(line, widths)] + [line[-1]]) + " |" for line in lines
    )
