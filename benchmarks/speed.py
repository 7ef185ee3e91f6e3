"""Measure speed and memory from raw text to entities, beside the encoder alone and other libraries.

    python benchmarks/speed.py CORPUS [--work DIR] [--rounds 5] [--rows ROW ...]
    python benchmarks/speed.py CORPUS --gpu-id 0
    python benchmarks/speed.py CORPUS --linear short

CORPUS holds train, dev and test in the i2b2 2010 format. Every row of the table is a process of
its own on the same texts. In each round every row runs each workload once, in turn, so that a
busy minute of the machine strikes all of them; the first round warms up. Cutting into sentences
and tokens is inside the time measured. The encoder and the products of matrices alone are not
pipelines: they are given the word pieces that ours makes.

--hybrid, --bert and --stock name pipelines trained with configs/ner.cfg, configs/ner_bert.cfg and
benchmarks/stock_ner.cfg; what is not named is trained, as in benchmarks/ner.py, and kept in DIR.
Hugging Face's pipeline and edsnlp are given the weights of `bert`, its linear layer among them.
They decode its scores in ways for which these were not trained: read their speed, not their F1.

edsnlp has requirements of its own, so it has its own environment, whose Python --edsnlp-python
names; torch, as for this package, is best installed first, in its CPU build:

    python -m venv /path/to/edsnlp
    /path/to/edsnlp/bin/pip install -c constraints.txt torch "edsnlp[ml]"

--gpu-id wants cupy here, and a CUDA build of torch there. The processes of all rows are on the GPU
at once.

--linear streams 10 to 10,000 notes through the hybrid, each number in a process of its own, in
turn: short ones, or whole records.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import spacy
import torch
from ner import SYSTEMS, Entity, find_entities, gold_entities, make_training
from trainings import PARTS, ROOT, Trainer, add_places, as_place, convert_parts, print_row
from transformers import AutoModelForTokenClassification

from spacy_bertlstm.encoder.int8 import has_int8
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype, has_bf16
from spacy_bertlstm.evaluation.bootstrap import bootstrap_intervals, count_matches
from spacy_bertlstm.tags import split_tag
from spacy_bertlstm.text.sentences import find_sentence_starts
from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.runs import pack_runs

STOCK = "stock"
TEST = "test"  # the part whose entities are compared with gold
# Characters of a short note at most, so that it has some 50 words.
SHORT = 380
SIZES = (10, 100, 1_000, 10_000)
ENCODER_PRECISION = "components.transformer.model.precision"
BILSTM_PRECISION = "components.ner.model.tok2vec.precision"
ALONE = ("fp32", "bf16")
HUGGING_FACE = {"fp32": "float32", "bf16": "bfloat16"}
# As the window of benchmarks/stock_ner.cfg.
NO_OVERLAP = {"components.transformer.model.get_spans.stride": 128}


class Row(NamedTuple):
    """One line of the table.

    title (str): What it is called.
    model (str): The weights: a system of benchmarks/ner.py, or "hf" for those of `bert` as a
        Hugging Face model.
    command (tuple[str, ...]): The worker's script, then its arguments before the model's path.
    setting (tuple[str, ...]): Its arguments behind.
    precision (str): That of the products of matrices with which it is compared.
    """

    title: str
    model: str
    command: tuple[str, ...]
    setting: tuple[str, ...] = ()
    precision: str = "fp32"


def alone_row(title: str, kind: str, precision: str) -> Row:
    return Row(f"{title}, {precision}", "bert", ("speed_worker.py", kind), (precision,), precision)


def pipeline_row(title: str, model: str, precision: str = "fp32", **settings: Any) -> Row:
    title = f"{SYSTEMS[model].title}, {title}"
    return Row(title, model, ("speed_worker.py", "pipeline"), (json.dumps(settings),), precision)


def our_row(model: str, precision: Precision, device: str) -> Row:
    settings = {ENCODER_PRECISION: precision}
    if model == "hybrid" and precision is Precision.fp32:
        settings[BILSTM_PRECISION] = precision
    real = resolve(precision, device)
    title = real if real == precision else f"{precision} ({real})"
    return pipeline_row(title, model, real, **settings)


def resolve(precision: Precision, device: str) -> str:
    """What a precision is on a device."""
    if precision is Precision.int8 and has_int8(device):
        return precision
    dtype = autocast_dtype(precision, device)
    return {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]


def make_rows(device: str) -> dict[str, Row]:
    """All rows of the table, whether the device serves their precisions or not."""
    auto = resolve(Precision.auto, device)
    return {
        **{f"products-{p}": alone_row("Products of matrices alone", "products", p) for p in ALONE},
        **{f"bare-{p}": alone_row("Encoder alone", "bare", p) for p in ALONE},
        STOCK: pipeline_row("as shipped", STOCK),
        "stock-tuned": pipeline_row("stride = window", STOCK, **NO_OVERLAP),
        **{
            f"hf-{p}": Row(f"Hugging Face pipeline, {p}", "hf", ("hf_worker.py",), (dtype,), p)
            for p, dtype in HUGGING_FACE.items()
        },
        "edsnlp": Row(f"edsnlp, {auto}", "hf", ("edsnlp_worker.py",), (auto,), auto),
        **{f"hybrid-{p}": our_row("hybrid", p, device) for p in Precision},
        **{f"bert-{p}": our_row("bert", p, device) for p in (Precision.auto, Precision.fp32)},
    }


STREAMS = {
    f"stream-{size}": Row("", "hybrid", ("speed_worker.py", "stream"), ("{}",)) for size in SIZES
}


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    sources = {part: arguments.corpus / part for part in PARTS}
    corpora = convert_parts("i2b2", sources, work)
    device = "cpu"
    if arguments.gpu_id >= 0:
        device = "cuda"
        torch.cuda.set_device(arguments.gpu_id)
    rows = STREAMS if arguments.linear else choose_rows(arguments.rows, device)
    pythons = dict.fromkeys(rows, sys.executable) | {"edsnlp": arguments.edsnlp_python}
    measured = {name: row for name, row in rows.items() if pythons[name]}
    models = find_models(corpora, arguments, {row.model for row in measured.values()})
    texts = [doc.text for doc in read_docs(corpora["test"], spacy.blank("en").vocab)]
    staff = Staff(work, pythons, models, arguments.gpu_id, arguments.threads)
    print_machine(arguments, device)
    if arguments.linear:
        streamed = cut_short(texts) if arguments.linear == "short" else texts
        print_linear(measure_linear(staff, streamed, arguments.rounds))
    else:
        workloads = make_workloads(texts, arguments.notes)
        results = measure(staff, measured, workloads, texts, arguments.rounds)
        print_table(rows, results, workloads)
        print_entities(measured, results, gold_entities(corpora["test"]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place, help="i2b2 layout")
    add_places(parser, "benchmark_speed")
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=make_rows("cpu"),
        help="by default those whose precision the device has instructions for",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--notes", type=int, default=100, help="of the two large workloads")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each worker")
    parser.add_argument("--gpu-id", type=int, default=-1, help="-1 is the CPU")
    for name in ("hybrid", "bert", STOCK):
        config = SYSTEMS[name].config
        parser.add_argument(f"--{name}", type=as_place, help=f"of {config}")
    parser.add_argument("--passes", type=int, default=1, help="of the trainings")
    parser.add_argument(
        "--edsnlp-python", type=os.path.abspath, help="of an environment with edsnlp[ml]"
    )
    parser.add_argument(
        "--linear", choices=["short", "long"], help="streams of 10 to 10,000 such notes"
    )
    arguments = parser.parse_args()
    if arguments.gpu_id >= 0 and not torch.cuda.is_available():
        parser.error("--gpu-id: torch finds no CUDA GPU here")
    if arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    return arguments


def choose_rows(names: list[str] | None, device: str) -> dict[str, Row]:
    """Those that were asked for; else those that a device has instructions for."""
    rows = make_rows(device)
    if names is None:
        served = {"bf16": has_bf16(device), "fp16": device == "cuda", "int8": has_int8(device)}
        names = [name for name in rows if served.get(name.partition("-")[2], True)]
    return {name: rows[name] for name in names}


def find_models(
    corpora: dict[str, Path], arguments: argparse.Namespace, names: set[str]
) -> dict[str, Path]:
    """The trained pipelines, and the weights of `bert` as a Hugging Face model."""
    trainer = Trainer(arguments.work, find_entities, arguments.gpu_id)
    models: dict[str, Path] = {}
    for name in sorted({"bert" if name == "hf" else name for name in names}):
        training = make_training(
            name,
            SYSTEMS[name].guess,
            corpora=corpora,
            encoder=arguments.encoder,
            passes=arguments.passes,
            seed=0,
        )
        models[name] = getattr(arguments, name) or trainer.find_model(training)
    if "hf" in names:
        models["hf"] = export_classifier(models["bert"], arguments.work / "hf")
    return models


def export_classifier(model: Path, folder: Path) -> Path:
    """Write the encoder and the linear layer of a pipeline as a token-classification model.

    The four tags of a label have one name: the Hugging Face pipeline knows no L and U, and where
    it reads a B in each piece of a word, it takes each for an entity.
    """
    nlp = spacy.load(model)
    transformer, ner = nlp.get_pipe("transformer").model, nlp.get_pipe("ner")
    config = transformer.transformer.config
    config.id2label = dict(enumerate(split_tag(tag)[1] or "O" for tag in ner.tags))
    classifier = AutoModelForTokenClassification.from_config(config)
    # It has no pooler.
    classifier.base_model.load_state_dict(transformer.transformer.state_dict(), strict=False)
    output = ner.model.get_ref("output")
    with torch.no_grad():
        classifier.classifier.weight.copy_(torch.from_numpy(output.get_param("W")))
        classifier.classifier.bias.copy_(torch.from_numpy(output.get_param("b")))
    classifier.save_pretrained(folder)
    transformer.tokenizer.save_pretrained(folder)
    return folder


def make_workloads(texts: list[str], number: int) -> dict[str, list[str]]:
    """Short notes, whole records, each again and again until there are enough, and one record."""
    middle = sorted(texts, key=len)[len(texts) // 2]
    short = cut_short(texts)
    return {
        f"{number} short notes": repeat(short, number),
        f"{number} long notes": repeat(texts, number),
        "1 long note": [middle],
    }


def cut_short(texts: list[str]) -> list[str]:
    """Whole sentences in pieces of some 50 words."""
    return [
        text[begin:end]
        for text in texts
        for begin, end in pack_runs([*find_sentence_starts(text)[1:], len(text)], SHORT)
    ]


def repeat(texts: list[str], number: int) -> list[str]:
    return [texts[i % len(texts)] for i in range(number)]


def count_words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


class Staff(NamedTuple):
    """What it takes to start a worker.

    work (Path): For the workloads and the logs.
    pythons (dict[str, str]): The interpreter of each row.
    models (dict[str, Path]): See `find_models`.
    gpu_id (int): -1 is the CPU.
    threads (int): Of each worker.
    """

    work: Path
    pythons: dict[str, str]
    models: dict[str, Path]
    gpu_id: int
    threads: int

    def write(self, workloads: dict[str, list[str]]) -> None:
        self.workloads.mkdir(exist_ok=True)
        for name, texts in workloads.items():
            (self.workloads / f"{name}.json").write_text(json.dumps(texts), encoding="utf-8")

    @property
    def workloads(self) -> Path:
        return self.work / "workloads"

    @contextmanager
    def hire(self, name: str, row: Row) -> Iterator["Worker"]:
        """Start a row's process; it ends with the context."""
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(self.threads),
            # A thread waits awake between two operations, and sleeps while others have their turn.
            "GOMP_SPINCOUNT": "5000",
            # Memory that a batch lets go of stays for the next, the system's pages being dear.
            "MALLOC_TRIM_THRESHOLD_": "1000000000",
            "MALLOC_MMAP_THRESHOLD_": "1000000000",
            "RAYON_NUM_THREADS": str(self.threads),
            "TOKENIZERS_PARALLELISM": "true",
            "HF_HUB_OFFLINE": "1",
        }
        if self.gpu_id < 0:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        if self.pythons[name] != sys.executable:
            environment.pop("PYTHONPATH", None)
        script, *kind = row.command
        arguments = [self.workloads, str(self.gpu_id), *kind, self.models[row.model], *row.setting]
        command = [self.pythons[name], ROOT / "benchmarks" / script, *arguments]
        log = self.work / f"{name}.log"
        with (
            log.open("w", encoding="utf-8") as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            ) as process,
        ):
            yield Worker(process, log)


