"""From `wslimg publish` to a started distribution, through each kind of server that clients can read."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conformance.bucket_servers import AZURE_ACCOUNT, AZURE_KEY, KEY, azurite_server, moto_server
from tests.conformance.targets import require_module
from tests.conformance.web_servers import NGINX, free_port, guarding_proxy, nginx_server, running_nginx
from tests.e2e.client import BadDigestError, Client
from tests.e2e.conftest import WSLIMG, Wslimg
from tests.e2e.registry import running_registry
from tests.e2e.tiny import open_place

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

LIST = "stable/DistributionInfo.json"
_JSON = {"Content-Type": "application/json"}
Tool = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Server:
    """The catalog to publish to, with the options of commands (`first`: of the first), and its address for
    readers. `serve` is what `wslimg catalog serve` serves once it is there."""

    target: str
    base: str
    options: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    serve: Path | None = None
    env: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that `wslimg build` made."""
    folder = tmp_path_factory.mktemp("tiny")
    with open_place(folder) as place:
        place.build(place.write(steps=("true",)))
    (image,) = place.dist.glob("*.wsl")
    return image


@contextmanager
def serving(folder: Path, base: str) -> Iterator[None]:
    """`wslimg catalog serve`; the kernel ends it even if this process is killed (prctl(2))."""
    port = base.rpartition(":")[2]
    command = ["setpriv", "--pdeathsig", "KILL", str(WSLIMG), "catalog", "serve", str(folder), "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(f"serving {base};")
            yield
        finally:
            process.kill()


@contextmanager
def a_folder(folder: Path, tool: Tool) -> Iterator[Server]:
    site = folder / "site"
    yield Server(target=str(site), base=f"http://127.0.0.1:{free_port()}", serve=site)


@contextmanager
def nginx(folder: Path, tool: Tool) -> Iterator[Server]:
    tool("nginx")
    (folder / "root").mkdir()
    with nginx_server(folder / "root", folder / "nginx", free_port()) as base:
        yield Server(target=base, base=base)


@contextmanager
def a_registry(folder: Path, tool: Tool) -> Iterator[Server]:
    """Images are blobs of the registry, lists are in a folder."""
    tool("docker-registry")
    lists = folder / "lists"
    with running_registry(folder) as address:
        yield Server(
            target=f"oci://{address}/team/wsl",
            base=f"http://127.0.0.1:{free_port()}",
            options=("--index-to", str(lists)),
            serve=lists,
        )


@contextmanager
def a_guarded_registry(folder: Path, tool: Tool, *, everybody: bool = True) -> Iterator[Server]:
    """Behind a proxy that lets `everybody` pull, and those push who logged in; nginx has the lists."""
    tool("docker-registry", "nginx")
    (folder / "root").mkdir()
    with ExitStack() as stack:
        behind = stack.enter_context(running_registry(folder))
        lists = stack.enter_context(nginx_server(folder / "root", folder / "nginx", free_port()))
        front = f"127.0.0.1:{free_port()}"
        stack.enter_context(guarding_proxy(folder / "proxy", front, behind, "ci:secret", everybody=everybody))
        config = folder / "config.json"
        config.write_text(json.dumps({"auths": {front: {"auth": b64encode(b"ci:secret").decode()}}}))
        yield Server(
            target=f"oci://{front}/team/wsl",
            base=lists,
            options=("--index-to", lists),
            env={"DOCKER_CONFIG": str(folder)},
        )


@contextmanager
def a_bucket(folder: Path, tool: Tool) -> Iterator[Server]:
    """S3 that lets everybody read."""
    require_module("obstore", "cloud")
    anybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::wsl/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]}).encode()
    with moto_server(folder) as endpoint:
        request = urllib.request.Request(f"{endpoint}/wsl?policy", policy, _JSON, method="PUT")
        urllib.request.urlopen(request).close()
        yield Server(
            target="s3://wsl/team/catalog",
            base=f"{endpoint}/wsl/team/catalog",
            env={**KEY, "AWS_ENDPOINT_URL": endpoint},
        )


