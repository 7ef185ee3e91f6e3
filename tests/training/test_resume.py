"""A training that is killed and resumed ends as if nothing had happened."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spacy
import srsly
from spacy.cli.train import train as spacy_train
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import load_config, minibatch, registry
from spacy.vocab import Vocab
from thinc.api import decaying, require_cpu, require_gpu

import spacy_bertlstm.training.loop as loop
import spacy_bertlstm.training.randomness as randomness
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import read_docs, write_docs
from spacy_bertlstm.training.checkpoint import read_checkpoint, write_checkpoint
from spacy_bertlstm.training.loop import CHECKPOINT, FINISHED, Training, train
from spacy_bertlstm.training.weights import hash_weights

NER = Path(__file__).parent.parent.parent / "configs" / "ner.cfg"

# What is hard to resume: spaCy's NER draws from Python's generator as it learns, its optimizer
# keeps averages, its dropout is numpy's, and the batches follow a schedule through all epochs.
STOCK = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["tok2vec", "ner"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
width = 16
depth = 2
embed_size = 50
window_size = 1
maxout_pieces = 2
subword_features = false
pretrained_vectors = null

[components.ner]
factory = "ner"

[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 8
maxout_pieces = 2
use_upper = true

[components.ner.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 16

[corpora]

[corpora.train]
@readers = "spacy-bertlstm.Corpus.v1"
path = ${paths.train}
max_words = 8

[corpora.dev]
@readers = "spacy-bertlstm.Corpus.v1"
path = ${paths.dev}

[training]
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
seed = 3
gpu_allocator = null
max_steps = 13
eval_frequency = 3
dropout = 0.2
accumulate_gradient = 2

[training.batcher]
@batchers = "spacy.batch_by_words.v1"
discard_oversize = false
tolerance = 0.2

[training.batcher.size]
@schedules = "compounding.v1"
start = 8
stop = 30
compound = 1.2

[training.optimizer]
@optimizers = "RAdam.v1"
L2 = 0.01
use_averages = true

[training.optimizer.learn_rate]
@schedules = "cyclic_triangular.v1"
min_lr = 0.001
max_lr = 0.02
period = 3

[training.score_weights]
ents_f = 1.0
"""


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


stock = pytest.mark.parametrize("config", ["stock"], indirect=True)


class Kill(BaseException):
    """Stands for a kill, in this process."""


@pytest.fixture(params=["stock", "ner"])
def config(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ner_config: dict[str, Any],
    write_corpus: Callable[[Path], Path],
) -> tuple[Path, dict[str, Any]]:
    """A config, and what is to be overridden in it."""
    corpus = write_corpus(tmp_path / "corpus.spacy")
    overrides = {"paths.train": str(corpus), "paths.dev": str(corpus)}
    if request.param == "stock":
        path = tmp_path / "stock.cfg"
        path.write_text(STOCK, encoding="utf-8")
        return path, overrides
    return NER, {
        **overrides,
        **ner_config,
        "components.ner.model.tok2vec.dropout": 0.3,
        "training.max_steps": 9,
        "training.eval_frequency": 3,
        "training.batcher.size": 20,
        "training.optimizer.learn_rate.warmup_steps": 2,
    }


@pytest.fixture
def run(config: tuple[Path, dict[str, Any]]) -> Callable[..., str]:
    """Train in this process and give what was printed."""
    path, overrides = config

    def run(output: Path, *, more: dict[str, Any] | None = None, **options: Any) -> str:
        settings = load_config(path, overrides={**overrides, **(more or {})}, interpolate=False)
        stdout = io.StringIO()
        train(init_nlp(settings), output, stdout=stdout, stderr=io.StringIO(), **options)
        return stdout.getvalue()

    return run


@pytest.fixture
def killed_in() -> Callable[[int], AbstractContextManager[None]]:
    """Have the training in a block end without notice in the middle of a step."""

    @contextmanager
    def killed_in(step: int) -> Iterator[None]:
        learn = Training._learn

        def learn_or_die(self: Training, batch: list[Example], **place: int) -> None:
            learn(self, batch, **place)
            if place["step"] == step:
                raise Kill

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Kill):
            patch.setattr(Training, "_learn", learn_or_die)
            yield

    return killed_in


