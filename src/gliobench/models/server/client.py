"""Any server that speaks OpenAI's chat completions, asked about single slices, many at once."""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, Literal

import numpy as np

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.classified import scored
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.language.conversation import Shot, Turn, question_turn, read_answer, shot_turns, shots_identity
from gliobench.models.language.decoding import Decoding, question_seed
from gliobench.models.language.guided import FIELDS, PROBE, Dialect, follows, pattern_of, unwrapped
from gliobench.models.server.in_order import Ask, in_order
from gliobench.models.server.png import png_url
from gliobench.models.server.prices import Prices
from gliobench.models.server.replicas import Replicas
from gliobench.models.server.reply import Reply, class_probability
from gliobench.models.server.server import Connection, GaveUpError, Server, Usage
from gliobench.models.views.asking import (
    asked_frame,
    check_names,
    check_task,
    known_prompts,
    prompt_identity,
    setting_name,
)
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answer, Missing, Refused, Truncated
from gliobench.tasks.grade import GRADE
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.reading import READING_VERSION
from gliobench.tasks.registry import DEFAULT_TASKS, TASKS

__all__ = ["Decoding", "OpenAIModel", "Prices", "Server"]

LimitField = Literal["max_tokens", "max_completion_tokens"]
TOP_LOGPROBS = 20  # as many as OpenAI and vLLM give at most
JSON_TOKENS = 16  # what `{"answer": ""}` takes around an answer, with room for other spacing
PROBE_TOKENS = 32  # as JSON too
NARROWEST = {"top_k": 1, "min_p": 1.0}  # with either, only the most probable token is left, whatever the temperature
RANDOM_WORDS, HOTTEST, DRAWS = "Write random words, as many as you can.", 2.0, 3


