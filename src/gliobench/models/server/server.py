"""One server with OpenAI's chat completions interface: its address, its time limit and its retries."""

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from gliobench.errors import GliobenchError
from gliobench.models.base.errors import ModelError
from gliobench.models.server.key import Key
from gliobench.models.server.reply import NoAnswerError, Reply, read_reply, said

FIRST_WAIT_S, LONGEST_BACKOFF_S = 0.5, 60.0
LONGEST_RETRY_AFTER_S = 600.0  # a server that asks for a longer wait stops the run
MOST_BYTES = 16 * 2**20  # of a reply; the longest answer in a task's format is far below 1 MiB
TRANSIENT = {408, 425, 429}  # and 500 and above: the same request can succeed later
NO_MONEY = "insufficient_quota"  # a 429 that no waiting fixes
USERINFO = re.compile(r"//\S*@")  # of an address: the name and password before its host
# llama.cpp ("image input is not supported - hint: … mmproj"), vLLM ("… is not a multimodal model", "At most 0 image(s)
# may be provided"), LM Studio, OpenRouter, Ollama, OpenAI, APIs whose messages know text alone.
TAKES_NO_IMAGE = re.compile(
    r"image input is not supported|not a multimodal model|at most 0 image|(does not|doesn't|not) support (image|vision)"
    r"|no endpoints found that support image|missing data required for image input|mmproj|not compiled for multimodal"
    r"|image_url is only supported by|unknown variant `image_url`|model is not multimodal|not a vision model",
    re.IGNORECASE,
)
UNKNOWN_FIELD = re.compile(r"\btop_k\b|\bmin_p\b")
FILTERED = "content_filter"  # a 400 that is about this question alone, not about how all are asked


class GaveUpError(GliobenchError):
    """A question got no answer in all its attempts. `failed`: each attempt had status 200 and the reply reported an
    error or held no answer; `finish`: the reason of the last attempt in two words, for the record."""

    def __init__(self, reason: str, finish: str, failed: bool) -> None:
        super().__init__(reason)
        self.finish, self.failed = finish, failed


class _FaultError(Exception):
    """One attempt failed for a reason that can be temporary."""

    def __init__(self, reason: str, finish: str, *, retry_after_s: float = 0.0, failed: bool = False) -> None:
        super().__init__(reason)
        self.finish, self.retry_after_s, self.failed = finish, retry_after_s, failed


@dataclass(frozen=True)
class Server:
    """Where a model is served. `base_url`: up to and with `/v1`; `timeout_s`: per attempt; `attempts`: per question,
    the first included; `first_wait_s`: the longest wait before the second, doubled before each further one.

    Raises ModelError for an address that cannot be used or that holds a secret.
    """

    base_url: str
    key: Key | None = None
    timeout_s: float = 120.0
    attempts: int = 6
    first_wait_s: float = FIRST_WAIT_S

    def __post_init__(self) -> None:
        shown = USERINFO.sub("//", self.base_url)
        wrong = ModelError(f"base_url is {shown!r}; expected an address such as http://127.0.0.1:8000/v1")
        try:
            parts = urlsplit(self.base_url)
        except ValueError:
            raise wrong from None
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ModelError("base_url holds more than an address; give a key by key_env, nothing else is sent")
        if not _can_be_asked(self.base_url):
            raise wrong

    @property
    def completions(self) -> str:
        """The URL that requests go to."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    @property
    def proxy(self) -> str | None:
        """The environment's proxy for the address (`https_proxy`, `no_proxy`, …); None for localhost.

        Raises ModelError, which does not show it, where it is not a valid address.
        """
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
            return None
        proxy = getproxies().get(parts.scheme)
        if proxy is not None and not _can_be_asked(proxy):
            raise ModelError(
                f"the environment's proxy ({parts.scheme}_proxy) cannot be used: expected an address such as "
                "http://proxy.example.org:3128"
            )
        return proxy


def _can_be_asked(address: str) -> bool:
    """Whether an address is usable: HTTP or HTTPS, a host without spaces, a valid port."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in address
    except ValueError:  # an unmatched bracket, or a port that is not a number from 0 to 65535
        return False


@dataclass
class Usage:
    """Token counts. `untold`: replies in which the server did not count its tokens; `set_aside`: the servers that did
    not answer what another one answered."""

    replies: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    untold: int = 0
    set_aside: set[str] = field(default_factory=set)

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        self.replies += 1
        self.prompt_tokens += reply.prompt_tokens or 0
        self.answer_tokens += reply.answer_tokens or 0
        self.untold += reply.prompt_tokens is None or reply.answer_tokens is None


