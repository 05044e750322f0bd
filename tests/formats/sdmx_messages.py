"""The same six observations in every form of SDMX: two areas, three years of waste in kilotonnes. For tests only.

Where a form cannot hold something (a cross-sectional message of version 2.0 has no series) its test says so.
"""

import json
from typing import Final

V20: Final = "http://www.SDMX.org/resources/SDMXML/schemas/v2_0"
V21: Final = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1"
V30: Final = "http://www.sdmx.org/resources/sdmxml/schemas/v3_0"
FLOW: Final = "GD:WASTE(1.0)"
FAMILY: Final = "urn:sdmx:org.sdmx.infomodel.keyfamily.KeyFamily=GD:WASTE"
AREAS: Final = ("AT", "PT")
YEARS: Final = ("2019", "2020", "2021")


def value(area: str, year: str) -> str:
    """Return a value of its own for each observation; one is missing."""
    return "" if (area, year) == ("PT", "2020") else str(10 * AREAS.index(area) + YEARS.index(year))


HEADER_20: Final = (
    "<Header><ID>w</ID><Test>false</Test><Truncated>false</Truncated><Name>Waste</Name>"
    '<Prepared>2024-02-03T04:05:06</Prepared><Sender id="GD"><Name>Green Office</Name></Sender>'
    "<KeyFamilyRef>WASTE</KeyFamilyRef></Header>"
)


def header_21(across: str = "TIME_PERIOD") -> str:
    """Return a header of version 2.1 whose observations run along `across`."""
    return (
        '<m:Header><m:ID>w</m:ID><m:Test>false</m:Test><m:Prepared>2024-02-03T04:05:06</m:Prepared><m:Sender id="GD">'
        f'<c:Name>Green Office</c:Name></m:Sender><m:Structure structureID="S" dimensionAtObservation="{across}">'
        '<c:StructureUsage><Ref agencyID="GD" id="WASTE" version="1.0"/></c:StructureUsage></m:Structure>'
        '<m:Name xml:lang="de">Abfall</m:Name><m:Name xml:lang="en">Waste</m:Name></m:Header>'
    )


def generic_20() -> str:
    """Return generic data of version 2.0: keys by concept, time as an element."""
    series = "".join(
        f'<g:Series><g:SeriesKey><g:Value concept="FREQ" value="A"/><g:Value concept="REF_AREA" value="{area}"/>'
        '</g:SeriesKey><g:Attributes><g:Value concept="UNIT_MEASURE" value="KT"/></g:Attributes>'
        + "".join(f'<g:Obs><g:Time>{year}</g:Time><g:ObsValue value="{value(area, year)}"/></g:Obs>' for year in YEARS)
        + "</g:Series>"
        for area in AREAS
    )
    return (
        f'<GenericData xmlns="{V20}/message" xmlns:g="{V20}/generic">{HEADER_20}<DataSet>'
        f"<g:KeyFamilyRef>WASTE</g:KeyFamilyRef>{series}</DataSet></GenericData>"
    )


def compact_20() -> str:
    """Return compact data of version 2.0, with a group that has the name its structure gives it."""
    series = "".join(
        f'<w:Series FREQ="A" REF_AREA="{area}" TIME_FORMAT="P1Y">'
        + "".join(f'<w:Obs TIME_PERIOD="{year}" OBS_VALUE="{value(area, year)}" OBS_STATUS="A"/>' for year in YEARS)
        + "</w:Series>"
        for area in AREAS
    )
    return (
        f'<CompactData xmlns="{V20}/message" xmlns:w="{FAMILY}:compact">'
        f'{HEADER_20}<w:DataSet action="Replace"><w:SiblingGroup REF_AREA="AT" UNIT_MEASURE="KT"/>{series}'
        "</w:DataSet></CompactData>"
    )


def utility_20() -> str:
    """Return utility data of version 2.0: the key of a series as elements."""
    series = "".join(
        f'<w:Series UNIT_MEASURE="KT"><w:Key><w:FREQ>A</w:FREQ><w:REF_AREA>{area}</w:REF_AREA></w:Key>'
        + "".join(
            f'<w:Obs OBS_STATUS="A"><w:TIME_PERIOD>{year}</w:TIME_PERIOD><w:OBS_VALUE>{value(area, year)}</w:OBS_VALUE>'
            "</w:Obs>"
            for year in YEARS
        )
        + "</w:Series>"
        for area in AREAS
    )
    return (
        f'<UtilityData xmlns="{V20}/message" xmlns:w="{FAMILY}:utility">'
        f"{HEADER_20}<w:DataSet>{series}</w:DataSet></UtilityData>"
    )


