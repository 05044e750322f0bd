"""Records of every shape for Hypothesis: any field of the model, with any text, figure and date it takes."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from connector.standards.dcat import model as m
from connector.standards.dcat.table import TABLE, Form, Property

TEXT = st.text(max_size=12)
LANGUAGES = st.sampled_from(["", "de", "en", "fr", "pt-br"])
COORDINATE = st.floats(-180, 180, allow_nan=False, allow_subnormal=False)
LATITUDE = st.floats(-90, 90, allow_nan=False, allow_subnormal=False)
IRIS = st.integers(0, 9999).map("https://data.example/{}".format)
DAYS = st.dates().map(str)

SINGLE: dict[Form, st.SearchStrategy[Any]] = {
    Form.TEXT: st.dictionaries(LANGUAGES, TEXT, max_size=3),
    Form.TEXTS: st.dictionaries(LANGUAGES, st.lists(TEXT, max_size=3).map(tuple), max_size=3),
    Form.IRI: IRIS,
    Form.STRING: TEXT,
    Form.TIME: st.one_of(
        DAYS,
        st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
        st.sampled_from(["1981", "2024-05", "-0044-03-15", "2024-05-01+02:00"]),
    ),
    Form.DURATION: st.sampled_from(["PT1H", "P1M", "P1Y", "PT0.5S", "-P3DT4M"]),
    Form.DECIMAL: st.floats(1e-6, 1e9, allow_nan=False),
    Form.COUNT: st.integers(0, 10**30),
    Form.HEX: st.binary(min_size=1, max_size=8).map(bytes.hex),
    Form.BOX: st.tuples(COORDINATE, COORDINATE, st.tuples(LATITUDE, LATITUDE)).map(
        lambda box: (box[0], min(box[2]), box[1], max(box[2]))
    ),
    Form.POINT: st.tuples(COORDINATE, LATITUDE),
    Form.WKT: st.sampled_from(["POINT(1 2)", "POLYGON((0 0,1 0,1 1,0 0))", "not WKT"]),
    Form.MAILTO: st.from_regex(r"[a-z.!#$&'*+/=?^_~-]{1,9}@[a-z]{1,5}\.example", fullmatch=True),
    Form.TEL: st.from_regex(r"\+[0-9]{1,12}", fullmatch=True),
    Form.CF_NAME: st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
}


def datasets(chance: int = 4) -> st.SearchStrategy[m.Dataset]:
    """Datasets in which each field is there about once in `chance` times; no two nodes share an IRI."""
    return st.composite(_dataset)(chance)


def _dataset(draw: st.DrawFn, chance: int) -> m.Dataset:
    node = _node(draw, m.Dataset, chance)
    assert isinstance(node, m.Dataset)
    return node


def _node(draw: st.DrawFn, kind: type[m.Node], chance: int) -> m.Node:
    found: dict[str, Any] = {}
    many = {each.name for each in msgspec.structs.fields(kind) if each.default == ()}
    for row in TABLE[kind]:
        if not draw(st.integers(0, chance - 1)):
            found[row.field] = (
                tuple(_value(draw, row, chance) for _ in range(draw(st.integers(1, 3))))
                if row.field in many
                else _value(draw, row, chance)
            )
    if kind is m.Location and found.get("bbox", (0,) * 4)[0] > found.get("bbox", (0,) * 4)[2]:
        found.pop("geometry", None)
    if kind is m.Dataset:
        found["kind"] = draw(st.sampled_from(["dataset", "series"]))
    if kind is m.Dataset or draw(st.booleans()):
        found["id"] = f"https://node.example/{draw(st.uuids())}"
    return kind(**found)


def _value(draw: st.DrawFn, row: Property, chance: int) -> Any:
    return _node(draw, row.node, chance) if row.node is not None else draw(SINGLE[row.form])
