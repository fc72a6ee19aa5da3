"""The recipe, schema 1: what the user wrote, complete and checked, with every default filled in.

The models are the one declaration: decoding, the JSON Schema for editors and the reference come from them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from builder.core.suggestions import did_you_mean
from builder.model.fields import (
    AccountName,
    Flag,
    Identifier,
    ImagePath,
    Line,
    RecipeModel,
    matching,
    problem,
)
from builder.sources.archive import Archive
from builder.sources.bootstrap import Bootstrap
from builder.sources.directory import Directory
from builder.sources.dockerfile import Dockerfile
from builder.sources.image import Image
from builder.sources.recipe import BaseRecipe
from builder.sources.source import SourceModel
from builder.steps.table import Step
from builder.wsl.config import read_value
from builder.wsl.keys import ConfigFile, find_key, keys_of
from builder.wsl.names import refuse_name

Name = Annotated[
    str,
    matching(r"[a-z0-9][a-z0-9._-]*", "lower-case letters, digits, '.', '_' and '-', not beginning with one"),
]
Version = Annotated[
    str,
    matching(r"[A-Za-z0-9][A-Za-z0-9.+~-]*", "letters, digits, '.', '+', '~' and '-', beginning with one"),
]
Architecture = Literal["amd64", "arm64"]
Locale = Annotated[
    str, matching(r"(C|POSIX|[a-z]{2,3}_[A-Z]{2})(\.[A-Za-z0-9-]+)?(@[a-z]+)?", "a locale such as C.UTF-8")
]
Web = Annotated[str, matching(r"https?://\S+|mailto:\S+|\S+@\S+", "an address on the web or of mail")]


def _read_schema(value: object) -> object:
    return 1 if value == "1" else value


def _read_date(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise problem("a date such as 2030-06-30") from None


Day = Annotated[date, BeforeValidator(_read_date, json_schema_input_type=date)]


def _check_distribution_name(value: str) -> str:
    if reason := refuse_name(value):
        raise ValueError(f"as the name of a distribution, {value!r} {reason}")
    return value


Suite = Annotated[str, matching(r"[a-z0-9][a-z0-9.+-]*", "the name of a suite, such as trixie")]


class Source(RecipeModel):
    """What the root file system starts from: a mapping with exactly one key, which is its kind.

    `debian: SUITE` is short for a bootstrap of that suite.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    bootstrap: Bootstrap | None = Field(default=None, description="a base system made of packages")
    debian: Suite | None = Field(default=None, description="a suite of Debian, such as trixie")
    image: Image | None = Field(default=None, description="a container image")
    dockerfile: Dockerfile | None = Field(default=None, description="what a Dockerfile builds")
    archive: Archive | None = Field(default=None, description="a root file system in a tar archive")
    directory: Directory | None = Field(default=None, description="a root file system in a folder")
    recipe: BaseRecipe | None = Field(default=None, description="another recipe, which this one goes on from")

    @model_validator(mode="after")
    def _check_one_kind(self) -> Source:
        given = sorted(name for name in self.model_fields_set if getattr(self, name) is not None)
        if len(given) != 1:
            found = f"has {' and '.join(given)}" if given else "has no kind"
            raise ValueError(f"{found}, expected exactly one of {', '.join(Source.model_fields)}")
        return self

    @property
    def kind(self) -> str:
        """The key that is given."""
        return next(name for name in Source.model_fields if getattr(self, name) is not None)

    @property
    def model(self) -> SourceModel:
        """The source in its long form."""
        given = (
            self.bootstrap or self.image or self.dockerfile or self.archive or self.directory or self.recipe
        )
        if given is not None:
            return given
        assert self.debian is not None
        return Bootstrap(distribution="debian", suite=self.debian)

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return self.model.title


