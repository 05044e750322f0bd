"""One table in every form that SDMX has had: the same facts, whatever it is written in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.formats import Facts, Limits, detect
from connector.formats.description import describe_file
from connector.formats.statistics import sdmx, sdmx_csv, sdmx_json
from connector.formats.summary import summary
from tests.formats import sdmx_messages as messages

READERS: Final = {"sdmx-ml": sdmx.read, "sdmx-csv": sdmx_csv.read, "sdmx-json": sdmx_json.read}
FORMS: Final[list[Callable[[], str]]] = [
    messages.generic_20,
    messages.compact_20,
    messages.utility_20,
    messages.cross_sectional_20,
    messages.generic_21,
    messages.flat_21,
    messages.across_21,
    messages.specific_21,
    messages.specific_30,
    messages.csv_10,
    messages.csv_20,
    messages.json_10,
    messages.json_20,
]
INFERRED: Final = {"compact_20", "cross_sectional_20", "specific_21", "specific_30", "csv_10", "csv_20"}
Read = Callable[[str], Facts]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that detects what a text is and reads it."""

    def described(text: str) -> Facts:
        path = tmp_path / "file"
        path.write_bytes(text.encode())
        return READERS[detect(path.read_bytes(), "file").name](path, Limits())

    return described


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_facts_do_not_depend_on_the_form(form: Callable[[], str], read: Read) -> None:
    """Six observations of two series, yearly, in kilotonnes, one without a value: in each of thirteen forms."""
    found = read(form())
    assert found.kind == "dataset"
    assert found.statistics is not None
    assert (found.rows, found.statistics.observations, found.statistics.series) == (6, 6, 2)
    assert {each.name: each.values for each in found.dimensions if each.role == "dimension"} == {
        "FREQ": ("A",),
        "REF_AREA": ("AT", "PT"),
    }
    assert [each.name for each in found.dimensions if each.role == "time"] == ["TIME_PERIOD"]
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.count) == ("2019-01-01", "2021-12-31", 3)
    assert found.temporal_resolution == "P1Y"
    assert [(each.name, each.unit) for each in found.variables] == [("OBS_VALUE", "KT")]
    assert any("1 of 6 observations have no value" in note for note in found.notes)
    assert any("inferred" in note for note in found.notes) == (form.__name__ in INFERRED)


@pytest.mark.parametrize("form", [form for form in FORMS if "csv" not in form.__name__], ids=lambda form: form.__name__)
def test_a_header_says_who_and_when_and_of_what(form: Callable[[], str], read: Read) -> None:
    """The name of the message in English, the name of its sender, when it was made, and of which flow it is."""
    found = read(form())
    assert (found.title, found.publisher, found.modified) == ("Waste", "Green Office", "2024-02-03T04:05:06")
    assert "WASTE" in (found.identifier or "")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_message_cut_off_is_refused_or_said_to_be(form: Callable[[], str], read: Read, data: st.DataObject) -> None:
    """Cut anywhere, it is no smaller message that passes for a whole one, unless a table is cut between its lines."""
    text = form()
    cut = text[: data.draw(st.integers(1, len(text.rstrip()) - 1))]
    try:
        found = read(cut)
    except InvalidInput:
        return
    lines = cut.endswith(("\n", "\r")) and "csv" in form.__name__
    assert lines or any("truncated" in note for note in found.notes)


rows = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("xyz"), st.integers(1900, 2100)),
    min_size=1,
    max_size=40,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_what_is_written_is_counted(read: Read, table: list[tuple[str, str, int]]) -> None:
    """Any table, written as SDMX-CSV, flat SDMX-ML and SDMX-JSON: rows, series, codes and period come back."""
    keys = {(area, kind) for area, kind, _ in table}
    years = sorted({year for *_, year in table})
    for text in (_as_csv(table), _as_xml(table), _as_json(table)):
        found = read(text)
        assert found.statistics is not None
        assert (found.rows, found.statistics.series) == (len(table), len(keys))
        assert {each.name: set(each.values) for each in found.dimensions if each.role == "dimension"} == {
            "AREA": {area for area, _ in keys},
            "KIND": {kind for _, kind in keys},
        }
        assert found.period is not None
        assert (found.period.begin, found.period.end) == (f"{years[0]}-01-01", f"{years[-1]}-12-31")
        assert found.period.count == len(years)


