"""SDMX messages in both of their forms, read as they stream by."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.formats import Facts, Limits
from connector.formats.statistics import sdmx, sdmx_csv
from connector.formats.statistics.sdmx_model import VALUES_KEPT, Gathered

MESSAGE = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message"
GENERIC = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1/data/generic"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Facts]:
    """Return a function that reads a text as SDMX-CSV."""

    def read(text: str) -> Facts:
        path = tmp_path / "x.csv"
        path.write_bytes(text.encode())
        return sdmx_csv.read(path, Limits())

    return read


@pytest.fixture
def message(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that reads the data set of a message as SDMX-ML."""

    def read(kind: str, body: str, header: str = "", namespace: str = MESSAGE) -> Facts:
        path = tmp_path / "x.xml"
        path.write_text(
            f'<m:{kind} xmlns:m="{namespace}" xmlns:g="{GENERIC}" xmlns:c="urn:c"><m:Header><m:ID>1</m:ID>'
            f'<m:Sender id="EST"/>{header}</m:Header><m:DataSet>{body}</m:DataSet></m:{kind}>'
        )
        return sdmx.read(path, Limits())

    return read


def roles(found: Facts, role: str) -> list[str]:
    """Return the names of the components of a role."""
    return [each.name for each in found.dimensions if each.role == role]


