"""The vault: opened by passphrase or recovery code alone, never replaced, never where others get it."""

import os
import stat

import pytest

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.project.secret_wrap import WrappedSecret, unwrap_secret, wrap_secret
from firstread.project.vault import Vault

PASSPHRASE = "four words of my own"


@pytest.fixture(scope="module")
def vault_and_code(tmp_path_factory):
    vault = Vault("liver-1234", tmp_path_factory.mktemp("v") / "vault")
    return vault, vault.create(PASSPHRASE)


def test_passphrase_and_recovery_code_open_the_same_secret(vault_and_code):
    vault, code = vault_and_code
    secret = vault.open(PASSPHRASE)
    assert len(secret) == 32
    assert vault.open(code) == secret
    assert vault.open(f"  {PASSPHRASE} ") == secret


@pytest.mark.parametrize("wrong", ["four words of my owm", "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", ""])
def test_anything_else_does_not(vault_and_code, wrong):
    with pytest.raises(SettingError, match="does not open the key"):
        vault_and_code[0].open(wrong)


def test_neither_secret_nor_passphrase_nor_code_is_on_the_disk(vault_and_code):
    vault, code = vault_and_code
    content = b"".join(path.read_bytes() for path in vault.folder.rglob("*") if path.is_file())
    for text in (vault.open(PASSPHRASE), PASSPHRASE.encode(), code.encode(), code.replace("-", "").encode()):
        assert text not in content


def test_only_the_owner_may_look(vault_and_code):
    vault, _ = vault_and_code
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((vault.folder / "key.json").stat().st_mode) == 0o600
    vault.folder.chmod(0o755)
    try:
        with pytest.raises(DataError, match="Others may open the vault"):
            vault.open(PASSPHRASE)
    finally:
        vault.folder.chmod(0o700)


def test_a_key_is_never_replaced(vault_and_code):
    before = (vault_and_code[0].folder / "key.json").read_bytes()
    with pytest.raises(StorageError, match="a vault already"):
        vault_and_code[0].create(PASSPHRASE)
    assert (vault_and_code[0].folder / "key.json").read_bytes() == before


def test_a_secret_of_another_project_is_refused():
    wrapped = wrap_secret(bytes(32), PASSPHRASE, project="one")
    with pytest.raises(SettingError, match="does not open"):
        unwrap_secret(wrapped, PASSPHRASE, project="other")


def test_a_short_passphrase_is_refused(tmp_path):
    with pytest.raises(SettingError, match="too short"):
        Vault("x", tmp_path / "v").create("secret")
    assert not (tmp_path / "v" / "key.json").exists()


def test_a_vault_in_a_git_tree_or_a_synchronized_folder_is_refused(tmp_path):
    (tmp_path / "code" / ".git").mkdir(parents=True)
    with pytest.raises(SettingError, match="git tree"):
        Vault("x", tmp_path / "code" / "deep" / "vault").create(PASSPHRASE)
    with pytest.raises(SettingError, match="copied to other computers"):
        Vault("x", tmp_path / "Dropbox (Clinic)" / "vault").create(PASSPHRASE)


@pytest.mark.parametrize(
    "change", [{"cost": 2**30}, {"cost": 3}, {"salt": "AA=="}, {"kdf": "none"}, {"sealed": "!"}, {"cost": "many"}]
)
def test_a_damaged_key_is_refused_before_it_costs_anything(change, tmp_path):
    entry = WrappedSecret(bytes(16), bytes(12), bytes(48)).to_json() | change
    with pytest.raises(DataError, match="key of the project is damaged"):
        WrappedSecret.from_json(entry, tmp_path)


def test_a_missing_vault_is_named(tmp_path):
    with pytest.raises(DataError, match="vault of this project is not here"):
        Vault("x", tmp_path / "none").open(PASSPHRASE)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "v").mkdir(mode=0o700)
    target = tmp_path / "target"
    os.symlink(target, tmp_path / "v" / "key.json")
    with pytest.raises(StorageError, match="has a key already"):
        Vault("x", tmp_path / "v").create(PASSPHRASE)
    assert not target.exists()
