"""The policy file and what it refuses."""

import pytest

from gateway.identity import policy
from gateway.identity.policy import CODES, DEFAULT, Standing
from gateway.model.errors import ConfigError
from gateway.model.verdict import Effect

TEXT = DEFAULT.read_text("utf-8")


def test_every_identity_code_has_an_effect():
    """The shipped file decides each code once, and identifier forms never hold by themselves."""
    loaded = policy.load()
    assert loaded.effects.keys() == CODES
    assert not [c for c, e in loaded.effects.items() if c.startswith("identifier.") and e is Effect.HOLDS]


def test_the_version_names_the_content():
    """An edit without a new version is still another policy, so no cached verdict survives it."""
    one, other = (
        policy.parse(TEXT),
        policy.parse(TEXT.replace('"Chuyển đến" = "working"', '"Chuyển đến" = "unclear"')),
    )
    assert one.version.startswith("2026-11+")
    assert one.version != other.version
    assert policy.parse(TEXT).version == one.version


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"attribute.name_mismatch" = "holds"', '"attribute.name_mismatch" = "warns"', "must hold"),
        ('"registry.ambiguous" = "holds"', '"registry.ambiguous" = "neutral"', "must hold"),
        ('"format.length" = "holds"', '"format.length" = "warns"', "must hold"),
        ('"identifier.lost_zero" = "neutral"', '"identifier.lost_zero" = "holds"', "must not hold"),
        ('"attribute.role_mismatch" = "warns"\n', "", "`attribute.role_mismatch` is missing"),
        ('"attribute.role_mismatch" = "warns"', '"attribute.role_mismatch" = "supports"', "must be one of"),
        ('"format.missing" =', '"format.mising" =', "not a reason code"),
        ("alone = [1, 2]", "alone = [1, 2, 5]", "from 1 to 4"),
        ("alone = [1, 2]", "", "`alone` is missing"),
        ('nine = "equal"', 'nine = "any"', "must be one of"),
        ('nine = "equal"\n', "", "`nine` is missing"),
        ('nine = "equal"', 'nine = "equal"\nplain10 = "equal"', "`plain10` is not known"),
        ('"Thôi việc" = "gone"', '"Thôi việc" = "left"', "must be one of"),
        ('version = "2026-11"', "", "`version` is missing"),
        ("[statuses]", "[status]", "`status` is not known"),
        ("[statuses]", "[statuses", "not TOML"),
    ],
)
def test_a_policy_that_could_credit_the_wrong_person_is_refused(old, new, complaint):
    """A file that is incomplete, misspelt or unsafe stops the start-up with the fault named."""
    assert old in TEXT
    with pytest.raises(ConfigError, match=complaint):
        policy.parse(TEXT.replace(old, new))


def test_all_faults_are_told_at_once():
    """An administrator corrects a policy in one go."""
    broken = TEXT.replace('nine = "equal"', 'nine = "any"').replace("alone = [1, 2]", "alone = [5]")
    with pytest.raises(ConfigError, match=r"rungs.*forms"):
        policy.parse(broken)


def test_a_policy_file_that_is_not_there_is_a_config_error(tmp_path):
    """A wrong path is told as such."""
    with pytest.raises(ConfigError, match="No such file"):
        policy.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("Đang làm việc", Standing.WORKING),
        ("Chuyển đến", Standing.WORKING),
        ("Đã chuyển đi", Standing.GONE),
        ("Đã điều động", Standing.UNCLEAR),
        ("Chờ nghỉ hưu", Standing.UNCLEAR),
        ("Đã nghỉ hưu", Standing.GONE),
        ("Đã biệt phái", Standing.UNCLEAR),
        ("Thôi việc", Standing.GONE),
        ("ĐANG LÀM VIỆC ", Standing.WORKING),
        ("Nghỉ thai sản", Standing.UNCLEAR),
        ("", Standing.UNCLEAR),
    ],
)
def test_the_eight_statuses_have_their_meaning(status, standing):
    """The eight values of Trạng thái CB, however they are typed; any other asks."""
    assert policy.load().standing(status) is standing