def _as_csv(table: list[tuple[str, str, int]]) -> str:
    lines = "".join(f"A:B(1.0),{area},{kind},{year},1\n" for area, kind, year in table)
    return f"DATAFLOW,AREA,KIND,TIME_PERIOD,OBS_VALUE\n{lines}"


def _as_xml(table: list[tuple[str, str, int]]) -> str:
    lines = "".join(
        f'<Obs AREA="{area}" KIND="{kind}" TIME_PERIOD="{year}" OBS_VALUE="1"/>' for area, kind, year in table
    )
    return messages.root_21(
        "StructureSpecificData", f"<m:DataSet>{lines}</m:DataSet>", messages.header_21("AllDimensions")
    )


def _as_json(table: list[tuple[str, str, int]]) -> str:
    axes = [sorted({str(row[place]) for row in table}) for place in range(3)]
    observations = {
        ":".join(str(axis.index(str(code))) for axis, code in zip(axes, row, strict=True)): [1] for row in table
    }
    dimensions = [
        {"id": name, "values": [{"id": code} for code in axis]}
        for name, axis in zip(("AREA", "KIND", "TIME_PERIOD"), axes, strict=True)
    ]
    structure = {"dimensions": {"observation": dimensions}}
    return json.dumps({"data": {"structure": structure, "dataSets": [{"observations": observations}]}})


FOOTER: Final = (
    '<m:Footer><m:Message code="413" severity="Information"><c:Text>The answer will be ready at a later time</c:Text>'
    "</m:Message></m:Footer>"
)


def test_a_footer_in_place_of_data_is_called_one(read: Read) -> None:
    """A service that answers later sends a footer and nothing else: that is no data set, and its text is told."""
    found = read(messages.root_21("StructureSpecificData", FOOTER))
    assert (found.kind, found.rows) == ("footer", None)
    assert any("ready at a later time" in note for note in found.notes)


def test_a_footer_below_data_is_told(read: Read) -> None:
    """What a service adds below the data reaches the provider; the data stay data."""
    found = read(messages.specific_21().replace("</m:DataSet>", f"</m:DataSet>{FOOTER}"))
    assert (found.kind, found.rows) == ("dataset", 6)
    assert any("footer" in note and "ready at a later time" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["GenericMetadata", "StructureSpecificMetadata"])
def test_a_metadata_set_is_called_one(kind: str, read: Read) -> None:
    """Reference metadata describe data elsewhere."""
    found = read(messages.root_21(kind, "<m:MetadataSet><g:Report id='r'/></m:MetadataSet>"))
    assert (found.kind, found.title, found.rows) == ("metadata", "Waste", None)


def test_the_error_of_a_service_is_refused_with_its_words(read: Read) -> None:
    """An error message in place of a file says itself what went wrong."""
    text = '<m:ErrorMessage code="100"><c:Text>No results found</c:Text></m:ErrorMessage>'
    with pytest.raises(InvalidInput, match="No results found"):
        read(messages.root_21("Error", text, ""))


def test_a_message_that_says_it_is_cut_or_a_test_is_told(read: Read) -> None:
    """The header of version 2.0 has a flag for each."""
    text = messages.generic_20().replace(">false</Test><Truncated>false<", ">true</Test><Truncated>true<")
    notes = " ".join(read(text).notes)
    assert "it is a test" in notes
    assert "it is truncated" in notes


