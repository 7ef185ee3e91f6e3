"""What an installation promises: its public names, its version, and what it costs others."""

import re
import subprocess
import sys
from importlib.metadata import distribution

import pytest
import spacy
from spacy.language import Language

import spacy_bertlstm
from spacy_bertlstm.schemas import GROUP, get_schema

GROUPS = {
    "spacy_architectures": "architectures",
    "spacy_factories": "factories",
    "spacy_misc": "misc",
    "spacy_readers": "readers",
    "spacy_scorers": "scorers",
    "spacy_span_getters": "span_getters",
    "spacy_tokenizers": "tokenizers",
    "thinc_optimizers": "optimizers",
    GROUP: "schemas",
    "spacy_cli": "cli",
}
OURS = list(distribution("spacy-bertlstm").entry_points)


def test_every_group_is_known_and_named_for_the_package() -> None:
    assert len(OURS) >= 9
    assert {point.group for point in OURS} == set(GROUPS)
    for point in OURS:
        if point.group == GROUP:
            assert re.fullmatch(r"spacy-bertlstm\.[a-z0-9-]+\.v\d+", point.name)
        elif point.group == "spacy_scorers":  # named as spaCy names its own
            assert re.fullmatch(r"spacy-bertlstm\.[a-z_]+_scorer\.v\d+", point.name)
        elif point.group not in ("spacy_factories", "spacy_cli"):
            assert re.fullmatch(r"spacy-bertlstm\.[A-Z]\w+\.v\d+", point.name)


@pytest.mark.parametrize("point", OURS, ids=lambda point: point.name)
def test_every_public_name_resolves_through_its_registry(point) -> None:
    import spacy_transformers  # noqa: F401 - it creates the registry of span getters

    if point.group == "spacy_factories":
        assert Language.has_factory(point.name) or spacy.blank("en").has_factory(point.name)
        return
    if point.group == GROUP:
        assert get_schema(point.name) is point.load()
        return
    registered = getattr(spacy.registry, GROUPS[point.group]).get(point.name)
    assert registered is point.load()


def test_version_has_one_source() -> None:
    assert distribution("spacy-bertlstm").version == spacy_bertlstm.__version__


_MODULES = """
import sys
import catalogue
if {hide}:
    all_points = catalogue.Registry._get_entry_points
    catalogue.Registry._get_entry_points = lambda self: [
        point for point in all_points(self) if not point.value.startswith('spacy_bertlstm')
    ]
import spacy
spacy.blank('en')
print(*sorted({{name.partition('.')[0] for name in sys.modules}}))
"""


def loaded_by_blank(hide: bool) -> set[str]:
    command = [sys.executable, "-W", "ignore", "-c", _MODULES.format(hide=hide)]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_a_blank_pipeline_loads_nothing_more_for_it() -> None:
    ours = loaded_by_blank(hide=False) - loaded_by_blank(hide=True)
    assert ours == {"spacy_bertlstm"}


def test_its_own_import_loads_nothing() -> None:
    code = (
        "import sys; old = set(sys.modules); import spacy_bertlstm; print(*set(sys.modules) - old)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert loaded == ["spacy_bertlstm"]
