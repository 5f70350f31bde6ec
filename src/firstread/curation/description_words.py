"""Words of series descriptions in several languages: contrast phases, parts of the body, kinds of series.

Only words of these lists are ever repeated in evidence, so that nothing else of a description gets into a table.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

#: phase -> words of descriptions in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish and Swedish;
#: "*" stands for any further letters
PHASE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "unenhanced": (
            *("nativ", "native", "nativa", "nativo", "natif", "nat", "unenhanced", "non contrast", "noncontrast"),
            *("non con", "noncon", "without contrast", "w/o", "wo contrast", "pre contrast", "precontrast", "plain"),
            *("ohne km", "ohne kontrast", "ncct", "sans iv", "sans injection", "sans contraste", "sin contraste"),
            *("s/c", "sin cte", "senza mdc", "senza contrasto", "basale", "basal", "diretta", "sem contraste"),
            *("zonder contrast", "blanco", "bez kontrastu", "utan kontrast", "nk"),
        ),
        "arterial": (
            *("art", "arterial", "arteriell", "arterielle", "arteriel", "artere", "arterioso", "arteriosa", "arterie"),
            *("arterieel", "arteriale", "arteria", "tetnicza", "artar", "hap", "late art", "early art", "artphase"),
            *("spatarteriell", "fruharteriell", "aortic", "angio", "cta"),
        ),
        "venous": (
            *("ven", "venos", "venose", "venoes", "venoese", "venous", "veineux", "veineuse", "venoso", "venosa"),
            *("venosum", "portal", "portalvenos", "portalvenous", "portovenous", "portovenos", "portovenoes", "pv"),
            *("pvp", "pv phase", "porto", "portale", "portalphase", "portaal", "zylna", "wrotna", "vena", "veneus"),
            *(
                "portal venous",
                "portalveneus",
                "portal inflow",
            ),
        ),
        "delayed": (
            *(
                "delay",
                "delayed",
                "late phase",
                "late",
                "spat",
                "spaet",
                "spatphase",
                "spaetphase",
                "tardif",
                "tardive",
            ),
            *("tardia", "tardiva", "tardio", "retardee", "equilibrium", "equilibre", "equilibrio", "excretory"),
            *("excretion", "ausscheidung", "excretoria", "urografie", "urographic", "opozniona", "laat", "sen fas"),
        ),
    }
)
#: part of the body -> words of descriptions and defined terms of BodyPartExamined (PS3.16 Annex L)
BODY_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "head": (
            *("head", "brain", "skull", "schadel", "schaedel", "kopf", "hirn", "ccct", "cct", "cerebral", "crane"),
            *("cranio", "craneo", "cerveau", "cerebro", "encefalo", "sinus", "nnh", "orbit", "orbita", "pituitary"),
            *("glowa", "hoofd", "hjarna", "testa", "cabeza", "cabeca", "face", "jaw", "iac"),
        ),
        "neck": ("neck", "hals", "cou", "cuello", "collo", "pescoco", "larynx", "thyroid", "cspine", "hws", "szyja"),
        "chest": (
            *(
                "chest",
                "thorax",
                "thoraxis",
                "lung",
                "lungs",
                "lunge",
                "torax",
                "torace",
                "poumon",
                "polmone",
                "pulmon",
            ),
            *("heart", "herz", "cardiac", "mediastinum", "hrct", "klatka", "tspine", "bws", "rib", "clavicle"),
        ),
        "breast": ("breast", "mamma", "mammo", "sein", "mama", "mammella", "brost", "piers"),
        "abdomen": (
            *("abdomen", "abdominal", "abd", "liver", "leber", "foie", "higado", "fegato", "figado", "oberbauch"),
            *(
                "bauch",
                "pancreas",
                "pankreas",
                "kidney",
                "niere",
                "nieren",
                "rein",
                "renal",
                "addome",
                "abdomen/pelvis",
            ),
            *(
                "abdpelv",
                "buik",
                "brzuch",
                "buk",
                "spleen",
                "adrenal",
                "nebenniere",
                "bladder",
                "ap",
                "hepar",
                "wholeabd",
            ),
        ),
        "pelvis": (
            "pelvis",
            "becken",
            "bassin",
            "bacino",
            "pelvi",
            "prostate",
            "prostata",
            "hip",
            "hufte",
            "sacrum",
            "bekken",
        ),
        "spine": ("spine", "wirbelsaule", "lws", "lspine", "tlspine", "rachis", "columna", "colonna", "ssp", "coccyx"),
        "extremity": (
            *("extremity", "knee", "knie", "genou", "leg", "bein", "arm", "foot", "fuss", "hand", "wrist", "ankle"),
            *(
                "elbow",
                "shoulder",
                "schulter",
                "humerus",
                "femur",
                "thigh",
                "tibia",
                "finger",
                "toe",
                "forearm",
                "calf",
            ),
        ),
    }
)
_DOSE = ("dose", "dosis", "patient protocol", "dosisprotokoll", "exam protocol", "dosimetrie", "dosi")
_SCREEN = (
    "screen save",
    "screen saves",
    "screenshot",
    "screen",
    "bildschirm",
    "capture",
    "snapshot",
    "captura",
    "summary",
)
_LOCALIZER = (
    *("topogramm", "topogram", "scout", "scanogram", "localizer", "localiser", "lokalizer", "surview", "topo", "loc"),
    *(
        "survey",
        "planung",
        "uebersicht",
        "ubersicht",
        "reperage",
        "scano",
        "localizador",
        "smartprep",
        "bolus tracking",
    ),
    *("premonitoring", "monitoring", "3 plane", "3plane"),
)
_DERIVED = (
    *("mpr", "mip", "minip", "cor mpr", "sag mpr", "reformat", "reformatted", "rekonstruktion", "vrt", "3d vr"),
    *("subtraction", "subtraktion", "adc", "perfusion", "cbf", "cbv", "mtt", "tmax", "rcbf", "rcbv", "fused"),
)
KIND_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"dose": _DOSE, "localizer": _LOCALIZER, "screenshot": _SCREEN, "derived": _DERIVED}
)


def find_words(text: str, words: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Meanings whose words stand in a text, each with the first word that was found.

    Example:
        >>> find_words("Abdomen nativ 4.0", PHASE_WORDS)
        {'unenhanced': 'nativ'}
        >>> find_words("Oberbauch portal-venös", PHASE_WORDS)
        {'venous': 'portal'}
        >>> find_words("Inventar, Partner", PHASE_WORDS)
        {}
    """
    plain = plain_text(text)
    found = {}
    for meaning, listed in words.items():
        word = _pattern(listed).search(plain)
        if word:
            found[meaning] = word[0].strip()
    return found


def plain_text(text: str) -> str:
    """Text in small letters without accents; words that capitals or digits run together are separated.

    Example:
        >>> plain_text("AbdVenös_4.0")
        'abd venos 4.0'
    """
    text = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÄÖÜ])", " ", text)
    text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return re.sub(r"[\s_\-,;^()\[\]:]+", " ", re.sub(r"(?<=[a-z])(?=\d)", " ", text.lower().replace("ß", "ss")))


@lru_cache(maxsize=32)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted({plain_text(word).strip() or word for word in words} | set(words), key=len, reverse=True)
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![a-z0-9])")
