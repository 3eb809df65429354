"""The made-up population's schools as a units file: districts until 2025-06-30, communes since.

Codes and names of communes are real; which school lies in which is made up. Schools keep their codes, as
they did on 1 July 2025. The file stands in contracts/units/samples.
"""

import csv
from collections.abc import Iterator
from io import StringIO

from gateway.sandbox.population import DATA

COLUMNS = (
    "code",
    "name",
    "level",
    "parent",
    "teaches",
    "valid_from",
    "valid_to",
    "successors",
    "change",
    "contact",
)
_TOP = (
    ("BGDDT", "Bộ Giáo dục và Đào tạo", "Bộ"),
    ("31", "Sở GDĐT Hải Phòng", "Sở"),
    ("33", "Sở GDĐT Hưng Yên", "Sở"),
)
_LAST_DAY = "30/06/2025"
_FIRST_DAY = "01/07/2025"


def rows() -> Iterator[dict[str, str]]:
    """One row for each version of a unit, the upper levels first."""
    with (DATA / "communes.csv").open(encoding="utf-8", newline="") as file:
        communes: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file):
            communes.setdefault(row["district"], []).append(row)
    with (DATA / "units.csv").open(encoding="utf-8", newline="") as file:
        schools = list(csv.DictReader(file))
    for code, name, level in _TOP:
        yield {"code": code, "name": name, "level": level, "parent": "" if level == "Bộ" else "BGDDT"}
    offices = {school["unit_code"][:5]: school["under"] for school in schools}
    for district, several in communes.items():
        yield {
            "code": district,
            "name": offices[district],
            "level": "Phòng",
            "parent": district[:2],
            "valid_to": _LAST_DAY,
            "successors": "; ".join(row["code"] for row in several),
            "change": "chia tách" if len(several) > 1 else "sáp nhập",
        }
    for district, several in communes.items():
        for row in several:
            kind, name = _kind_and_name(row["name"])
            yield {
                "code": row["code"],
                "name": f"UBND {name}",
                "level": kind,
                "parent": district[:2],
                "valid_from": _FIRST_DAY,
                "contact": f"Phòng Văn hóa - Xã hội, UBND {name}",
            }
    for number, school in enumerate(schools):
        district = school["unit_code"][:5]
        told = {"code": school["unit_code"], "name": school["unit_name"], "level": "Trường"}
        told["teaches"] = ", ".join(school["levels"].split())
        if district not in communes:
            yield told | {"parent": district[:2]}
            continue
        now = communes[district][number % len(communes[district])]
        yield told | {"parent": district, "valid_to": _LAST_DAY}
        yield told | {"parent": now["code"], "valid_from": _FIRST_DAY}


def _kind_and_name(commune: str) -> tuple[str, str]:
    """`Đặc khu Cát Hải` -> (`Đặc khu`, `đặc khu Cát Hải`)."""
    kind = next(kind for kind in ("Đặc khu", "Phường", "Xã") if commune.startswith(kind))
    return kind, kind.lower() + commune.removeprefix(kind)


def document() -> str:
    """The file, as CSV."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return text.getvalue()
