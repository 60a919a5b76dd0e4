"""Figures: their arithmetic, and how they are written down.

A figure is one line of bench/results/AREA.jsonl; the newest of a (name, peer, device) counts.
"""

import dataclasses
import json
import os
import platform
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclasses.dataclass
class Figure:
    """One measured value, beside a peer's or (peer None) alone."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    # Ours over the peer's as a gain: above 1 is better, whether the unit is a rate or a time.
    ratio: float | None = None
    # Lowest and highest of the rounds, of the ratio or else of the value: shown, not stored.
    spread: tuple[float, float] | None = None


def against(name, unit, peer, ours, theirs, lower_is_better=False):
    """The figure of interleaved rounds: ours[i] and theirs[i] were measured one after the other.

    The ratio is the median of the rounds' ratios, so that a disturbance counts only where it hit.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{name}: {len(ours)} rounds of ours, {len(theirs)} of the peer's")
    ratios = [(b / a if lower_is_better else a / b) for a, b in zip(ours, theirs)]
    return Figure(name, statistics.median(ours), unit, peer, statistics.median(theirs), statistics.median(ratios),
                  (min(ratios), max(ratios)))


def alone(name, unit, rounds):
    """The figure of rounds that have no peer."""
    return Figure(name, statistics.median(rounds), unit, spread=(min(rounds), max(rounds)))


def smallest_cosine(ours, theirs, dimension):
    """Least cosine between corresponding rows of two flat arrays of floats."""
    if len(ours) != len(theirs) or not ours or len(ours) % dimension:
        raise ValueError(f"{len(ours)} and {len(theirs)} values are not equally many rows of {dimension}")
    least = 1.0
    for start in range(0, len(ours), dimension):
        a, b = ours[start:start + dimension], theirs[start:start + dimension]
        dot = sum(x * y for x, y in zip(a, b))
        length = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
        # A vector of zeros, or of what is not a number, agrees with nothing.
        cosine = dot / length if length > 0 else -1.0
        least = min(least, cosine if cosine == cosine else -1.0)
    return least


# Flag of /proc/cpuinfo → what our kernels and the peers' choose their code by, the best first.
INSTRUCTION_SETS = {"avx512f": "AVX-512", "avx2": "AVX2"}


def device_name(cpuinfo, cores, fallback="CPU"):
    """Such as "AMD EPYC (AVX2), 2 cores". One name in /proc/cpuinfo can stand for processors of different
    instruction sets, whose figures must not mix."""
    fields = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    model = fields.get("model name", fallback)
    flags = fields.get("flags", "").split()
    known = next((f" ({name})" for flag, name in INSTRUCTION_SETS.items() if flag in flags), "")
    return f"{model}{known}, {cores} core{'s' if cores > 1 else ''}"


def cpu_device():
    """The name of this machine's processor."""
    with open("/proc/cpuinfo") as file:
        return device_name(file.read(), len(os.sched_getaffinity(0)), platform.processor() or platform.machine())


def commit():
    """Short hash of HEAD, with "-dirty" when what is measured differs from it."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!docs")
    return git("rev-parse", "--short=12", "HEAD").strip() + ("-dirty" if changed.strip() else "")


def line(figure, context):
    """The figure as it is stored; `context` holds device, commit, date and command."""
    record = {"name": figure.name, "value": _rounded(figure.value), "unit": figure.unit}
    if figure.peer is not None:
        record |= {"peer": figure.peer, "peer_value": _rounded(figure.peer_value), "ratio": _rounded(figure.ratio)}
    return json.dumps(record | {key: context[key] for key in ("device", "commit", "date", "command")})


def append(path, figures, context):
    """Adds the figures to the results, all or none."""
    text = "".join(line(figure, context) + "\n" for figure in figures)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as file:
        file.write(text)


def newest(lines):
    """Of each (name, peer, device) the last line, in order of first appearance."""
    kept = {}
    for text in lines:
        if text.strip():
            record = json.loads(text)
            kept[(record["name"], record.get("peer"), record["device"])] = record
    return list(kept.values())


def table(figures):
    """The figures for people."""
    rows = [("figure", "ours", "unit", "peer", "theirs", "ratio", "rounds")]
    for figure in figures:
        spread = f"{figure.spread[0]:.4g} to {figure.spread[1]:.4g}" if figure.spread else ""
        if figure.peer is None:
            rows.append((figure.name, f"{figure.value:.4g}", figure.unit, "", "", "", spread))
        else:
            rows.append((figure.name, f"{figure.value:.4g}", figure.unit, figure.peer, f"{figure.peer_value:.4g}",
                         f"{figure.ratio:.2f}", spread))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _rounded(value):
    return float(f"{value:.5g}")
