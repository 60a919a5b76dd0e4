"""Writes the newest figures into docs/benchmarks.md, between its two markers.

    report.py           rewrites the table
"""

import glob
import os

import figures

DOCUMENT = os.path.join(figures.ROOT, "docs", "benchmarks.md")
RESULTS = os.path.join(figures.ROOT, "bench", "results")
BEGIN = "<!-- figures: made by bench/report.py -->"
END = "<!-- end of figures -->"


def markdown(records):
    """One table for each device, in order of appearance."""
    parts = []
    for device in dict.fromkeys(record["device"] for record in records):
        rows = ["| figure | ours | peer | its value | ratio | commit | date |", "|---|---|---|---|---|---|---|"]
        for record in records:
            if record["device"] != device:
                continue
            peer = ["", "", ""]
            if "peer" in record:
                peer = [record["peer"], f"{record['peer_value']:.4g}", f"{record['ratio']:.2f}"]
            rows.append("| " + " | ".join([f"`{record['name']}`", f"{record['value']:.4g} {record['unit']}", *peer,
                                           f"`{record['commit']}`", record["date"][:10]]) + " |")
        parts.append(f"**{device}**\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def with_table(document, table):
    """`document` with what stands between its markers replaced."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the markers {BEGIN!r} and {END!r} are not both there")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def newest_records():
    """Of every area's results."""
    records = []
    for path in sorted(glob.glob(os.path.join(RESULTS, "*.jsonl"))):
        with open(path) as file:
            records += figures.newest(file)
    return records


def update():
    with open(DOCUMENT) as file:
        document = file.read()
    with open(DOCUMENT, "w") as file:
        file.write(with_table(document, markdown(newest_records())))


if __name__ == "__main__":
    update()
