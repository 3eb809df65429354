"""The keys file: made once, private, read strictly, rotated without losing older keys."""

import json
import os
import stat
from pathlib import Path

import pytest

from gateway.model.errors import ConfigError, KeyMissing
from gateway.security.keys import KeyRing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def rewrite(path: Path, change) -> None:
    """Load the JSON of the keys file, let `change` edit it, write it back."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_generated_ring_loads_again(path):
    """What init writes is what every other command reads."""
    made = KeyRing.generate(path)
    assert KeyRing.load(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_generate_never_overwrites(path):
    """A second init must not replace keys that rows already depend on, and leaves nothing behind."""
    made = KeyRing.generate(path)
    with pytest.raises(ConfigError, match="never overwritten"):
        KeyRing.generate(path)
    assert KeyRing.load(path) == made
    assert os.listdir(path.parent) == ["keys.json"]


def test_generate_makes_its_folder_private(path):
    """The default place in ~/.config may not exist yet; only its owner may look into it."""
    deeper = path.parent / "config" / "keys.json"
    made = KeyRing.generate(deeper)
    assert KeyRing.load(deeper) == made
    assert stat.S_IMODE(deeper.parent.stat().st_mode) == 0o700


def test_generate_where_nothing_can_be_written_says_so(path):
    """A wrong GATEWAY_KEYS_FILE is a configuration error, not a traceback."""
    path.write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        KeyRing.generate(path / "keys.json")


def test_a_missing_file_names_the_command_that_makes_one(path):
    """The operator is told what to run."""
    with pytest.raises(ConfigError, match="gateway init"):
        KeyRing.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(path, mode):
    """Keys that a group or everybody can read are no longer secret."""
    KeyRing.generate(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600"):
        KeyRing.load(path)


def test_a_read_only_file_is_accepted(path):
    """Mounted secrets are 0400."""
    made = KeyRing.generate(path)
    path.chmod(0o400)
    assert KeyRing.load(path) == made


def test_a_folder_is_refused(path):
    """A mount that became a folder is told as such."""
    path.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="Is a directory"):
        KeyRing.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(version=2), "expected version 1"),
        (lambda d: d.pop("version"), "expected version 1"),
        (lambda d: d.update(master=[]), "master must be a list"),
        (lambda d: d.pop("blind"), "blind must be a list"),
        (lambda d: d.pop("digest"), "digest must be an object"),
        (lambda d: d["master"][0].pop("id"), r"master\[0\].id must be text"),
        (lambda d: d["blind"][0].update(id="1"), r"blind\[0\].id must be a whole number"),
        (lambda d: d["blind"][0].update(id=True), r"blind\[0\].id must be a whole number"),
        (lambda d: d["blind"][0].update(id=256), "outside 1..255"),
        (lambda d: d["master"][0].update(key="short"), r"master\[0\].key must be the base64 of 32 bytes"),
        (lambda d: d["master"][0].update(key="AAAA"), r"master\[0\].key must be the base64 of 32 bytes"),
        (lambda d: d["master"][0].update(key=7), r"master\[0\].key must be the base64 of 32 bytes"),
        (lambda d: d["master"][0].pop("created"), r"master\[0\].created must be a date"),
        (lambda d: d["master"].append(dict(d["master"][0])), "same id"),
        (lambda d: d["digest"].update(key=d["blind"][0]["key"]), "two purposes"),
    ],
)
def test_a_malformed_file_is_told_by_field_and_never_quoted(path, change, said):
    """The message names what is wrong without showing key material."""
    KeyRing.generate(path)
    material = [row["key"] for row in json.loads(path.read_text())["master"]]
    rewrite(path, change)
    with pytest.raises(ConfigError, match=said) as refused:
        KeyRing.load(path)
    assert not any(key in str(refused.value) for key in material)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_a_configuration_error(path, content):
    """A file cut short by a full disk is told, not crashed on."""
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="keys file"):
        KeyRing.load(path)


def test_rotation_adds_an_active_key_and_keeps_the_old(path):
    """What the old master wrapped must still open after a rotation."""
    made = KeyRing.generate(path)
    turned = made.with_new_master().with_new_blind()
    turned.save(path)
    loaded = KeyRing.load(path)
    assert [key.id for key in loaded.masters] == ["m1", "m2"]
    assert [key.id for key in loaded.blinds] == [1, 2]
    assert loaded.active_master.id == "m2"
    assert loaded.active_blind.id == 2
    assert loaded.master("m1") == made.active_master
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_unknown_master_is_a_missing_key(path):
    """The worker waits and tells the operator; it does not crash."""
    with pytest.raises(KeyMissing, match="m9"):
        KeyRing.generate(path).master("m9")


def test_blind_ids_run_out_with_a_clear_message(path):
    """One byte holds 255 ids; the 256th rotation asks for a clean-up."""
    ring = KeyRing.generate(path)
    for _ in range(254):
        ring = ring.with_new_blind()
    with pytest.raises(ConfigError, match="255"):
        ring.with_new_blind()


def test_a_repr_shows_no_key_material(path):
    """A ring that ends in a log or a traceback gives nothing away."""
    ring = KeyRing.generate(path)
    shown = repr(ring) + str(ring)
    assert "m1" in shown
    for key in (ring.active_master, ring.active_blind, ring.digest):
        assert repr(key.material)[2:12] not in shown
        assert key.material.hex() not in shown