STRUCTURE_20: Final = f"""<Structure xmlns="{messages.V20}/message" xmlns:s="{messages.V20}/structure">
{messages.HEADER_20}<CodeLists><s:CodeList id="CL_FREQ" agency="GD"><s:Name>f</s:Name><s:Code value="A"/></s:CodeList>
</CodeLists>
<KeyFamilies><s:KeyFamily id="WASTE" agency="GD"><s:Name xml:lang="en">Waste treated</s:Name><s:Components>
<s:Dimension conceptRef="FREQ" codelist="CL_FREQ"/><s:Dimension conceptRef="REF_AREA"/>
<s:TimeDimension conceptRef="TIME_PERIOD"/><s:Group id="G"><s:DimensionRef>REF_AREA</s:DimensionRef></s:Group>
<s:PrimaryMeasure conceptRef="OBS_VALUE"/><s:Attribute conceptRef="UNIT_MEASURE" attachmentLevel="Series"/>
</s:Components></s:KeyFamily></KeyFamilies></Structure>"""
STRUCTURE_30: Final = f"""<m:Structure xmlns:m="{messages.V30}/message" xmlns:s="{messages.V30}/structure"
xmlns:c="{messages.V30}/common"><m:Header><m:ID>1</m:ID><m:Sender id="GD"/></m:Header><m:Structures>
<s:Codelists><s:Codelist id="CL_FREQ"><c:Name>f</c:Name></s:Codelist></s:Codelists>
<s:DataStructures><s:DataStructure id="WASTE"><c:Name xml:lang="fr">x</c:Name>
<c:Name xml:lang="en">Waste treated</c:Name>
<s:DataStructureComponents><s:DimensionList><s:Dimension id="FREQ"><s:ConceptIdentity>urn:x</s:ConceptIdentity>
</s:Dimension><s:Dimension id="REF_AREA"/><s:TimeDimension id="TIME_PERIOD"/></s:DimensionList><s:AttributeList>
<s:Attribute id="UNIT_MEASURE"><s:AttributeRelationship><s:Dimension>FREQ</s:Dimension></s:AttributeRelationship>
</s:Attribute></s:AttributeList><s:MeasureList><s:Measure id="OBS_VALUE"/></s:MeasureList></s:DataStructureComponents>
</s:DataStructure></s:DataStructures></m:Structures></m:Structure>"""
STRUCTURE_JSON: Final = json.dumps(
    {
        "meta": {"schema": "https://json.example/2.0.0/sdmx-json-structure-schema.json", "sender": {"id": "GD"}},
        "data": {
            "codelists": [{"id": "CL_FREQ"}],
            "dataStructures": [
                {
                    "id": "WASTE",
                    "names": {"en": "Waste treated"},
                    "dataStructureComponents": {
                        "dimensionList": {
                            "dimensions": [{"id": "REF_AREA", "position": 1}, {"id": "FREQ", "position": 0}],
                            "timeDimension": {"id": "TIME_PERIOD"},
                        },
                        "measureList": {"measures": [{"id": "OBS_VALUE"}]},
                        "attributeList": {"attributes": [{"id": "UNIT_MEASURE"}]},
                    },
                }
            ],
        },
    }
)


@pytest.mark.parametrize("text", [STRUCTURE_20, STRUCTURE_30, STRUCTURE_JSON], ids=["2.0", "3.0", "json"])
def test_a_structure_message_is_called_one(text: str, read: Read) -> None:
    """Its components in their order, its code lists, its title; and that it holds no data."""
    found = read(text)
    assert (found.kind, found.title, found.publisher in {"GD", "Green Office"}) == ("structure", "Waste treated", True)
    assert [(each.name, each.role) for each in found.dimensions] == [
        ("FREQ", "dimension"),
        ("REF_AREA", "dimension"),
        ("TIME_PERIOD", "time"),
        ("OBS_VALUE", "measure"),
        ("UNIT_MEASURE", "attribute"),
    ]
    assert found.statistics is not None
    assert (found.statistics.data_structures, found.statistics.codelists) == (("WASTE",), ("CL_FREQ",))
    assert any("holds no data" in note for note in found.notes)


def test_only_the_codes_that_observations_use_are_listed(read: Read) -> None:
    """A JSON message may list codes and times that none of its observations has: they are not part of the data."""
    found = read(messages.json_10())
    assert "FR" not in found.dimensions[1].values
    assert found.period is not None
    assert found.period.last == "2021"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0:1"', '"0:7"', "which is not listed"),
        ('"0:1"', '"0:1:0"', "has 3 parts"),
        ('"0:1"', '"0:-1"', "which is not listed"),
        ('"dataSets"', '"nothing"', "neither data nor structures"),
        ('"observations"', '"nothing"', "no observation"),
    ],
)
def test_json_that_contradicts_itself_is_refused(old: str, new: str, said: str, read: Read) -> None:
    """Keys that name no code, or have another number of parts than the structure, are damage."""
    with pytest.raises(InvalidInput, match=said):
        read(messages.json_10().replace(old, new))