class FirstRun(RecipeModel):
    """What happens when the image is started for the first time.

    `prompt` asks for a user name and password, `windows-name` takes the name from Windows and asks nothing,
    `preset` makes the account `user` and asks nothing, `none` leaves root.
    """

    short_form: ClassVar[str] = "mode"

    mode: Literal["prompt", "windows-name", "preset", "none"] = Field(
        default="prompt", description="who becomes the user"
    )
    uid: Identifier = Field(default=1000, description="the user's number")
    admin: Flag = Field(default=True, description="whether the user may use sudo")
    passwordless_sudo: Flag = Field(default=False, description="whether sudo asks for no password")
    groups: tuple[AccountName, ...] = Field(default=(), description="further groups, where they exist")
    user: AccountName | None = Field(default=None, description="the user's name; preset only")
    shell: ImagePath | None = Field(default=None, description="the login shell; the image's default without")

    @model_validator(mode="after")
    def _check_user(self) -> FirstRun:
        if self.mode == "preset" and self.user is None:
            raise ValueError("mode preset needs user, the account's name")
        if self.mode != "preset" and self.user is not None:
            raise ValueError(f"user has no meaning with mode {self.mode}, expected mode preset")
        if self.mode != "none" and self.uid == 0:
            raise ValueError("uid 0 is root, expected another one, or mode none")
        return self


def _flatten(value: object) -> object:
    """`{section: {key: value}}` and `{section.key: value}` alike as the latter."""
    if not isinstance(value, dict):
        return value
    flat: dict[str, Any] = {}
    for name, content in value.items():
        flat |= (
            {f"{name}.{key}": item for key, item in content.items()}
            if isinstance(content, dict)
            else {name: content}
        )
    return flat


_OWN_KEYS = {
    "boot.systemd": "wsl.systemd",
    "boot.command": "wsl.boot_command",
    "user.default": "wsl.default_user",
    "network.hostname": "wsl.hostname",
    "oobe.command": "first_run",
    "oobe.defaultuid": "first_run.uid",
    "oobe.defaultname": "wsl.default_name",
    "shortcut.icon": "wsl.icon",
    "shortcut.enabled": "wsl.shortcut",
    "windowsterminal.profiletemplate": "wsl.terminal_profile",
}


def _refuse_setting(file: ConfigFile, name: str, value: str) -> str:
    """Why WSL would complain about this setting, or who sets it already; empty when it is fine."""
    key = find_key(file, name)
    if key is None:
        return f"{name} is no key of {file.value}{did_you_mean(name, [key.name for key in keys_of(file)])}"
    if own := _OWN_KEYS.get(name.lower()):
        return f"{name} is set by {own}"
    try:
        read_value(key, value.encode())
    except ValueError:
        return f"{name} is {value!r}, expected {', '.join(key.choices) or key.type.value}"
    return ""


def _check_settings(file: ConfigFile, settings: dict[str, str]) -> dict[str, str]:
    reasons = [_refuse_setting(file, name, value) for name, value in settings.items()]
    if found := [reason for reason in reasons if reason]:
        raise ValueError("; ".join(found))
    return settings


Settings = Annotated[
    dict[str, Line], BeforeValidator(_flatten, json_schema_input_type=dict[str, str | dict[str, str]])
]
"""Keys of a WSL configuration file, `section.key`, to their values as text."""


