"""Interleaved rounds: what disturbs the machine for a while disturbs all contenders alike."""


def interleaved(contenders, count, measure):
    """Of each contender, the list of measure(contender) over `count` rounds. Each round measures all of them, and
    each round begins with another one."""
    measured = [[] for _ in contenders]
    for turn in range(count):
        for i in range(len(contenders)):
            which = (turn + i) % len(contenders)
            measured[which].append(measure(contenders[which]))
    return measured