class Worker(NamedTuple):
    """A row's process."""

    process: subprocess.Popen[str]
    log: Path

    def run(self, workload: str) -> dict[str, Any]:
        """Its answer: `seconds`, `peak`, and what it says of its own."""
        answer = ""
        if self.process.poll() is None:
            print(workload, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"A worker stopped, see {self.log}")
        return json.loads(answer)


@dataclass
class Result:
    """What was measured of a row.

    seconds (dict[str, list[float]]): Of each workload, in each round.
    peak (float): Memory of the process, on a GPU torch's there, in MiB.
    flops (dict[str, int]): Of the products of matrices, for each workload.
    padding (dict[str, dict[str, float]]): Shares that are padding in this package's encoder, for
        each workload.
    entities (list[list[Entity]] | None): Of each text of the test part; None of what finds none.
    """

    seconds: dict[str, list[float]]
    peak: float = 0.0
    flops: dict[str, int] = field(default_factory=dict)
    padding: dict[str, dict[str, float]] = field(default_factory=dict)
    entities: list[list[Entity]] | None = None

    def median(self, workload: str) -> float:
        return statistics.median(self.seconds[workload])


def measure(
    staff: Staff,
    rows: dict[str, Row],
    workloads: dict[str, list[str]],
    test: list[str],
    rounds: int,
) -> dict[str, Result]:
    """Run all rows in turn, as often as there are rounds, and once before to warm up."""
    staff.write({**workloads, TEST: test})
    results = {name: Result({workload: [] for workload in workloads}) for name in rows}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(staff.hire(name, row)) for name, row in rows.items()}
        for name, worker in workers.items():
            found = worker.run(TEST).get("entities")
            results[name].entities = found and [list(map(tuple, text)) for text in found]
        for number in range(rounds + 1):
            for workload in workloads:
                for name, worker in workers.items():
                    answer = worker.run(workload)
                    results[name].peak = answer["peak"]
                    if "flops" in answer:
                        results[name].flops[workload] = answer["flops"]
                        results[name].padding[workload] = answer["padding"]
                    if number:
                        results[name].seconds[workload].append(answer["seconds"])
            print(f"Round {number} of {rounds} is over", file=sys.stderr, flush=True)
    return results