class Wsl(RecipeModel):
    """What the image tells WSL."""

    systemd: Flag = Field(default=True, description="make systemd PID 1; WSL 2 only")
    systemd_policy: Literal["wsl-default", "microsoft-strict", "none"] = Field(
        default="wsl-default", description="which units are masked"
    )
    locale: Locale = Field(default="C.UTF-8", description="LANG of sessions")
    default_name: Line | None = Field(default=None, description="the name to register; the recipe's without")
    default_user: AccountName | None = Field(default=None, description="user.default of wsl.conf")
    hostname: Line | None = Field(default=None, description="the host name; that of Windows without")
    boot_command: Line | None = Field(default=None, description="run by root at every start")
    icon: Line | None = Field(default=None, description="a .png or .ico file, relative to the recipe")
    terminal_profile: Line | None = Field(
        default=None, description="a Windows Terminal profile (.json), relative to the recipe"
    )
    shortcut: Flag = Field(default=True, description="an entry in the start menu")
    conf: Settings = Field(default_factory=dict, description="further keys of wsl.conf")
    distribution_conf: Settings = Field(
        default_factory=dict, description="further keys of wsl-distribution.conf"
    )

    @field_validator("default_name")
    @classmethod
    def _check_default_name(cls, value: str | None) -> str | None:
        return value if value is None else _check_distribution_name(value)

    @field_validator("icon")
    @classmethod
    def _check_icon(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().endswith((".png", ".ico")):
            raise problem("a file that ends in .png or .ico")
        return value

    @field_validator("conf")
    @classmethod
    def _check_conf(cls, value: dict[str, str]) -> dict[str, str]:
        return _check_settings(ConfigFile.WSL_CONF, value)

    @field_validator("distribution_conf")
    @classmethod
    def _check_distribution_conf(cls, value: dict[str, str]) -> dict[str, str]:
        return _check_settings(ConfigFile.DISTRIBUTION_CONF, value)


class Catalog(RecipeModel):
    """How the image appears in a distribution list. `name` has to begin with `flavor`."""

    flavor: Line = Field(description="the group of versions it belongs to")
    friendly_name: Line = Field(description="what people read")
    name: Line | None = Field(
        default=None, description="the name to install it by; the flavor and the version without"
    )
    default: Flag = Field(default=False, description="whether it stands for its flavor")
    owner: Line | None = Field(default=None, description="who is responsible")
    support: Web | None = Field(default=None, description="where to get help")
    end_of_life: Day | None = Field(default=None, description="the last day of support")
    replaces: Line | None = Field(default=None, description="the name of the image it follows")
    changelog: Web | None = Field(default=None, description="where changes are listed")

    @field_validator("flavor", "name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        return value if value is None else _check_distribution_name(value)

    @model_validator(mode="after")
    def _check_prefix(self) -> Catalog:
        if self.name is not None and not self.name.startswith(self.flavor):
            raise ValueError(f"the name {self.name!r} does not begin with the flavor {self.flavor!r}")
        return self


class Output(RecipeModel):
    """How the image is written."""

    compression: Literal["gzip", "xz", "none", "zstd"] = Field(default="gzip", description="of the .wsl file")
    preset: Literal["fast", "default", "small"] = Field(default="default", description="time against size")
    wsl2_only: Flag = Field(default=False, description="give up WSL 1, which does not read zstd")

    @model_validator(mode="after")
    def _check_zstd(self) -> Output:
        if self.compression == "zstd" and not self.wsl2_only:
            raise ValueError("WSL 1 does not read zstd, expected wsl2_only: true with it")
        return self


class DisabledRule(RecipeModel):
    """A rule that does not count, and why."""

    rule: Annotated[str, matching(r"[A-Z]+[0-9]+[A-Z]?", "a rule such as WSL001")] = Field(
        description="its id"
    )
    reason: Line = Field(description="why it does not count here")


class Checks(RecipeModel):
    """What the check of the finished image is told."""

    disable: tuple[DisabledRule, ...] = Field(default=(), description="rules that do not count")
    policy: Line | None = Field(default=None, description="a policy file, relative to the recipe")
    strict: Flag = Field(default=False, description="whether warnings fail the build")


class Trial(RecipeModel):
    """A command that has to succeed in the finished image."""

    short_form: ClassVar[str] = "run"

    run: Annotated[str, Field(min_length=1)] = Field(description="shell commands")
    user: Line = Field(default="default", description="default, root, or a user's name")
    network: Flag = Field(default=False, description="whether it may use the network")


class Recipe(RecipeModel):
    """A recipe, schema 1."""

    schema_: Annotated[Literal[1], BeforeValidator(_read_schema, json_schema_input_type=Literal[1])] = Field(
        alias="schema", description="the version of this language: 1"
    )
    name: Name = Field(description="names the image and its files")
    version: Version = Field(description="the image's version")
    description: Line | None = Field(default=None, description="one line for people")
    architectures: tuple[Architecture, ...] = Field(
        default=("amd64",), min_length=1, description="what to build it for"
    )
    source: Source = Field(description="what the root file system starts from")
    steps: tuple[Step, ...] = Field(default=(), description="changes to it, in this order")
    first_run: FirstRun = Field(default=FirstRun(), description="what happens at the first start")
    wsl: Wsl = Field(default=Wsl(), description="what the image tells WSL")
    catalog: Catalog | None = Field(default=None, description="its entry in a distribution list")
    output: Output = Field(default=Output(), description="how the image is written")
    checks: Checks = Field(default=Checks(), description="what the check of the image is told")
    tests: tuple[Trial, ...] = Field(default=(), description="commands that have to succeed in the image")
    keep_password_hashes: Flag = Field(default=False, description="ship password hashes")

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        return _check_distribution_name(value)

    @field_validator("architectures")
    @classmethod
    def _check_unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names an architecture twice")
        return value
