"""An accelerated pipeline predicts what the stock one did, from the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
import torch
from click.testing import Result
from encoder.conftest import WRITERS
from spacy.cli._util import app as spacy_app
from spacy.cli.package import get_third_party_dependencies
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy_transformers.layers import TransformerModel as StockTransformerModel
from spacy_transformers.util import registry
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.encoder.precision import Precision
from spacy_bertlstm.encoder.transformer import TransformerModel
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.shipping import accelerate as shipping_accelerate
from spacy_bertlstm.shipping.accelerate import (
    Effect,
    Windows,
    accelerate_pipeline,
    same_annotations,
)
from spacy_bertlstm.tokens.corpus import write_docs

STRIDED = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 8, "stride": 6}
WHOLE = {"@span_getters": "spacy-transformers.doc_spans.v1"}
SENTENCES = {"@span_getters": "spacy-transformers.sent_spans.v1"}
LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "pooling": {"@layers": "reduce_mean.v1"},
    "upstream": "*",
}
HEADS = ("tagger", "ner", "textcat")
NOTE = "The patient has chest pain. He was given aspirin 81 mg daily for fever. "
ODD = ["", "pain", " ", " \n\n ", "no\n\npain \n", "  He has feverfeverfever.", "\u200b x\u00ad "]
# Each is read in many windows, of which none has too many word pieces for the tiny encoder.
TEXTS = [*ODD, NOTE, NOTE * 4, "pain " * 49, "pain " * 50]
GOLD = [
    ("The patient has chest pain.", ["D", "N", "V", "N", "N", "P"], [(16, 26, "problem")], "sick"),
    ("He was given aspirin.", ["D", "V", "V", "N", "P"], [(13, 20, "treatment")], "sick"),
    ("No fever.", ["D", "N", "P"], [(3, 8, "problem")], "well"),
]


def gold_examples(nlp: Language) -> list[Example]:
    return [
        Example.from_dict(
            nlp.make_doc(text),
            {
                "tags": tags,
                "entities": entities,
                "cats": {label: float(label == chosen) for label in ("sick", "well")},
            },
        )
        for text, tags, entities, chosen in GOLD
    ]


def stock_model(encoder: Path, get_spans: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(encoder),
        "get_spans": get_spans,
        "tokenizer_config": {},
        **values,
    }


def learn(nlp: Language) -> Language:
    """A few steps, so that the heads tell tokens and Docs apart."""
    with torch.random.fork_rng():
        spacy.util.fix_random_seed(0)
        examples = gold_examples(nlp)
        sgd = nlp.initialize(lambda: examples)
        sgd.learn_rate = 0.01
        splitters = [name for name in nlp.pipe_names if name == "sentencizer"]
        for _ in range(15):
            nlp.update(examples, sgd=sgd, annotates=splitters)
    return nlp


def build_stock(model: dict[str, Any], **transformer: Any) -> Language:
    """A pipeline of spaCy's and spacy-transformers' own components."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    # Without v3's defaults, which v1 and v2 do not know.
    nlp.add_pipe("transformer", config={"model": model, **transformer}, validate=False)
    for name in HEADS:
        nlp.add_pipe(name, config={"model": {"tok2vec": LISTENER}})
    return nlp


