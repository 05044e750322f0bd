"""RDF in and out: foreign bytes to triples, triples to bytes, blank nodes to stable names.

Foreign RDF is parsed by pyoxigraph alone and under limits; JSON-LD sees the bundled contexts and no others. A record
is a tuple of triples; rdflib, PyLD and pySHACL are loaded only by the functions that need them, because they are slow
to import. `terms` has the names, `reading` the parser, `contexts` JSON-LD, `naming` blank nodes and hashes, `writing`
the way out.
"""

from connector.standards.rdf.contexts import contexts, expand, load_context
from connector.standards.rdf.naming import canonical, fingerprint, skolemise
from connector.standards.rdf.reading import parse, read_json, stream
from connector.standards.rdf.terms import GD, LIMITS, PREFIXES, Format, Limits, Triples, compact, full
from connector.standards.rdf.writing import from_rdflib, serialise, term_of, to_rdflib

__all__ = [
    "GD",
    "LIMITS",
    "PREFIXES",
    "Format",
    "Limits",
    "Triples",
    "canonical",
    "compact",
    "contexts",
    "expand",
    "fingerprint",
    "from_rdflib",
    "full",
    "load_context",
    "parse",
    "read_json",
    "serialise",
    "skolemise",
    "stream",
    "term_of",
    "to_rdflib",
]
