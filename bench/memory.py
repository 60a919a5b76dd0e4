"""Memory of a tree of processes, shared pages counted once."""

import os


def descendants(root):
    """`root` and every process below it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    # The command's name, in parentheses, may itself hold spaces and parentheses.
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def pss_kib(rollup):
    """The proportional set size in the text of a smaps_rollup."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError("no Pss in smaps_rollup")


def tree_pss_mib(root):
    """Sum of the proportional set sizes of `root` and every process below it."""
    total = 0
    for pid in descendants(root):
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += pss_kib(file.read())
    return total / 1024
