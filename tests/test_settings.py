"""Settings: what is read, who wins, and that every mistake is one line with key, value and cure."""

from __future__ import annotations

import stat
from itertools import pairwise
from pathlib import Path
from traceback import format_exception

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from bot.settings import Settings, SettingsError, load, secret_key

EXAMPLE = Path(__file__).parent.parent / "config.example.env"
TOKEN = "123456789:AAE-canary_canary_canary_canary_can"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to stand in, and none of our names in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "config.env") -> Path:
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def refusal(text: str) -> str:
    write(text)
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_the_example_names_exactly_the_settings_and_loads_as_the_defaults() -> None:
    named = dotenv_values(EXAMPLE)
    assert [name.lower() for name in named] == list(Settings.model_fields)
    write(EXAMPLE.read_text(encoding="utf-8"))
    from_example = load(None)
    Path("config.env").unlink()
    assert from_example == load(None)


def test_every_setting_in_the_example_has_a_remark_above_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    bare = [line for above, line in pairwise(lines) if "=" in line and line[:1] != "#" != above[:1]]
    assert bare == []


def test_without_a_file_everything_has_its_default(nowhere: Path) -> None:
    settings = load(None)
    assert settings.bot_token is None
    assert settings.bot_api_url == "https://api.telegram.org"
    assert settings.database_url.get_secret_value() == ""
    assert (settings.language, settings.timezone) == ("zh", "Asia/Shanghai")
    assert (settings.web_host, settings.web_port, settings.sandbox_port) == ("127.0.0.1", 8080, 8081)
    assert (settings.alliance_file, settings.data_dir) == (nowhere / "alliance.toml", nowhere / "data")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("WEB_PORT=9000\nLANGUAGE=en\n")
    monkeypatch.setenv("WEB_PORT", "9001")
    settings = load(None)
    assert (settings.web_port, settings.language) == (9001, "en")


def test_empty_values_count_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    write("WEB_PORT=9000\nBOT_TOKEN=\nTIMEZONE=\nADMIN_IDS=\n")
    monkeypatch.setenv("WEB_PORT", "")
    settings = load(None)
    assert settings.web_port == 9000
    assert settings.bot_token is None
    assert (settings.timezone, settings.admin_ids) == ("Asia/Shanghai", ())


def test_the_gettext_language_of_a_desktop_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    write("LANGUAGE=en\n")
    monkeypatch.setenv("LANGUAGE", "zh_CN:zh")
    assert load(None).language == "en"
    monkeypatch.setenv("LANGUAGE", "zh")
    assert load(None).language == "zh"
    monkeypatch.setenv("LANGUAGE", "fr")
    with pytest.raises(
        SettingsError, match=r'^LANGUAGE: "fr" is not offered: write zh or en \(from the environment\)$'
    ):
        load(None)


def test_relative_paths_start_from_the_folder_of_the_file_named_with_config(nowhere: Path) -> None:
    file = write("DATA_DIR=store\nALLIANCE_FILE=/srv/alliance.toml\n", "conf/my.env")
    settings = load(file)
    assert settings.data_dir == nowhere / "conf" / "store"
    assert settings.alliance_file == Path("/srv/alliance.toml")


def test_a_config_file_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^--config nowhere\.env: no such file"):
        load(Path("nowhere.env"))


