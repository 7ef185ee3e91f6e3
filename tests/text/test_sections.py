import pytest

from spacy_bertlstm.text.sections import Section, find_sections, section_at

NOTE = (
    "Record 12\r\n"
    "HISTORY OF PRESENT ILLNESS :\r\n"
    "She denies chest pain: none since May.\r\n"
    "BP: 120/80\r\n"
    "2. Past  Medical History: asthma\r\n"
    "PHYSICAL EXAM\r\n"
    "HEENT: normal\r\n"
)


def test_headings_in_front_of_a_colon_and_alone() -> None:
    sections = find_sections(NOTE)
    assert [section.title for section in sections] == [
        "HISTORY OF PRESENT ILLNESS",
        "Past Medical History",
        "PHYSICAL EXAM",
        "HEENT",
    ]
    for start, title in sections:
        assert NOTE[start:].startswith(title.split()[0])


@pytest.mark.parametrize(
    "line",
    [
        "BP: 120/80",
        "She denies any history: none",
        "the plan: go home",
        "Aspirin 81 mg: daily",
        "The course of his illness, long and dire: he died",
        "EKG",
        "DISCHARGE SUMMARY 0014908-X",
        "He was seen for:",
        "Morphine : reaction is itching .",
        "NO ACUTE DISTRESS",
        "She had a long history of many illnesses in her family for all of her life: yes",
        ": none",
        "",
        "12:30",
    ],
)
def test_what_is_no_heading(line: str) -> None:
    assert find_sections(line) == []


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("  ALLERGIES: penicillin", "ALLERGIES"),
        ("HPI: cough", "HPI"),
        ("Reason for Admission :", "Reason for Admission"),
        ("Family Hx : none", "Family Hx"),
        ("Discharge medications:", "Discharge medications"),
        ("MEDICATIONS ON ADMISSION", "MEDICATIONS ON ADMISSION"),
        ("3) Hospital course :", "Hospital course"),
    ],
)
def test_what_is_one(line: str, title: str) -> None:
    assert find_sections(line) == [Section(line.index(title[0]), title)]


def test_the_section_of_a_character() -> None:
    sections = find_sections(NOTE)
    assert section_at(sections, 0) is None
    assert section_at(sections, NOTE.index("chest")) == "HISTORY OF PRESENT ILLNESS"
    assert section_at(sections, NOTE.index("asthma")) == "Past Medical History"
    assert section_at(sections, NOTE.index("PHYSICAL")) == "PHYSICAL EXAM"
    assert section_at(sections, len(NOTE)) == "HEENT"
    assert section_at([], 3) is None
