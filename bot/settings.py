"""What the operator decides, read from config.env and the environment before anything starts.

A wrong value must end the start with one line that says which key, what is wrong with it and what to write,
and that never shows a token, a password or a key: that is why every check here has words of its own.
"""

from __future__ import annotations

import os
import re
import secrets
from difflib import get_close_matches
from io import StringIO
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

DEFAULT_FILE = Path("config.env")
SECRETS = frozenset({"BOT_TOKEN", "DATABASE_URL", "SECRET_KEY", "WEBHOOK_SECRET"})
_TOKEN = re.compile(r"\d+:[\w-]{20,}", re.ASCII)
_USERINFO = re.compile(r"//[^/\s]*@")


class SettingsError(Exception):
    """The settings cannot be used; the text is one line that names key, value and cure."""

    def __init__(self, text: str) -> None:
        text = _USERINFO.sub("//***@", _TOKEN.sub("***", text))  # wherever somebody pasted a secret
        super().__init__("".join(sign if sign.isprintable() else " " for sign in text))


def _one_of(*options: str) -> BeforeValidator:
    def check(given: object) -> str:
        for option in options:
            if str(given).strip().lower() == option.lower():
                return option
        raise ValueError(f"is not offered: write {' or '.join(options)}")

    return BeforeValidator(check)


def _whole_text(pattern: str, cure: str) -> AfterValidator:
    """A secret that, unless it is empty, matches `pattern`."""

    def check(given: SecretStr | None) -> SecretStr | None:
        text = given.get_secret_value().strip() if given else ""
        if text and not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(cure)
        return SecretStr(text) if given is not None else None

    return AfterValidator(check)


def _port(given: object) -> int:
    text = str(given).strip()
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("is not a port: write a whole number from 1 to 65535")
    return int(text)


def _people(given: object) -> tuple[int, ...]:
    numbers = re.split(r"[\s,;,、]+", given.strip(" ,;")) if isinstance(given, str) else given
    if not isinstance(numbers, list | tuple):
        numbers = (numbers,)
    if not all(re.fullmatch("0*[1-9][0-9]{0,15}", str(number)) for number in numbers if number != ""):
        raise ValueError("is not a list of Telegram user ids: write positive numbers with commas between them")
    return tuple(dict.fromkeys(int(number) for number in numbers if number != ""))


def _address(given: str) -> str:
    """An http(s) address without a slash at its end, or ""."""
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a bracket that cannot be
        good = False
    if given and (not good or re.search(r"[\s?#]", given)):
        raise ValueError("is not an address: write it as https://example.org")
    return given.rstrip("/")


def _host(given: str) -> str:
    try:
        return str(ip_address(given))
    except ValueError:
        if re.fullmatch(r"(?!-)[A-Za-z0-9.-]{1,253}", given) and not re.fullmatch(r"[0-9.]+", given):
            return given
    raise ValueError("is not a host: write 127.0.0.1, 0.0.0.0 for every interface, or a host's name")


def _zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (KeyError, ValueError, OSError):  # unknown, outside the zone folder, a folder in it
        raise ValueError("is not a time zone: write a name such as Asia/Shanghai or Europe/Berlin") from None
    return given


def _database(given: SecretStr) -> SecretStr:
    url = given.get_secret_value().strip()
    if not url or re.match(r"postgresql\+asyncpg://.|sqlite(\+aiosqlite)?://", url):
        return SecretStr(url)
    if url.startswith("postgres"):
        raise ValueError("does not name its driver: begin it with postgresql+asyncpg://")
    raise ValueError("is no database that is known here: leave it empty for SQLite, or write postgresql+asyncpg://…")


def _days(given: object) -> int:
    """Whole days; 0: for ever. An incident can be reopened for 14 days, so nothing of it goes before."""
    text = str(given).strip().lower().removesuffix("d")
    if not re.fullmatch("[0-9]{1,5}", text) or 0 < int(text) < 15:
        raise ValueError("is not a time to keep something: write days from 15 up, such as 365d, or 0 for ever")
    return int(text)


def _webhook(given: object) -> str:
    if str(given).strip().lower() == "on":
        raise ValueError("is not offered yet: webhook mode comes with a later version; leave WEBHOOK=off")
    if str(given).strip().lower() != "off":
        raise ValueError("is not offered: leave WEBHOOK=off")
    return "off"


def _photo_store(given: str) -> str:
    if given:
        raise ValueError("is not offered yet: photo stores come with a later version; leave PHOTO_STORE empty")
    return given


