"""Documents of other catalogues, written for these tests so that every field that is carried over is in one of them."""

from typing import Any, Final

HOME: Final = "https://data.example/datasets"

COLLECTION: Final[dict[str, Any]] = {
    "type": "Collection",
    "stac_version": "1.1.0",
    "stac_extensions": ["https://stac-extensions.github.io/scientific/v1.0.0/schema.json"],
    "id": "sst-north-pacific",
    "title": "Sea surface temperature of the North Pacific",
    "description": "Daily fields.",
    "keywords": ["ocean", "temperature"],
    "license": "CC-BY-4.0",
    "providers": [
        {"name": "Ocean Institute", "roles": ["producer", "licensor"], "url": "https://ocean.example"},
        {"name": "Archive", "roles": ["host", "processor"]},
    ],
    "extent": {
        "spatial": {"bbox": [[160.0, 10.0, -110.0, 60.0]]},
        "temporal": {"interval": [["2010-01-01T00:00:00Z", None]]},
    },
    "themes": [
        {
            "scheme": "http://publications.europa.eu/resource/authority/data-theme",
            "concepts": [{"id": "ENVI"}, {"id": "x", "url": "http://inspire.ec.europa.eu/theme/sr"}],
        }
    ],
    "created": "2011-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "version": "2",
    "sci:doi": "10.5072/sst",
    "sci:publications": [{"doi": "10.5072/paper", "citation": "A paper"}],
    "summaries": {
        "gsd": [1000, 500.0],
        "proj:code": ["EPSG:32660"],
        "platform": ["buoy-1"],
        "instruments": ["radiometer"],
        "eo:cloud_cover": {"minimum": 0, "maximum": 100},
    },
    "cube:dimensions": {"t": {"type": "temporal", "extent": ["2010-01-01T00:00:00Z", None], "step": "P1D"}},
    "cube:variables": {"sst": {"type": "data", "dimensions": ["t"], "description": "Surface temperature", "unit": "K"}},
    "assets": {
        "data": {
            "href": "https://ocean.example/sst.nc",
            "type": "application/x-netcdf",
            "title": "All years",
            "roles": ["data"],
            "file:size": 1234,
            "file:checksum": "1220" + "ab" * 32,
        },
        "preview": {"href": "https://ocean.example/sst.png", "type": "image/png", "roles": ["thumbnail"]},
        "near": {"href": "./near.nc"},
    },
    "links": [
        {"rel": "self", "href": "https://stac.example/collections/sst-north-pacific"},
        {"rel": "root", "href": "https://stac.example/"},
        {"rel": "items", "href": "https://stac.example/collections/sst-north-pacific/items"},
        {"rel": "about", "href": "https://ocean.example/sst"},
        {"rel": "derived_from", "href": "https://ocean.example/raw"},
    ],
}

OPENEO: Final[dict[str, Any]] = {
    "type": "Collection",
    "stac_version": "1.0.0",
    "id": "SENTINEL2_L2A",
    "title": "Sentinel-2 surface reflectance",
    "description": "Bottom of atmosphere.",
    "license": "proprietary",
    "extent": {
        "spatial": {"bbox": [[-180, -56, 180, 83]]},
        "temporal": {"interval": [["2016-11-01T00:00:00Z", None]]},
    },
    "cube:dimensions": {
        "x": {"type": "spatial", "axis": "x", "extent": [-180, 180], "reference_system": 32631},
        "t": {"type": "temporal", "extent": ["2016-11-01T00:00:00Z", None]},
        "bands": {"type": "bands", "values": ["B02", "B03"]},
    },
    "links": [
        {"rel": "root", "href": "https://openeo.example/openeo/1.2/"},
        {"rel": "self", "href": "https://openeo.example/openeo/1.2/collections/SENTINEL2_L2A"},
        {"rel": "license", "href": "https://sentinel.example/notice"},
    ],
}

