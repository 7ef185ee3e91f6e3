"""Sentences packed into runs."""

from collections.abc import Iterable


def pack_runs(stops: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Pack neighbouring stretches of tokens into runs, as many into each as fit.

    stops (Iterable[int]): Where each stretch ends, ascending; the first begins at 0.
    most (int): The most tokens of a run; a longer stretch is a run alone.
    RETURNS (list[tuple[int, int]]): (start, end) of each run, together the whole.
    """
    runs = []
    begin = end = 0
    for stop in stops:
        if stop - begin > most and end > begin:
            runs.append((begin, end))
            begin = end
        end = stop
    if end > begin:
        runs.append((begin, end))
    return runs
