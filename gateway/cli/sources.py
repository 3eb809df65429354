"""`gateway sources`: each vendor or LMS instance as a row, with the terms on which it may send."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Invocation, Json, invocation

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.vendors import Vendor

APP = typer.Typer(help="Vendors and LMS instances, and the terms on which they may send.")

Name = Annotated[str, typer.Argument(metavar="SOURCE", help="The source's name, as in its address.")]
Day = datetime | None
_DAY = ["%Y-%m-%d"]

ContractNo = Annotated[
    str | None, typer.Option(help="Number of the contract; empty clears, as everywhere here.")
]
LegalBasis = Annotated[str | None, typer.Option(help="On which legal basis the data is sent.")]
DataFields = Annotated[str | None, typer.Option(help="Which personal data was agreed on.")]
Area = Annotated[str | None, typer.Option(help="For which area it may send.")]
LicenceNo = Annotated[str | None, typer.Option(help="Licence of the data processing service.")]
ValidFrom = Annotated[Day, typer.Option(formats=_DAY, help="First day on which it may send.")]
ValidTo = Annotated[Day, typer.Option(formats=_DAY, help="Last day on which it may send.")]
Addresses = Annotated[str | None, typer.Option(help="Networks it sends from, separated by commas.")]
CertSha256 = Annotated[str | None, typer.Option(help="SHA-256 of its client certificate, behind a proxy.")]
PerMin = Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0 is no limit.")]
Department = Annotated[
    str | None, typer.Option(help="Unit code of the department whose cases they are when no school is stated.")
]


@APP.command()
def add(
    ctx: typer.Context,
    name: Name,
    connector: Annotated[
        str | None, typer.Option(help="Which form its items have; by default that of the same name.")
    ] = None,
    contract_no: ContractNo = None,
    legal_basis: LegalBasis = None,
    data_fields: DataFields = None,
    area: Area = None,
    licence_no: LicenceNo = None,
    valid_from: ValidFrom = None,
    valid_to: ValidTo = None,
    addresses: Addresses = None,
    cert_sha256: CertSha256 = None,
    per_min: PerMin = None,
    department: Department = None,
    json: Json = False,
) -> None:
    """Add a source with its terms and show its secret, this one time only; no restart is needed."""
    from gateway.cli.vendors import connector_of
    from gateway.queue.terms import checked, set_terms
    from gateway.queue.vendors import add_vendor
    from gateway.storage.audit import machine

    run = invocation(ctx)
    form = connector_of(run, name, connector)
    changes = _given(locals())
    checked(changes)  # before anything is stored

    async def added(gateway: "Gateway") -> str:
        await _check_department(gateway, changes)
        secret = await add_vendor(gateway.db, gateway.vault, gateway.clock, name, form)
        await set_terms(gateway.db, gateway.clock, name, changes, by=machine())
        return secret

    secret = on_gateway(run, added)
    out = run.output(json)
    out.say("sources.add.done", source=name, secret=secret)
    out.data({"source": name, "connector": form, "secret": secret})


@APP.command("set")
def set_(
    ctx: typer.Context,
    name: Name,
    contract_no: ContractNo = None,
    legal_basis: LegalBasis = None,
    data_fields: DataFields = None,
    area: Area = None,
    licence_no: LicenceNo = None,
    valid_from: ValidFrom = None,
    valid_to: ValidTo = None,
    addresses: Addresses = None,
    cert_sha256: CertSha256 = None,
    per_min: PerMin = None,
    department: Department = None,
    json: Json = False,
) -> None:
    """Change what is given and nothing else; in force within seconds."""
    from gateway.queue.terms import set_terms
    from gateway.storage.audit import machine

    run = invocation(ctx)
    changes = _given(locals())

    async def changed(gateway: "Gateway") -> "Vendor":
        await vendor_named(gateway, name)
        await _check_department(gateway, changes)
        await set_terms(gateway.db, gateway.clock, name, changes, by=machine())
        return await _fresh(gateway, name)

    found = on_gateway(run, changed)
    out = run.output(json)
    out.say("sources.set.done", source=name)
    out.data(_told(found))


@APP.command("list")
def list_sources(ctx: typer.Context, json: Json = False) -> None:
    """List the sources with the days they are valid and what they may send."""
    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[list[Vendor], int]":
        return await gateway.vendors.all(), gateway.clock.now_ms()

    found, now_ms = on_gateway(run, read)
    out = run.output(json)
    names = ("source", "connector", "state", "valid_from", "valid_to", "per_min", "contract_no")
    rows = [
        (v.name, v.connector, _state(run, v, now_ms), _day(v.terms.valid_from), _day(v.terms.valid_to),
         v.terms.per_min, v.terms.contract_no)
        for v in found
    ]  # fmt: skip
    out.table([f"sources.list.column.{column}" for column in names], rows)
    out.data({"sources": [_told(v) for v in found]})


@APP.command()
def show(ctx: typer.Context, name: Name, json: Json = False) -> None:
    """Show everything stated of one source, and when its secrets were last used."""
    from gateway.model.clock import iso
    from gateway.queue.vendors import secrets_of

    run = invocation(ctx)

    async def read(gateway: "Gateway") -> "tuple[Vendor, list[dict[str, int | None]]]":
        vendor = await vendor_named(gateway, name)
        return vendor, await secrets_of(gateway.db, vendor.id)

    vendor, secrets = on_gateway(run, read)
    told = _told(vendor)
    told["secrets"] = [
        {field: None if at_ms is None else iso(at_ms) for field, at_ms in secret.items()} for secret in secrets
    ]
    out = run.output(json)
    rows = [(run.text(f"sources.list.column.{key}"), value) for key, value in told.items() if key != "secrets"]
    out.table(["sources.show.column.what", "sources.show.column.value"], rows)
    columns = [f"sources.show.column.{field}" for field in ("created_at", "expires_at", "last_used_at")]
    out.table(columns, [tuple(secret.values()) for secret in told["secrets"]])
    out.data(told)


@APP.command()
def end(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    json: Json = False,
) -> None:
    """End a source now: what it sends from the next seconds on is refused, and nothing of it stored."""
    from gateway.queue.terms import end_source
    from gateway.storage.audit import machine

    run = invocation(ctx)

    async def ended(gateway: "Gateway") -> int:
        await vendor_named(gateway, name)
        return await end_source(gateway.db, gateway.clock, name, reason=reason, by=machine())

    last = on_gateway(run, ended)
    out = run.output(json)
    out.say("sources.end.done", source=name, day=_day(last))
    out.data({"source": name, "valid_to": _day(last)})


def _given(options: Mapping[str, Any]) -> dict[str, str | int | None]:
    """The options that were stated, as terms."""
    from gateway.queue.terms import COLUMNS

    given = {column: options[column] for column in COLUMNS if options.get(column) is not None}
    return {
        column: int(value.strftime("%Y%m%d")) if isinstance(value, datetime) else value
        for column, value in given.items()
    }


async def _check_department(gateway: "Gateway", changes: Mapping[str, Any]) -> None:
    """Raises: ConfigError for a code that is no department's today: its cases would be nobody's."""
    from gateway.bdtx.units import Level
    from gateway.model.clock import local_date
    from gateway.model.errors import ConfigError

    if code := changes.get("department"):
        unit = (await gateway.units.current()).standing_for(code, local_date(gateway.clock.now_ms()))
        if unit is None or unit.level is not Level.DEPARTMENT:
            raise ConfigError(f"department: {code} is no department of today's units")


async def _fresh(gateway: "Gateway", name: str) -> "Vendor":
    from gateway.queue.vendors import read_vendors

    [found] = [v for v in await read_vendors(gateway.db, gateway.vault, gateway.clock) if v.name == name]
    return found


def _state(run: Invocation, vendor: "Vendor", now_ms: int) -> str:
    from gateway.model.clock import DAY_MS, day_number

    terms, day = vendor.terms, day_number(now_ms)
    if terms.has_ended(day):
        return run.text("sources.state.ended")
    if not terms.has_begun(day):
        return run.text("sources.state.not_begun")
    if vendor.paused:
        return run.text("sources.state.paused")
    ending = terms.has_ended(day_number(now_ms + 30 * DAY_MS))
    return run.text("sources.state.ending" if ending else "sources.state.active")


def _told(vendor: "Vendor") -> dict[str, Any]:
    terms = vendor.terms.as_dict()
    for key in ("valid_from", "valid_to"):
        if key in terms:
            terms[key] = _day(terms[key])
    return {"source": vendor.name, "connector": vendor.connector, **terms}


def _day(number: int | None) -> str | None:
    return None if number is None else f"{number // 10_000}-{number // 100 % 100:02}-{number % 100:02}"


__all__ = ["APP"]