@dataclass
class Connection:
    """An open connection to a server; an async context manager. `usage` is added to."""

    server: Server
    in_flight: int
    usage: Usage
    _held_until: float = field(default=0.0, init=False)

    async def __aenter__(self) -> Self:
        key = self.server.key
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.in_flight),
            timeout=aiohttp.ClientTimeout(total=self.server.timeout_s),
            proxy=self.server.proxy,
            # An uncompressed reply cannot expand to more than was sent.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **(key.header if key else {})},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, body: bytes) -> Reply:
        """The reply to a request's body, retried after temporary failures.

        Raises GaveUpError after the last attempt; ModelError for what no further attempt would fix, and where the
        server's rate limit rejected every attempt.
        """
        faults: list[_FaultError] = []
        for attempt in range(1, self.server.attempts + 1):
            await self._wait_while_held()
            try:
                reply = await self._attempt(body)
            except _FaultError as error:
                faults.append(error)
            else:
                self.usage.add(reply)
                return reply
            if attempt < self.server.attempts:
                self.usage.retries += 1
                await self._wait(faults[-1], attempt)
        reason = f"{faults[-1]} (attempt {attempt} of {self.server.attempts})"
        if all(fault.finish == "HTTP 429" for fault in faults):
            raise ModelError(f"{self.server.base_url}: {reason}; try again later, or lower in_flight")
        raise GaveUpError(reason, faults[-1].finish, all(fault.failed for fault in faults)) from None

    async def _wait(self, fault: _FaultError, attempt: int) -> None:
        """Back off with full jitter (Brooker 2015); where the server says how long, all requests wait that long."""
        if fault.retry_after_s > LONGEST_RETRY_AFTER_S:
            raise ModelError(
                f"{self.server.base_url}: {fault}, and it asks for a wait of {fault.retry_after_s:.0f} s, more "
                f"than the {LONGEST_RETRY_AFTER_S:.0f} s that a run waits; run the same command again then"
            ) from None
        self._held_until = max(self._held_until, time.monotonic() + fault.retry_after_s)
        longest = min(LONGEST_BACKOFF_S, self.server.first_wait_s * 2 ** (attempt - 1))
        await asyncio.sleep(fault.retry_after_s + random.uniform(0, longest))

    async def _wait_while_held(self) -> None:
        while (rest := self._held_until - time.monotonic()) > 0:
            await asyncio.sleep(rest + random.uniform(0, self.server.first_wait_s))

    async def _attempt(self, body: bytes) -> Reply:
        try:
            async with self._session.post(self.server.completions, data=body, allow_redirects=False) as response:
                raw = await _read(response)
                status, retry_after_s = response.status, seconds_to_wait(response.headers.get("Retry-After"))
        except TimeoutError:
            raise _FaultError(f"no answer within {self.server.timeout_s:g} s", "time-out") from None
        except aiohttp.ClientHttpProxyError as error:  # whose own message shows the proxy's password
            raise self._refused_by_proxy(error.status) from None
        except aiohttp.ClientSSLError as error:
            raise ModelError(f"{self.server.base_url}: no secure connection: {self._words(error)}") from None
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise ModelError(
                f"base_url {self.server.base_url}, or the environment's proxy, is not an address: {self._words(error)}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _FaultError(f"connection lost: {self._words(error) or type(error).__name__}", "hang-up") from None
        content = self._content(raw)
        if status == 400 and FILTERED in said(content):
            return Reply("", FILTERED, f"the server's content filter{said(content)}", None, None, ())
        if not 200 <= status < 300:
            raise self._refused(status, content, retry_after_s)
        try:
            reply = _reply(content)
        except _FaultError as fault:
            if TAKES_NO_IMAGE.search(str(fault)):
                raise self._takes_no_image(str(fault)) from None
            raise
        return replace(reply, text=self._hidden(reply.text))  # again: its parts are joined now

    def _refused_by_proxy(self, status: int) -> Exception:
        """As `_refused`, where the proxy rejects the request."""
        if status in TRANSIENT or status >= 500:
            return _FaultError(f"the proxy answers HTTP {status}", f"HTTP {status}")
        hint = "; it needs a user name and password in its address" if status == 407 else ""
        return ModelError(f"{self.server.base_url}: the proxy rejects the request: HTTP {status}{hint}")

    def _refused(self, status: int, content: Any, retry_after_s: float) -> Exception:
        """What a status other than success means: a temporary failure, or a person's mistake."""
        words = said(content)
        if TAKES_NO_IMAGE.search(words):
            return self._takes_no_image(f"HTTP {status}{words}")
        if (status in TRANSIENT or status >= 500) and NO_MONEY not in words:
            return _FaultError(f"HTTP {status}{words}", f"HTTP {status}", retry_after_s=retry_after_s)
        if field := UNKNOWN_FIELD.search(words):
            return ModelError(
                f"{self.server.base_url}: the server rejects `{field[0]}`: HTTP {status}{words}; remove it, "
                "or serve the model with vLLM, SGLang or llama.cpp"
            )
        hint = {
            401: "; the key in key_env is not accepted" if self.server.key else "; name the key's variable in key_env",
            404: "; check base_url and model",
            407: "; the proxy needs a user name and password in its address",
        }.get(status, "; see the server's log" if status >= 400 else "; give the final address as base_url")
        return ModelError(f"{self.server.base_url}: the server rejects the request: HTTP {status}{words}{hint}")

    def _takes_no_image(self, words: str) -> ModelError:
        return ModelError(
            f"{self.server.base_url}: this server accepts no images: {words}. Serve a model that does; "
            "llama.cpp needs its projector too (--mmproj)"
        )

    def _content(self, raw: bytes) -> Any:
        """Parsed JSON, or the text itself where it is not JSON, without the key."""
        try:
            return self._hidden(json.loads(raw))
        except (ValueError, RecursionError):
            return self._hidden(raw.decode("utf-8", "replace"))

    def _words(self, error: Exception) -> str:
        """An error's message, without the key and without user name and password of an address."""
        return USERINFO.sub("//", str(self._hidden(str(error))))

    def _hidden(self, content: Any) -> Any:
        return self.server.key.hidden_in(content) if self.server.key else content


def seconds_to_wait(retry_after: str | None) -> float:
    """The seconds of a `Retry-After` header, a number or a date (RFC 9110, 10.2.3); 0 where it is neither."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise _FaultError(f"the reply is longer than {MOST_BYTES} bytes", "too long")
    return bytes(raw)


def _reply(content: Any) -> Reply:
    if not isinstance(content, dict):
        raise _FaultError(f"the reply is not a JSON object{said(content)}", "broken JSON")
    try:
        return read_reply(content)
    except NoAnswerError as error:
        raise _FaultError(str(error), "error", failed=True) from None
