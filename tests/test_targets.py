"""Where reports are handed on to, as the setting says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.settings import BadSetting, Settings
from dashboard.targets import BadTargets, read_targets


def names_and_urls(text: str, *private: str) -> list[tuple[str, str]]:
    return [(target.name, str(target.url)) for target in read_targets(text, private)]


def test_targets_are_separated_by_commas_or_blanks_and_known_by_name_or_host() -> None:
    text = "https://crm.example/hook?key=a%2Cb, sheet=https://hooks.example:8443/x\n https://two.example"
    assert names_and_urls(text) == [
        ("crm.example", "https://crm.example/hook?key=a%2Cb"),
        ("sheet", "https://hooks.example:8443/x"),
        ("two.example", "https://two.example/"),
    ]
    assert names_and_urls(" ,, ") == []


def test_two_targets_of_one_host_need_names() -> None:
    assert len(names_and_urls("a=https://crm.example/1 b=https://crm.example/2")) == 2
    with pytest.raises(BadTargets, match="number 2 needs a short name of its own"):
        read_targets("https://crm.example/1 https://crm.example/2", ())


def test_plain_http_is_for_the_hosts_inside_that_are_named() -> None:
    assert names_and_urls("http://CRM.lan:9000/x", "crm.lan:9000") == [("crm.lan:9000", "http://crm.lan:9000/x")]
    for text in ("http://crm.lan:9001/x", "http://crm.example/x"):
        with pytest.raises(BadTargets, match="DASHBOARD_FORWARD_HOSTS"):
            read_targets(text, ("crm.lan:9000",))


@pytest.mark.parametrize(
    "text",
    [
        "ftp://crm.example/canary",
        "https://user:canary@crm.example/",
        "crm=",
        "canary",
        "https://crm.example/?key=a,canary",
        "https://crm.example/canary https://crm.example/canary",
        "http://crm.example/canary",
        " ".join(f"https://{number}.example/canary" for number in range(9)),
        f"{'n' * 61}=https://crm.example/canary",
    ],
)
def test_a_target_that_cannot_be_used_is_told_without_its_address(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match="DASHBOARD_FORWARD_TO") as caught:
        Settings.from_env({"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_FORWARD_TO": text})
    assert "canary" not in str(caught.value)


@given(st.text())
def test_whatever_the_text_is_it_is_read_or_refused(text: str) -> None:
    try:
        found = read_targets(text, ())
    except BadTargets:
        return
    assert len({target.name for target in found}) == len(found)


def test_no_address_is_in_the_settings_repr(tmp_path: Path) -> None:
    env = {"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_FORWARD_TO": "https://crm.example/canary"}
    assert "canary" not in repr(Settings.from_env(env))


def test_the_targets_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "targets"
    path.write_text("crm=https://crm.example/hook\n")
    env = {"DASHBOARD_DATA": str(tmp_path), "DASHBOARD_FORWARD_TO_FILE": str(path)}
    assert [target.name for target in Settings.from_env(env).forward_targets] == ["crm"]
