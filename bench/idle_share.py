"""How long a GPU was idle between the steps of an engine, and inside of them.

    idle_share.py FILE --first REGEX [--skip N] [--count N]

FILE is what bench/kernel_timeline.cc wrote. A step begins with a kernel whose name fits REGEX and ends where the next
step begins. Idle is what no kernel ran in: between steps, from the end of a step's last kernel to the next step's
first; inside of a step, between its kernels. Prints one JSON line.
"""

import argparse
import json
import re
import statistics


def read(path):
    """Intervals (begin, end, name) in nanoseconds, by their beginning."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        rows = [line.rstrip("\n").split(" ", 2) for line in lines]
    return sorted((int(begin), int(end), name) for begin, end, name in rows)


def steps_of(intervals, first):
    """Lists of intervals, one for each step; what comes before the first step is left out."""
    steps = []
    for interval in intervals:
        if re.search(first, interval[2]):
            steps.append([])
        if steps and interval[2] not in ("copy", "set"):
            steps[-1].append(interval)
    return steps


def gaps_of(step):
    """Nanoseconds in which no kernel of the step ran, between its first and its last; and where it ends."""
    idle = 0
    end = step[0][1]
    for begin, stop, _ in step[1:]:
        idle += max(0, begin - end)
        end = max(end, stop)
    return idle, end


def idle_of(steps):
    """Sums in nanoseconds over all steps but the last: whole time, idle between steps, idle inside of steps."""
    whole = between = inside = 0
    for step, following in zip(steps, steps[1:]):
        gaps, end = gaps_of(step)
        whole += following[0][0] - step[0][0]
        inside += gaps
        between += max(0, following[0][0] - end)
    return whole, between, inside


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--first", required=True, help="fits the name of a step's first kernel")
    parser.add_argument("--skip", type=int, default=0, help="steps at the beginning that do not count")
    parser.add_argument("--count", type=int, default=0, help="steps that count; 0: all")
    arguments = parser.parse_args()
    steps = steps_of(read(arguments.file), arguments.first)[arguments.skip:]
    if arguments.count:
        steps = steps[:arguments.count + 1]
    if len(steps) < 2:
        parser.error("fewer than two steps")
    whole, between, inside = idle_of(steps)
    print(json.dumps({
        "steps": len(steps) - 1,
        "step_ms": whole / (len(steps) - 1) / 1e6,
        "median_step_ms": statistics.median((b[0][0] - a[0][0]) / 1e6 for a, b in zip(steps, steps[1:])),
        "idle_between": between / whole,
        "idle_inside": inside / whole,
    }))


if __name__ == "__main__":
    main()