@contextmanager
def azure(folder: Path, tool: Tool) -> Iterator[Server]:
    """A container whose blobs everybody may read."""
    require_module("obstore", "cloud")
    with azurite_server(folder) as endpoint:
        login = {"AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
        yield Server(
            target="az://wsl/team/catalog",
            base=f"{endpoint}/wsl/team/catalog",
            env={**login, "AZURE_STORAGE_ENDPOINT": endpoint},
        )


@contextmanager
def images_in_a_bucket(folder: Path, tool: Tool) -> Iterator[Server]:
    """Images in S3 under another address than the lists, which are in a folder."""
    lists = folder / "lists"
    with a_bucket(folder, tool) as bucket:
        yield Server(
            target=bucket.target,
            base=f"http://127.0.0.1:{free_port()}",
            options=("--index-to", str(lists)),
            first=("--images-url", bucket.base),
            serve=lists,
            env=bucket.env,
        )


SERVERS = [a_folder, nginx, a_registry, a_guarded_registry, a_bucket, images_in_a_bucket, azure]


@pytest.fixture(params=SERVERS, ids=lambda start: start.__name__)
def server(request: pytest.FixtureRequest, tmp_path: Path, tool: Tool) -> Iterator[Server]:
    tool("setpriv")
    start: Callable[[Path, Tool], AbstractContextManager[Server]] = request.param
    with start(tmp_path, tool) as running:
        yield running


def test_what_is_published_can_be_installed_and_started(
    server: Server, built: Path, wslimg: Wslimg, tool: Tool, tmp_path: Path
) -> None:
    tool("bsdtar")
    names = ("--flavor", "tiny", "--friendly-name", "Tiny")
    publish = ("publish", built, "--to", server.target, *server.options, *names)
    wslimg(*publish, "--base-url", server.base, *server.first, env=server.env)
    wslimg(*publish, "--channel", "beta", env=server.env)
    with serving(server.serve, server.base) if server.serve else ExitStack():
        client = Client(url=f"{server.base}/{LIST}")
        assert client.online() == ["tiny", "tiny-1"]
        image = client.install("TINY", tmp_path)
        assert image.name == "tiny.wsl" and image.read_bytes() == built.read_bytes()
        assert client.install("tiny-1", tmp_path).name == "tiny-1.wsl"
    wslimg("try", image)
    wslimg("catalog", "verify", server.target, *server.options, env=server.env)


@pytest.fixture
def published(built: Path, wslimg: Wslimg, tool: Tool, tmp_path: Path) -> Iterator[Client]:
    """A client of a catalog on nginx, in the folder `root`."""
    tool("nginx")
    with nginx(tmp_path, tool) as server:
        names = ("--flavor", "tiny", "--friendly-name", "Tiny")
        wslimg("publish", built, "--to", server.target, "--base-url", server.base, *names)
        yield Client(url=f"{server.base}/{LIST}")


def test_redirects_are_followed(published: Client, built: Path, tmp_path: Path) -> None:
    root, port = tmp_path / "root", free_port()
    listed = root / LIST
    here, front = published.url.removesuffix(f"/{LIST}"), f"http://127.0.0.1:{port}"
    listed.write_text(listed.read_text().replace(here, f"{front}/go"))
    rules = f"location /go/ {{ rewrite ^/go/(.*)$ {here}/$1 redirect; }}"
    folder = tmp_path / "front"
    text = NGINX.format(folder=folder, root=root, port=port)
    with running_nginx(folder, text.replace("dav_methods PUT DELETE MKCOL;", rules)):
        client = Client(url=f"{front}/go/{LIST}")
        assert client.install("tiny", tmp_path).read_bytes() == built.read_bytes()


def test_other_bytes_are_not_installed(published: Client, tmp_path: Path) -> None:
    (image,) = (tmp_path / "root/images").rglob("*.wsl")
    image.write_bytes(image.read_bytes() + b"x")
    assert published.online() == ["tiny", "tiny-1"]
    with pytest.raises(BadDigestError):
        published.install("tiny", tmp_path)


def test_a_list_to_append_that_is_not_there_takes_the_other_with_it(
    published: Client, tmp_path: Path
) -> None:
    base = published.url.removesuffix(f"/{LIST}")
    gone = Client(url=published.url, append=f"{base}/gone.json")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        gone.online()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        gone.install("tiny", tmp_path)
    both = Client(url=published.url, append=f"{base}/stable/DistributionInfo.append.json")
    assert both.install("tiny", tmp_path).stat().st_size


def test_a_registry_that_wants_a_login_from_everybody_serves_no_client(
    built: Path, wslimg: Wslimg, tool: Tool, tmp_path: Path
) -> None:
    tool("setpriv")
    with a_guarded_registry(tmp_path, tool, everybody=False) as server:
        publish = ("publish", built, "--to", server.target, *server.options, "--base-url", server.base)
        wslimg(*publish, "--flavor", "tiny", "--friendly-name", "Tiny", env=server.env)
        client = Client(url=f"{server.base}/{LIST}")
        assert client.online() == ["tiny", "tiny-1"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            client.install("tiny", tmp_path)
