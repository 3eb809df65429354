"""The roles for readers: gateway/model/roles.toml -> docs/roles.md."""

from gateway.model.roles import ACTS, ELSEWHERE, ROLES, Reach

HEAD = f"""\
# Roles and scope

Generated from `gateway/model/roles.toml` by `make contracts`; do not edit by hand.

A user has one role and, by role, belongs to a unit. *What* the role may do is the matrix below; what is not
marked is refused, and the refusal is audited. *How far* it reaches is the scope, on the day that matters: today
for work to do, the day of the event for history. District offices ended on 2025-06-30; communes are in charge
since 2025-07-01.

- **Whose case is it?** The unit's that the vendor claimed, else the source's department; once verified, the
  unit's that the sector database has.
- **Values on file** appear only when the sector database's unit is in the viewer's scope. Otherwise one line
  stands in their place: “{ELSEWHERE["vi"]}” ({ELSEWHERE["en"]}).
- **Who makes accounts?** A department for its communes and schools, a commune for its schools, an operator for
  all. The first ones are made on the machine. Several named people a unit, each with a one-time password.
- **On the machine only**, so nobody's act here: units, vendors and their secrets. Edits are proposed
  and approved there too (`gateway deliveries edit|approve --as`): that asks for the role of whoever is
  named, not for the unit.
- **Vendors** follow what they sent by the API; no page of the console shows them cases yet.

## Roles
| role | in Vietnamese | scope | second factor | may make accounts of |
|---|---|---|---|---|
"""

SCOPES = {
    Reach.UNIT: "own unit and what is under it",
    Reach.COURSES: "learners of its own courses, no values on file",
    Reach.VENDOR: "what its own vendor sent, by the API",
    Reach.ALL: "all cases, no person's values",
    Reach.NONE: "logs only",
}


def document() -> str:
    """docs/roles.md, whole."""
    lines = []
    for name, role in ROLES.items():
        totp = "always" if role.totp == "always" else "from commune up; optional for schools"
        grants = ", ".join(f"`{one}`" for one in role.grants) or "–"
        lines.append(f"| `{name}`: {role.en} | {role.vi} | {SCOPES[role.scope]} | {totp} | {grants} |")
    heads = " | ".join(f"`{name}`" for name in ROLES)
    lines += ["", "## What each role may do", f"| act | {heads} |", "|---|" + "---|" * len(ROLES)]
    for code, act in ACTS.items():
        marks = " | ".join("✓" if one in act.roles else "" for one in ROLES)
        lines.append(f"| `{code}`: {act.en}<br>*{act.vi}* | {marks} |")
    return HEAD + "\n".join(lines) + "\n"


def names() -> list[str]:
    """Every role and act."""
    return [*ROLES, *ACTS]
