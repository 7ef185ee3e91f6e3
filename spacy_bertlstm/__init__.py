"""BERT and a stacked BiLSTM for clinical text, as spaCy components."""

__version__ = "0.1.0"