@pytest.fixture(scope="session")
def stock(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual pipeline: overlapping windows, one transformer for all heads."""
    nlp = learn(build_stock(stock_model(tiny_bert, STRIDED)))
    folder = tmp_path_factory.mktemp("stock") / "model"
    nlp.vocab.set_vector("fever", numpy.ones(3, dtype="f"))
    nlp.vocab.lookups.add_table("units", {"mg": "milligram"})
    nlp.meta["description"] = "Findings in notes"
    nlp.to_disk(folder)
    return folder


def accelerated(source: Path, target: Path, **options: Any) -> Language:
    accelerate_pipeline(spacy.load(source), target, **options)
    return spacy.load(target)


def token_vectors(nlp: Language, texts: list[str]) -> dict[str, list[numpy.ndarray]]:
    docs = [nlp(text) for text in texts]
    return {
        name: nlp.get_pipe(name).model.get_ref("tok2vec").predict(docs)
        for name in HEADS
        if name in nlp.pipe_names and nlp.get_pipe(name).model.has_ref("tok2vec")
    }


def check_same(first: Language, second: Language, texts: list[str]) -> None:
    """Token vectors and annotations, of which there must be some."""
    before, after = (token_vectors(nlp, texts) for nlp in (first, second))
    assert before and before.keys() == after.keys()
    for name in before:
        for expected, vectors in zip(before[name], after[name], strict=True):
            numpy.testing.assert_allclose(vectors, expected, atol=1e-5)
    docs = [[nlp(text) for text in texts] for nlp in (first, second)]
    for one, other in zip(*docs, strict=True):
        assert same_annotations(one, other)
        assert one.cats == pytest.approx(other.cats, abs=1e-5)
    assert len({token.tag_ for doc in docs[0] for token in doc}) > 1
    assert any(doc.ents for doc in docs[0]) or "ner" not in first.pipe_names


def test_overlapping_windows_give_the_same(stock: Path, tmp_path: Path) -> None:
    first, second = spacy.load(stock), accelerated(stock, tmp_path / "out")
    check_same(first, second, TEXTS)
    (pieces,) = second.get_pipe("transformer").predict([second.make_doc(NOTE)]).doc_data
    assert pieces.align.lengths[6:8].tolist() == [2, 2], "one word piece in each of two windows"
    for one, other in zip(first.pipe(TEXTS), second.pipe(TEXTS), strict=True):
        assert same_annotations(one, other)


@pytest.mark.parametrize("get_spans", [WHOLE, SENTENCES], ids=["docs", "sentences"])
def test_other_windows_give_the_same(
    get_spans: dict[str, Any], tiny_bert: Path, tmp_path: Path
) -> None:
    learn(build_stock(stock_model(tiny_bert, get_spans))).to_disk(tmp_path / "model")
    second = accelerated(tmp_path / "model", tmp_path / "out")
    check_same(spacy.load(tmp_path / "model"), second, [*ODD, NOTE])


def write_encoder(name: str, folder: Path) -> None:
    """With a file where spacy-transformers wants one beside tokenizer.json."""
    WRITERS[name](folder)
    for file in ("sentencepiece.bpe.model", "spm.model"):
        (folder / file).touch()


@pytest.mark.parametrize("encoder", ["roberta", "xlm_roberta"])
def test_encoders_of_other_vocabularies_give_the_same(encoder: str, tmp_path: Path) -> None:
    write_encoder(encoder, tmp_path / "encoder")
    spans = {**STRIDED, "window": 3, "stride": 2}
    learn(build_stock(stock_model(tmp_path / "encoder", spans))).to_disk(tmp_path / "model")
    second = accelerated(tmp_path / "model", tmp_path / "out")
    check_same(spacy.load(tmp_path / "model"), second, [*ODD, NOTE])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_older_versions_of_the_transformer(version: str, tiny_bert: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    model = stock_model(
        tiny_bert, STRIDED, **{"@architectures": f"spacy-transformers.TransformerModel.{version}"}
    )
    config = nlp.config.merge(
        {
            "nlp": {"pipeline": ["transformer", "tagger"]},
            "components": {
                "transformer": {"factory": "transformer", "model": model},
                "tagger": {"factory": "tagger", "model": {"tok2vec": LISTENER}},
            },
        }
    )
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    learn(nlp).to_disk(tmp_path / "model")
    check_same(nlp, accelerated(tmp_path / "model", tmp_path / "out"), TEXTS)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_transformer_of_a_components_own(version: str, tiny_bert: Path, tmp_path: Path) -> None:
    tok2vec = {
        "@architectures": f"spacy-transformers.Tok2VecTransformer.{version}",
        "name": str(tiny_bert),
        "get_spans": STRIDED,
        "tokenizer_config": {},
        "pooling": {"@layers": "reduce_mean.v1"},
        "grad_factor": 0.5,
    }
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config={"model": {"tok2vec": tok2vec}})
    learn(nlp).to_disk(tmp_path / "model")
    second = accelerated(tmp_path / "model", tmp_path / "out")
    check_same(spacy.load(tmp_path / "model"), second, TEXTS)
    written = second.config["components"]["tagger"]["model"]["tok2vec"]
    assert written["@architectures"] == "spacy-bertlstm.TransformerTok2Vec.v1"
    assert written["grad_factor"] == 0.5
    second.to_disk(tmp_path / "again")
    check_same(second, spacy.load(tmp_path / "again"), TEXTS)


def test_replaced_listeners(stock: Path, tmp_path: Path) -> None:
    nlp = spacy.load(stock)
    nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
    nlp.to_disk(tmp_path / "model")
    second = accelerated(tmp_path / "model", tmp_path / "out")
    check_same(spacy.load(tmp_path / "model"), second, TEXTS)
    for name in ("tagger", "transformer"):
        (node,) = (n for n in second.get_pipe(name).model.walk() if n.name == "transformer")
        assert isinstance(node, TransformerModel)


def test_all_else_is_as_it_was(stock: Path, tmp_path: Path) -> None:
    first, second = spacy.load(stock), accelerated(stock, tmp_path / "out")
    weights = [
        nlp.get_pipe("transformer").model.transformer.state_dict() for nlp in (first, second)
    ]
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name
    files = [
        {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
        for folder in (stock, tmp_path / "out")
    ]
    assert files[0].keys() == files[1].keys()
    changed = {
        name.as_posix()
        for name, path in files[0].items()
        if path.read_bytes() != files[1][name].read_bytes()
    }
    # Of the transformer the zip inside, but no weight; of the sentencizer a set's order.
    assert changed <= {"config.cfg", "meta.json", "transformer/model", "sentencizer.json"}
    config = first.config.copy()
    config["components"]["transformer"]["model"].update(
        {
            "@architectures": "spacy-bertlstm.TransformerModel.v1",
            "precision": "fp32",
            "max_pieces": 8192,
            "mix_layers": False,
        }
    )
    assert second.config == config
    meta = json.loads((stock / "meta.json").read_text())
    about = {"windows": "original", "precision": "fp32"}
    assert json.loads((tmp_path / "out" / "meta.json").read_text()) == {
        **meta,
        "accelerated": about,
    }


def test_an_accelerated_pipeline_comes_back_from_disk(stock: Path, tmp_path: Path) -> None:
    second = accelerated(stock, tmp_path / "out")
    second.to_disk(tmp_path / "again")
    check_same(second, spacy.load(tmp_path / "again"), TEXTS)
    assert spacy.load(tmp_path / "again").meta["accelerated"]["windows"] == "original"
    losses = second.update(gold_examples(second), sgd=second.resume_training())
    assert losses["ner"] > 0


def test_a_wheel_of_it_requires_this_package(stock: Path, tmp_path: Path) -> None:
    config = accelerated(stock, tmp_path / "out").config
    required = get_third_party_dependencies(config)
    assert any(requirement.startswith("spacy-bertlstm") for requirement in required)


def test_what_the_stock_model_cuts_off_is_read(tiny_bert: Path, tmp_path: Path) -> None:
    """49 word pieces in a window of which the encoder takes 30: the one difference."""
    learn(build_stock(stock_model(tiny_bert, WHOLE))).to_disk(tmp_path / "model")
    second = accelerated(tmp_path / "model", tmp_path / "out")
    doc = spacy.load(tmp_path / "model")("pain " * 49)
    assert (doc._.trf_data.align.lengths == 0).any()
    assert (second("pain " * 49)._.trf_data.align.lengths == 1).all()


# --- sentences, precision and their effect -----------------------------------------------


@pytest.fixture
def unsplit(stock: Path, tmp_path: Path) -> Path:
    """The pipeline without sentences."""
    nlp = spacy.load(stock)
    nlp.remove_pipe("sentencizer")
    nlp.to_disk(tmp_path / "unsplit")
    return tmp_path / "unsplit"


def test_windows_of_sentences_bring_a_splitter(unsplit: Path, tmp_path: Path) -> None:
    nlp = accelerated(unsplit, tmp_path / "out", windows=Windows.sentences)
    assert nlp.pipe_names == ["window_sentences", "transformer", *HEADS]
    assert nlp.config["training"]["annotating_components"] == ["window_sentences"]
    doc = nlp(NOTE * 10)
    assert len(list(doc.sents)) == 20
    windows: list[Span] = nlp.get_pipe("transformer").model.attrs["get_spans"]([doc])[0]
    assert len(windows) > 1
    assert all(window[0].is_sent_start for window in windows)
    losses = nlp.update(
        gold_examples(nlp), sgd=nlp.resume_training(), annotates=["window_sentences"]
    )
    assert losses["ner"] > 0


def test_sentences_that_are_there_are_taken(stock: Path, tmp_path: Path) -> None:
    nlp = accelerated(stock, tmp_path / "out", windows=Windows.sentences)
    assert nlp.pipe_names == ["sentencizer", "transformer", *HEADS]
    disabled = spacy.load(stock)
    disabled.disable_pipe("sentencizer")
    accelerate_pipeline(disabled, tmp_path / "other", windows=Windows.sentences)
    assert spacy.load(tmp_path / "other").pipe_names[0] == "window_sentences"


def test_a_splitter_takes_no_name_that_is_taken(unsplit: Path, tmp_path: Path) -> None:
    nlp = spacy.load(unsplit)
    nlp.add_pipe("merge_entities", name="window_sentences")
    accelerate_pipeline(nlp, tmp_path / "out", windows=Windows.sentences)
    names = spacy.load(tmp_path / "out").pipe_names
    assert (names[0], names[-1]) == ("window_sentences_1", "window_sentences")


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    nlp = spacy.blank("en")
    docs = [example.reference for example in gold_examples(nlp)]
    write_docs([*docs, nlp("Zbigniewska has fever.")], tmp_path / "gold.spacy")
    return tmp_path / "gold.spacy"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", "accelerate", *map(str, arguments)])


def test_the_command_shows_the_effect(unsplit: Path, gold: Path, tmp_path: Path) -> None:
    options = ["--windows", "sentences", "--precision", "bf16", "--test", gold]
    result = run(unsplit, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    about = json.loads((tmp_path / "out" / "meta.json").read_text())["accelerated"]
    effect = about["effect"]
    assert (about["windows"], about["precision"]) == ("sentences", "bf16")
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    before, after = effect["scores"]["tag_acc"]
    assert rows["tag_acc"] == [f"{100 * before:.2f}", f"{100 * after:.2f}", rows["tag_acc"][2]]
    assert float(rows["tag_acc"][2]) == pytest.approx(100 * (after - before), abs=0.01)
    assert {"ents_f", "cats_score"} <= rows.keys()
    slow, fast = effect["speed"]
    assert rows["words/s"] == [f"{slow:.0f}", f"{fast:.0f}", "x", f"{fast / slow:.2f}"]
    assert f"The annotations of {effect['equal']} of 4 Docs are equal." in result.stdout
    written = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert b"Zbigniewska" not in written, "the test's words stay out of the pipeline"


def test_the_original_windows_change_nothing(stock: Path, gold: Path, tmp_path: Path) -> None:
    effect = accelerate_pipeline(spacy.load(stock), tmp_path / "out", test=gold)
    assert isinstance(effect, Effect)
    assert (effect.docs, effect.equal) == (4, 4)
    assert effect.scores["tag_acc"][0] > 0
    for before, after in effect.scores.values():
        assert after == pytest.approx(before, abs=1e-5)


def test_docs_of_the_test_keep_no_vectors(
    stock: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []

    def record(*docs: Doc) -> bool:
        kept.extend((doc._.trf_data, doc.tensor.size) for doc in docs)
        return True

    monkeypatch.setattr(shipping_accelerate, "same_annotations", record)
    accelerate_pipeline(spacy.load(stock), tmp_path / "out", test=gold)
    assert kept == [(None, 0)] * 8


def test_a_text_may_be_longer_than_spacy_expects(stock: Path, gold: Path, tmp_path: Path) -> None:
    nlp = spacy.load(stock)
    nlp.max_length = 5
    assert accelerate_pipeline(nlp, tmp_path / "out", test=gold) is not None


def test_annotations_that_differ_are_told() -> None:
    nlp = spacy.blank("en")

    def doc(**values: Any) -> Doc:
        made = Doc(nlp.vocab, words=["chest", "pain"], tags=values.get("tags"))
        made.ents = [Span(made, *ent) for ent in values.get("ents", [])]
        made.spans["found"] = [Span(made, *span) for span in values.get("spans", [])]
        made.cats = values.get("cats", {})
        return made

    whole = {"tags": ["N", "N"], "ents": [(0, 2, "problem")], "cats": {"a": 0.4, "b": 0.3}}
    assert same_annotations(doc(**whole), doc(**{**whole, "cats": {"a": 0.45, "b": 0.2}}))
    for other in (
        {**whole, "tags": ["N", "V"]},
        {**whole, "ents": [(1, 2, "problem")]},
        {**whole, "ents": [(0, 2, "test")]},
        {**whole, "spans": [(0, 1, "test")]},
        {**whole, "cats": {"a": 0.3, "b": 0.4}},
        {**whole, "cats": {"a": 0.6, "b": 0.6}},
    ):
        assert not same_annotations(doc(**whole), doc(**other))


# --- refusals ----------------------------------------------------------------------------


def refuse(nlp: Language, tmp_path: Path, match: str, **options: Any) -> None:
    with pytest.raises(BertLstmError, match=match):
        accelerate_pipeline(nlp, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".part-*"))


def test_pipelines_without_a_stock_transformer(
    make_nlp: Callable[..., Language], tmp_path: Path
) -> None:
    refuse(spacy.blank("en"), tmp_path, "BL390.*none")
    refuse(make_nlp(), tmp_path, r"BL390.*spacy-bertlstm\.TransformerModel\.v1")


def test_a_transformer_without_weights(tiny_bert: Path, tmp_path: Path) -> None:
    refuse(build_stock(stock_model(tiny_bert, STRIDED)), tmp_path, "BL391.*'transformer'")


def test_a_slow_tokenizer(tiny_bert: Path, tmp_path: Path) -> None:
    model = stock_model(tiny_bert, STRIDED, tokenizer_config={"use_fast": False})
    refuse(learn(build_stock(model)), tmp_path, "BL321.*use_fast")


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_mixed_precision_is_named(tiny_bert: Path, tmp_path: Path) -> None:
    model = stock_model(
        tiny_bert, STRIDED, mixed_precision=True, grad_scaler_config={"enabled": False}
    )
    nlp = learn(build_stock(model))
    refuse(nlp, tmp_path, "BL392.*--precision")
    accelerate_pipeline(nlp, tmp_path / "out", precision=Precision.fp32)
    written = spacy.load(tmp_path / "out").config["components"]["transformer"]["model"]
    assert (written["mixed_precision"], written["precision"]) == (False, "fp32")


@registry.annotation_setters("test_accelerate.keep_width.v1")
def make_setter() -> Callable:
    def keep_width(docs: list[Doc], batch: Any) -> None:
        for doc, data in zip(docs, batch.doc_data, strict=True):
            doc.user_data["width"] = data.width

    return keep_width


def test_other_annotations_are_not_promised(tiny_bert: Path, tmp_path: Path) -> None:
    setter = {"@annotation_setters": "test_accelerate.keep_width.v1"}
    nlp = build_stock(stock_model(tiny_bert, STRIDED), set_extra_annotations=setter)
    refuse(learn(nlp), tmp_path, "BL393.*keep_width")


def test_other_outputs_are_not_promised(tiny_bert: Path, tmp_path: Path) -> None:
    # The eager attention alone gives its weights.
    wanted = {"output_attentions": True, "attn_implementation": "eager"}
    nlp = learn(build_stock(stock_model(tiny_bert, STRIDED, transformer_config=wanted)))
    refuse(nlp, tmp_path, "BL394.*output_attentions")


@pytest.mark.parametrize("encoder", ["deberta", "roberta_untrimmed"])
def test_a_tokenizer_that_stock_aligns_otherwise(encoder: str, tmp_path: Path) -> None:
    write_encoder(encoder, tmp_path / "encoder")
    spans = {**STRIDED, "window": 3, "stride": 3}
    nlp = learn(build_stock(stock_model(tmp_path / "encoder", spans)))
    refuse(nlp, tmp_path, "BL395.*--windows sentences")
    accelerate_pipeline(nlp, tmp_path / "out", windows=Windows.sentences)
    assert spacy.load(tmp_path / "out")(NOTE)._.trf_data.align.lengths.all()


def test_docs_to_compare_on(stock: Path, tmp_path: Path) -> None:
    nlp = spacy.load(stock)
    write_docs([nlp.make_doc("")], tmp_path / "empty.spacy")
    refuse(nlp, tmp_path, "BL396.*empty", test=tmp_path / "empty.spacy")
    (tmp_path / "broken.spacy").write_bytes(b"x")
    refuse(nlp, tmp_path, "BL201", test=tmp_path / "broken.spacy")
    assert isinstance(nlp.get_pipe("transformer").model, StockTransformerModel)


def test_a_folder_that_holds_files_is_not_written_to(stock: Path) -> None:
    before = (stock / "config.cfg").read_bytes()
    with pytest.raises(BertLstmError, match="BL110"):
        accelerate_pipeline(spacy.load(stock), stock)
    assert (stock / "config.cfg").read_bytes() == before
    assert run(stock, stock).exit_code == 1
