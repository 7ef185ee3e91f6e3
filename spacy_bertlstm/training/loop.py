"""Training that goes on after a kill: spaCy's loop, with checkpoints.

The steps, their numbers and the outputs are those of spacy/training/loop.py, whose parts are
used wherever they can be; only what must be known at a checkpoint is kept here.
"""

import json
import shutil
import sys
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from timeit import default_timer
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    subdivide_batch,
    update_meta,
)
from spacy.util import dict_to_dot, registry, resolve_dot_names
from thinc.api import Model, constant, fix_random_seed, get_current_ops
from wasabi import Printer

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_to
from spacy_bertlstm.training.batches import DigestedCorpus, draw_batches
from spacy_bertlstm.training.checkpoint import (
    read_checkpoint,
    read_finished,
    require_facts,
    write_checkpoint,
    write_finished,
)
from spacy_bertlstm.training.randomness import (
    PythonState,
    get_random_states,
    pack_python_states,
    restart_cupy,
    set_random_states,
    unpack_python_states,
)
from spacy_bertlstm.training.replacing import replaced_whole, tidy
from spacy_bertlstm.training.state import get_state, set_state

CHECKPOINT = "checkpoint.safetensors"
FINISHED = "finished.json"

# Of a checkpoint.
_FACTS = ("identity", "corpora", "progress", "performance", "optimizer", "random")

_MESSAGES = Printer(no_print=True)


@dataclass
class Progress:
    """How far a training has come.

    steps (int): Batches trained on.
    words (int): Tokens trained on.
    seconds (float): Time spent, without what a killed run did after its last checkpoint.
    losses (dict[str, float]): By component, since the last evaluation.
    results (list[tuple[float, int]]): The score of each evaluation, and its step from 0.
    """

    steps: int = 0
    words: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    results: list[tuple[float, int]] = field(default_factory=list)


def train(
    nlp: Language,
    output: Path,
    *,
    resume: bool = False,
    checkpoint_every: int | None = None,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
) -> Path:
    """Train a pipeline as `spacy train` does, so that a killed training can be resumed.

    nlp (Language): Fresh from spaCy's `init_nlp`, with the full config.
    output (Path): A folder, for model-best, model-last and, until the end, the checkpoint; at
        the end, for finished.json, which tells what training has ended there.
    resume (bool): Go on from the checkpoint, if there is one; do nothing where this very
        training has ended.
    checkpoint_every (int | None): Steps from one checkpoint to the next; by default
        `training.eval_frequency`.
    stdout, stderr (IO | None): For progress and the logger; by default those of Python.
    RETURNS (Path): model-last.
    RAISES: BL109 (not writable), BL510 (a checkpoint would be lost), BL511 to BL514 and BL517
        (a checkpoint that does not fit), BL515 and BL516 (a pipeline that fits into none),
        BL519 (no evaluation).
    """
    stdout, stderr = stdout or sys.stdout, stderr or sys.stderr
    training = Training(nlp, output)
    checkpoint, finished = output / CHECKPOINT, output / FINISHED
    models = [output / name for name in (DIR_MODEL_BEST, DIR_MODEL_LAST)]
    with written_to(output):
        output.mkdir(parents=True, exist_ok=True)
        for path in (checkpoint, finished, *models):
            tidy(path)
        if finished.exists():
            # A kill came before it was removed.
            checkpoint.unlink(missing_ok=True)
    message = ""
    if checkpoint.exists():
        if not resume:
            raise BertLstmError("BL510", path=checkpoint)
        training.resume(checkpoint)
        message = f"Resumed after {training.progress.steps} steps"
    else:
        if resume and finished.exists() and all(path.is_dir() for path in models):
            # On its own, since to look at the corpora may draw random numbers.
            change = Training(nlp, output).find_change(finished)
            if change is None:
                line = "The training has ended: nothing is left to do"
                stdout.write(_MESSAGES.info(line) + "\n")
                return output / DIR_MODEL_LAST
            message = f"Another training has ended here ({change} differs): starting anew"
            training = Training(nlp, output)
        elif resume:
            message = f"No checkpoint in {output}: starting anew"
        with written_to(output):
            # First of all, since it vouches for the models.
            finished.unlink(missing_ok=True)
            clean_output_dir(output)
    if message:
        stdout.write(_MESSAGES.info(message) + "\n")
    training.run(checkpoint_every, stdout, stderr)
    with written_to(output):
        checkpoint.unlink(missing_ok=True)
    return output / DIR_MODEL_LAST


