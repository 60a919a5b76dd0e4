"""Writes the newest figures into docs/benchmarks.md, between the markers of each section that is made.

    report.py           rewrites the sections
"""

import glob
import os

import decoder_limits
import figures

DOCUMENT = os.path.join(figures.ROOT, "docs", "benchmarks.md")
RESULTS = os.path.join(figures.ROOT, "bench", "results")


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


def markers(section):
    return f"<!-- {section}: made by bench/report.py -->", f"<!-- end of {section} -->"


def with_section(document, section, text):
    """`document` with `text` between the markers of `section`."""
    begin, end = markers(section)
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the markers {begin!r} and {end!r} are not both there")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def with_sections(document, records):
    """`document` with all sections made from `records`."""
    document = with_section(document, "figures", markdown(records))
    return with_section(document, "decoder limits", decoder_limits.markdown(records))


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
        file.write(with_sections(document, newest_records()))


if __name__ == "__main__":
    update()
