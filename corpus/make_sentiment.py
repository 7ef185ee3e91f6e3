"""Writes the synthetic sentiment sample: course-of-illness notes in CSV tables, byte for byte."""

import argparse
import csv
import io
import random
import sys
from pathlib import Path

SEED = 2010
COURSES = ("improving", "stable", "worsening")
# Notes of each course.
SIZES = {"train": 80, "dev": 20, "test": 30}
COLUMNS = ("id", "text", "course", "quote_sentiment")
QUOTED = 0.3
FILLED = 0.7

OF_A_NOTE = ("day", "patient", "problem", "drug", "who")
OF_A_SENTENCE = ("symptom", "lab")
SLOTS = {
    "day": ["2", "3", "4", "5", "6", "7", "9", "11", "14"],
    "patient": ["The patient", "This patient", "He", "She"],
    "problem": [
        "pneumonia", "heart failure", "cellulitis", "pancreatitis", "the COPD flare", "asthma",
        "diverticulitis", "pyelonephritis", "the foot ulcer", "gout", "colitis", "pericarditis",
    ],
    "symptom": [
        "cough", "dyspnea", "abdominal pain", "leg swelling", "nausea", "headache", "back pain",
        "dizziness", "chest discomfort", "fatigue", "joint pain", "wheezing",
    ],
    "lab": ["creatinine", "lactate", "white count", "CRP", "lipase", "troponin", "bilirubin"],
    "drug": ["furosemide", "ceftriaxone", "prednisone", "vancomycin", "metoprolol", "albuterol"],
    "who": ["wife", "husband", "son", "daughter", "sister", "mother"],
}  # fmt: skip

