"""The sentences of reports in English, German and French.

They are built of labels and values without articles or endings, so that any label fits into them in each language.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from connector.standards.rdf import full

Language: TypeAlias = Literal["en", "de", "fr"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de", "fr")

_ALL: Final[Mapping[str, tuple[str, str, str]]] = {
    # where
    "at": ("{thing}, {name}", "{thing}, {name}", "{thing}, {name}"),
    "node": ("node", "Knoten", "nœud"),
    # what is wrong
    "missing": ("{at}: not given.", "{at}: nicht angegeben.", "{at} : non renseigné."),
    "fewer": (
        "{at}: {found} given, at least {least} needed.",
        "{at}: {found} angegeben, mindestens {least} nötig.",
        "{at} : {found} sur {least} au minimum.",
    ),
    "more": (
        "{at}: {found} values, at most {most} allowed: {values}.",
        "{at}: {found} Werte, höchstens {most} erlaubt: {values}.",
        "{at} : {found} valeurs, {most} au maximum : {values}.",
    ),
    "wrong": (
        "{at}: found: {value}; allowed: {wanted}.",
        "{at}: gefunden: {value}; erlaubt: {wanted}.",
        "{at} : trouvé : {value} ; attendu : {wanted}.",
    ),
    "asked": ("{at}: needed: {wanted}.", "{at}: nötig: {wanted}.", "{at} : attendu : {wanted}."),
    "said": ("{at}: rule: {message}", "{at}: Regel: {message}", "{at} : règle : {message}"),
    "said_of": (
        "{at}: found: {value}; rule: {message}",
        "{at}: gefunden: {value}; Regel: {message}",
        "{at} : trouvé : {value} ; règle : {message}",
    ),
    "closed": (
        "{thing}: property {path} is not provided for; found: {value}.",
        "{thing}: Eigenschaft {path} ist nicht vorgesehen; gefunden: {value}.",
        "{thing} : propriété {path} non prévue ; trouvé : {value}.",
    ),
    # values
    "link": ("link <{value}>", "Link <{value}>", "lien <{value}>"),
    "blank": ("node without an IRI", "Knoten ohne IRI", "nœud sans IRI"),
    "text": ('text "{value}"', 'Text "{value}"', 'texte "{value}"'),
    "typed": ('text "{value}" of type {type}', 'Text "{value}" vom Typ {type}', 'texte "{value}" de type {type}'),
    # what is allowed
    "kind Literal": ("text, not a link", "Text, kein Link", "texte, pas de lien"),
    "kind IRI": ("link (IRI)", "Link (IRI)", "lien (IRI)"),
    "kind BlankNode": ("node without an IRI", "Knoten ohne IRI", "nœud sans IRI"),
    "kind BlankNodeOrIRI": (
        "link (IRI) or node of its own",
        "Link (IRI) oder eigener Knoten",
        "lien (IRI) ou nœud propre",
    ),
    "kind BlankNodeOrLiteral": ("text or node of its own", "Text oder eigener Knoten", "texte ou nœud propre"),
    "kind IRIOrLiteral": ("text or link (IRI)", "Text oder Link (IRI)", "texte ou lien (IRI)"),
    "of type": ("{kind} ({iri})", "{kind} ({iri})", "{kind} ({iri})"),
    "any type": ("text of type {iri}", "Text vom Typ {iri}", "texte de type {iri}"),
    "class": (
        "resource of type {label} ({iri})",
        "Ressource vom Typ {label} ({iri})",
        "ressource de type {label} ({iri})",
    ),
    "one of": ("one of {values}", "eines von {values}", "l'un de {values}"),
    "pattern": ("text of the form {value}", "Text der Form {value}", "texte de la forme {value}"),
    "longer": ("at least {value} characters", "mindestens {value} Zeichen", "{value} caractères au minimum"),
    "shorter": ("at most {value} characters", "höchstens {value} Zeichen", "{value} caractères au maximum"),
    "minInclusive": ("{value} or more", "{value} oder mehr", "{value} ou plus"),
    "minExclusive": ("more than {value}", "mehr als {value}", "plus de {value}"),
    "maxInclusive": ("{value} or less", "{value} oder weniger", "{value} ou moins"),
    "maxExclusive": ("less than {value}", "weniger als {value}", "moins de {value}"),
    "languages": ("text in {values}", "Text in {values}", "texte en {values}"),
    "unique": ("one text for each language", "ein Text je Sprache", "un seul texte par langue"),
    "the value": ("value {value}", "Wert {value}", "valeur {value}"),
    "equal": ("same values as {other}", "dieselben Werte wie {other}", "mêmes valeurs que {other}"),
    "unlike": ("other values than {other}", "andere Werte als {other}", "autres valeurs que {other}"),
    "before": ("before {other}", "vor {other}", "avant {other}"),
    "not after": ("not after {other}", "nicht nach {other}", "pas après {other}"),
    "fitting": (
        "{least} to {most} values of the form asked",
        "{least} bis {most} Werte der verlangten Form",
        "{least} à {most} valeurs de la forme demandée",
    ),
    "shape": ("what the profile describes", "was das Profil beschreibt", "ce que le profil décrit"),
    # what to do
    "write": ("Write it as {value}.", "Schreiben als {value}.", "À écrire : {value}."),
    "add like": ("Add it like this: {value}", "So ergänzen: {value}", "À ajouter ainsi : {value}"),
    "write like": ("Write it like this: {value}", "So schreiben: {value}", "À écrire ainsi : {value}"),
    "add": ("Add a value: {wanted}.", "Einen Wert ergänzen: {wanted}.", "Ajouter une valeur : {wanted}."),
    "change": ("Replace it: {wanted}.", "Ersetzen: {wanted}.", "À remplacer : {wanted}."),
    "complete": (
        "Complete the record: {wanted}.",
        "Den Eintrag ergänzen: {wanted}.",
        "Compléter la notice : {wanted}.",
    ),
    "keep": ("Keep the one that is right.", "Nur den richtigen Wert behalten.", "Ne garder que la bonne valeur."),
    "type": (
        "Say of what type it is, or link to one that is: {value} a {iri} .",
        "Den Typ angeben oder auf anderes verweisen: {value} a {iri} .",
        "Indiquer le type, ou choisir un autre lien : {value} a {iri} .",
    ),
    "remove": ("Take it out.", "Entfernen.", "À retirer."),
    "nearest": (
        'Use a term of the list "{list}"; the nearest: {terms}.',
        'Einen Begriff der Liste "{list}" verwenden; am nächsten: {terms}.',
        'Utiliser un terme de la liste "{list}" ; les plus proches : {terms}.',
    ),
    "such as": (
        'Use one of the {count} terms of the list "{list}", such as {terms}.',
        'Einen der {count} Begriffe der Liste "{list}" verwenden, etwa {terms}.',
        'Utiliser l\'un des {count} termes de la liste "{list}", par exemple {terms}.',
    ),
    # the report
    "meets": ("The record meets {profile}.", "Der Eintrag erfüllt {profile}.", "La notice est conforme à {profile}."),
    "meets with one": (
        "The record meets {profile}: 1 finding.",
        "Der Eintrag erfüllt {profile}: 1 Befund.",
        "La notice est conforme à {profile} : 1 constat.",
    ),
    "meets with some": (
        "The record meets {profile}: {count} findings.",
        "Der Eintrag erfüllt {profile}: {count} Befunde.",
        "La notice est conforme à {profile} : {count} constats.",
    ),
    "fails with one": (
        "The record does not meet {profile}: 1 finding.",
        "Der Eintrag erfüllt {profile} nicht: 1 Befund.",
        "La notice n'est pas conforme à {profile} : 1 constat.",
    ),
    "fails with some": (
        "The record does not meet {profile}: {count} findings.",
        "Der Eintrag erfüllt {profile} nicht: {count} Befunde.",
        "La notice n'est pas conforme à {profile} : {count} constats.",
    ),
    "to fix": ("To fix it: {fix}", "Abhilfe: {fix}", "Remède : {fix}"),
    "cut": ("… and {count} more.", "… und {count} weitere.", "… et {count} autres."),
    "under": ("under {path}", "unter {path}", "sous {path}"),
    "under of": ("under {path} of <{parent}>", "unter {path} von <{parent}>", "sous {path} de <{parent}>"),
    "violation": ("violation", "Verstoß", "violation"),
    "warning": ("warning", "Warnung", "avertissement"),
    "info": ("info", "Hinweis", "information"),
    "structure": ("structure", "Struktur", "structure"),
    "recommendation": ("recommendation", "Empfehlung", "recommandation"),
    "vocabulary": ("vocabulary", "Vokabular", "vocabulaire"),
    "range": ("range", "Wertebereich", "type de valeur"),
}

DATATYPES: Final[Mapping[str, tuple[str, str, str]]] = {
    full(f"{prefix}:{name}"): words
    for prefix, name, words in (
        ("xsd", "anyURI", ("address", "Adresse", "adresse")),
        ("xsd", "boolean", ("true or false", "true oder false", "true ou false")),
        ("xsd", "date", ("date", "Datum", "date")),
        ("xsd", "dateTime", ("date and time", "Datum und Uhrzeit", "date et heure")),
        ("xsd", "decimal", ("decimal number", "Dezimalzahl", "nombre décimal")),
        ("xsd", "double", ("number", "Zahl", "nombre")),
        ("xsd", "duration", ("duration", "Dauer", "durée")),
        ("xsd", "gYear", ("year", "Jahr", "année")),
        ("xsd", "gYearMonth", ("year and month", "Jahr und Monat", "année et mois")),
        ("xsd", "hexBinary", ("hexadecimal digits", "hexadezimale Ziffern", "chiffres hexadécimaux")),
        ("xsd", "integer", ("whole number", "ganze Zahl", "nombre entier")),
        ("xsd", "nonNegativeInteger", ("whole number from 0 up", "ganze Zahl ab 0", "nombre entier à partir de 0")),
        ("xsd", "positiveInteger", ("whole number from 1 up", "ganze Zahl ab 1", "nombre entier à partir de 1")),
        ("xsd", "string", ("text without a language", "Text ohne Sprachangabe", "texte sans langue")),
        ("rdf", "langString", ("text with its language", "Text mit Sprachangabe", "texte avec sa langue")),
        ("rdfs", "Literal", ("text", "Text", "texte")),
        ("geo", "wktLiteral", ("geometry as WKT", "Geometrie als WKT", "géométrie en WKT")),
    )
}


def say(key: str, language: Language, **words: object) -> str:
    """Return a sentence, or a piece of one, with the words put in."""
    return _ALL[key][LANGUAGES.index(language)].format(**words)


def language_of(wanted: str | None) -> Language:
    """Return the best of our languages for a language tag or an Accept-Language header (RFC 9110 §12.5.4)."""
    weighed: list[tuple[float, int, Language]] = []
    for place, each in enumerate((wanted or "").split(",")):
        tag, _, rest = each.partition(";")
        found = next((own for own in LANGUAGES if tag.strip().lower().partition("-")[0] == own), None)
        quality = rest.strip().removeprefix("q=") or "1"
        if found and quality.replace(".", "", 1).isdecimal() and float(quality) > 0:
            weighed.append((-float(quality), place, found))
    return min(weighed)[2] if weighed else "en"