PACKAGE: Final[dict[str, Any]] = {
    "success": True,
    "result": {
        "id": "0f0e",
        "name": "rain-gauges",
        "title": "Niederschlag",
        "notes": "Tageswerte der Stationen.",
        "url": "https://wetter.example/regen",
        "version": "3",
        "license_id": "cc-by-4.0",
        "author": "Wetterdienst",
        "author_email": "mailto:post@wetter.example",
        "maintainer": "Auskunft",
        "maintainer_email": "auskunft@wetter.example",
        "metadata_created": "2020-01-02T03:04:05.678900",
        "metadata_modified": "2024-05-06T07:08:09.000000",
        "organization": {"name": "dwd", "title": "Wetterdienst des Landes", "id": "x"},
        "tags": [{"name": "regen", "display_name": "Regen"}],
        "groups": [{"name": "envi", "title": "Umwelt"}, {"name": "own", "title": "Eigene Gruppe"}],
        "private": False,
        "extras": [
            {"key": "language", "value": '["de"]'},
            {"key": "frequency", "value": "DAILY"},
            {"key": "access_rights", "value": "PUBLIC"},
            {"key": "spatial", "value": '{"type":"Polygon","coordinates":[[[6,47],[15,47],[15,55],[6,55],[6,47]]]}'},
            {"key": "temporal_start", "value": "1990-01-01"},
            {"key": "temporal_end", "value": "2020-12-31"},
            {"key": "temporal_resolution", "value": "P1D"},
            {"key": "provenance", "value": "Geprüft."},
            {"key": "mood", "value": "good"},
        ],
        "resources": [
            {
                "id": "r",
                "name": "CSV",
                "url": "https://wetter.example/regen.csv",
                "format": "CSV",
                "mimetype": "text/csv",
                "size": "4096.0",
                "hash": "sha256:" + "cd" * 32,
                "created": "2020-01-02T03:04:05",
            },
            {"id": "s", "name": "ohne Adresse", "hash": "abcd"},
        ],
    },
}

