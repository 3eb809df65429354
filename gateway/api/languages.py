"""Accept-Language -> the language of an answer."""

from functools import lru_cache

from gateway.model.texts import LANGS, Lang


@lru_cache(maxsize=256)
def preferred(header: str | None, default: Lang) -> Lang:
    """The best of our languages; `default` when the header is absent, unusable or asks for none of them.

    Of two equally wanted the first named wins. Source: RFC 9110, section 12.5.4.
    """
    best, best_weight = default, 0.0
    for part in (header or "").split(","):
        name, _, parameters = part.partition(";")
        primary = name.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        for lang in LANGS:
            if primary == lang and weight > best_weight:
                best, best_weight = lang, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