# No template of one part stands in another: what a model learns from train it cannot look up.
OPENINGS = {
    "train": [
        "Hospital day {day} for {problem}.",
        "Seen on rounds, day {day}, {problem}.",
        "Follow-up of {problem}, day {day} of {drug}.",
        "Progress note: {problem}.",
    ],
    "dev": ["Day {day} after admission with {problem}.", "Clinic visit for {problem}."],
    "test": ["Reviewed this morning; admitted {day} days ago for {problem}.", "Re: {problem}."],
}
FILLERS = {
    "train": [
        "Diet as ordered.", "Continue {drug}.", "Labs were drawn at 6 a.m.", "Lungs examined.",
        "Physical therapy will see today.", "Lives with the {who}.", "Allergies reviewed.",
    ],
    "dev": ["{drug} was given at noon.", "Code status discussed with the {who}.", "Bed 12."],
    "test": ["The {who} visited.", "On {drug} since Monday.", "Case discussed with nursing."],
}  # fmt: skip
SENTENCES = {
    ("train", "improving"): [
        "{patient} feels much better and the {symptom} has eased.",
        "The {symptom} is resolving and {lab} is trending down to normal.",
        "The {symptom} was severe yesterday but has almost gone today.",
        "{patient} was weaned to room air and walks the hall alone.",
        "Good response to {drug}, with less {symptom} each day.",
        "Markedly improved since {drug} was started.",
        "{patient} is eating again and sleeps through the night.",
        "{lab} has come down by half and the fever is gone.",
        "No longer needs help to stand; the {symptom} is mild now.",
        "Recovering well, ready for discharge planning.",
        "The {symptom} is better than on admission.",
        "Less {symptom} than yesterday, and no fever.",
        "{lab} dropped overnight, as hoped.",
        "{lab} is lower than at the last draw.",
        "Pain is down to two of ten.",
        "{patient} is more alert and answers all questions.",
        "{patient} gained strength and climbs the stairs again.",
        "The swelling has shrunk and the skin is healing.",
        "The ulcer is smaller and dry.",
        "Needs less oxygen than before.",
        "Breathes easily and speaks in full sentences.",
        "Appetite has returned and the weight is up.",
        "{patient} is no longer woken by the {symptom}.",
        "The rash has faded.",
        "The drain gives little now and can be pulled.",
        "The effusion has become smaller on the new film.",
        "A quiet night without {symptom}, the first so far.",
        "Off the monitor and out of bed since noon.",
        "Pressors were stopped; blood pressure holds by itself.",
        "A good day, with clear gains in therapy.",
    ],
    ("train", "stable"): [
        "The {symptom} is unchanged from yesterday.",
        "{lab} remains at the same level as on admission.",
        "{patient} reports neither more nor less {symptom}.",
        "No change in the exam since the last note.",
        "The {symptom} persists at its usual level.",
        "Condition is stable on {drug}.",
        "{patient} is about the same as last week.",
        "No new complaints, and the old ones are as before.",
        "Vital signs are steady and {lab} is flat.",
        "At baseline, with the known {symptom}.",
        "The {symptom} is neither better nor worse than on admission.",
        "As much {symptom} as yesterday.",
        "{lab} is where it was at the last draw.",
        "{lab} did not change overnight.",
        "Pain is still five of ten.",
        "{patient} is as alert as before.",
        "{patient} walks as far as last week, not farther.",
        "The swelling has kept its size.",
        "The ulcer is the same size as at the last visit.",
        "Needs the same oxygen as before.",
        "Breathing is unchanged.",
        "Appetite and weight are constant.",
        "{patient} is woken by the {symptom} as on other nights.",
        "The rash is still there and has not spread.",
        "The drain gives as much as on the other days.",
        "The effusion is unchanged on the new film.",
        "A night like the others, with the usual {symptom}.",
        "Remains on the monitor, without events.",
        "Pressors run at the same rate as yesterday.",
        "A day like any other, with no gains and no losses in therapy.",
    ],
    ("train", "worsening"): [
        "{patient} feels much worse and the {symptom} has increased.",
        "The {symptom} is spreading and {lab} is rising.",
        "The {symptom} had eased yesterday but has come back, and harder.",
        "{patient} now needs more oxygen and was moved to a monitored bed.",
        "Poor response to {drug}, with more {symptom} each day.",
        "Clearly deteriorated since {drug} was stopped.",
        "{patient} has stopped eating and is too weak to stand.",
        "{lab} has doubled overnight and the fever is back.",
        "Cannot walk without help any more; the {symptom} is severe now.",
        "Declining, with intensive care informed.",
        "The {symptom} is worse than on admission.",
        "More {symptom} than yesterday, and a new fever.",
        "{lab} rose overnight, in spite of {drug}.",
        "{lab} is higher than at the last draw.",
        "Pain is up to eight of ten.",
        "{patient} is drowsy and answers few questions.",
        "{patient} lost strength and no longer climbs the stairs.",
        "The swelling has grown and the skin is breaking down.",
        "The ulcer is larger and foul.",
        "Needs more oxygen than before.",
        "Breathes fast and speaks in single words.",
        "Appetite is gone and the weight is down.",
        "{patient} is now woken by the {symptom} every hour.",
        "The rash has reached the trunk.",
        "The drain gives more each day, and it is cloudy.",
        "The effusion has become larger on the new film.",
        "A bad night with {symptom}, the worst so far.",
        "Back on the monitor since noon, after a fall.",
        "Pressors had to be started for low blood pressure.",
        "A poor day, with clear losses in therapy.",
    ],
    ("dev", "improving"): [
        "The {symptom} has decreased, and {patient} needed no {drug} today.",
        "{lab} is nearly back to normal.",
        "{patient} looks brighter and sat up for breakfast.",
        "Steady progress: less {symptom}, better sleep.",
    ],
    ("dev", "stable"): [
        "The {symptom} stays as it was on the day of admission.",
        "{lab} has not moved since the last check.",
        "{patient} looks the same as on the last visit.",
        "No progress and no setback: the {symptom} continues.",
    ],
    ("dev", "worsening"): [
        "The {symptom} has increased, and {patient} needed extra {drug} today.",
        "{lab} is far above the last value.",
        "{patient} looks paler and could not sit up for breakfast.",
        "A setback: more {symptom}, no sleep.",
    ],
    ("test", "improving"): [
        "{patient} says that the {symptom} is fading.",
        "Oxygen was turned down and then off; breathing is easier.",
        "{lab} fell again, which is reassuring.",
        "After a bad night on Sunday, {patient} has turned the corner.",
        "Stronger than two days ago, and asks when to go home.",
        "The wound is closing and looks clean.",
    ],
    ("test", "stable"): [
        "{patient} describes the {symptom} just as in the previous note.",
        "Oxygen needs are what they were; breathing is no different.",
        "{lab} again shows the same value.",
        "Nothing has altered overnight.",
        "As weak as two days ago, no more and no less.",
        "The wound looks as it did at the last dressing.",
    ],
    ("test", "worsening"): [
        "{patient} says that the {symptom} is getting stronger.",
        "Oxygen was turned up twice; breathing is labored.",
        "{lab} climbed again, which is worrying.",
        "After a good night on Sunday, {patient} has taken a turn for the worse.",
        "Weaker than two days ago, and confused since noon.",
        "The wound is opening and drains pus.",
    ],
}
# What is said need not be what is found: a quote's sentiment is drawn for itself.
QUOTES = {
    ("train", "positive"): [
        'The {who} says: "We are so relieved, thank you all."',
        '"I am happy with how this goes," {patient} says.',
        'Per {who}: "Everyone here is wonderful."',
    ],
    ("train", "neutral"): [
        'The {who} asks: "When are visiting hours?"',
        '"I take my pills with breakfast," {patient} says.',
        'Per {who}: "We live on the second floor."',
    ],
    ("train", "negative"): [
        'The {who} says: "We are scared and nobody talks to us."',
        '"I am fed up with all of this," {patient} says.',
        'Per {who}: "The food is terrible and the nights are loud."',
    ],
    ("dev", "positive"): ['"This is the best care I ever had," {patient} tells us.'],
    ("dev", "neutral"): ['"The parking lot is behind the building," the {who} tells us.'],
    ("dev", "negative"): ['"I cannot stand it here," {patient} tells us.'],
    ("test", "positive"): [
        'In the words of the {who}: "What a kind team, we are grateful."',
        '{patient} jokes: "You will miss me when I leave."',
    ],
    ("test", "neutral"): [
        'In the words of the {who}: "The appointment is on Tuesday."',
        '{patient} adds: "My doctor at home has the old films."',
    ],
    ("test", "negative"): [
        'In the words of the {who}: "We are angry about the long wait."',
        '{patient} complains: "I am afraid and I sleep badly."',
    ],
}

