"""The side of a worker in benchmarks/speed.py: it waits for work, and answers in lines of JSON.

It needs the standard library and torch alone, since a worker may run in an environment of its own.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

# From the texts of a workload, outside the time measured, to what is timed; this gives facts for
# the answer, such as the entities of each text: (start, end, label), in characters.
Prepare = Callable[[list[str]], Callable[[], dict[str, Any]]]


def serve(load: Callable[..., Prepare], *, kept: int = 4) -> None:
    """Run a workload for each line of stdin that names one, until stdin ends.

    The command line names the folder of the workloads, a JSON file of texts each, then the GPU,
    whose number is -1 for the CPU, then what the script needs besides.

    load (Callable[..., Prepare]): Is called with "cpu" or "cuda", and with what the script needs.
    kept (int): Workloads whose texts stay in memory.
    """
    folder, gpu_id, *arguments = sys.argv[1:]
    device = "cpu"
    if int(gpu_id) >= 0:
        device = "cuda"
        torch.cuda.set_device(int(gpu_id))
    # What a library prints shall not stand among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    prepare = load(device, *arguments)

    @lru_cache(maxsize=kept)
    def find(workload: str) -> Callable[[], dict[str, Any]]:
        return prepare(json.loads(Path(folder, f"{workload}.json").read_text(encoding="utf-8")))

    for line in sys.stdin:
        run = find(line.strip())
        begin = time.perf_counter()
        facts = run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
        peak = torch.cuda.max_memory_reserved() / 2**20 if device == "cuda" else peak_memory()
        facts |= {"seconds": seconds, "peak": peak}
        print(json.dumps(facts), file=answers, flush=True)


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux getrusage would give the memory of the process that started this one, if more.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 1024)
