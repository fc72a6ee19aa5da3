"""Says in one sentence what a bucket did not like.

obstore's own errors are pages long, and have addresses that may hold a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from builder.core.errors import PublishError

_AGAIN = "nothing that was published has changed"
_GET_LOGIN = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role; "
    'for a profile: eval "$(aws configure export-credentials --format env)"',
    "az": "set AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, give "
    "the machine an identity, or `az login` with AZURE_USE_AZURE_CLI=true",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, give the machine a service account, or "
    "`gcloud auth application-default login`",
}
_RIGHTS = {
    "s3": "grant s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there",
    "az": "grant the role Storage Blob Data Contributor there; the account's firewall may refuse, too",
    "gs": "grant the role Storage Object User there",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """What matches `pattern` means `message`; `fix` may name {login} and {rights}."""

    pattern: re.Pattern[str]
    message: str
    fix: str


def _case(pattern: str, message: str, fix: str) -> _Case:
    return _Case(pattern=re.compile(pattern), message=message, fix=fix)


_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|specified bucket does not exist")
_UNSUPPORTED = re.compile(r"NotImplemented|NotSupported|501 Not Implemented")
_CASES = (
    _case(_BUCKET.pattern, "there is no such bucket", "create it, or correct its name or the endpoint"),
    _case(
        r"RequestTimeTooSkewed|RequestExpired|not within allowed time|RequestNotYetValid",
        "this machine's clock is wrong",
        "set the clock (timedatectl set-ntp true); " + _AGAIN,
    ),
    _case(
        r"ExpiredToken|TokenRefreshRequired|credentials? ha(s|ve) expired|"
        r"Signature not valid in the specified time frame|invalid_grant|AADSTS700024",
        "the credentials have expired",
        "get new ones and try again; " + _AGAIN,
    ),
    _case(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId|AuthenticationFailed|"
        r"InvalidAuthenticationInfo|401 Unauthorized|invalid_client|UnrecognizedClient",
        "the credentials are wrong",
        "{login}",
    ),
    _case(
        r"169\.254\.|metadata\.google|Missing (account|access)|[Cc]redentials? (not found|were? not)",
        "there are no credentials",
        "{login}",
    ),
    _case(
        r"PermanentRedirect|AuthorizationHeaderMalformed|301 Moved|307 Temporary|Received redirect",
        "the bucket is in another region",
        "set AWS_REGION, or add ?region=NAME to the address",
    ),
    _case(
        r"QuotaExceeded|StorageFull|InsufficientStorage|507 |InsufficientAccountStorage|ExceedMaxCapacity|"
        r"no space left on device",
        "the storage is full",
        "make room, or `wslimg catalog prune` what nobody needs; " + _AGAIN,
    ),
    _case(
        r"AccessDenied|Authorization\w*|403 Forbidden|code: 403|AllAccessDisabled",
        "the credentials do not allow that",
        "{rights}",
    ),
    _case(
        r"certificate|UnknownIssuer",
        "its certificate is not trusted",
        "name the company's certificates in SSL_CERT_FILE",
    ),
    _case(
        r"dns error|failed to lookup",
        "the name of the service cannot be resolved",
        "check address, network and proxy; " + _AGAIN,
    ),
    _case(r"body error|unexpected EOF", "the transfer broke", "try again; " + _AGAIN),
    _case(
        r"error sending request|[Cc]onnection|timed out|operation timeout|kind: (Connect|Timeout|Request)",
        "cannot be reached",
        "check address, network and proxy; " + _AGAIN,
    ),
)


def explain(kind: str, text: str, where: str) -> PublishError:
    """The error that `text`, obstore's own words, means to a user of the service `kind`."""
    for case in _CASES:
        if case.pattern.search(text):
            fix = case.fix.format(login=_GET_LOGIN[kind], rights=_RIGHTS[kind])
            return PublishError(case.message, where=where, fix=fix)
    return PublishError(_answer(text), where=where, fix=f"look into the service's log; {_AGAIN}")


def is_about_bucket(text: str) -> bool:
    """Whether not the object is missing but the bucket."""
    return _BUCKET.search(text) is not None


def is_unsupported(text: str) -> bool:
    """Whether the service knows conditions so little that it refuses them."""
    return _UNSUPPORTED.search(text) is not None


def is_cut(text: str) -> bool:
    """Whether a transfer broke in the middle, or could not go on after it had."""
    return "response body error" in text or "416 Range Not Satisfiable" in text


def _answer(text: str) -> str:
    """Status and code of an answer, or else the first words, without addresses."""
    status = re.search(r"status code: (\d+[^:\n]*)", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    if status:
        return f"the service answered {status[1].strip()}" + (f" ({code[1]})" if code else "")
    return re.sub(r"\w+://\S+", "...", text.partition("\n")[0])[:200]