def results(output: Path) -> dict[str, Any]:
    """The weights' hashes and the meta data of both models."""
    assert sorted({*os.listdir(output)} - {FINISHED}) == ["model-best", "model-last"]
    return {
        folder.name: (hash_weights(spacy.load(folder)), srsly.read_json(folder / "meta.json"))
        for folder in output.glob("model-*")
    }


def snapshot(output: Path) -> dict[Path, tuple[int, int]]:
    """What changes where a file is written anew, even with the same content."""
    files = {path: path.stat() for path in output.rglob("*")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in files.items()}


def test_the_models_are_those_of_spacy_train(
    run: Callable[..., str], config: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    path, overrides = config
    spacy_train(path, tmp_path / "spacy", overrides=overrides)
    run(tmp_path / "ours")
    assert results(tmp_path / "ours") == results(tmp_path / "spacy")


@pytest.mark.parametrize("every, steps", [(2, 7), (1, 8)])
def test_a_resumed_training_ends_as_one_that_ran_through(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    every: int | None,
    steps: int,
) -> None:
    # The place in a schedule of dropout rates must be found again too.
    monkeypatch.setattr(loop, "constant", lambda rate: decaying(rate, 0.2))
    run(tmp_path / "through")
    for step in (4, 8):
        with killed_in(step):
            run(tmp_path / "killed", checkpoint_every=every, resume=True)
    printed = run(tmp_path / "killed", checkpoint_every=every, resume=True)
    assert f"Resumed after {steps} steps" in printed
    assert results(tmp_path / "killed") == results(tmp_path / "through")


@pytest.mark.gpu
@pytest.mark.parametrize("config", ["ner"], indirect=True)
def test_a_training_on_a_gpu_is_resumed(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    require_gpu()
    try:
        run(tmp_path / "through")
        with killed_in(5):
            run(tmp_path / "killed")
        run(tmp_path / "killed", resume=True)
        assert results(tmp_path / "killed") == results(tmp_path / "through")
    finally:
        require_cpu()


@stock
def test_frozen_components_and_patience_as_in_spacy_train(
    config: tuple[Path, dict[str, Any]], run: Callable[..., str], tmp_path: Path
) -> None:
    path, overrides = config
    run(tmp_path / "source")
    more = {
        "components.tok2vec": {"source": str(tmp_path / "source" / "model-last")},
        "training.frozen_components": ["tok2vec"],
        "training.annotating_components": ["tok2vec"],
        "training.max_steps": 0,
        "training.patience": 5,
        "training.optimizer.learn_rate": 0.0,
    }
    spacy_train(path, tmp_path / "spacy", overrides={**overrides, **more})
    printed = run(tmp_path / "ours", more=more)
    assert "Frozen components: ['tok2vec']" in printed
    assert results(tmp_path / "ours") == results(tmp_path / "spacy")


@pytest.fixture
def stopped(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
) -> Path:
    """The output folder of a training that was killed in its ninth step."""
    with killed_in(8):
        run(tmp_path / "stopped")
    return tmp_path / "stopped"


@stock
def test_a_corpus_read_as_a_stream(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    stream = {"training.max_epochs": -1}
    run(tmp_path / "through", more=stream)
    with killed_in(8):
        run(tmp_path / "killed", more=stream)
    run(tmp_path / "killed", more=stream, resume=True)
    assert results(tmp_path / "killed") == results(tmp_path / "through")


@stock
def test_callbacks_are_called_as_by_spacy_train(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    seen: list[dict[str, int]] = []
    saved: list[Language] = []

    def before_to_disk(nlp: Language) -> Language:
        saved.append(nlp)
        return nlp

    registry.callbacks("test.note.v1", func=lambda: lambda nlp, place: seen.append(place))
    registry.callbacks("test.save.v1", func=lambda: before_to_disk)
    more = {
        "training.before_update": {"@callbacks": "test.note.v1"},
        "training.before_to_disk": {"@callbacks": "test.save.v1"},
        "training.max_epochs": 2,
    }
    with killed_in(4):
        run(tmp_path / "out", more=more)
    assert [place["step"] for place in seen] == [0, 1, 2, 3, 4]
    run(tmp_path / "out", more=more, resume=True)
    assert [place["step"] for place in seen[5:]][:2] == [4, 5]
    assert {place["epoch"] for place in seen} == {0, 1}
    assert saved
    assert spacy.load(tmp_path / "out" / "model-last").meta["performance"]["ents_f"] >= 0.0


@stock
def test_a_checkpoint_is_not_dropped_without_a_word(run: Callable[..., str], stopped: Path) -> None:
    data = (stopped / CHECKPOINT).read_bytes()
    # What kills in the middle of writing leave.
    (stopped / f".{CHECKPOINT}.part").touch()
    (stopped / ".model-last.part").mkdir()
    (stopped / "model-best").rename(stopped / ".model-best.old")
    with pytest.raises(BertLstmError, match=r"BL510.*checkpoint\.safetensors.*--resume"):
        run(stopped)
    assert (stopped / CHECKPOINT).read_bytes() == data
    assert sorted(os.listdir(stopped)) == [CHECKPOINT, "model-best", "model-last"]
    (stopped / CHECKPOINT).unlink()
    assert "No checkpoint" in run(stopped, resume=True)
    assert len(results(stopped)) == 2


# --- A training that has ended ----------------------------------------------------------


@stock
def test_a_training_that_has_ended_is_left_alone(run: Callable[..., str], tmp_path: Path) -> None:
    run(tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [FINISHED, "model-best", "model-last"]
    before = snapshot(tmp_path / "out")
    logger = {"training.logger": {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": True}}
    printed = run(tmp_path / "out", more=logger, resume=True)
    assert "has ended: nothing is left to do" in printed
    assert "Pipeline" not in printed
    assert snapshot(tmp_path / "out") == before
    # As spaCy does without --resume.
    assert "Pipeline" in run(tmp_path / "out")
    assert not {*snapshot(tmp_path / "out").values()} & {*before.values()}


@stock
def test_another_training_starts_anew_with_a_line(run: Callable[..., str], tmp_path: Path) -> None:
    docs = list(read_docs(tmp_path / "corpus.spacy", Vocab()))
    write_docs(docs, tmp_path / "train.spacy")
    more = {"paths.train": str(tmp_path / "train.spacy")}
    run(tmp_path / "out", more=more)

    more["training.optimizer.L2"] = 0.5
    printed = run(tmp_path / "out", more=more, resume=True)
    assert "Another training has ended here (training.optimizer.L2 differs)" in printed
    run(tmp_path / "fresh", more=more)
    assert results(tmp_path / "out") == results(tmp_path / "fresh")

    write_docs(docs[:2], tmp_path / "train.spacy")
    printed = run(tmp_path / "out", more=more, resume=True)
    assert "Another training has ended here (corpora.train differs)" in printed
    run(tmp_path / "fresh", more=more)
    assert results(tmp_path / "out") == results(tmp_path / "fresh")
    assert "has ended: nothing" in run(tmp_path / "out", more=more, resume=True)


@stock
def test_a_model_that_was_removed_is_trained_anew(run: Callable[..., str], tmp_path: Path) -> None:
    run(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "model-best")
    assert "No checkpoint" in run(tmp_path / "out", resume=True)
    assert len(results(tmp_path / "out")) == 2


@stock
def test_a_kill_before_the_end_is_noted(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path, facts: object) -> None:
        raise Kill

    run(tmp_path / "through")
    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(loop, "write_finished", die)
        run(tmp_path / "killed")
    assert sorted(os.listdir(tmp_path / "killed")) == [CHECKPOINT, "model-best", "model-last"]
    assert "Resumed after" in run(tmp_path / "killed", resume=True)
    assert results(tmp_path / "killed") == results(tmp_path / "through")
    assert (tmp_path / "killed" / FINISHED).exists()


@stock
@pytest.mark.parametrize("resume, message", [(True, "nothing is left to do"), (False, "Pipeline")])
def test_a_kill_before_the_checkpoint_goes(
    run: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resume: bool,
    message: str,
) -> None:
    write = loop.write_finished

    def write_and_die(path: Path, facts: dict[str, Any]) -> None:
        write(path, facts)
        raise Kill

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(loop, "write_finished", write_and_die)
        run(tmp_path / "out")
    assert (tmp_path / "out" / CHECKPOINT).exists()
    assert message in run(tmp_path / "out", resume=resume)
    assert len(results(tmp_path / "out")) == 2


@stock
def test_a_kill_before_the_models_go(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What vouches for the models goes first."""

    def die(output: Path) -> None:
        raise Kill

    run(tmp_path / "out")
    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(loop, "clean_output_dir", die)
        run(tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["model-best", "model-last"]
    assert "No checkpoint" in run(tmp_path / "out", resume=True)


@stock
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_an_end_that_cannot_be_read(
    run: Callable[..., str], tmp_path: Path, content: bytes
) -> None:
    run(tmp_path / "out")
    (tmp_path / "out" / FINISHED).write_bytes(content)
    with pytest.raises(BertLstmError, match="BL511.*finished.json.*Remove it"):
        run(tmp_path / "out", resume=True)
    assert len(results(tmp_path / "out")) == 2


# --- What does not fit ------------------------------------------------------------------


@stock
def test_an_evaluation_after_no_step(run: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL519.*eval_frequency = 0"):
        run(tmp_path / "out", more={"training.eval_frequency": 0})
    assert not (tmp_path / "out").exists()


@stock
@pytest.mark.parametrize("part", ["epoch_starts", "progress", "identity"])
def test_a_checkpoint_without_a_part(run: Callable[..., str], stopped: Path, part: str) -> None:
    tensors, facts = read_checkpoint(stopped / CHECKPOINT)
    for parts in (tensors, facts):
        parts.pop(part, None)
    write_checkpoint(stopped / CHECKPOINT, tensors, facts)
    with pytest.raises(BertLstmError, match=f"BL511.*it lacks {part}"):
        run(stopped, resume=True)


@stock
@pytest.mark.parametrize(
    "key, value, message",
    [
        ("training.optimizer.L2", 0.5, "training.optimizer.L2 was 0.01, and now is 0.5"),
        ("training.max_steps", 40, "training.max_steps was 13, and now is 40"),
        ("components.ner.model.hidden_width", 9, "hidden_width was 8, and now is 9"),
    ],
)
def test_another_config(
    run: Callable[..., str], stopped: Path, key: str, value: object, message: str
) -> None:
    with pytest.raises(BertLstmError, match=f"BL512.*{re.escape(message)}"):
        run(stopped, more={key: value}, resume=True)


@stock
def test_a_logger_may_change(run: Callable[..., str], stopped: Path) -> None:
    logger = {"training.logger": {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": True}}
    assert "Resumed after 7 steps" in run(stopped, more=logger, resume=True)


@stock
def test_another_device(
    run: Callable[..., str], stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "get_current_ops", lambda: SimpleNamespace(device_type="gpu"))
    with pytest.raises(BertLstmError, match="BL512.*device was cpu, and now is gpu"):
        run(stopped, resume=True)


@stock
@pytest.mark.parametrize("part", ["train", "dev"])
def test_another_corpus(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
    part: str,
) -> None:
    """The file has the same name, words and number of entities, and one other label."""
    docs = list(read_docs(tmp_path / "corpus.spacy", Vocab()))
    for name in ("train", "dev"):
        write_docs(docs, tmp_path / f"{name}.spacy")
    more = {f"paths.{name}": str(tmp_path / f"{name}.spacy") for name in ("train", "dev")}
    with killed_in(4):
        run(tmp_path / "out", more=more)
    first, *others = docs[-1].ents
    docs[-1].ents = [Span(docs[-1], first.start, first.end, others[0].label_), *others]
    write_docs(docs, tmp_path / f"{part}.spacy")
    with pytest.raises(BertLstmError, match=f"BL513.*corpora.{part} reads"):
        run(tmp_path / "out", more=more, resume=True)


@stock
def test_batches_that_cannot_be_repeated(
    run: Callable[..., str],
    killed_in: Callable[[int], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    sizes = count(1)

    def batch(examples: list[Example]) -> Iterator[list[Example]]:
        return minibatch(examples, size=next(sizes))

    registry.batchers("test.unsteady.v1", func=lambda: batch)
    more = {"training.batcher": {"@batchers": "test.unsteady.v1"}}
    with killed_in(8):
        run(tmp_path / "out", more=more)
    with pytest.raises(BertLstmError, match="BL514"):
        run(tmp_path / "out", more=more, resume=True)


@stock
def test_cupy_starts_anew_where_a_training_may_be_resumed(
    run: Callable[..., str],
    stopped: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds: list[int] = []
    cupy = SimpleNamespace(random=SimpleNamespace(seed=seeds.append))
    monkeypatch.setattr(randomness, "has_cupy_gpu", True)
    monkeypatch.setattr(randomness, "cupy", cupy)
    run(stopped, resume=True, checkpoint_every=4)
    assert seeds == [7, 9, 13]


# --- kill -9 ----------------------------------------------------------------------------

# One process imports everything once and forks a child for each training, which enters as the
# command does. A child counts the calls of functions that train or write, and at a given call
# kills itself with the signal that no process can catch.
_KILLS = """
import os, random, shutil, signal, sys
from transformers import BertModel, BertTokenizerFast
import spacy_transformers
import spacy_bertlstm.cli
from spacy.cli._util import app
from spacy_bertlstm.training.loop import Training

folder, *arguments = sys.argv[1:]
COUNTED = ("/spacy_bertlstm/", "/spacy/", "/thinc/", "/torch/", "/shutil.py")
os.fsync = lambda handle: None  # guards against a power cut, which is not tested
run = Training.run

def train(name, kill_at, *options):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    calls = 0
    def count(frame, event, argument):
        nonlocal calls
        calls += any(part in frame.f_code.co_filename for part in COUNTED)
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    def run_counted(*arguments):
        sys.setprofile(count)
        run(*arguments)
        sys.setprofile(None)
    Training.run = run_counted
    app(["bertlstm", "train", *arguments, "--output", f"{folder}/{name}", *options],
        standalone_mode=False)
    with open(f"{folder}/calls", "w") as file:
        file.write(str(calls))
    os._exit(0)

assert train("through", None) == train("again", None) == 0
calls = int(open(f"{folder}/calls").read())
chance = random.Random(0)
for fifth in range(5):
    point = chance.randrange(calls * fifth // 5, calls * (fifth + 1) // 5)
    assert train(f"killed{fifth}", point) == -signal.SIGKILL
    shutil.copytree(f"{folder}/killed{fifth}", f"{folder}/at_kill{fifth}")
    assert train(f"killed{fifth}", None, "--resume") == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the children are forked")
@pytest.mark.parametrize("config", ["ner"], indirect=True)
def test_kill_9_at_five_random_points(config: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, overrides = config
    overrides = {**overrides, "training.max_steps": 6}
    options = [part for name, value in overrides.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-c", _KILLS, tmp_path, path, *options, "--checkpoint-every", "2"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    through = results(tmp_path / "through")
    assert results(tmp_path / "again") == through
    for fifth in range(5):
        assert results(tmp_path / f"killed{fifth}") == through
        # A model that stood there was whole.
        for model in (tmp_path / f"at_kill{fifth}").glob("model-*"):
            spacy.load(model)
