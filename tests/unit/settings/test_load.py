"""Settings from the environment: every fault is named at once, and no secret is ever shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.model.errors import ConfigError
from gateway.settings import Settings, faults, load, require_destinations
from gateway.settings.load import known


def codes(env: dict[str, str]) -> list[str]:
    return [fault.code for fault in faults(env)]


def test_an_empty_environment_is_enough() -> None:
    """Every setting has a default, so `gateway init` works out of the box."""
    settings = load({})
    assert settings.port == 8080
    assert settings.lang == "vi"
    assert settings.temis.batch_items == 200
    assert settings.registry.batch_items == 100
    assert settings.database == f"sqlite:///{Path('data/gateway.db').absolute()}"
    assert settings.keys_file == Path("~/.config/lms-temis-gateway/keys.json").expanduser()


def test_names_of_a_destination_reach_its_group() -> None:
    """`GATEWAY_TEMIS_…` and `GATEWAY_REGISTRY_…` are one field each of two models."""
    settings = load({"GATEWAY_TEMIS_TIMEOUT_S": "2.5", "GATEWAY_REGISTRY_URL": "http://r:1/base/"})
    assert settings.temis.timeout_s == 2.5
    assert settings.registry.timeout_s == 15
    assert settings.registry.url == "http://r:1/base"


def test_an_empty_value_counts_as_not_set() -> None:
    """Compose files pass `NAME=` for what is not set."""
    assert load({"GATEWAY_PORT": "", "GATEWAY_NONSENSE": ""}).port == 8080


def test_settings_cannot_be_changed_afterwards() -> None:
    """What was checked at start stays what was checked."""
    with pytest.raises(ValidationError):
        load({}).port = 1  # type: ignore[misc]


def test_all_faults_are_named_at_once() -> None:
    """One start shows every fault, those of single values and those between settings."""
    env = {
        "GATEWAY_PORT": "70000",
        "GATEWAY_LOG_JSON": "maybe",
        "GATEWAY_TEMIS_URL": "temis.example",
        "GATEWAY_LEASE_MS": "6000",
        "GATEWAY_KEYS_FILE": "data/keys.json",
        "GATEWAY_REGISTRY_CLIENT_CERT": __file__,
        "GATEWAY_DATADIR": "x",
        "LANG": "en_US.UTF-8",
    }
    with pytest.raises(ConfigError) as caught:
        load(env)
    assert str(caught.value).splitlines() == [
        "GATEWAY_DATADIR: there is no setting of this name; did you mean GATEWAY_DATA_DIR?",
        "GATEWAY_LOG_JSON: expected true or false; found “maybe”.",
        "GATEWAY_PORT: expected whole number from 1 to 65535; found “70000”.",
        "GATEWAY_TEMIS_URL: expected http:// or https:// address without user, query or #; "
        "found “temis.example”.",
        "GATEWAY_KEYS_FILE: the keys file must lie outside the data folder (GATEWAY_DATA_DIR), "
        "or each backup of the data would hold the keys that open it.",
        "GATEWAY_LEASE_MS: must be 20000 or more (the longest call timeout and 5 s); found 6000.",
        "GATEWAY_REGISTRY_CLIENT_CERT and GATEWAY_REGISTRY_CLIENT_KEY: set both or neither.",
    ]


def test_faults_speak_the_language_of_the_environment() -> None:
    """Operators read Vietnamese unless they ask for English."""
    with pytest.raises(ConfigError, match="cần số nguyên từ 1 đến 65535; hiện là “x”"):
        load({"GATEWAY_PORT": "x"})


def test_a_fault_between_settings_is_not_told_of_a_value_that_could_not_be_read() -> None:
    """An unreadable timeout must not be followed by a verdict on its default."""
    assert codes({"GATEWAY_LEASE_MS": "6000", "GATEWAY_TEMIS_TIMEOUT_S": "soon"}) == ["invalid"]


def test_the_lease_must_outlive_the_longest_call() -> None:
    """A lease shorter than the timeout lets two workers send the same thing."""
    env = {"GATEWAY_TEMIS_TIMEOUT_S": "1", "GATEWAY_REGISTRY_TIMEOUT_S": "2"}
    assert codes(env | {"GATEWAY_LEASE_MS": "6999"}) == ["lease_short"]
    assert codes(env | {"GATEWAY_LEASE_MS": "7000"}) == []


def test_the_keys_file_is_refused_inside_the_data_folder_however_it_is_written(tmp_path: Path) -> None:
    """A backup of the data must never hold its keys; `..` and links do not get around that."""
    data = tmp_path / "data"
    data.mkdir()
    link = tmp_path / "link"
    link.symlink_to(data)
    for keys in (data / "keys.json", data / "a" / ".." / "keys.json", link / "keys.json"):
        assert codes({"GATEWAY_DATA_DIR": str(data), "GATEWAY_KEYS_FILE": str(keys)}) == ["keys_inside_data"]
    assert codes({"GATEWAY_DATA_DIR": str(data), "GATEWAY_KEYS_FILE": str(tmp_path / "data-keys.json")}) == []


def test_what_kubernetes_injects_is_one_fault_that_says_what_to_do() -> None:
    """A Service called `gateway` puts a dozen GATEWAY_ names into every pod."""
    env = {
        "GATEWAY_PORT": "tcp://10.0.0.7:8080",
        "GATEWAY_SERVICE_HOST": "10.0.0.7",
        "GATEWAY_SERVICE_PORT": "8080",
        "GATEWAY_SERVICE_PORT_HTTP": "8080",
        "GATEWAY_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "GATEWAY_PORT_8080_TCP_ADDR": "10.0.0.7",
    }
    assert codes(env) == ["kubernetes"]
    with pytest.raises(ConfigError, match="enableServiceLinks: false") as caught:
        load(env)
    assert all(name in str(caught.value) for name in env)


def test_an_unknown_name_far_from_all_is_told_without_a_guess() -> None:
    """A wrong suggestion is worse than none."""
    assert codes({"GATEWAY_XYZZY": "1"}) == ["unknown"]


def test_names_of_the_test_suite_are_left_alone() -> None:
    """GATEWAY_TEST_… configures the tests and may stand in the environment of a command they start."""
    assert codes({"GATEWAY_TEST_POSTGRES_URL": "postgresql://x"}) == []


@pytest.mark.parametrize(
    "name", [name for name, setting in known().items() if "SecretStr" in str(setting.field.annotation)]
)
def test_secrets_are_neither_printed_nor_quoted(name: str) -> None:
    """A secret must not come out in a repr, nor in the fault that refuses it."""
    value = "postgresql://u:hunter2@db/x" if name.endswith("DATABASE_URL") else "http://u:hunter2@proxy:1"
    value = f"whsec_hunter2{33 * 'A'}" if name.endswith("WEBHOOK_SECRET") else value
    assert "hunter2" not in repr(load({name: value}))
    with pytest.raises(ConfigError) as caught:
        load({name: value, "GATEWAY_PORT": "x"} if name.endswith("SECRET") else {name: "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_TEMIS_URL", "ftp://temis.example"),
        ("GATEWAY_TEMIS_URL", "https://user:pass@temis.example"),
        ("GATEWAY_TEMIS_URL", "https://temis.example/?key=1"),
        ("GATEWAY_TEMIS_URL", "https://temis.example:99999"),
        ("GATEWAY_TEMIS_URL", "https://"),
        ("GATEWAY_DATABASE_URL", "mysql://db/x"),
        ("GATEWAY_DATABASE_URL", "sqlite://"),
        ("GATEWAY_TEMIS_CA_FILE", "/no/such/file.pem"),
        ("GATEWAY_TEMIS_TIMEOUT_S", "inf"),
        ("GATEWAY_TEMIS_TIMEOUT_S", "nan"),
        ("GATEWAY_TEMIS_RATE_PER_S", "0"),
        ("GATEWAY_LANG", "fr"),
        ("GATEWAY_HOST", ""),
    ],
)
def test_unusable_values_are_refused(name: str, value: str) -> None:
    """What would only fail at the first call fails at the start."""
    assert codes({name: value}) == ([] if value == "" else ["invalid"])


def test_a_worker_needs_all_three_addresses() -> None:
    """Without them it could only pile up work; all missing ones are named."""
    with pytest.raises(ConfigError) as caught:
        require_destinations(load({"GATEWAY_TEMIS_URL": "http://t:1", "GATEWAY_LANG": "en"}))
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "GATEWAY_TOKEN_URL",
        "GATEWAY_REGISTRY_URL",
    ]


def test_every_setting_has_one_sentence_and_every_number_a_range() -> None:
    """The model is the documentation: a field without them cannot be explained."""
    assert len(known()) > 40
    for name, setting in known().items():
        description = setting.field.description or ""
        assert description.endswith("."), name
        if setting.field.annotation in (int, float):
            bounds = {type(limit).__name__ for limit in setting.field.metadata}
            assert "Le" in bounds and bounds & {"Ge", "Gt"}, name


def test_no_name_is_given_to_two_settings() -> None:
    """`temis.x_y` and `temis_x.y` would meet in one variable."""

    def leaves(model: type, path: tuple[str, ...] = ()) -> list[str]:
        found = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if hasattr(field.annotation, "model_fields"):
                found += leaves(field.annotation, (*path, name))
            else:
                found.append("_".join((*path, name)))
        return found

    assert len(leaves(Settings)) == len(set(leaves(Settings))) == len(known())
