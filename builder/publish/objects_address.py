"""Opens the bucket that an address means, with the credentials that the service's own tools would use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from builder.core.errors import UsageError
from builder.publish.objects import ObjectTarget

if TYPE_CHECKING:
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_Environment = Mapping[str, str]
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_RETRIES: RetryConfig = {"max_retries": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """`options` maps what may follow `?` in an address to the setting of obstore, and `endpoints` are the
    variables that obstore reads an endpoint from."""

    open: Callable[..., ObjectStore]
    options: Mapping[str, str]
    endpoints: tuple[str, ...]


SERVICES = {
    "s3": Service(
        open=S3Store.from_url,
        options={
            "endpoint": "endpoint",
            "region": "region",
            "virtual_hosted_style": "virtual_hosted_style_request",
        },
        endpoints=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    ),
    "az": Service(
        open=AzureStore.from_url,
        options={"endpoint": "endpoint", "account": "account_name"},
        endpoints=("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    ),
    "gs": Service(
        open=GCSStore.from_url,
        options={"endpoint": "base_url"},
        endpoints=("GOOGLE_BASE_URL",),
    ),
}
KINDS = {"s3": "s3", "az": "az", "abfs": "az", "abfss": "az", "gs": "gs"}
"""Scheme of an address -> kind of service."""


def open_objects(address: str, environment: _Environment = os.environ) -> ObjectTarget:
    """The catalog at `address`, SCHEME://BUCKET/PREFIX?OPTION=VALUE. Nothing is asked of the service yet.

    obstore itself reads the variables of the service. Raises UsageError.
    """
    parts = urlsplit(address)
    kind = KINDS[parts.scheme]
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{unquote(parts.path).rstrip('/')}"
    if not parts.netloc:
        raise UsageError("names no bucket", where=address, fix=f"write {parts.scheme}://BUCKET/PREFIX")
    config = _read_options(kind, parts.query, address)
    provider = _read_profile(environment) if kind == "s3" else None
    try:
        store = SERVICES[kind].open(
            f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}",
            client_options=_client(config, environment, SERVICES[kind]),
            retry_config=_RETRIES,
            **({"credential_provider": provider} if provider else {}),
            **config,
        )
    except (BaseError, ValueError) as error:
        problem = str(error).partition("\n")[0]
        raise UsageError(
            f"cannot be used: {problem}", where=place, fix="check address and settings"
        ) from None
    return ObjectTarget(store, kind, place)


def _read_options(kind: str, query: str, address: str) -> dict[str, Any]:
    """The settings of obstore that `query` means."""
    known = SERVICES[kind].options
    config: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise UsageError(
                f"has an unknown option {name!r}", where=address, fix=f"known: {', '.join(known)}"
            )
        config[known[name]] = value
    return config


def _client(config: Mapping[str, Any], environment: _Environment, service: Service) -> ClientConfig:
    """Patient, since an image may take long to come back; plain HTTP only where an endpoint asks for it."""
    endpoint = config.get(service.options["endpoint"]) or next(
        (environment[name] for name in service.endpoints if environment.get(name)), ""
    )
    options: ClientConfig = {"timeout": "30 minutes", "connect_timeout": "10 seconds"}
    if endpoint.startswith("http://") or environment.get("AZURE_STORAGE_USE_EMULATOR"):
        options["allow_http"] = True
    for name in _CERTIFICATES:
        if os.path.isfile(environment.get(name, "")):
            options["root_certificate"] = Path(environment[name]).read_bytes()
    return options


def _read_profile(environment: _Environment) -> Boto3CredentialProvider | None:
    """What AWS_PROFILE says, through boto3, which knows files, single sign-on and roles; else obstore looks
    at variables and roles itself."""
    profile = environment.get("AWS_PROFILE", "")
    if not profile or environment.get("AWS_ACCESS_KEY_ID"):
        return None
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError:
        raise _no_profile(profile, "needs boto3", "pip install boto3") from None
    try:
        return Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as error:
        raise _no_profile(profile, f"is of no use: {error}", "aws configure list") from None


def _no_profile(profile: str, problem: str, fix: str) -> UsageError:
    other = 'or: eval "$(aws configure export-credentials --format env)"'
    return UsageError(f"the profile {profile} {problem}", where="AWS_PROFILE", fix=f"{fix}; {other}")
