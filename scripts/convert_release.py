"""Convert the licensed i2b2/VA 2010 release to train, dev and test .spacy files.

Where the release's own test part is there, it is the test set, and dev is 15 % of the
training records; where only training data is there, records are split 70/15/15.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

TRAINING = "concept_assertion_relation_training_data"
TEST = "reference_standard_for_test_data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path, help="the root of the release")
    parser.add_argument("output", type=Path, help="the folder for the .spacy files")
    parser.add_argument("--seed", default="0", help="of the split")
    arguments = parser.parse_args()
    release, output = arguments.release, arguments.output
    training, test = release / TRAINING, release / TEST
    if test.is_dir() and not training.is_dir():
        sys.exit(f"{release}: it holds {TEST} but not {TRAINING}. Give the root of the release.")
    for part in ("train", "dev", "test"):
        (output / f"{part}.spacy").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.spacy"
        source = training if training.is_dir() else release
        bertlstm("convert", "i2b2", source, notes, "--require-annotations")
        ratio = ["85", "15", "0"] if test.is_dir() else ["70", "15", "15"]
        bertlstm("split", notes, output, "--ratio", *ratio, "--seed", arguments.seed)
    if test.is_dir():
        bertlstm("convert", "i2b2", test, output / "test.spacy", "--require-annotations")


def bertlstm(*arguments: object) -> None:
    command = [sys.executable, "-m", "spacy", "bertlstm", *map(str, arguments)]
    if subprocess.run(command).returncode:
        sys.exit(1)


if __name__ == "__main__":
    main()
