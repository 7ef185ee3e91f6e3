import random
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer


def make_nlp() -> Language:
    nlp = spacy.blank("en")
    nlp.tokenizer = make_clinical_tokenizer()(nlp)
    return nlp


NLP = make_nlp()

# The expected tokens, with a bar between two.
CASES = [
    # figures and units
    ("2mg", "2|mg"),
    ("metoprolol 12.5mg", "metoprolol|12.5|mg"),
    ("3.5", "3.5"),
    ("3.5.", "3.5|."),
    ("1,200", "1,200"),
    ("1,200,000.75 units", "1,200,000.75|units"),
    ("T1,2", "T1|,|2"),
    ("p<.001", "p|<|.001"),
    ("p=0.03)", "p|=|0.03|)"),
    ("1·5 mmol", "1·5|mmol"),
    ("mg·kg", "mg|·|kg"),
    ("3,5-diiodo", "3|,|5|-|diiodo"),
    ("5%", "5|%"),
    ("<=5", "<=|5"),
    ("37.5°C.", "37.5|°C|."),
    ("98.6°", "98.6|°"),
    ("5°cold", "5|°|cold"),
    ("10³/µL", "10|³|/|µL"),
    ("kg/m²", "kg|/|m²"),
    ("mEq/L", "mEq|/|L"),
    ("120mmHg", "120|mmHg"),
    ("1st 22nd", "1st|22nd"),
    ("3rdly", "3|rdly"),
    ("65yo", "65|yo"),
    ("½ tab", "½|tab"),
    # ratios, ranges, dates
    ("5/5", "5|/|5"),
    ("10-20", "10|-|20"),
    ("10–20", "10|–|20"),
    ("4‑6", "4|‑|6"),
    ("−5.1", "−|5.1"),
    ("01/02/2010", "01/02/2010"),
    ("5/5/5", "5|/|5|/|5"),
    ("2010-03-04,", "2010-03-04|,"),
    ("10:30", "10|:|30"),
    # measurements against their value
    ("HR:80", "HR|:|80"),
    ("BP120/80", "BP|120|/|80"),
    ("SpO298%", "SpO2|98|%"),
    ("x3", "x|3"),
    ("CD68 B12 HbA1c FEV1", "CD68|B12|HbA1c|FEV1"),
    # signs
    ("+/-", "+/-"),
    ("±2", "±|2"),
    ("3+", "3|+"),
    ("+++", "+++"),
    ("CD3+", "CD3|+"),
    ("a->b", "a|->|b"),
    ("-----", "-----"),
    ("wait...", "wait|..."),
    ("(q.d.)", "(|q.d|.|)"),
    ("[pain]", "[|pain|]"),
    # abbreviations
    ("p.o. q.d.", "p.o|.|q.d|."),
    ("q.d..", "q.d|.|."),
    ("e.g., rest", "e.g|.|,|rest"),
    ("Dr. Roe", "Dr|.|Roe"),
    ("s/p", "s/p"),
    ("S/P CABG", "S/P|CABG"),
    ("w/o", "w/o"),
    ("s/pain", "s|/|pain"),
    ("n/v", "n|/|v"),
    ("65y/o", "65|y/o"),
    # words
    ("T2-weighted", "T2|-|weighted"),
    ("x-ray", "x|-|ray"),
    ("COX-2", "COX|-|2"),
    ("non–small", "non|–|small"),
    ("TNF-α", "TNF|-|α"),
    ("β-blocker", "β|-|blocker"),
    ("patient's", "patient|'s"),
    ("Crohn’s", "Crohn|’s"),
    ("patients'", "patients|'"),
    ("don't", "do|n't"),
    ("isn’t", "is|n’t"),
    ("N't", "N|'|t"),
    ("5'-3′", "5|'|-|3|′"),
    ("PainDenies", "Pain|Denies"),
    ("andECG", "and|ECG"),
    ("mRNA mmHg DeWitt", "mRNA|mmHg|DeWitt"),
    ("grade2", "grade|2"),
    ("fever.Chills", "fever|.|Chills"),
    ("cafe\u0301s", "cafe\u0301s"),
    ("naïve", "naïve"),
    # lists
    ("1.Aspirin", "1|.|Aspirin"),
    ("#1", "#|1"),
    ("2)", "2|)"),
    # de-identification
    ("[**2151-7-16**]", "[**|2151-7-16|**]"),
    ("[**Hospital1 18**]", "[**|Hospital|1|18|**]"),
    ("**NAME[AAA BBB]", "**|NAME|[|AAA|BBB|]"),
    ("___", "___"),
    ("left_arm", "left|_|arm"),
    # addresses
    ("http://example.org/a?b=1).", "http://example.org/a?b=1|)|."),
    ("www.example.org,", "www.example.org|,"),
    ("jo.roe@example.org.", "jo.roe@example.org|."),
    ("pain@rest", "pain|@|rest"),
    ("mg/d.then", "mg|/|d|.|then"),
    ("2mg@10.30", "2|mg|@|10.30"),
    # blanks and control characters
    ("a\tb", "a|\t|b"),
    ("a\x00b\x07", "a|\x00|b|\x07"),
    ("a  b", "a| |b"),
    ("a\r\n\r\nb", "a|\r\n\r\n|b"),
    ("2\u2009mg", "2|\u2009|mg"),
    ("\ufeffPain", "\ufeff|Pain"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_tokens(text: str, expected: str) -> None:
    doc = NLP.make_doc(text)
    assert "|".join(token.text for token in doc) == expected
    assert doc.text == text


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_explain_agrees(text: str) -> None:
    explained = [token for _, token in NLP.tokenizer.explain(text)]
    assert explained == [token.text for token in NLP.make_doc(text) if not token.is_space]


@given(st.text() | st.text(string.ascii_letters[:4] + "AZnst019.,:/'’-+*[]()@_ \n\t°µα·²\x00"))
def test_text_is_preserved(text: str) -> None:
    doc = NLP.make_doc(text)
    assert "".join(token.text_with_ws for token in doc) == text
    assert not any(" " in token.text.strip() for token in doc)


def test_is_spacys_own_tokenizer() -> None:
    assert type(NLP.tokenizer) is Tokenizer


def test_special_case_holds_beside_punctuation() -> None:
    nlp = make_nlp()
    nlp.tokenizer.add_special_case("q.d.", [{"ORTH": "q.d."}])
    assert [token.text for token in nlp.make_doc("(2mg q.d.)")] == ["(", "2", "mg", "q.d.", ")"]


def test_serialization(tmp_path: Path) -> None:
    NLP.to_disk(tmp_path)
    nlp = make_nlp().from_disk(tmp_path)
    # Over spaCy's own tokenizer too: from_bytes must leave none of its rules behind.
    english = spacy.blank("en")
    english.tokenizer.from_bytes(NLP.tokenizer.to_bytes())
    for text, _ in CASES:
        expected = [token.text for token in NLP.make_doc(text)]
        assert [token.text for token in nlp.make_doc(text)] == expected
        assert [token.text for token in english.make_doc(text)] == expected


REPEATED = (
    "a A é 1 . , - ' ( * [** /  1, 1. a. (a n't a1 aB aaaA Aaaa x1 a@ a@a. a' 1/ +/- http://("
)


@pytest.mark.parametrize(
    "unit",
    REPEATED.split() + ["\x00", "\u0301", "a\u0301"],
)
def test_time_is_linear(unit: str) -> None:
    size = 100_000
    text = (unit * size)[:size]
    begin = time.perf_counter()
    doc = NLP.make_doc(text)
    # A quadratic pattern takes minutes.
    assert time.perf_counter() - begin < 5
    assert doc.text == text


def test_time_is_linear_on_noise() -> None:
    random.seed(0)
    text = "".join(random.choices(string.printable.replace(" ", ""), k=100_000))
    begin = time.perf_counter()
    assert NLP.make_doc(text).text == text
    assert time.perf_counter() - begin < 5


def test_import_is_light() -> None:
    """The module brings nothing with it that `import spacy` has not loaded."""
    code = (
        "import spacy, sys; spacy.blank('en'); before = set(sys.modules);"
        "import spacy_bertlstm.text.tokenizer, spacy_bertlstm.text.sentences;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "sys.exit(str(new - {'spacy_bertlstm'}) if new - {'spacy_bertlstm'} else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_pipeline_takes_notes_of_more_than_a_million_characters() -> None:
    nlp = make_nlp()
    assert len(nlp.make_doc("No pain. " * 120_000)) == 3 * 120_000
    with pytest.raises(ValueError, match="E088"):
        nlp.make_doc("x" * 10_000_001)