def print_machine(arguments: argparse.Namespace, device: str) -> None:
    stated = versions(sys.executable, "torch", "spacy", "spacy-transformers", "transformers")
    if arguments.edsnlp_python:
        stated += f"; for edsnlp {versions(arguments.edsnlp_python, 'edsnlp', 'torch')}"
    gpu = "a GPU is at hand: --gpu-id 0" if torch.cuda.is_available() else "no GPU at hand"
    if device == "cuda":
        gpu = torch.cuda.get_device_name()
    print(
        f"\n{arguments.threads} threads on {os.cpu_count()} cores with "
        f"{torch.backends.cpu.get_cpu_capability()}; {gpu}; "
        f"auto is {resolve(Precision.auto, device)}; {stated}.",
        flush=True,
    )


def versions(python: str, *packages: str) -> str:
    """The versions of packages in the environment of an interpreter."""
    program = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    command = [python, "-c", program, *packages]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return ", ".join(f"{name} {version}" for name, version in zip(packages, found, strict=True))


def print_table(
    rows: dict[str, Row], results: dict[str, Result], workloads: dict[str, list[str]]
) -> None:
    """Print Markdown: medians, ratios to stock, shares of the products of matrices, memory."""
    words = {workload: count_words(texts) for workload, texts in workloads.items()}
    rounds = {len(seconds) for result in results.values() for seconds in result.seconds.values()}
    print(
        f"\nMedians of {rounds.pop()} runs in turn. Beside each figure the ratio to the speed of "
        "spaCy's own as shipped, and the share of the speed of the products of matrices in the "
        "same precision. Memory: the most that the process held, on a GPU torch's there.\n"
    )
    head = [""]
    for workload, texts in workloads.items():
        unit = "words/s" if len(texts) > 1 else "ms"
        head += [f"{workload} ({words[workload]} words), {unit}", "to spaCy's", "of products"]
    head.append("memory, MiB")
    print(f"| {' | '.join(head)} |\n| --- |{' ---: |' * (len(head) - 1)}")
    for name, row in rows.items():
        if name not in results:
            print(f"| {row.title} | not measured: no --edsnlp-python |{' |' * (len(head) - 2)}")
            continue
        cells = [row.title]
        for workload, texts in workloads.items():
            seconds = results[name].median(workload)
            many = len(texts) > 1
            cells.append(f"{words[workload] / seconds:.0f}" if many else f"{1000 * seconds:.0f}")
            for other in (STOCK, f"products-{row.precision}"):
                known = other in results
                cells.append(f"{results[other].median(workload) / seconds:.2f}" if known else "")
        # What works on prepared word pieces is no program of its own.
        cells.append("" if results[name].entities is None else f"{results[name].peak:.0f}")
        print(f"| {' | '.join(cells)} |")
    print()
    for name, result in results.items():
        for workload, flops in result.flops.items():
            rate = flops / result.median(workload) / 1e9
            print(f"- {rows[name].title}, {workload}: {flops:.2e} FLOP at {rate:.0f} GFLOP/s")
    padding = next((result.padding for result in results.values() if result.padding), {})
    for workload, shares in padding.items():
        shown = ", ".join(f"{100 * share:.1f} % of the {what}" for what, share in shares.items())
        print(f"- padding in the encoder of BERT + CRF and the hybrid, {workload}: {shown}")
    spread, title, workload = max(
        (max(seconds) / min(seconds), rows[name].title, workload)
        for name, result in results.items()
        for workload, seconds in result.seconds.items()
    )
    print(f"- slowest to fastest run of one row: at most {spread:.2f} ({title}, {workload})")