class Training:
    """A training and all that it is made of.

    nlp (Language): Fresh from `init_nlp`.
    output (Path): The folder of the models and the checkpoint.
    RAISES: BL519 (no evaluation).
    """

    def __init__(self, nlp: Language, output: Path) -> None:
        config = nlp.config.interpolate()
        if config["training"]["seed"] is not None:
            fix_random_seed(config["training"]["seed"])
        self.nlp = nlp
        self.output = output
        self.settings: dict[str, Any] = registry.resolve(
            config["training"], schema=ConfigSchemaTraining
        )
        frequency = self.settings["eval_frequency"]
        if frequency < 1:
            raise BertLstmError("BL519", value=frequency)
        self.optimizer = self.settings["optimizer"]
        rate = self.settings["dropout"]
        self.dropouts: Any = constant(rate) if isinstance(rate, float) else rate
        names = [self.settings[f"{part}_corpus"] for part in ("train", "dev")]
        self.corpora = {
            name: DigestedCorpus(corpus)
            for name, corpus in zip(names, resolve_dot_names(config, names), strict=True)
        }
        train_corpus, dev_corpus = (self.corpora[name] for name in names)
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, self.settings["score_weights"])
        self.epoch_starts: list[PythonState] = []
        self.batches = draw_batches(
            nlp,
            train_corpus,
            self.settings["batcher"],
            self.settings["max_epochs"],
            self.epoch_starts,
        )
        self.progress = Progress()
        # All that must be the same in a resumed training.
        self.identity = {"device": get_current_ops().device_type, **dict_to_dot(config)}
        for name in list(self.identity):
            if name.startswith("training.logger."):
                del self.identity[name]

    def run(self, checkpoint_every: int | None, stdout: IO[str], stderr: IO[str]) -> None:
        """Train to the end and write the models, and every so many steps a checkpoint."""
        settings, nlp, progress = self.settings, self.nlp, self.progress
        frozen = settings["frozen_components"]
        lines = [f"Pipeline: {nlp.pipe_names}"]
        if frozen:
            lines.append(f"Frozen components: {frozen}")
        if settings["annotating_components"]:
            lines.append(f"Set annotations on update for: {settings['annotating_components']}")
        for line in lines:
            stdout.write(_MESSAGES.info(line) + "\n")
        with nlp.select_pipes(disable=frozen):
            log_step, finalize_logger = settings["logger"](nlp, stdout, stderr)
        every = checkpoint_every or settings["eval_frequency"]
        begin = default_timer() - progress.seconds
        try:
            for epoch, batch in self.batches:
                step = progress.steps
                self._learn(batch, step=step, epoch=epoch)
                progress.seconds = default_timer() - begin
                if step % settings["eval_frequency"] == 0:
                    log_step(self._evaluate(step=step, epoch=epoch))
                    progress.losses = {}
                else:
                    log_step(None)
                if self._is_over(step):
                    break
                if step % every == 0:
                    self._write_checkpoint()
        finally:
            finalize_logger()
        self._write_last()
        write_finished(self.output / FINISHED, self._facts())

    def _learn(self, batch: list[Example], *, step: int, epoch: int) -> None:
        settings, nlp = self.settings, self.nlp
        if settings["before_update"]:
            settings["before_update"](nlp, {"step": step, "epoch": epoch})
        drop = next(self.dropouts)
        for part in subdivide_batch(batch, settings["accumulate_gradient"]):
            nlp.update(
                part,
                drop=drop,
                losses=self.progress.losses,
                sgd=False,  # type: ignore[arg-type]
                exclude=settings["frozen_components"],
                annotates=settings["annotating_components"],
            )
        pipes: list[tuple[str, Any]] = nlp.pipeline
        for name, pipe in pipes:
            trainable = getattr(pipe, "is_trainable", False) and isinstance(pipe.model, Model)
            if trainable and name not in settings["frozen_components"]:
                pipe.finish_update(self.optimizer)
        self.optimizer.step_schedules()
        self.progress.steps += 1
        self.progress.words += sum(len(example) for example in batch)

    def _evaluate(self, *, step: int, epoch: int) -> dict[str, Any]:
        """Score the pipeline, write it, and give what spaCy's loggers want to know."""
        progress = self.progress
        with self.nlp.use_params(self.optimizer.averages):
            score, other_scores = self.evaluate()
        progress.results.append((score, step))
        info = {
            "epoch": epoch,
            "step": step,
            "score": score,
            "other_scores": other_scores,
            "losses": progress.losses,
            "checkpoints": progress.results,
            "seconds": int(progress.seconds),
            "words": progress.words,
            "output_path": str(self.output / DIR_MODEL_LAST),
        }
        with self.nlp.select_pipes(disable=self.settings["frozen_components"]):
            update_meta(self.settings, self.nlp, info)
        self._write_last()
        if score == max(progress.results)[0]:
            with replaced_whole(self.output / DIR_MODEL_BEST) as part:
                shutil.copytree(self.output / DIR_MODEL_LAST, part)
        return info

    def _is_over(self, step: int) -> bool:
        patience, max_steps = self.settings["patience"], self.settings["max_steps"]
        # Of equal scores, the first.
        best_step = -max((score, -step) for score, step in self.progress.results)[1]
        return bool(
            (patience and step - best_step >= patience) or (max_steps and step >= max_steps)
        )

    def _write_last(self) -> None:
        prepare = create_before_to_disk_callback(self.settings["before_to_disk"])
        place = self.output / DIR_MODEL_LAST
        with replaced_whole(place) as part, self.nlp.use_params(self.optimizer.averages):
            prepare(self.nlp).to_disk(part)

    def _facts(self) -> dict[str, Any]:
        """Which training this is."""
        return {
            "identity": self.identity,
            "corpora": {name: corpus.digest for name, corpus in self.corpora.items()},
        }

    def _write_checkpoint(self) -> None:
        tensors, numbers = get_state(self.nlp, self.optimizer)
        tensors["epoch_starts"] = pack_python_states(self.epoch_starts)
        facts = {
            **self._facts(),
            "progress": asdict(self.progress),
            "performance": self.nlp.meta["performance"],
            "optimizer": numbers,
            "random": get_random_states(),
        }
        write_checkpoint(self.output / CHECKPOINT, tensors, facts)
        restart_cupy(self.progress.steps)

    def resume(self, path: Path) -> None:
        """Bring everything into the state at a checkpoint.

        RAISES: BL511 (not readable), BL512 (another config or device), BL513 (another corpus),
            BL514 (batches that cannot be drawn again), BL515, BL517 (other weights).
        """
        tensors, facts = read_checkpoint(path)
        require_facts(path, [*tensors, *facts], ["epoch_starts", *_FACTS])
        key = self._find_changed_setting(facts["identity"])
        if key is not None:
            then, now = facts["identity"].get(key), self.identity.get(key)
            raise BertLstmError("BL512", path=path, key=key, then=then, now=now)
        progress = Progress(**facts["progress"])
        progress.results = [(score, step) for score, step in progress.results]
        self.epoch_starts += unpack_python_states(tensors["epoch_starts"])
        words = 0
        for _, batch in islice(self.batches, progress.steps):
            words += sum(len(example) for example in batch)
            next(self.dropouts)
            self.optimizer.step_schedules()
        name = self._find_changed_corpus(facts["corpora"])
        if name is not None:
            raise BertLstmError("BL513", path=path, name=name)
        if words != progress.words:
            raise BertLstmError("BL514", path=path)
        set_state(self.nlp, self.optimizer, tensors, facts["optimizer"], path=path)
        self.nlp.meta["performance"] = facts["performance"]
        self.progress = progress
        set_random_states(facts["random"])
        restart_cupy(progress.steps)

    def find_change(self, finished: Path) -> str | None:
        """Name a setting or a corpus that was another in a training that has ended.

        finished (Path): What that training has written last.
        RAISES: BL511 (not readable).
        """
        facts = read_finished(finished)
        require_facts(finished, facts, ["identity", "corpora"])
        key = self._find_changed_setting(facts["identity"])
        return self._find_changed_corpus(facts["corpora"]) if key is None else key

    def _find_changed_setting(self, saved: dict[str, Any]) -> str | None:
        # As JSON gives them back.
        now = json.loads(json.dumps(self.identity))
        return next((key for key in {**saved, **now} if saved.get(key) != now.get(key)), None)

    def _find_changed_corpus(self, saved: dict[str, str | None]) -> str | None:
        for name, corpus in self.corpora.items():
            if saved[name] is None:  # a stream that was not yet read to its end
                continue
            if corpus.digest is None:
                deque(corpus(self.nlp), maxlen=0)
            if corpus.digest != saved[name]:
                return name
        return None
