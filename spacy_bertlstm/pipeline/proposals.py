"""What might relate in a Doc, and what a model thinks of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from spacy_bertlstm.heads.concepts import unit_starts
from spacy_bertlstm.heads.pairs import Candidates
from spacy_bertlstm.tokens.build import RelationKey


@dataclass(frozen=True)
class Proposal:
    """What might relate in a Doc.

    candidates (Candidates): What the model scores.
    legal (numpy.ndarray): Which labels each pair may have, (n_pairs, n_labels).
    ends (Sequence[Any]): What may be a head or tail: extents, or ids of concepts.
    units (numpy.ndarray): (n_units, 2) places of ends: a label may hold between these.
    members (numpy.ndarray): (n_members, 2): a pair that speaks for a unit; sorted by unit.
    """

    candidates: Candidates
    legal: numpy.ndarray
    ends: Sequence[Any]
    units: numpy.ndarray
    members: numpy.ndarray

    def only(self, kept: numpy.ndarray) -> "Proposal":
        """A part of it.

        kept (numpy.ndarray): Whether a unit is; pairs that then speak for none are left out.
        """
        members = self.members[kept[self.members[:, 1]]]
        pairs, pair = numpy.unique(members[:, 0], return_inverse=True)
        unit = (numpy.cumsum(kept) - 1)[members[:, 1]]
        return Proposal(
            replace(self.candidates, pairs=self.candidates.pairs[pairs]),
            self.legal[pairs],
            self.ends,
            self.units[kept],
            numpy.stack([pair, unit], axis=1),
        )

    def find(self, relations: Iterable[RelationKey], labels: Sequence[str]) -> numpy.ndarray:
        """Which label holds between which unit, (n_units, n_labels).

        relations (Iterable[RelationKey]): Those that are not proposed are left out.
        labels (Sequence[str]): The labels, in their order.
        """
        places = {end: i for i, end in enumerate(self.ends)}
        units = {unit: i for i, unit in enumerate(map(tuple, self.units.tolist()))}
        columns = {label: i for i, label in enumerate(labels)}
        found = numpy.zeros((len(units), len(labels)), dtype=bool)
        for label, head, tail in relations:
            unit = units.get((places.get(head, -1), places.get(tail, -1)))
            if unit is not None and label in columns:
                found[unit, columns[label]] = True
        of_members = self.legal[self.members[:, 0]]
        legal: numpy.ndarray = numpy.logical_or.reduceat(of_members, unit_starts(self.members))
        return found & legal

    def join_directions(self, probabilities: numpy.ndarray, undirected: numpy.ndarray) -> None:
        """Leave labels without a direction to one of two opposite units, with their mean.

        probabilities (numpy.ndarray): (n_units, n_labels), which change.
        undirected (numpy.ndarray): Which labels these are, (n_labels,).
        """
        if not undirected.any():
            return
        places = {unit: i for i, unit in enumerate(map(tuple, self.units.tolist()))}
        for (head, tail), place in places.items():
            other = places.get((tail, head))
            if other is not None and self.ends[head] < self.ends[tail]:
                mean = (probabilities[place] + probabilities[other]) / 2
                probabilities[place, undirected] = mean[undirected]
                probabilities[other, undirected] = 0.0


@dataclass(frozen=True)
class Decoding:
    """What a model thinks of a batch.

    labels (Sequence[str]): In the order of the columns.
    proposals (Sequence[Proposal]): What was asked, one a Doc.
    probabilities (Sequence[numpy.ndarray]): (n_units, n_labels) of each Doc; 0 where a label
        is illegal.
    """

    labels: Sequence[str]
    proposals: Sequence[Proposal]
    probabilities: Sequence[numpy.ndarray]

    def relations(self, thresholds: Mapping[str, float]) -> list[list[dict[str, Any]]]:
        """The relations of each Doc that are probable enough, sorted by head and tail.

        thresholds (Mapping[str, float]): The least probability, by label; positive.
        """
        least = numpy.asarray([thresholds[label] for label in self.labels])
        found = []
        for proposal, probabilities in zip(self.proposals, self.probabilities, strict=True):
            relations = []
            for unit, column in numpy.argwhere(probabilities >= least).tolist():
                head, tail = (proposal.ends[i] for i in proposal.units[unit].tolist())
                confidence = float(probabilities[unit, column])
                relations.append((head, tail, self.labels[column], confidence))
            found.append(
                [
                    {"label": label, "head": head, "tail": tail, "confidence": confidence}
                    for head, tail, label, confidence in sorted(relations)
                ]
            )
        return found
