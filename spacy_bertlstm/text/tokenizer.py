"""The clinical tokenizer: spaCy's own Tokenizer with one scanning pattern.

spaCy peels prefixes and suffixes off a chunk one at a time and copies the rest each time, which
is quadratic on a long chunk of dirty input. Here every rule is an infix: the alternatives below
tile a chunk from left to right, each match being one token, so the work is linear, the order of
the rules is the order of this file, and the tokenizer stays spaCy's (serialization, `explain`,
`add_special_case`, cache).

The rules follow one principle: no gold entity boundary may fall inside a token. Punctuation is
cut off everywhere, except where a cut never helps: decimals, dates, dotted and slashed
abbreviations, runs of one character, marks of de-identification.
"""

import re
from collections.abc import Callable

from spacy.language import Language
from spacy.tokenizer import Tokenizer

_LETTER = r"[^\W\d_]"
_ALNUM = r"[^\W_]"
_COMBINING = r"[\u0300-\u036f]"
_APOSTROPHE = r"['’ʼ′]"
_WORD_ENDS = rf"(?!{_ALNUM})"

# Shorthand whose parts are no mentions of their own. "n/v" and "m/r/g" are left out: there each
# letter names a finding.
_SLASHED = "s/p|c/o|h/o|r/o|w/o|d/c|f/u|w/u|b/l|c/w|p/w|a/w|d/t|n/a|y/o"

# Measurements often written against their value, as in "BP120/80". A closed list, because
# "CD68" or "B12" are names and lose by the cut.
_VITALS = "bp|sbp|dbp|hr|rr|spo2|sao2|o2sat|temp|tmax|wbc|rbc|hgb|hct|plt|inr|bun|bmi|gcs|ef|lvef"

_RULES = (
    # The commonest chunk, found at once; without this rule the last but one finds the same.
    r"[A-Z]?[a-z]+\Z",
    r"\s+",
    # A scheme or "www." is demanded: "mg/d.The" or "q.d" shall never look like an address.
    r"(?:https?://|ftp://|www\.)[^\s<>\"]*[\w/]",
    r"[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])",
    r"\[\*\*|\*\*\]",
    r"\+/[-−–]|-/\+|-{1,2}>|[<>]=",
    # The limit keeps a ruler of dashes from becoming one endless entry of the string store.
    r"(?P<run>[-=_*~#+?!<>])(?P=run){1,63}|\.{3,64}",
    # Dates in three parts.
    r"\d{4}-\d{1,2}-\d{1,2}(?!\d)|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?!\d)",
    rf"\d+(?:st|nd|rd|th){_WORD_ENDS}",
    r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?",
    r"\d+(?:[.·∙⋅]\d+)*",
    r"(?<![\w)\]])[.·]\d+",
    r"°[CFK]" + _WORD_ENDS,
    # "q.d.", "e.g.": the last period is a token of its own, it may also end the sentence.
    rf"{_LETTER}(?:\.{_LETTER}){{1,7}}{_WORD_ENDS}",
    rf"(?i:{_SLASHED})(?![\w/])",
    rf"(?i:x|{_VITALS})(?=\d)",
    rf"(?<={_LETTER})n{_APOSTROPHE}t{_WORD_ENDS}",
    rf"(?<={_ALNUM}){_APOSTROPHE}(?:s|S|re|ve|ll|d|m){_WORD_ENDS}",
    # A word that stops before "n't", or before what a lost space has glued to it: "PainDenies",
    # "grade2".
    rf"{_LETTER}+?(?:(?=n{_APOSTROPHE}t{_WORD_ENDS})"
    r"|(?<=[a-z]{3})(?=[A-Z][A-Za-z])|(?<=[a-z]{4})(?=\d))",
    rf"{_LETTER}{_ALNUM}*(?:{_COMBINING}+{_ALNUM}*)*",
    r".",
)

TOKEN_PATTERN = "(?s)" + "|".join(_RULES)

# spaCy refuses a million, for the sake of its own parser. A longer note than this is a mistake.
_MOST_CHARACTERS = 10_000_000


def make_clinical_tokenizer() -> Callable[[Language], Tokenizer]:
    """Make the factory of the clinical tokenizer, "spacy-bertlstm.ClinicalTokenizer.v1".

    RETURNS (Callable[[Language], Tokenizer]): Builds a `spacy.tokenizer.Tokenizer` on the
        pipeline's vocab. It has no exceptions; `add_special_case` works on it as on any other.
        The pipeline then takes notes of up to 10 million characters (`nlp.max_length`).
    """

    def build_tokenizer(nlp: Language) -> Tokenizer:
        nlp.max_length = max(nlp.max_length, _MOST_CHARACTERS)
        return Tokenizer(nlp.vocab, infix_finditer=re.compile(TOKEN_PATTERN).finditer)

    return build_tokenizer