def cross_sectional_20() -> str:
    """Return cross-sectional data of version 2.0: time at the group, measures as elements."""
    groups = "".join(
        f'<w:Group FREQ="A" TIME_PERIOD="{year}"><w:Section UNIT_MEASURE="KT">'
        + "".join(f'<w:OBS_VALUE REF_AREA="{area}" value="{value(area, year)}"/>' for area in AREAS)
        + "</w:Section></w:Group>"
        for year in YEARS
    )
    return (
        f'<CrossSectionalData xmlns="{V20}/message" '
        f'xmlns:w="{FAMILY}:cross">'
        f"{HEADER_20}<w:DataSet>{groups}</w:DataSet></CrossSectionalData>"
    )


def root_21(kind: str, body: str, header: str | None = None) -> str:
    """Return a message of version 2.1."""
    return (
        f'<?xml version="1.0"?><m:{kind} xmlns:m="{V21}/message" xmlns:c="{V21}/common" xmlns:g="{V21}/data/generic">'
        f"{header_21() if header is None else header}{body}</m:{kind}>"
    )


def generic_21() -> str:
    """Return generic data of version 2.1 as time series."""
    series = "".join(
        f'<g:Series><g:SeriesKey><g:Value id="FREQ" value="A"/><g:Value id="REF_AREA" value="{area}"/></g:SeriesKey>'
        '<g:Attributes><g:Value id="UNIT_MEASURE" value="KT"/></g:Attributes>'
        + "".join(
            f'<g:Obs><g:ObsDimension value="{year}"/><g:ObsValue value="{value(area, year) or "NaN"}"/></g:Obs>'
            for year in YEARS
        )
        + "</g:Series>"
        for area in AREAS
    )
    return root_21("GenericData", f"<m:DataSet>{series}</m:DataSet>")


def flat_21() -> str:
    """Return generic data of version 2.1 with the whole key at each observation."""
    rows = "".join(
        f'<g:Obs><g:ObsKey><g:Value id="FREQ" value="A"/><g:Value id="REF_AREA" value="{area}"/>'
        f'<g:Value id="TIME_PERIOD" value="{year}"/></g:ObsKey><g:ObsValue value="{value(area, year)}"/>'
        '<g:Attributes><g:Value id="UNIT_MEASURE" value="KT"/></g:Attributes></g:Obs>'
        for area in AREAS
        for year in YEARS
    )
    return root_21("GenericData", f"<m:DataSet>{rows}</m:DataSet>", header_21("AllDimensions"))


def across_21() -> str:
    """Return generic data of version 2.1 whose observations run along the area."""
    series = "".join(
        f'<g:Series><g:SeriesKey><g:Value id="FREQ" value="A"/><g:Value id="TIME_PERIOD" value="{year}"/></g:SeriesKey>'
        '<g:Attributes><g:Value id="UNIT_MEASURE" value="KT"/></g:Attributes>'
        + "".join(
            f'<g:Obs><g:ObsDimension value="{area}"/><g:ObsValue value="{value(area, year)}"/></g:Obs>'
            for area in AREAS
        )
        + "</g:Series>"
        for year in YEARS
    )
    return root_21("GenericData", f"<m:DataSet>{series}</m:DataSet>", header_21("REF_AREA"))


def specific_21() -> str:
    """Return structure-specific data of version 2.1 as time series."""
    series = "".join(
        f'<Series FREQ="A" REF_AREA="{area}" UNIT_MEASURE="KT">'
        + "".join(f'<Obs TIME_PERIOD="{year}" OBS_VALUE="{value(area, year)}"/>' for year in YEARS)
        + "</Series>"
        for area in AREAS
    )
    return root_21("StructureSpecificData", f'<m:DataSet>{series}<Group REF_AREA="AT" TITLE="t"/></m:DataSet>')


