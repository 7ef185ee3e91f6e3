"""The table of tasks that have an official scorer."""

from __future__ import annotations

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation import i2b2_2010, n2c2_2018
from spacy_bertlstm.evaluation.pairs import Task

# By the task's name and the type of its files, "" where there is one type only.
TASKS: dict[str, dict[str, Task]] = {
    "i2b2-2010": i2b2_2010.TASKS,
    "n2c2-2018": {"": n2c2_2018.TASK},
}


def get_task(name: str, kind: str | None) -> Task:
    """Choose a task.

    name (str): A key of TASKS.
    kind (str | None): The type of files, where the task has several.
    RAISES: BL602 (no such type), BL603 (a type where there is none to choose).
    """
    kinds = TASKS[name]
    if list(kinds) == [""]:
        if kind:
            raise BertLstmError("BL603", task=name)
        return kinds[""]
    if kind not in kinds:
        raise BertLstmError("BL602", task=name, kinds=", ".join(kinds))
    return kinds[kind]
