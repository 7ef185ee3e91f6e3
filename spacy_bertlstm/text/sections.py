"""The sections of a clinical note, by their headings."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

# A heading begins or ends with one of these, or is written in capitals. Shorter capitals in front
# of a colon are names of values far more often: "BP: 120/80".
_NOUNS = frozenset(
    """
    allergies allergy assessment comparison complaint complaints complications condition
    consultation consultations course data diagnoses diagnosis discharge disposition exam
    examination findings follow-up followup general habits history hospitalization hx illness
    illnesses immunizations impression indication indications instructions investigations lab
    laboratory labs medication medications meds objective operation operations plan procedure
    procedures prognosis recommendation recommendations results review serologies signs studies
    subjective summary surgeries surgery symptoms systems technique therapy treatment vitals
    """.split()
)
# What has one of these is part of a sentence.
_PROSE = frozenset(
    """
    are denied denies had has have he her his i is not she the their they was we were
    """.split()
)
_ABBREVIATIONS = frozenset("CC FH FHX HPI PE PMH PMHX PSH ROS SH SHX A/P".split())
_FEWEST_CAPITALS = 5
_MOST_WORDS = 8
_LINE = re.compile(r"[^\r\n]+")
_NUMBER = re.compile(r"\s*(?:\d{1,2}[.)]\s+)?")
_WORD = re.compile(r"[^\W\d_][\w/-]*")


class Section(NamedTuple):
    """A section begins with its heading and ends where the next begins.

    start (int): The first character of its heading.
    title (str): The heading as written, without a number and the colon, blanks single.
    """

    start: int
    title: str


def find_sections(text: str) -> list[Section]:
    """Find the headings: in front of a colon at the beginning of a line, or a line alone.

    RETURNS (list[Section]): In order. What stands in front of the first belongs to none.
    """
    sections = []
    for line in _LINE.finditer(text):
        head, colon, rest = line[0].partition(":")
        lead = _NUMBER.match(head)
        start = lead.end() if lead else 0
        title = " ".join(head[start:].split())
        if _is_heading(title, colon=bool(colon), alone=not rest.strip()):
            sections.append(Section(line.start() + start, title))
    return sections


def section_at(sections: Sequence[Section], place: int) -> str | None:
    """The title of the section that a character stands in.

    sections (Sequence[Section]): Of its text, in order.
    place (int): The offset of the character.
    RETURNS (str | None): None in front of the first heading.
    """
    number = bisect_right(sections, place, key=lambda section: section.start)
    return sections[number - 1].title if number else None


def _is_heading(title: str, *, colon: bool, alone: bool) -> bool:
    """Whether a heading reads so.

    colon (bool): Whether a colon follows it. Without, it must be in capitals, and name something
        known.
    alone (bool): Whether it has its line for itself; with a colon that is enough.
    """
    words = _WORD.findall(title)
    if not words or len(title.split()) > _MOST_WORDS or not title[0].isupper():
        return False
    # With figures it names the record.
    if any(mark in ".;!?," or mark.isdigit() for mark in title):
        return False
    lower = [word.lower() for word in words]
    known = title in _ABBREVIATIONS or lower[0] in _NOUNS or lower[-1] in _NOUNS
    if not colon:
        return known and title.isupper()
    capitals = title.isupper() and sum(map(str.isalpha, title)) >= _FEWEST_CAPITALS
    return capitals or ((known or alone) and _PROSE.isdisjoint(lower))
