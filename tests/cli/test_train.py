"""train and hash: what they print, and how they refuse bad input."""

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.util import load_config
from thinc.api import require_cpu
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.tokens.corpus import write_docs
from spacy_bertlstm.training.loop import CHECKPOINT, FINISHED, Training
from spacy_bertlstm.training.weights import hash_weights

CONFIG = Path(__file__).parent.parent.parent / "configs" / "ner.cfg"


@pytest.fixture
def run(
    tmp_path: Path, ner_config: dict[str, Any], write_corpus: Callable[[Path], Path]
) -> Callable[..., Result]:
    """Run the command on the small corpus, in the folder "out"."""
    corpus = write_corpus(tmp_path / "corpus.spacy")
    overrides = {
        **ner_config,
        "paths.train": corpus,
        "paths.dev": corpus,
        "training.max_steps": 3,
        "training.eval_frequency": 2,
    }

    def run(*options: object, config: Path = CONFIG, **more: object) -> Result:
        given = {**overrides, **{f"paths.{name}": value for name, value in more.items()}}
        settings = [part for name, value in given.items() for part in (f"--{name}", value)]
        arguments = [config, "--output", tmp_path / "out", *settings, *options]
        return invoke("train", *arguments)

    return run


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def assert_refused(result: Result, code: str, *places: object) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    (message,) = (line for line in result.stderr.splitlines() if "[BL" in line)
    assert f"[{code}]" in message
    for place in places:
        assert str(place) in message
    assert "Traceback" not in result.output
    assert "aspirin" not in result.output


def test_train_and_hash(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "ENTS_F" in result.stdout
    assert result.stdout.endswith(f"trained pipeline -> {tmp_path / 'out' / 'model-last'}\n")
    assert sorted(os.listdir(tmp_path / "out")) == [FINISHED, "model-best", "model-last"]
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp.config["training"]["max_steps"] == 3
    hashed = invoke("hash", tmp_path / "out" / "model-last")
    assert hashed.stdout == f"{hash_weights(nlp)}\n"
    assert re.fullmatch(r"[0-9a-f]{64}\n", hashed.stdout)
    again = run("--resume")
    assert again.exit_code == 0, again.output
    assert "has ended: nothing is left to do" in again.stdout
    assert hash_weights(spacy.load(tmp_path / "out" / "model-last")) == hash_weights(nlp)
    # Settings and digests; no word of the notes.
    assert not [w for w in ("aspirin", "fever") if w in (tmp_path / "out" / FINISHED).read_text()]


def test_a_killed_training_is_resumed(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Training._write_checkpoint

    def write_and_stop(self: Training) -> None:
        write(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_write_checkpoint", write_and_stop)
        interrupted = run("--checkpoint-every", 1)
    assert interrupted.exit_code != 0 and "Traceback" not in interrupted.output
    checkpoint = tmp_path / "out" / CHECKPOINT
    # Labels stand in the models; words of the notes must not stand here.
    assert not [
        word for word in (b"aspirin", b"patient", b"fever") if word in checkpoint.read_bytes()
    ]
    assert_refused(run(), "BL510", checkpoint, "--resume")
    resumed = run("--resume", "--checkpoint-every", 1)
    assert resumed.exit_code == 0, resumed.output
    assert "Resumed after 1 steps" in resumed.stdout
    assert not checkpoint.exists()


def test_code_is_imported(run: Callable[..., Result], tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("print('imported')", encoding="utf-8")
    result = run("--code", code)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("imported")


def test_what_is_missing(run: Callable[..., Result], tmp_path: Path) -> None:
    assert_refused(run(config=tmp_path / "no.cfg"), "BL101", tmp_path / "no.cfg")
    assert_refused(run(train=tmp_path / "no.spacy"), "BL101", tmp_path / "no.spacy")
    assert_refused(run(dev=tmp_path / "no.spacy"), "BL101", tmp_path / "no.spacy")
    assert_refused(run(train="null"), "BL502", "--paths.train")
    assert_refused(run(encoder=tmp_path / "no"), "BL307", tmp_path / "no")
    assert_refused(invoke("hash", tmp_path / "no"), "BL315", tmp_path / "no")


def test_a_gpu_that_is_not_there(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        assert_refused(run("--gpu-id", 99), "BL518", "GPU 99", "cupy", "--gpu-id -1")
    finally:
        require_cpu()  # where there is another

    def fail(gpu_id: int, silent: bool) -> None:
        raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal\nmore")

    app = importlib.import_module("spacy_bertlstm.cli.app")  # the name is also the group's
    monkeypatch.setattr(app, "setup_gpu", fail)
    assert_refused(run("--gpu-id", 0), "BL518", "(cudaErrorInvalidDevice: invalid device ordinal)")


def test_no_evaluation(run: Callable[..., Result]) -> None:
    assert_refused(run("--training.eval_frequency", 0), "BL519", "eval_frequency = 0")


@pytest.mark.parametrize("key", ["paths.trian", "system.sede", "training.patiense", "nlp.lnag"])
def test_an_override_of_nothing(run: Callable[..., Result], tmp_path: Path, key: str) -> None:
    assert_refused(run(f"--{key}", 1), "BL520", key)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "key", ["corpora.train.pth", "components.ner.facotry", "training.optimizer.bta1"]
)
def test_an_override_that_spacy_refuses(
    run: Callable[..., Result], tmp_path: Path, key: str
) -> None:
    result = run(f"--{key}", 1)
    assert result.exit_code == 1
    assert key.rpartition(".")[2] in result.output
    assert not (tmp_path / "out").exists()


def test_an_override_of_what_the_file_does_not_name(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    """The setting is spaCy's, or the file refers to a path that only the command gives."""
    config = load_config(CONFIG, interpolate=False)
    config["corpora"]["dev"]["path"] = "${paths.mine}"
    config.to_disk(tmp_path / "mine.cfg", interpolate=False)
    given = {
        "paths.mine": tmp_path / "corpus.spacy",
        "paths.vectors": "null",
        "training.before_update": "null",
        "training.score_weights.ents_p": 0.5,
    }
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    result = run(*options, config=tmp_path / "mine.cfg")
    assert result.exit_code == 0, result.output


def test_a_corpus_without_entities(run: Callable[..., Result], tmp_path: Path) -> None:
    bare = tmp_path / "bare.spacy"
    write_docs([spacy.blank("en")("She was given aspirin.")], bare)
    assert_refused(run(train=bare), "BL202", bare)
    assert not (tmp_path / "out" / "model-last").exists()


def test_an_output_that_cannot_be_written(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert_refused(run(), "BL109", tmp_path / "out")


@pytest.mark.parametrize("options", [("--checkpoint-every", 0), ("--nonsense", 1)])
def test_usage_errors(run: Callable[..., Result], options: tuple[object, ...]) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