def test_columns_are_told_apart(table: Callable[[str], Facts]) -> None:
    """Before the value are dimensions, after it attributes; leading columns and label columns are neither."""
    found = table(
        "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,FREQ,REF_AREA,Reference area,TIME_PERIOD,OBS_VALUE,OBS_STATUS\r\n"
        'dataflow,A:B(1.0),"Name, with comma",I,A,DE,Germany,2020,1,A\r\n'
        "dataflow,A:B(1.0),Name,I,A,FR,France,2021,,M\r\n"
    )
    assert roles(found, "dimension") == ["FREQ", "REF_AREA"]
    assert roles(found, "attribute") == ["OBS_STATUS"]
    assert found.dimensions[1].values == ("DE", "FR")
    assert (found.format, found.identifier, found.temporal_resolution) == ("SDMX-CSV 2.0", "A:B(1.0)", "P1Y")
    assert any("1 of 2 observations have no value" in note for note in found.notes)
    assert any("inferred" in note for note in found.notes)
    assert all(each.inferred for each in found.dimensions if each.role == "dimension")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_labels(separator: str, table: Callable[[str], Facts]) -> None:
    """Regional separators, a byte order mark, and cells that hold `code: label` are understood."""
    rows = (
        ("DATAFLOW", "FREQ: Frequency", "GEO: Area", "TIME_PERIOD: Time", "OBS_VALUE: Value"),
        ("A:B(1.0): Flow", "Q: Quarterly", "AT: Austria", "2020-Q1: First quarter", "1"),
        ("A:B(1.0): Flow", "Q: Quarterly", "BE: Belgium", "2020-Q2: Second quarter", "2"),
    )
    found = table("\ufeff" + "".join(separator.join(row) + "\n" for row in rows))
    assert found.period is not None
    assert (found.period.begin, found.period.end) == ("2020-01-01", "2020-06-30")
    assert found.dimensions[1].values == ("AT", "BE")
    assert found.identifier == "A:B(1.0)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA:B(1.0),A,2020\n", "Row 2 has 3 cells"),
        ("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\n", "no observation"),
        ("STRUCTURE,FREQ\nx,y\n", "does not begin"),
        ("date,value\n1,2\n", "does not begin"),
        ("", "does not begin"),
        ('DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA,"open\n', "well-formed"),
        ("DATAFLOW,FREQ,OBS_VALUE\nA," + "x" * 70_000 + ",1\n", "well-formed"),
        ("DATAFLOW," + "A," * 2_000 + "OBS_VALUE\n", "columns"),
    ],
)
def test_tables_that_are_none_are_refused(text: str, said: str, table: Callable[[str], Facts]) -> None:
    """A refusal names the row, the header or the form that is wrong."""
    with pytest.raises(InvalidInput, match=said):
        table(text)


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """SDMX-CSV is UTF-8; anything else would turn codes into others."""
    path = tmp_path / "x.csv"
    path.write_bytes("DATAFLOW,GEO,OBS_VALUE\nA,Österreich,1\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="UTF-8"):
        sdmx_csv.read(path, Limits())


def test_generic_keys_are_dimensions(message: Callable[..., Facts]) -> None:
    """A generic message names its keys, so nothing is inferred; attributes of series and observations count."""
    found = message(
        "GenericData",
        '<g:Series><g:SeriesKey><g:Value id="FREQ" value="M"/><g:Value id="GEO" value="AL"/></g:SeriesKey>'
        '<g:Attributes><g:Value id="UNIT" value="GWH"/></g:Attributes>'
        '<g:Obs><g:ObsDimension value="2020-01"/><g:ObsValue value="1"/>'
        '<g:Attributes><g:Value id="FLAG" value="e"/></g:Attributes></g:Obs>'
        '<g:Obs><g:ObsDimension value="2020-03"/></g:Obs></g:Series>',
        header='<m:Structure dimensionAtObservation="TIME_PERIOD"><c:Structure>'
        '<Ref agencyID="EST" id="NRG" version="2.0"/></c:Structure></m:Structure>',
    )
    assert (roles(found, "dimension"), roles(found, "attribute")) == (["FREQ", "GEO"], ["UNIT", "FLAG"])
    assert found.statistics is not None
    assert (found.statistics.series, found.statistics.observations) == (1, 2)
    assert found.identifier == "EST:NRG(2.0)"
    assert found.period is not None
    assert (found.period.begin, found.period.end, found.period.count) == ("2020-01-01", "2020-03-31", 2)
    assert not any("inferred" in note for note in found.notes)
    assert any("1 of 2 observations have no value" in note for note in found.notes)


def test_flat_generic_observations(message: Callable[..., Facts]) -> None:
    """Flat data hold the whole key at the observation, time among it."""
    found = message(
        "GenericData",
        '<g:Obs><g:ObsKey><g:Value id="GEO" value="AL"/><g:Value id="TIME_PERIOD" value="2020"/></g:ObsKey>'
        '<g:ObsValue value="1"/></g:Obs>',
        header='<m:Structure dimensionAtObservation="AllDimensions"/>',
    )
    assert roles(found, "dimension") == ["GEO"]
    assert found.period is not None
    assert found.period.first == "2020"


def test_cross_sectional_time_is_found_at_the_series(message: Callable[..., Facts]) -> None:
    """Observations along another dimension: the time is in the key of their series."""
    found = message(
        "GenericData",
        '<g:Series><g:SeriesKey><g:Value id="TIME_PERIOD" value="2020"/></g:SeriesKey>'
        '<g:Obs><g:ObsDimension value="DE"/><g:ObsValue value="1"/></g:Obs></g:Series>',
        header='<m:Structure dimensionAtObservation="GEO"/>',
    )
    assert roles(found, "dimension") == ["GEO"]
    assert found.period is not None
    assert found.period.end == "2020-12-31"


@pytest.mark.parametrize("series", [True, False])
def test_structure_specific_attributes_are_sorted(series: bool, message: Callable[..., Facts]) -> None:
    """Series or flat, in version 2.1 or 3.0: attributes known by name are attributes, the rest inferred dimensions."""
    body = (
        '<Series FREQ="A" GEO="AL" UNIT_MULT="3"><Obs TIME_PERIOD="2020" OBS_VALUE="1" FLAG="e"/></Series>'
        if series
        else '<Obs FREQ="A" GEO="AL" UNIT_MULT="3" TIME_PERIOD="2020" OBS_VALUE="1"/>'
    )
    found = message("StructureSpecificData", body, namespace=MESSAGE.replace("v2_1", "v3_0"))
    assert roles(found, "dimension") == ["FREQ", "GEO"]
    assert roles(found, "attribute") == (["UNIT_MULT", "FLAG"] if series else ["UNIT_MULT"])
    assert found.conforms_to == "SDMX-ML 3.0"
    assert found.publisher == "EST"


@pytest.mark.parametrize(
    ("kind", "namespace", "said"),
    [
        ("StructureSpecificData", MESSAGE, "no observation"),
        ("Error", MESSAGE, "error message of an SDMX service"),
        ("CompactData", "http://www.SDMX.org/resources/SDMXML/schemas/v1_0/message", "version cannot be read"),
        ("RegistryInterface", MESSAGE, "neither data nor structures"),
    ],
)
def test_messages_without_data_are_called_what_they_are(
    kind: str, namespace: str, said: str, message: Callable[..., Facts]
) -> None:
    """An error message, a query, an older version or an empty data set is not described as data."""
    with pytest.raises(InvalidInput, match=said):
        message(kind, "", namespace=namespace)


def test_a_message_cut_off_is_refused_with_its_line(tmp_path: Path) -> None:
    """Half a message is not a smaller message."""
    path = tmp_path / "x.xml"
    path.write_text(
        f'<m:StructureSpecificData xmlns:m="{MESSAGE}">\n<m:DataSet>\n<Series><Obs TIME_PERIOD="2020" OBS_VALUE="1"/>'
    )
    with pytest.raises(InvalidInput, match="cut off") as no:
        sdmx.read(path, Limits())
    assert no.value.where == "line 3"


def test_odd_times_are_left_out_and_told(table: Callable[[str], Facts]) -> None:
    """A time that is none does not spoil the period; the provider sees an example."""
    found = table("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA,A,2020,1\nA,A,soon,2\n")
    assert found.period is not None
    assert found.period.last == "2020"
    assert any("'soon'" in note for note in found.notes)


def test_several_frequencies_have_no_resolution(table: Callable[[str], Facts]) -> None:
    """Monthly and yearly values in one table: no resolution is claimed."""
    found = table("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA,A,2020,1\nA,M,2020-01,2\n")
    assert found.temporal_resolution is None


@given(st.lists(st.integers(1600, 2400), min_size=1, max_size=30))
def test_the_period_is_that_of_the_outer_times_in_any_order(years: list[int]) -> None:
    """Brute force: first and last are the smallest and the largest year, however the rows are sorted."""
    seen = Gathered()
    for year in years:
        seen.time(str(year))
    period = seen.period()
    assert period is not None
    assert (period.first, period.last, period.count) == (str(min(years)), str(max(years)), len(set(years)))


@given(st.integers(0, 2 * VALUES_KEPT))
def test_codes_are_kept_up_to_a_limit(count: int) -> None:
    """Few codes are all listed; of many only the first, and then no number is claimed."""
    seen = Gathered()
    for number in range(count):
        seen.note("GEO", "dimension", f"code {number}")
        seen.note("GEO", "dimension", f"code {number}")
    if count:
        found = seen.dimensions()[0]
        assert len(found.values) == min(count, VALUES_KEPT)
        assert found.size == (count if count <= VALUES_KEPT else None)