def print_entities(
    rows: dict[str, Row], results: dict[str, Result], gold: list[list[Entity]]
) -> None:
    print(f"- F1 on the {len(gold)} records of the test part:")
    for name, row in rows.items():
        entities = results[name].entities
        if entities is None:
            continue
        reference = results.get(f"{row.model}-fp32")
        agreement = ""
        if reference is not None and reference.entities is not None and row.model != "hf":
            agreement = f"; {100 * f1(reference.entities, entities):.2f} % the entities of fp32"
        print(f"  - {row.title}: {100 * f1(gold, entities):.2f}{agreement}")


def f1(gold: list[list[Entity]], found: list[list[Entity]]) -> float:
    counts = [count_matches(*pair) for pair in zip(gold, found, strict=True)]
    return bootstrap_intervals(counts, samples=1)["f"].estimate


@dataclass
class Stream:
    """What was measured of streams of one length.

    speeds (list[float]): Words a second, in each round.
    memory (float): The most that a process held that has read one stream, in MiB.
    """

    speeds: list[float] = field(default_factory=list)
    memory: float = 0.0


def measure_linear(staff: Staff, texts: list[str], rounds: int) -> dict[int, Stream]:
    """Read notes in streams of each length, in turn, each length in a process of its own.

    A round is one of the longest stream's equal parts, and so many whole streams of another
    length that they have as many notes as the longest but one.
    """
    *_, many, most = SIZES
    # Each note has a word that no other has, as real ones do.
    notes = [f"{text}\nNo. {i:07}" for i, text in enumerate(repeat(texts, most))]
    parts = {size: [notes[i : i + size] for i in range(0, many, size)] for size in SIZES[:-1]}
    bounds = [most * i // rounds for i in range(rounds + 1)]
    parts[most] = [notes[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False)]
    streams = {size: Stream() for size in SIZES}
    named = {f"{size} {i}": part for size, own in parts.items() for i, part in enumerate(own)}
    staff.write({"first": notes[: SIZES[0]], **named})
    with ExitStack() as stack:
        workers: dict[int, Worker] = {}
        for size, (name, row) in zip(SIZES, STREAMS.items(), strict=True):
            workers[size] = stack.enter_context(staff.hire(name, row))
            workers[size].run("first")  # which warms up
        for number in range(rounds):
            for size, worker in workers.items():
                chosen = [number] if size == most else range(len(parts[size]))
                answers = [worker.run(f"{size} {i}") for i in chosen]
                words = sum(count_words(parts[size][i]) for i in chosen)
                seconds = sum(answer["seconds"] for answer in answers)
                streams[size].speeds.append(words / seconds)
                if number == 0 or size == most:
                    streams[size].memory = answers[0]["peak"]
            print(f"Round {number + 1} of {rounds} is over", file=sys.stderr, flush=True)
    return streams


def print_linear(streams: dict[int, Stream]) -> None:
    """Print Markdown: speed and memory of a stream by its length."""
    speeds = {size: statistics.median(stream.speeds) for size, stream in streams.items()}
    rounds = {len(stream.speeds) for stream in streams.values()}.pop()
    print(
        f"\nMedians of {rounds} rounds in turn, words/s, and of each round the ratio to the best."
    )
    print("\n| notes | words/s | to the fastest | each round | memory, MiB |")
    print("| ---: | ---: | ---: | --- | ---: |")
    for size, stream in streams.items():
        ratios = [
            speed / max(other.speeds[i] for other in streams.values())
            for i, speed in enumerate(stream.speeds)
        ]
        print_row(
            [
                f"{size:,}",
                f"{speeds[size]:.0f}",
                f"{speeds[size] / max(speeds.values()):.3f}",
                " ".join(f"{ratio:.2f}" for ratio in ratios),
                f"{stream.memory:.0f}",
            ]
        )
    *_, few, many = SIZES
    ratio = streams[many].memory / streams[few].memory
    print(f"\nMemory at {many:,} notes to that at {few:,}: {ratio:.3f}")


if __name__ == "__main__":
    main()