ISO: Final = """<?xml version="1.0" encoding="UTF-8"?>
<gmd:MD_Metadata xmlns:gmd="http://www.isotc211.org/2005/gmd" xmlns:gco="http://www.isotc211.org/2005/gco"
  xmlns:gmx="http://www.isotc211.org/2005/gmx" xmlns:gml="http://www.opengis.net/gml/3.2"
  xmlns:xlink="http://www.w3.org/1999/xlink">
 <gmd:fileIdentifier><gco:CharacterString>meta-1</gco:CharacterString></gmd:fileIdentifier>
 <gmd:language><gmd:LanguageCode codeListValue="ger"/></gmd:language>
 <gmd:hierarchyLevel><gmd:MD_ScopeCode codeListValue="dataset"/></gmd:hierarchyLevel>
 <gmd:dateStamp><gco:Date>2025-01-01</gco:Date></gmd:dateStamp>
 <gmd:referenceSystemInfo><gmd:MD_ReferenceSystem><gmd:referenceSystemIdentifier><gmd:RS_Identifier>
   <gmd:code><gco:CharacterString>25832</gco:CharacterString></gmd:code>
   <gmd:codeSpace><gco:CharacterString>EPSG</gco:CharacterString></gmd:codeSpace>
 </gmd:RS_Identifier></gmd:referenceSystemIdentifier></gmd:MD_ReferenceSystem></gmd:referenceSystemInfo>
 <gmd:identificationInfo><gmd:MD_DataIdentification>
  <gmd:citation><gmd:CI_Citation>
   <gmd:title><gco:CharacterString>Bodenkarte</gco:CharacterString><gmd:PT_FreeText><gmd:textGroup>
     <gmd:LocalisedCharacterString locale="#ENG">Soil map</gmd:LocalisedCharacterString>
   </gmd:textGroup></gmd:PT_FreeText></gmd:title>
   <gmd:date><gmd:CI_Date><gmd:date><gco:Date>2019-03-01</gco:Date></gmd:date>
     <gmd:dateType><gmd:CI_DateTypeCode codeListValue="publication"/></gmd:dateType></gmd:CI_Date></gmd:date>
   <gmd:identifier><gmd:RS_Identifier>
     <gmd:code><gco:CharacterString>soil</gco:CharacterString></gmd:code>
     <gmd:codeSpace><gco:CharacterString>https://land.example/id</gco:CharacterString></gmd:codeSpace>
   </gmd:RS_Identifier></gmd:identifier>
  </gmd:CI_Citation></gmd:citation>
  <gmd:abstract><gco:CharacterString>Böden des Landes.</gco:CharacterString></gmd:abstract>
  <gmd:pointOfContact><gmd:CI_ResponsibleParty>
    <gmd:organisationName><gco:CharacterString>Landesamt</gco:CharacterString></gmd:organisationName>
    <gmd:positionName><gco:CharacterString>Referat 3</gco:CharacterString></gmd:positionName>
    <gmd:contactInfo><gmd:CI_Contact><gmd:address><gmd:CI_Address>
      <gmd:electronicMailAddress><gco:CharacterString>boden@land.example</gco:CharacterString></gmd:electronicMailAddress>
    </gmd:CI_Address></gmd:address></gmd:CI_Contact></gmd:contactInfo>
    <gmd:role><gmd:CI_RoleCode codeListValue="pointOfContact"/></gmd:role>
  </gmd:CI_ResponsibleParty></gmd:pointOfContact>
  <gmd:pointOfContact><gmd:CI_ResponsibleParty>
    <gmd:organisationName><gco:CharacterString>Landesamt</gco:CharacterString></gmd:organisationName>
    <gmd:role><gmd:CI_RoleCode codeListValue="owner"/></gmd:role>
  </gmd:CI_ResponsibleParty></gmd:pointOfContact>
  <gmd:resourceMaintenance><gmd:MD_MaintenanceInformation><gmd:maintenanceAndUpdateFrequency>
    <gmd:MD_MaintenanceFrequencyCode codeListValue="asNeeded"/>
  </gmd:maintenanceAndUpdateFrequency></gmd:MD_MaintenanceInformation></gmd:resourceMaintenance>
  <gmd:descriptiveKeywords><gmd:MD_Keywords>
    <gmd:keyword><gco:CharacterString>Boden</gco:CharacterString></gmd:keyword>
    <gmd:keyword><gco:CharacterString>Bohrung</gco:CharacterString></gmd:keyword>
  </gmd:MD_Keywords></gmd:descriptiveKeywords>
  <gmd:resourceConstraints><gmd:MD_LegalConstraints>
    <gmd:useLimitation><gco:CharacterString>Quelle nennen.</gco:CharacterString></gmd:useLimitation>
    <gmd:otherConstraints><gmx:Anchor xlink:href="http://creativecommons.org/licenses/by/4.0/">CC BY 4.0</gmx:Anchor>
    </gmd:otherConstraints>
    <gmd:otherConstraints><gmx:Anchor xlink:href="http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations">keine</gmx:Anchor>
    </gmd:otherConstraints>
  </gmd:MD_LegalConstraints></gmd:resourceConstraints>
  <gmd:spatialRepresentationType><gmd:MD_SpatialRepresentationTypeCode codeListValue="vector"/>
  </gmd:spatialRepresentationType>
  <gmd:spatialResolution><gmd:MD_Resolution><gmd:distance><gco:Distance uom="km">2.5</gco:Distance></gmd:distance>
  </gmd:MD_Resolution></gmd:spatialResolution>
  <gmd:spatialResolution><gmd:MD_Resolution><gmd:equivalentScale><gmd:MD_RepresentativeFraction>
    <gmd:denominator><gco:Integer>50000</gco:Integer></gmd:denominator>
  </gmd:MD_RepresentativeFraction></gmd:equivalentScale></gmd:MD_Resolution></gmd:spatialResolution>
  <gmd:language><gmd:LanguageCode codeListValue="ger"/></gmd:language>
  <gmd:characterSet><gmd:MD_CharacterSetCode codeListValue="utf8"/></gmd:characterSet>
  <gmd:topicCategory><gmd:MD_TopicCategoryCode>geoscientificInformation</gmd:MD_TopicCategoryCode></gmd:topicCategory>
  <gmd:extent><gmd:EX_Extent>
   <gmd:geographicElement><gmd:EX_GeographicBoundingBox>
    <gmd:westBoundLongitude><gco:Decimal>8.5</gco:Decimal></gmd:westBoundLongitude>
    <gmd:eastBoundLongitude><gco:Decimal>11.5</gco:Decimal></gmd:eastBoundLongitude>
    <gmd:southBoundLatitude><gco:Decimal>53.3</gco:Decimal></gmd:southBoundLatitude>
    <gmd:northBoundLatitude><gco:Decimal>55.1</gco:Decimal></gmd:northBoundLatitude>
   </gmd:EX_GeographicBoundingBox></gmd:geographicElement>
   <gmd:temporalElement><gmd:EX_TemporalExtent><gmd:extent><gml:TimePeriod gml:id="t">
     <gml:beginPosition>2000-01-01</gml:beginPosition><gml:endPosition>2018-12-31</gml:endPosition>
   </gml:TimePeriod></gmd:extent></gmd:EX_TemporalExtent></gmd:temporalElement>
  </gmd:EX_Extent></gmd:extent>
 </gmd:MD_DataIdentification></gmd:identificationInfo>
 <gmd:distributionInfo><gmd:MD_Distribution>
  <gmd:distributionFormat><gmd:MD_Format><gmd:name><gco:CharacterString>GeoPackage</gco:CharacterString></gmd:name>
    <gmd:version><gco:CharacterString>1.3</gco:CharacterString></gmd:version></gmd:MD_Format></gmd:distributionFormat>
  <gmd:transferOptions><gmd:MD_DigitalTransferOptions>
   <gmd:transferSize><gco:Real>1.5</gco:Real></gmd:transferSize>
   <gmd:onLine><gmd:CI_OnlineResource>
    <gmd:linkage><gmd:URL>https://land.example/soil.gpkg</gmd:URL></gmd:linkage>
    <gmd:function><gmd:CI_OnLineFunctionCode codeListValue="download"/></gmd:function>
   </gmd:CI_OnlineResource></gmd:onLine>
   <gmd:onLine><gmd:CI_OnlineResource>
    <gmd:linkage><gmd:URL>https://land.example/about</gmd:URL></gmd:linkage>
    <gmd:function><gmd:CI_OnLineFunctionCode codeListValue="information"/></gmd:function>
   </gmd:CI_OnlineResource></gmd:onLine>
  </gmd:MD_DigitalTransferOptions></gmd:transferOptions>
 </gmd:MD_Distribution></gmd:distributionInfo>
 <gmd:dataQualityInfo><gmd:DQ_DataQuality>
  <gmd:report><gmd:DQ_DomainConsistency><gmd:result><gmd:DQ_ConformanceResult>
    <gmd:specification><gmd:CI_Citation><gmd:title><gmx:Anchor xlink:href="http://data.europa.eu/eli/reg/2010/1089">INSPIRE</gmx:Anchor></gmd:title></gmd:CI_Citation></gmd:specification>
    <gmd:pass><gco:Boolean>true</gco:Boolean></gmd:pass>
  </gmd:DQ_ConformanceResult></gmd:result></gmd:DQ_DomainConsistency></gmd:report>
  <gmd:lineage><gmd:LI_Lineage><gmd:statement><gco:CharacterString>Aus Bohrungen.</gco:CharacterString></gmd:statement>
  </gmd:LI_Lineage></gmd:lineage>
 </gmd:DQ_DataQuality></gmd:dataQualityInfo>
</gmd:MD_Metadata>
""".encode()
