"""The commands of `python -m spacy bertlstm`."""

from spacy_bertlstm.cli.accelerate import accelerate as accelerate
from spacy_bertlstm.cli.agreement import agreement as agreement
from spacy_bertlstm.cli.app import app as app
from spacy_bertlstm.cli.calibrate import calibrate as calibrate
from spacy_bertlstm.cli.card import card as card
from spacy_bertlstm.cli.check import check as check
from spacy_bertlstm.cli.compare import compare as compare
from spacy_bertlstm.cli.convert import convert as convert
from spacy_bertlstm.cli.evaluate import evaluate as evaluate
from spacy_bertlstm.cli.export import export as export
from spacy_bertlstm.cli.hash import hash_model as hash_model
from spacy_bertlstm.cli.leaks import leaks as leaks
from spacy_bertlstm.cli.prune import prune as prune
from spacy_bertlstm.cli.render import render as render
from spacy_bertlstm.cli.score import score as score
from spacy_bertlstm.cli.split import split as split
from spacy_bertlstm.cli.tabulate import tabulate as tabulate
from spacy_bertlstm.cli.train import train as train
