"""Convert a corpus, export it back, and compare the annotations of both.

Files are parsed here, independently of the package's readers; only the commands `convert`
and `export` are called. Prints the row of a table, and ends with exit code 1 where an
annotation was lost, changed or made up, or another text stands at its offsets, without a
line in the reports.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = "| corpus | annotations in | kept | reported | reasons |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Annotation:
    """One annotation of a file.

    path (Path): The file.
    line (int): Its line, from 1.
    kind (str): Such as "T".
    content (object): What it says, equal where two lines say the same.
    agrees (bool): Whether the text that it states is the one at its offsets.
    """

    path: Path
    line: int
    kind: str
    content: object
    agrees: bool = True


def parse_brat(folder: Path) -> Iterator[tuple[str, str, list[Annotation]]]:
    """For each record the path of its text below a folder, its text, its annotations."""
    for text_path in sorted(folder.rglob("*.txt")):
        text = text_path.read_bytes().decode("utf-8")
        annotations = []
        for suffix in (".ann", ".a1", ".a2"):
            path = text_path.with_suffix(suffix)
            lines = path.read_bytes().decode("utf-8-sig").split("\n") if path.is_file() else []
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    # A byte order mark may be counted or not.
                    agrees = not line.startswith("T") or any(
                        _states_its_text(line, counted) for counted in {text, text.lstrip("\ufeff")}
                    )
                    # Blanks and carriage returns at the end of a line say nothing.
                    content = line.rstrip()
                    annotations.append(Annotation(path, number, line[0], content, agrees))
        yield text_path.relative_to(folder).as_posix(), text, annotations


def _states_its_text(line: str, text: str) -> bool:
    match = re.match(r"[^\t]*\t[^\t ]+ ([\d ;]+)\t(.*)", line, re.DOTALL)
    if match is None:
        return False
    try:
        ranges = [tuple(map(int, part.split())) for part in match[1].split(";")]
        covered = " ".join(text[start:end] for start, end in ranges)
    except ValueError:
        return False
    return covered.replace("\n", " ") == match[2]


def parse_pubtator(folder: Path) -> Iterator[tuple[str, str, list[Annotation]]]:
    """For each document its file below a folder with its id, its text, its annotations."""
    for path in sorted(folder.rglob("*")):
        beside = {other.suffix.lower() for other in path.parent.iterdir()}
        chosen = ".pubtator" in path.name.lower() or (
            path.suffix == ".txt" and ".pubtator" not in beside
        )
        if not (path.is_file() and chosen):
            continue
        lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        starts = [place for place, line in enumerate(lines) if re.match(r"[^|\t]+\|t\|", line)]
        for count, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True)):
            passages = [line.split("|", 2)[2] for line in lines[start : start + 2]]
            text = " ".join(passages)
            annotations = []
            for number, line in enumerate(lines[start + 2 : end], start=start + 3):
                columns = line.split("\t")
                if not line.strip():
                    continue
                mention = len(columns) > 5 and columns[1].isdecimal() and columns[2].isdecimal()
                agrees = not mention or text[int(columns[1]) : int(columns[2])] == columns[3]
                kind = "mention" if mention else "relation"
                annotations.append(Annotation(path, number, kind, line, agrees))
            yield f"{path.relative_to(folder).as_posix()}, document {count + 1}", text, annotations


# By format: from a folder to its records.
PARSERS: dict[str, Callable[[Path], Iterator[tuple[str, str, list[Annotation]]]]] = {
    "brat": parse_brat,
    "n2c2-2018": parse_brat,
    "pubtator": parse_pubtator,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=PARSERS)
    parser.add_argument("corpus", type=Path, help="a folder of the format's files")
    parser.add_argument("--name", help="of the corpus in the table; by default its folder's")
    parser.add_argument("--no-head", action="store_true", help="print the row alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        faults, row = compare(arguments.format, arguments.corpus, Path(work))
    if not arguments.no_head:
        print(HEAD)
    print(f"| {arguments.name or arguments.corpus.resolve().name} | {row} |")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


def compare(format: str, corpus: Path, work: Path) -> tuple[list[str], str]:
    """Send a corpus through both commands; give what is wrong, and the row of the table."""
    docs, out = work / "corpus.spacy", work / "out"
    findings = bertlstm(work, "convert", format, corpus, docs)
    findings += bertlstm(work, "export", format, docs, out)
    reported = {(finding["path"], finding["line"]) for finding in findings}
    lost = {(finding["path"], finding["line"]) for finding in findings if finding["lost"]}
    again = {name: (text, found) for name, text, found in PARSERS[format](out)}

    faults: list[str] = []
    seen: set[str] = set()
    kinds: Counter[str] = Counter()
    kept = named = 0
    for name, text, annotations in PARSERS[format](corpus):
        other = _name_in(again, name)
        seen.add(other)
        text_again, found = again.get(other, ("", []))
        if text_again != text:
            faults.append(f"{name}: the text is not the same")
        left = Counter((annotation.kind, annotation.content) for annotation in found)
        present = set(left)
        for annotation in annotations:
            place = (str(annotation.path), annotation.line)
            key = (annotation.kind, annotation.content)
            kinds[annotation.kind] += 1
            if left[key]:
                left[key] -= 1
                kept += 1
                if not annotation.agrees and place not in reported:
                    faults.append(f"{place[0]}, line {place[1]}: states another text, no report")
            elif place in lost or (place in reported and key in present):
                named += 1  # lost, or kept once where it stands twice
            else:
                faults.append(f"{place[0]}, line {place[1]}: neither given back nor reported")
        made_up = left.total()
        if made_up:
            faults.append(f"{name}: {made_up} annotations made up")
    faults += [f"{name}: a record made up" for name in sorted(set(again) - seen)]
    if not kinds:
        faults.append(f"{corpus}: no annotations in it")

    reasons = Counter(re.sub(r"\d+", "N", finding["reason"]) for finding in findings)
    told = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    by_kind = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return faults, f"{kinds.total()} ({by_kind}) | {kept} | {named} | {told or 'none'}"


def _name_in(records: dict[str, object], name: str) -> str:
    """How an export names a record: by as few of its folders as tell it from others."""
    parts = name.split("/")
    names = (name, "/".join(parts[-2:]), parts[-1])
    return next((shorter for shorter in names if shorter in records), name)


def bertlstm(work: Path, command: str, *arguments: object) -> list[dict]:
    """Run a command of the package; what its report lists."""
    report = work / f"{command}.json"
    options = ["--report", str(report), "--allow-loss"]
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "bertlstm", command, *map(str, arguments), *options],
        stdout=subprocess.DEVNULL,
    )
    if done.returncode:
        sys.exit(f"{command} failed")
    return json.loads(report.read_text(encoding="utf-8"))["findings"]


if __name__ == "__main__":
    main()
