"""Whether the machine did anything else while it measured."""

import os
import resource
import time

# Share of the machine's processor time that may go to others before figures are worthless.
MOST_OTHERS = 0.05


def busy_ticks(stat):
    """Clock ticks spent on work since boot, other virtual machines' included, from the text of /proc/stat."""
    fields = stat.splitlines()[0].split()
    if fields[0] != "cpu":
        raise ValueError(f"/proc/stat begins with {fields[0]!r}")
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
    return user + nice + system + irq + softirq + steal


def others_share(busy_s, own_s, wall_s, cores):
    """Of all the processor time there was, the share that was neither idle nor our own."""
    return max(0.0, busy_s - own_s) / (wall_s * cores)


class Watch:
    """From its making on. Counts as our own what this process and its children that have ended took."""

    def __init__(self):
        self._start = self._now()

    def others_share(self):
        busy, own, wall = (b - a for a, b in zip(self._start, self._now()))
        return others_share(busy, own, wall, os.cpu_count())

    @staticmethod
    def _now():
        with open("/proc/stat") as file:
            busy = busy_ticks(file.read()) / os.sysconf("SC_CLK_TCK")
        own = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            own += usage.ru_utime + usage.ru_stime
        return busy, own, time.monotonic()
