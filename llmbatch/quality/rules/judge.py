"""The judgement of a group of answers by rules.

A group and its judgement are also JSON, so that all that takes time, from the parsing of a row to
the query, can happen in another process (see `judge_process`).
"""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from llmbatch.core import exact_json
from llmbatch.quality.rules import values
from llmbatch.quality.rules.values import UnfitError
from llmbatch.quality.rules.view import CheckedAnswer, RowView
from llmbatch.store.rule_query import Broken, RuleQuery


def encoded(group: Sequence[CheckedAnswer], only: Sequence[int] | None = None) -> str:
    """A group as the judge takes it, to be judged by all rules or `only` these (by place)."""
    return orjson.dumps([only, [tuple(one) for one in group]]).decode()


def decoded(reply: str | None) -> list[Broken]:
    """The findings of the judge."""
    return [Broken(*each) for each in orjson.loads(reply or "[]")]


class RuleJudge:
    """Judges groups in this process."""

    def __init__(self, view: RowView, rules: Sequence[str]) -> None:
        self._view = view
        self._count = len(rules)
        self._schema = view.schema()
        self._query = RuleQuery(rules)
        self._answer = values.reader(view.response)
        self._inputs = [(each.source, values.converter(each.kind)) for each in view.inputs]
        self._fields = [("response", values.converter(view.response))]
        self._fields += [(each.source, values.converter(each.kind)) for each in view.fields]
        self._meta = [CheckedAnswer._fields.index(each.source) for each in view.meta]

    def broken(
        self, group: Sequence[CheckedAnswer], only: Sequence[int] | None = None
    ) -> list[Broken]:
        """The rules that the rows of a group break. A row of which a value fits in no column breaks
        them all."""
        rows, places, found = list[list[Any]](), list[int](), list[Broken]()
        for place, one in enumerate(group):
            try:
                rows.append(self._row(one))
                places.append(place)
            except UnfitError as error:
                rules = range(self._count) if only is None else only
                found += [Broken(place, rule, str(error)) for rule in rules]
        if rows:
            judged = self._query.broken(self._table(rows), only)
            found += [Broken(places[each.row], each.rule, each.error) for each in judged]
        return sorted(found, key=lambda one: (one.row, one.rule))

    def _row(self, one: CheckedAnswer) -> list[Any]:
        row = self._of_input(one.data) if self._inputs else []
        if self._view.form == "text":
            row.append(one.answer)
        elif self._view.form == "json":
            row.append(self._answer(one.answer))
        else:
            document = exact_json.parse_record(one.answer)
            row += [convert(document.get(name)) for name, convert in self._fields]
        return row + [one[index] for index in self._meta]

    def _of_input(self, data: str | None) -> list[Any]:
        record = exact_json.parse_record(data or "{}")
        return [convert(record.get(name)) for name, convert in self._inputs]

    def _table(self, rows: Sequence[Sequence[Any]]) -> pa.Table:
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)