class OpenAIModel:
    """A model on a server: a view of one slice as PNG and the task's prompt in, free text out.

    `server`: where the model is served, or several servers of the same model: questions are shared among them, and
    cached answers belong to the first one's address. `problem`: what is asked about. `model`: the server's name for
    it. `name`: how tables call it. `view`: what is shown of a slice. `shots`: by task, slices with their true
    answers, shown before every question. `in_flight`: how many questions each server is asked at once; like the
    server's times and attempts it changes no answer. `guided`: the server's dialect for holding answers to their
    task's format. `logprobs`: score classes by the probabilities of the choices; only then are they asked for. Both
    are tried out before the first question, because many servers silently ignore what they do not know.
    `limit_field`: what the server calls the token limit. `top_k` and `min_p` of `decoding` are not in OpenAI's own
    interface: they are sent where they are set, as vLLM, SGLang and llama.cpp take them. Raises ModelError for any
    bad argument; nothing is sent before the first prediction is asked for.
    """

    per_slice = True

    def __init__(
        self,
        server: Server | Sequence[Server],
        model: str,
        *,
        name: str | None = None,
        tasks: Collection[str] = DEFAULT_TASKS,
        prompts: Mapping[str, Prompt] | None = None,
        view: View | None = None,
        shots: Mapping[str, Sequence[Shot]] | None = None,
        decoding: Decoding | None = None,
        in_flight: int = 16,
        guided: Dialect | None = None,
        logprobs: bool = False,
        limit_field: LimitField = "max_tokens",
        prices: Prices | None = None,
        problem: Problem = GLIOMA,
    ) -> None:
        check_names("task", {*tasks, *(prompts or ())}, TASKS)
        if in_flight < 1:
            raise ModelError(f"in_flight must be 1 or more, got {in_flight}")
        self.servers = (server,) if isinstance(server, Server) else tuple(server)
        self.model, self._problem = model, problem
        self.name = name or model
        self.tasks = frozenset(tasks)
        self.decoding = decoding or Decoding()
        self.usage = Usage()
        self._prompts = known_prompts(tasks, prompts or {}, problem)
        self._view, self._in_flight = view or View(), in_flight
        self._shots = {task: tuple((shots or {}).get(task, ())) for task in self._prompts}
        self._shot_messages = {task: self._shown_before(task) for task in self._prompts}
        self._guided: Dialect | None = guided
        self._logprobs, self._limit_field, self._prices = logprobs, limit_field, prices

    @property
    def settings(self) -> Settings:
        """Everything that can change an answer: the server and its model, the image, prompts and decoding."""
        return {
            "engine": "openai",
            "server": self.servers[0].base_url,
            "checkpoint": self.model,
            "reading": READING_VERSION,
            **self._view.identity,
            **shots_identity(self._shots, self._view),
            "image": f"png, 8-bit {'RGB' if self._view.coloured else 'grey'}",
            "guided": self._guided,
            "logprobs": self._logprobs,
            **{
                setting_name("prompt", task): prompt_identity(self._prompts[task], self._limit(task))
                for task in self._prompts
            },
            **self.decoding.settings,
        }

    def account(self) -> str:
        """One sentence: what was asked of the server so far, in tokens and, where prices are known, in money."""
        usage = self.usage
        text = (
            f"{self.name}: {usage.replies:,} replies, {usage.retries:,} attempts repeated, "
            f"{usage.prompt_tokens:,} prompt and {usage.answer_tokens:,} answer tokens"
        )
        if self._prices is not None:
            money = self._prices.of_tokens(usage.prompt_tokens, usage.answer_tokens)
            text += f", {money:.4f} {self._prices.currency} at the study file's prices"
        if usage.untold:
            text += f"; the server did not count the tokens of {usage.untold:,} replies"
        if usage.set_aside:
            text += f"; did not answer where another server did: {', '.join(sorted(usage.set_aside))}"
        return text

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Yield one prediction per question, in the order asked; images are rendered shortly before they are sent.

        A question whose attempts all fail, twice, while the server answers the same question about a black slice, is
                `Missing`, with the reason in `finish`. Raises ModelError before anything is asked (a task that is not
                this model's, a question about a whole volume); ModelStopped, with the other answers, where the server
                is down, rejects the request, or ignores what `guided`, `logprobs`, `top_k` or `min_p` ask for.
        """
        for question in questions:
            check_task(self.name, self.tasks, question)
            self._view.check(asked_frame(question))
        return self._answers(questions) if questions else iter(())

    def _answers(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        trial = next((question for question in questions if question.task == GRADE.name), questions[0])
        start = perf_counter()
        for batch in in_order(partial(self._connect, trial), questions, self._in_flight * len(self.servers)):
            seconds = (perf_counter() - start) / len(batch)
            start = perf_counter()
            for prediction in batch:
                yield replace(prediction, seconds=seconds)

    @asynccontextmanager
    async def _connect(self, trial: Question) -> AsyncGenerator[Ask, None]:
        async with Replicas(self.servers, self._in_flight, self.usage) as replicas:
            for connection in replicas.connections:
                await self._try_out(connection, trial)
            yield partial(self._ask, replicas)

    async def _try_out(self, connection: Connection, question: Question) -> None:
        """Raise ModelError where test requests show that the server ignores a setting."""
        for name in self._narrowed:
            await self._try_narrowing(connection, question, name)
        scored = self._scored(question)
        if self._guided is None and not scored:
            return
        limit = {self._limit_field: PROBE_TOKENS}
        guide = FIELDS[self._guided](PROBE) if self._guided else {}
        try:
            reply = await connection.ask(self._body(question, limit | guide, black=True))
        except GaveUpError as error:
            raise ModelError(f"{self.name}: {connection.server.base_url} does not answer: {error}") from None
        text = unwrapped(self._guided, reply.text).strip()
        if self._guided and not follows(PROBE, text):
            raise ModelError(
                f"{self.name}: the server ignores `guided: {self._guided}`: constrained to {PROBE} it wrote "
                f"{text[:60]!r}. Try another of {', '.join(FIELDS)}, or leave `guided` out"
            )
        if scored and not any(chance.top for chance in reply.chances):
            raise ModelError(f"{self.name}: the server returns no log-probabilities; remove `logprobs`")

    async def _try_narrowing(self, connection: Connection, question: Question, name: str) -> None:
        """Random words with only the most probable token allowed: texts that differ show that the setting is
        ignored."""
        image = self._message(question_turn(question, self._prompts[question.task], self._view), black=True)
        words = [
            part if part["type"] != "text" else {"type": "text", "text": RANDOM_WORDS} for part in image["content"]
        ]
        request = {
            "model": self.model,
            "messages": [{"role": "user", "content": words}],
            "temperature": HOTTEST,
            self._limit_field: PROBE_TOKENS,
            name: NARROWEST[name],
        }
        try:
            said = {(await connection.ask(json.dumps(request | {"seed": seed}).encode())).text for seed in range(DRAWS)}
        except GaveUpError as error:
            raise ModelError(f"{self.name}: {connection.server.base_url} does not answer: {error}") from None
        if len(said) == DRAWS:
            raise ModelError(
                f"{self.name}: the server ignores `{name}`: with {name} {NARROWEST[name]:g} it wrote {DRAWS} "
                f"different texts, where only one is possible. Remove `{name}`, or serve the model with vLLM, "
                "SGLang or llama.cpp"
            )

    async def _ask(self, replicas: Replicas, question: Question, slots: asyncio.Semaphore) -> Prediction:
        try:
            body = self._question_body(question)
            async with slots:
                answer = await self._reply(replicas, question, body)
        except ModelError as error:
            raise ModelError(f"{self.name}, {_place(question)}: {error}") from None
        if isinstance(answer, GaveUpError):
            return Prediction(question, Missing(f"the server gave no answer: {answer}"), finish=answer.finish)
        return self._prediction(question, answer)

    async def _reply(self, replicas: Replicas, question: Question, body: bytes) -> Reply | GaveUpError:
        """The reply, or the reason why this question gets none.

        The question is the reason where the server answers about a black slice but not about this one. The server may
                have recovered between the two, so the question is asked once more first. Raises ModelError where the
                server itself reports a failure: that is never the model's answer.
        """
        for _ in range(2):
            try:
                return await replicas.ask(body)
            except GaveUpError as error:
                gave_up = error
            if gave_up.failed:
                raise ModelError(
                    f"{self._addresses} fails: {gave_up}. The answers so far are kept, this one is not; run "
                    "the same command again once the server is fixed"
                ) from None
            await self._check_that_it_answers(replicas, question, gave_up)
        return gave_up

    async def _check_that_it_answers(self, replicas: Replicas, question: Question, error: GaveUpError) -> None:
        """Raise ModelError where the server does not answer the same question about a black slice either."""
        try:
            await replicas.ask(self._question_body(question, black=True))
        except GaveUpError:
            raise ModelError(
                f"{self._addresses} is down: {error}; it does not answer about a black slice either. The "
                "answers so far are kept; run the same command again when the server is back"
            ) from None

    def _prediction(self, question: Question, reply: Reply) -> Prediction:
        def read(text: str) -> Answer:
            return read_answer(question, unwrapped(self._guided, text), reply.cut or reply.filtered, self._view)

        probability = class_probability(reply, read, self._problem) if self._scored(question) else None
        score, probabilities = scored(probability)
        return Prediction(
            question=question,
            answer=_without_text(reply) or read(reply.text),
            score=score,
            probabilities=probabilities,
            text=reply.text,
            tokens=reply.answer_tokens,
            prompt_tokens=reply.prompt_tokens,
            finish=reply.finish,
            served=reply.served,
        )

    def _question_body(self, question: Question, black: bool = False) -> bytes:
        """The request of a question; `black`: about a black image instead of the slice itself."""
        pattern = pattern_of(question.task, self._problem)
        return self._body(question, FIELDS[self._guided](pattern) if self._guided else {}, black)

    def _body(self, question: Question, guide: Mapping[str, Any], black: bool) -> bytes:
        asked = self._message(question_turn(question, self._prompts[question.task], self._view), black)
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [*self._shot_messages[question.task], asked],
            "temperature": self.decoding.temperature,
            self._limit_field: self._limit(question.task),
            **guide,
        }
        if self.decoding.temperature > 0:
            request["top_p"] = self.decoding.top_p
            request |= self._narrowed
            request["seed"] = question_seed(self.decoding.seed, question) % 2**31  # some servers keep 32 bits, signed
        if self._scored(question):
            request |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return json.dumps(request).encode()

    @property
    def _addresses(self) -> str:
        return ", ".join(server.base_url for server in self.servers)

    @property
    def _narrowed(self) -> Mapping[str, float]:
        """The settings of `decoding` that OpenAI's own interface lacks."""
        set_ = {"top_k": self.decoding.top_k, "min_p": self.decoding.min_p} if self.decoding.temperature > 0 else {}
        return {name: value for name, value in set_.items() if value > 0}

    def _shown_before(self, task: str) -> list[Turn]:
        return [self._message(turn) for turn in shot_turns(self._shots[task], self._prompts[task], self._view)]

    def _message(self, turn: Turn, black: bool = False) -> Turn:
        """A turn as servers take it: the image as a data URL, black where asked for."""

        def part(content: Turn) -> Turn:
            if content["type"] != "image":
                return content
            shown = np.asarray(content["image"])
            image = shown if self._view.coloured else shown[..., 0]
            return {"type": "image_url", "image_url": {"url": png_url(np.zeros_like(image) if black else image)}}

        return {"role": turn["role"], "content": [part(content) for content in turn["content"]]}

    def _scored(self, question: Question) -> bool:
        return self._logprobs and question.task == GRADE.name

    def _limit(self, task: str) -> int:
        limit = self.decoding.max_new_tokens or self._prompts[task].max_new_tokens
        return limit + JSON_TOKENS if self._guided == "json_schema" else limit


def _without_text(reply: Reply) -> Answer | None:
    """The typed failure of a reply without text to parse; None where it has text."""
    if reply.refusal:
        return Refused(reply.refusal)
    if reply.filtered and not reply.text:
        return Refused("the server's content filter removed the answer")
    if reply.thoughts and reply.cut:
        return Truncated(
            f"the token limit was reached while it was still reasoning ({reply.thoughts}): raise max_new_tokens"
        )
    if reply.thoughts:
        return Missing(f"all text is in `{reply.thoughts}`, the answer itself (`content`) is empty")
    return None


def _place(question: Question) -> str:
    frame = asked_frame(question)
    return f"{question.subject.id}, {question.task}, {frame.plane} slice {frame.index}"