class Environment(EnvSettingsSource):
    """The environment, less the LANGUAGE that desktops set for gettext ("en_US:en"), which is none of ours."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        if re.search("[_:.]", str(found.get("language", ""))):
            del found["language"]
        return found


class Settings(BaseSettings):
    """All settings, checked; `load` is the way to make one. Names in config.env are these in capitals."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        env_file_encoding="utf-8-sig",
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    bot_token: Annotated[
        SecretStr | None,
        _whole_text(_TOKEN.pattern, "is not a bot token: copy the whole line that @BotFather gave, digits:letters"),
    ] = None
    bot_api_url: Annotated[str, AfterValidator(_address)] = "https://api.telegram.org"
    alliance_file: Path = Path("alliance.toml")
    data_dir: Path = Path("data")
    database_url: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("")
    admin_ids: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_people)] = ()
    language: Annotated[Literal["zh", "en"], _one_of("zh", "en")] = "zh"
    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    web_host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    web_port: Annotated[int, BeforeValidator(_port)] = 8080
    public_url: Annotated[str, AfterValidator(_address)] = ""
    secret_key: Annotated[
        SecretStr, _whole_text(".{16,}", "is too short: write 16 characters or more, or leave it empty")
    ] = SecretStr("")
    webhook: Annotated[Literal["off", "on"], BeforeValidator(_webhook)] = "off"
    webhook_secret: Annotated[
        SecretStr, _whole_text(r"[\w-]{1,256}", "cannot be sent: write up to 256 letters, digits, - or _")
    ] = SecretStr("")
    photo_store: Annotated[str, AfterValidator(_photo_store)] = ""
    keep_people: Annotated[int, BeforeValidator(_days)] = 365
    keep_words: Annotated[int, BeforeValidator(_days)] = 730
    keep_pictures: Annotated[int, BeforeValidator(_days)] = 730
    keep_messages: Annotated[int, BeforeValidator(_days)] = 90
    keep_failed: Annotated[int, BeforeValidator(_days)] = 30
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _one_of("DEBUG", "INFO", "WARNING", "ERROR")] = (
        "INFO"
    )
    log_format: Annotated[Literal["text", "json"], _one_of("text", "json")] = "text"
    sandbox_port: Annotated[int, BeforeValidator(_port)] = 8081

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Environment(settings_cls), dotenv_settings


def load(config: Path | None) -> Settings:
    """The settings of `config`, or of config.env in the working directory, if any; the environment wins.

    Paths come out absolute: relative ones start from the folder of `config` when it is given. Raises SettingsError.
    """
    file = config or DEFAULT_FILE
    if config and not file.exists():
        raise SettingsError(f"--config {file}: no such file: copy config.example.env there and fill it in")
    lines = _lines(file) if file.exists() else {}
    try:
        settings = Settings(_env_file=file if lines else None)
    except ValidationError as error:
        raise _refusal(error, file, lines) from None
    base = file.parent.absolute() if config else Path.cwd()
    paths = {key: base / getattr(settings, key).expanduser() for key in ("alliance_file", "data_dir")}
    settings = settings.model_copy(update=paths)
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        raise SettingsError(f'DATA_DIR: "{settings.data_dir}" is a file: name a folder')
    return settings


def secret_values(settings: Settings) -> tuple[str, ...]:
    """What must be said nowhere."""
    found = (getattr(settings, key.lower()) for key in sorted(SECRETS))
    return tuple(each.get_secret_value() for each in found if each is not None)


def secret_key(settings: Settings) -> str:
    """The key that signs links: SECRET_KEY, or one made once and kept in DATA_DIR for its owner alone."""
    if given := settings.secret_key.get_secret_value():
        return given
    file = settings.data_dir / "secret.key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            file.chmod(0o600)
        else:
            with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                opened.write(secrets.token_urlsafe(48))
        kept = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"DATA_DIR: {file} cannot be used: {getattr(error, 'strerror', error)}") from None
    if len(kept) < 16:
        raise SettingsError(f"DATA_DIR: {file} holds no key: delete it and a new one is made")
    return kept


def _lines(file: Path) -> dict[str, int]:
    """The line of each key in `file`, the last where it stands twice; refuses what is no setting."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name}: not UTF-8 text: save the file as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    lines: dict[str, int] = {}
    for binding in parse_stream(StringIO(text)):
        written = binding.original.string
        line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
        if binding.error or (binding.key is not None and binding.value is None):
            raise SettingsError(f"{file.name}, line {line}: not a setting: write KEY=value, or # before a remark")
        if binding.key is None:
            continue
        if binding.key.lower() not in Settings.model_fields:
            known = [name.upper() for name in Settings.model_fields]
            near = get_close_matches(binding.key.upper(), known, n=1)
            cure = f"did you mean {near[0]}?" if near else "config.example.env names them all"
            name = f" {binding.key}" if re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,30}", binding.key) else ""
            raise SettingsError(f"{file.name}, line {line}: unknown setting{name}: {cure}")
        lines[binding.key.upper()] = line
    return lines


def _refusal(error: ValidationError, file: Path, lines: dict[str, int]) -> SettingsError:
    """The first wrong value of `error` as one line."""
    first = error.errors()[0]
    key = str(first["loc"][0]).upper()
    given = _TOKEN.sub("***", str(first["input"]))
    shown = "***" if key in SECRETS else given if len(given) <= 60 else given[:60] + "…"
    reason = str(first.get("ctx", {}).get("error", first["msg"]))
    in_environment = key.lower() in Environment(Settings)()
    line = f", line {lines[key]}" if key in lines else ""
    where = "from the environment" if in_environment else f"{file.name}{line}" if line else "the default"
    return SettingsError(f'{key}: "{shown}" {reason} ({where})')
