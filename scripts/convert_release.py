"""Convert the licensed i2b2/VA 2010 release to train, dev and test .spacy files.

Where the release's own test part is there, it is the test set, and dev is 15 % of the
training records; where only training data is there, records are split 70/15/15.
"""

import argparse
import subprocess
import sys
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
    has_test = (release / TEST).is_dir()
    training = release / TRAINING
    notes = training if training.is_dir() else release
    everything = output / "release.spacy"
    bertlstm("convert", "i2b2", notes, everything, "--require-annotations")
    ratio = ["85", "15", "0"] if has_test else ["70", "15", "15"]
    bertlstm("split", everything, output, "--ratio", *ratio, "--seed", arguments.seed)
    if has_test:
        bertlstm("convert", "i2b2", release / TEST, output / "test.spacy", "--require-annotations")
    everything.unlink()


def bertlstm(*arguments: object) -> None:
    command = [sys.executable, "-m", "spacy", "bertlstm", *map(str, arguments)]
    if subprocess.run(command).returncode:
        sys.exit(1)


if __name__ == "__main__":
    main()