def test_a_folder_for_a_file_and_a_file_for_a_folder_are_refused(nowhere: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(nowhere)
    write("", "data")
    with pytest.raises(SettingsError, match=r'^DATA_DIR: ".*data" is a file: name a folder$'):
        load(None)


def test_a_file_in_another_encoding_is_refused_and_a_byte_order_mark_is_not(nowhere: Path) -> None:
    (nowhere / "config.env").write_bytes(b"\xef\xbb\xbfWEB_PORT=9000\r\nLANGUAGE=en\r\n")
    assert (load(None).web_port, load(None).language) == (9000, "en")
    (nowhere / "config.env").write_bytes("DATA_DIR=数据".encode("gbk"))
    with pytest.raises(SettingsError, match=r"^config\.env: not UTF-8 text: save the file as UTF-8$"):
        load(None)


def test_an_unknown_key_is_an_error_in_the_file_and_none_of_our_business_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEB_PROT", "1")
    load(None)
    assert (
        refusal("# a remark\n\nWEB_PROT=1\n") == "config.env, line 3: unknown setting WEB_PROT: did you mean WEB_PORT?"
    )
    assert refusal("COLOUR_SCHEME=1") == (
        "config.env, line 1: unknown setting COLOUR_SCHEME: config.example.env names them all"
    )


@pytest.mark.parametrize("line", ["WEB_PORT", "WEB_PORT: 80", "= 80", 'DATA_DIR="unclosed', "水洞埭社区 = 1 2"])
def test_a_line_that_is_no_setting_is_refused_by_its_number(line: str) -> None:
    assert refusal(f"LANGUAGE=zh\n\n{line}\n").startswith("config.env, line 3: ")


GOOD = [
    ("ADMIN_IDS=1,2 3", "admin_ids", (1, 2, 3)),
    ("ADMIN_IDS=7, 8;7", "admin_ids", (7, 8)),
    ("ADMIN_IDS=500000900", "admin_ids", (500000900,)),
    ("BOT_API_URL=http://127.0.0.1:8081/", "bot_api_url", "http://127.0.0.1:8081"),
    ("PUBLIC_URL=https://relay.example.org/board/", "public_url", "https://relay.example.org/board"),
    ("LANGUAGE=EN", "language", "en"),
    ("LOG_LEVEL=debug", "log_level", "DEBUG"),
    ("LOG_FORMAT=json", "log_format", "json"),
    ("WEB_HOST=::1", "web_host", "::1"),
    ("WEB_HOST=board.internal", "web_host", "board.internal"),
    ("WEBHOOK=off", "webhook", "off"),
    ("export WEB_PORT=65535 # the last one", "web_port", 65535),
    (f"BOT_TOKEN={TOKEN}", "bot_token", SecretStr(TOKEN)),
    ("DATABASE_URL=postgresql+asyncpg://a:b@h/d", "database_url", SecretStr("postgresql+asyncpg://a:b@h/d")),
    ("DATABASE_URL=sqlite+aiosqlite:///x.db", "database_url", SecretStr("sqlite+aiosqlite:///x.db")),
]


@pytest.mark.parametrize(("line", "field", "value"), GOOD)
def test_a_right_value_is_read(line: str, field: str, value: object) -> None:
    write(line)
    assert getattr(load(None), field) == value


PORT = "is not a port: write a whole number from 1 to 65535"
WRONG = [
    ("WEB_PORT=80a", f'"80a" {PORT}'),
    ("WEB_PORT=0", f'"0" {PORT}'),
    ("WEB_PORT=65536", f'"65536" {PORT}'),
    ("SANDBOX_PORT=-1", f'"-1" {PORT}'),
    ("SANDBOX_PORT=8e3", f'"8e3" {PORT}'),
    ("ADMIN_IDS=1,me", '"1,me" is not a list of Telegram user ids'),
    ("ADMIN_IDS=-1001000000001", "write positive numbers"),
    ("ADMIN_IDS=0", "write positive numbers"),
    ("LANGUAGE=de", '"de" is not offered: write zh or en'),
    ("TIMEZONE=Asia/Beijing", '"Asia/Beijing" is not a time zone: write a name such as Asia/Shanghai'),
    ("TIMEZONE=Asia", "is not a time zone"),
    ("TIMEZONE=../../etc/passwd", "is not a time zone"),
    ("BOT_API_URL=api.telegram.org", "is not an address: write it as https://"),
    ("BOT_API_URL=ftp://example.org", "is not an address"),
    ("PUBLIC_URL=https://", "is not an address"),
    ("PUBLIC_URL=https://example.org:99999", "is not an address"),
    ("PUBLIC_URL=https://exa mple.org", "is not an address"),
    ("WEB_HOST=http://0.0.0.0", "is not a host"),
    ("WEB_HOST=127.0.0.1:8080", "is not a host"),
    ("WEB_HOST=256.0.0.1", "is not a host"),
    ("WEBHOOK=on", "webhook mode comes with a later version; leave WEBHOOK=off"),
    ("WEBHOOK=yes", '"yes" is not offered: leave WEBHOOK=off'),
    ("PHOTO_STORE=s3://bucket", "leave PHOTO_STORE empty"),
    ("LOG_LEVEL=loud", '"loud" is not offered: write DEBUG or INFO or WARNING or ERROR'),
    ("LOG_FORMAT=xml", '"xml" is not offered: write text or json'),
    ("BOT_TOKEN=123456", "is not a bot token"),
    ("BOT_TOKEN=123456:short", "is not a bot token"),
    ("SECRET_KEY=short", "write 16 characters or more, or leave it empty"),
    ("WEBHOOK_SECRET=with space", "letters, digits, - or _"),
    ("DATABASE_URL=postgres://u:p@h/d", "begin it with postgresql+asyncpg://"),
    ("DATABASE_URL=postgresql://u:p@h/d", "begin it with postgresql+asyncpg://"),
    ("DATABASE_URL=mysql://u:p@h/d", "leave it empty for SQLite"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_a_wrong_value_names_key_line_and_cure(line: str, words: str) -> None:
    said = refusal(f"# first\n\n{line}\n")
    assert said.startswith(f"{line.split('=')[0]}: ")
    assert words in said
    assert said.endswith("(config.env, line 3)")


def test_a_wrong_value_from_the_environment_says_so_and_not_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "80a")
    assert refusal("WEB_PORT=80\n") == f'WEB_PORT: "80a" {PORT} (from the environment)'


def test_where_a_key_stands_twice_the_last_one_counts() -> None:
    assert refusal("WEB_PORT=x\nWEB_PORT=y\n").endswith('"y" ' + PORT + " (config.env, line 2)")


CANARY = "canary_canary"
LEAKS = [
    f"BOT_TOKEN={TOKEN}!",
    f"WEB_PORT={TOKEN}",
    f"ADMIN_IDS={TOKEN}",
    f"BOT_API_URL=api.telegram.org/bot{TOKEN}/getMe",
    f"PUBLIC_URL=ftp://me:{CANARY}@example.org",
    f"DATABASE_URL=mysql://u:{CANARY}@h/d",
    f"SECRET_KEY=\nWEBHOOK_SECRET={CANARY}!",
    f"BOT_TOKEN {TOKEN}",
    f"BOT_TOKEN: {TOKEN}",
    f"{TOKEN}=",
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_secret_is_ever_shown(text: str) -> None:
    write(text)
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert CANARY not in "".join(format_exception(caught.value))


def test_secrets_are_not_in_the_text_of_the_settings() -> None:
    write(f"BOT_TOKEN={TOKEN}\nDATABASE_URL=postgresql+asyncpg://u:{CANARY}@h/d\nSECRET_KEY={CANARY}{CANARY}\n")
    assert CANARY not in f"{load(None)!r} {load(None)}"


def test_a_value_of_many_lines_still_gives_one_line() -> None:
    assert PORT in refusal('WEB_PORT="80\n\u2028 80"\n')


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(None).web_port = 1  # type: ignore[misc]


def test_the_signing_key_is_made_once_and_for_its_owner_alone(nowhere: Path) -> None:
    made = secret_key(load(None))
    file = nowhere / "data" / "secret.key"
    assert len(made) >= 32
    assert secret_key(load(None)) == made == file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    secret_key(load(None))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_signing_key_that_is_given_is_used_and_not_kept(nowhere: Path) -> None:
    write("SECRET_KEY=sixteen-letters!")
    assert secret_key(load(None)) == "sixteen-letters!"
    assert not (nowhere / "data").exists()


def test_an_emptied_key_file_and_a_data_folder_that_cannot_be_made_are_one_line_each() -> None:
    settings = load(None)
    write("", "data/secret.key")
    with pytest.raises(SettingsError, match="holds no key: delete it"):
        secret_key(settings)
    write("", "blocked")
    with pytest.raises(SettingsError, match=r"^DATA_DIR: .*secret\.key cannot be used: Not a directory$"):
        secret_key(settings.model_copy(update={"data_dir": Path("blocked/data")}))