README = """# Synthetic sentiment sample

{total} short notes on the course of an illness, each `improving`, `stable` or `worsening` (column
`course`): {sizes}. Some quote the patient or the family;
the column `quote_sentiment` says whether the quote is `positive`, `neutral` or `negative`, which
it is whatever the course.

Every note is synthetic: invented sentence templates filled from invented word lists by
`corpus/make_sentiment.py` with a fixed seed. No text of any real record was used. No template of
one part stands in another, though fillers of their slots do. Scores on this sample say that the
recipe works, and nothing about real notes.

Re-create the files, or check that they are unchanged:

    python corpus/make_sentiment.py --out corpus/sample_sentiment --seed {seed}
    python corpus/make_sentiment.py --out corpus/sample_sentiment --seed {seed} --check

Licence: MIT, like the project.
"""


def draw(slots: tuple[str, ...], rng: random.Random) -> dict[str, str]:
    """Choose an entry of the list of each slot."""
    return {slot: rng.choice(SLOTS[slot]) for slot in slots}


def fill(template: str, case: dict[str, str], rng: random.Random) -> str:
    """Fill a template's slots, those that are no note's own at random."""
    text = template.format(**case, **draw(OF_A_SENTENCE, rng))
    name = case["patient"]
    for before in (", ", '" '):
        text = text.replace(f"{before}{name} ", f"{before}{name.lower()} ")
    text = text.replace(f"and {name} ", "and ")
    return text[0].upper() + text[1:]


def write_note(part: str, course: str, rng: random.Random) -> tuple[str, str]:
    """Write one note, and tell its quote's sentiment, "" where it quotes nobody."""
    case = draw(OF_A_NOTE, rng)
    sentences = [fill(template, case, rng) for template in rng.sample(SENTENCES[part, course], 2)]
    if rng.random() < FILLED:
        sentences.insert(rng.randrange(3), fill(rng.choice(FILLERS[part]), case, rng))
    sentiment = ""
    if rng.random() < QUOTED:
        sentiment = rng.choice(("positive", "neutral", "negative"))
        quote = fill(rng.choice(QUOTES[part, sentiment]), case, rng)
        sentences.insert(rng.randrange(len(sentences) + 1), quote)
    return " ".join([fill(rng.choice(OPENINGS[part]), case, rng), *sentences]), sentiment


def build(seed: int) -> dict[str, str]:
    """Write every file of the sample into a mapping from name to text."""
    files = {}
    for part, size in SIZES.items():
        # One stream per part: a change of the train templates leaves dev and test as they are.
        rng = random.Random(f"{seed}/{part}")
        courses = [course for course in COURSES for _ in range(size)]
        rng.shuffle(courses)
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        seen: set[str] = set()
        for number, course in enumerate(courses, start=1):
            text, sentiment = write_note(part, course, rng)
            while text in seen:
                text, sentiment = write_note(part, course, rng)
            seen.add(text)
            writer.writerow([f"{part}-{number:03d}", text, course, sentiment])
        files[f"{part}.csv"] = table.getvalue()
    sizes = ", ".join(f"{3 * size} in {part}" for part, size in SIZES.items())
    files["README.md"] = README.format(seed=seed, sizes=sizes, total=3 * sum(SIZES.values()))
    return files


def main(argv: list[str] | None = None) -> int:
    """Write the sample, or compare it with the files on disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "sample_sentiment")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 on a difference")
    options = parser.parse_args(argv)
    files = {name: text.encode("utf-8") for name, text in build(options.seed).items()}
    if options.check:
        found = {path.name: path.read_bytes() for path in options.out.glob("*")}
        for name in sorted({*files, *found}):
            if files.get(name) != found.get(name):
                sys.stdout.write(f"differs: {options.out / name}\n")
                return 1
        sys.stdout.write(f"{len(files)} files unchanged\n")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (options.out / name).write_bytes(content)
    sys.stdout.write(f"wrote {len(files)} files to {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
