"""How much longer cargo compiles, from how many crates are done and how it went before."""

import re

# What cargo shows on a terminal: `Building [==> ] 12/205: syn`; the kernel's words are similar.
COUNTED = re.compile(r"(?:Building \[[=> ]*\]|notebooks:) *(\d+)/(\d+)[:,] *(\S*)")
# Before this share of the time nothing can be told from how fast it goes.
EARLY = 0.05
# Makes cargo show it where it is read by a program.
ENVIRONMENT = {"CARGO_TERM_PROGRESS_WHEN": "always", "CARGO_TERM_PROGRESS_WIDTH": "100"}


class Forecast:
    """Says how far a compilation is.

    `shares` are the shares of the time that had passed, measured on two cores, when 0 %, 10 %, …,
    90 % and all but one of the crates were done; `seconds` is what it took in all.
    """

    def __init__(self, shares, seconds):
        self.shares = shares
        self.seconds = seconds

    def share(self, done, total):
        """The share of the time that has passed, from 0 to 1."""
        at = min(done / total, 1.0) * 10 if total else 0.0
        before = min(int(at), len(self.shares) - 2)
        lower, upper = self.shares[before], self.shares[before + 1]
        return lower + (upper - lower) * (at - before)

    def left(self, done, total, elapsed):
        """How many seconds are left after `elapsed` ones."""
        share = self.share(done, total)
        if share < EARLY:
            return max(self.seconds - elapsed, 0.0)
        return elapsed * (1 - share) / share

    def words(self, line, elapsed):
        """What to show for this line of cargo's output; empty where it counts nothing."""
        if not (counted := COUNTED.search(line)):
            return ""
        done, total = int(counted[1]), int(counted[2])
        return f"{done} of {total} crates, {about(self.left(done, total, elapsed))} left"


def about(seconds):
    """A time as a person says it: `less than a minute`, `about 3 minutes`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} minute{'s' if minutes > 1 else ''}"


KERNEL = Forecast([0, 0.07, 0.10, 0.14, 0.17, 0.24, 0.33, 0.46, 0.51, 0.57, 0.75], 120)
LIBRARY = Forecast([0, 0.02, 0.05, 0.14, 0.18, 0.22, 0.27, 0.37, 0.42, 0.51, 0.77], 300)