def specific_30() -> str:
    """Return structure-specific data of version 3.0: flat, references as URNs, an attribute of several values."""
    rows = "".join(
        f'<Obs FREQ="A" REF_AREA="{area}" TIME_PERIOD="{year}" OBS_VALUE="{value(area, year)}" UNIT_MEASURE="KT">'
        '<Comp id="COMMENT_OBS"><Value>one</Value><Value>two</Value></Comp></Obs>'
        for area in AREAS
        for year in YEARS
    )
    return (
        f'<m:StructureSpecificData xmlns:m="{V30}/message" xmlns:c="{V30}/common">'
        '<m:Header><m:ID>w</m:ID><m:Test>false</m:Test><m:Prepared>2024-02-03T04:05:06</m:Prepared><m:Sender id="GD">'
        '<c:Name>Green Office</c:Name></m:Sender><m:Structure structureID="S" dimensionAtObservation="AllDimensions">'
        "<c:StructureUsage>urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow=GD:WASTE(1.0)</c:StructureUsage>"
        f"</m:Structure><m:Name>Waste</m:Name></m:Header><m:DataSet>{rows}</m:DataSet></m:StructureSpecificData>"
    )


def csv_10() -> str:
    """Return SDMX-CSV 1.0 with codes and their labels in one cell, separated as in much of Europe."""
    head = "DATAFLOW;FREQ: Frequency;REF_AREA: Area;TIME_PERIOD: Time;OBS_VALUE: Value;UNIT_MEASURE: Unit\n"
    return head + "".join(
        f"{FLOW}: Waste;A: Annual;{area}: Some area;{year};{value(area, year)};KT: Kilotonnes\n"
        for area in AREAS
        for year in YEARS
    )


def csv_20() -> str:
    """Return SDMX-CSV 2.0 with the names of the codes in columns of their own, one of them a single word."""
    head = (
        "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,FREQ,Frequency,REF_AREA,Reference area,TIME_PERIOD,Time,"
        "OBS_VALUE,Observation value,UNIT_MEASURE,Unit\r\n"
    )
    return head + "".join(
        f'dataflow,{FLOW},"Waste, all of it",I,A,Annual,{area},Some area,{year},,{value(area, year)},,KT,Kilotonnes\r\n'
        for area in AREAS
        for year in YEARS
    )


def json_10() -> str:
    """Return SDMX-JSON 1.0 as time series."""
    series = {
        f"0:{AREAS.index(area)}": {
            "attributes": [0],
            "observations": {
                str(YEARS.index(year)): [float(value(area, year)) if value(area, year) else None, 0] for year in YEARS
            },
        }
        for area in AREAS
    }
    structure = {
        "name": "Abfall",
        "names": {"de": "Abfall", "en": "Waste"},
        "links": [{"rel": "dataflow", "urn": "urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow=GD:WASTE(1.0)"}],
        "dimensions": {
            "dataSet": [],
            "series": [
                {"id": "FREQ", "values": [{"id": "A"}]},
                {"id": "REF_AREA", "values": [{"id": area} for area in AREAS] + [{"id": "FR"}]},
            ],
            "observation": [{"id": "TIME_PERIOD", "values": [{"id": year} for year in (*YEARS, "2030")]}],
        },
        "attributes": {"series": [{"id": "UNIT_MEASURE", "values": [{"id": "KT"}]}], "observation": []},
    }
    return json.dumps(
        {
            "meta": {
                "schema": "https://json.example/schemas/1.0/sdmx-json-data-schema.json",
                "prepared": "2024-02-03T04:05:06",
                "sender": {"id": "GD", "name": "Green Office"},
            },
            "data": {"structure": structure, "dataSets": [{"action": "Information", "series": series}]},
        }
    )


def json_20() -> str:
    """Return SDMX-JSON 2.0: flat, with a dimension that is constant and times that have no code list."""
    observations = {
        f"{AREAS.index(area)}:{YEARS.index(year)}": [value(area, year) or None] for area in AREAS for year in YEARS
    }
    structure = {
        "names": {"en": "Waste"},
        "dataflow": "urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow=GD:WASTE(1.0)",
        "dimensions": {
            "dataSet": [{"id": "FREQ", "values": [{"id": "A"}]}],
            "observation": [
                {"id": "REF_AREA", "values": [{"id": area} for area in AREAS]},
                {"id": "TIME_PERIOD", "values": [{"value": year} for year in YEARS]},
            ],
        },
        "measures": {"observation": [{"id": "OBS_VALUE"}]},
        "attributes": {"dataSet": [{"id": "UNIT_MEASURE", "values": [{"id": "KT"}]}]},
    }
    return json.dumps(
        {
            "meta": {
                "schema": "https://json.example/schemas/2.0.0/sdmx-json-data-schema.json",
                "prepared": "2024-02-03T04:05:06",
                "sender": {"id": "GD", "name": "Green Office"},
            },
            "data": {"structures": [structure], "dataSets": [{"structure": 0, "observations": observations}]},
        }
    )
