"""Install the wheels into an empty environment and read an unseen note there."""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

# Runs in the new environment, where neither this repository nor its data is at hand.
READ_NOTE = '''
import sys
from pathlib import Path

import spacy
import spacy_bertlstm

assert "site-packages" in Path(spacy_bertlstm.__file__).parts, spacy_bertlstm.__file__
# Written for this; it stands in no corpus.
NOTE = """HISTORY OF PRESENT ILLNESS:
Ms. Ofori is a 58 y/o woman with HTN who came in with worsening shortness of breath
and swelling of both legs. She denies chest pain. Her father had a myocardial infarction.
A chest x-ray showed small pleural effusions, and pneumonia cannot be excluded.
HOSPITAL COURSE:
She was treated with furosemide 40mg p.o. b.i.d. for congestive heart failure.
Lisinopril was stopped because it caused a dry cough.
PLAN: Acetaminophen p.r.n. for headache, repeat echocardiogram before discharge.
"""
nlp = spacy.load(sys.argv[1])
doc = nlp(NOTE)
assigned = {part for name in nlp.pipe_names for part in nlp.get_pipe_meta(name).assigns}


def shown(start, end):
    return " ".join(NOTE[start:end].split())


print(f"{sys.argv[1]} {nlp.meta['version']}: {', '.join(nlp.pipe_names)}")
print(f"A note that it never saw: {len(doc.ents)} entities")
for ent in doc.ents:
    text = shown(ent.start_char, ent.end_char)
    print(f"  {ent.label_:<10} {text:<32} {ent._.assertion or ''}".rstrip())
assert doc.ents, "no entity found"
if "span._.assertion" in assigned:
    assert any(ent._.assertion for ent in doc.ents), "no assertion found"
if "doc._.relations" in assigned:
    print(f"{len(doc._.relations)} relations")
    for relation in doc._.relations:
        head, tail = (shown(*relation[end][:2]) for end in ("head", "tail"))
        print(f"  {head} --{relation['label']}--> {tail}")
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path, help="the folder of the wheels")
    parser.add_argument("--model", required=True, help="the name of the pipeline's package")
    parser.add_argument("--venv", type=Path, default=Path(".venv-check"))
    arguments = parser.parse_args()
    wheels = [
        only_wheel(arguments.dist, "spacy_bertlstm"),
        only_wheel(arguments.dist, arguments.model),
    ]
    venv.create(arguments.venv, clear=True, with_pip=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    # Isolated: PYTHONPATH would bring in what the wheels lack.
    python = [str((arguments.venv / scripts / "python").absolute()), "-I"]
    pip = [*python, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt"]
    run([*pip, *map(str, wheels)])
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as elsewhere:
        run([*python, "-c", READ_NOTE, arguments.model], cwd=elsewhere, env=environment)


def only_wheel(dist: Path, package: str) -> Path:
    """The wheel of a package; several versions, or none, would check the wrong thing."""
    wheels = list(dist.glob(f"{package}-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{dist}: {len(wheels)} wheels of {package}, one is needed. Run 'package' anew.")
    return wheels[0]


def run(command: list[str], **options: object) -> None:
    if subprocess.run(command, **options).returncode:
        sys.exit(1)


if __name__ == "__main__":
    main()