def test_errors_in_place_of_json_data_are_told(read: Read) -> None:
    """A service that answers with errors sends no data set."""
    found = read('{"meta": {"schema": "x/sdmx-json"}, "errors": [{"code": 100, "title": "No results found"}]}')
    assert found.kind == "footer"
    assert any("No results found" in note for note in found.notes)


def test_json_too_large_to_be_read_at_once_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """How large it may be follows from the memory limit; the refusal names the forms that stream."""
    (tmp_path / "x").write_text(messages.json_20())
    with pytest.raises(TooLarge, match="can be read at once") as no:
        sdmx_json.read(tmp_path / "x", Limits(memory_bytes=1000))
    assert "SDMX-CSV" in (no.value.fix or "")


def test_measures_are_the_variables(read: Read) -> None:
    """A cross-sectional message has measures as elements; each is a variable with the common unit."""
    text = messages.cross_sectional_20().replace("w:OBS_VALUE", "w:TREATED", 1).replace('"KT"', '"T" UNIT_MULT="3"')
    found = read(text)
    assert {(each.name, each.unit) for each in found.variables} == {("OBS_VALUE", "10^3 T"), ("TREATED", "10^3 T")}


def test_an_observation_may_be_called_by_its_measure(read: Read) -> None:
    """Version 2.1 with explicit measures: the type of an observation is its code of the dimension it runs along."""
    rows = '<Obs xsi:type="w:AT" OBS_VALUE="1"/><Obs xsi:type="w:PT" OBS_VALUE="2"/>'
    series = "".join(f'<Series FREQ="A" TIME_PERIOD="{year}">{rows}</Series>' for year in messages.YEARS)
    body = f'<m:DataSet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{series}</m:DataSet>'
    found = read(messages.root_21("StructureSpecificData", body, messages.header_21("REF_AREA")))
    assert {each.name: each.values for each in found.dimensions if each.role == "dimension"} == {
        "FREQ": ("A",),
        "REF_AREA": ("AT", "PT"),
    }
    assert (found.rows, found.statistics and found.statistics.series) == (6, 2)


def test_different_units_are_not_one(read: Read) -> None:
    """Where observations differ in their unit the variable has none."""
    found = read(messages.specific_21().replace('"KT"', '"T"', 1))
    assert found.variables[0].unit is None


def test_a_message_group_is_read_by_the_form_of_its_data_sets(read: Read) -> None:
    """A group of version 2.0 holds data sets of one form, named by their namespace."""
    inner = messages.generic_20()
    body = inner[inner.index("<g:KeyFamilyRef") : inner.index("</DataSet>")]
    text = f'<MessageGroup xmlns="{messages.V20}/message" xmlns:g="{messages.V20}/generic">{messages.HEADER_20}'
    found = read(f"{text}<g:DataSet>{body}</g:DataSet></MessageGroup>")
    assert (found.rows, found.statistics and found.statistics.series) == (6, 2)


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        (("2019", "2021"), "2019", "2021"),
        (("2019-03", "2021-11"), "2019-03", "2021-11"),
        (("2019-Q2", "2021-Q3"), "2019-04-01", "2021-09-30"),
        (("2019-S1", "2021-S2"), "2019-01-01", "2021-12-31"),
        (("2020-W05", "2020-W06"), "2020-01-27", "2020-02-09"),
        (("2020-01-01/P1M", "2020-05-01/P1M"), "2020-01-01", "2020-05-31"),
        (("2020-01-01T06:00:00", "2020-01-02T06:00:00"), "2020-01-01T06:00:00", "2020-01-02T06:00:00"),
        (("2019", "2020-Q1"), "2019-01-01", "2020-03-31"),
    ],
)
def test_a_draft_says_the_first_and_the_last_instant_in_iso_8601(
    times: tuple[str, str], start: str, end: str, read: Read
) -> None:
    """Years and months stand as they are; quarters, halves, weeks and ranges by the days that they cover."""
    rows = "".join(f"A:B(1.0),DE,{text},1\n" for text in times)
    facts = read(f"DATAFLOW,GEO,TIME_PERIOD,OBS_VALUE\n{rows}")
    described = describe_file(facts, reader="sdmx-csv", media_type="text/csv", file_type=None, size=1, sha256=None)
    assert summary("x", described)["temporal"] == {"start": start, "end": end}
