"""What the service says of itself: one log line per request, metrics for Prometheus, and a problem for what nobody caught.

Log lines name the route, never the path or the query: those carry customers' ids. The caller is named by its key's first
digits. With PROMETHEUS_MULTIPROC_DIR in the environment the metrics of all processes are added up.
"""

import logging
import os
import re
import secrets
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from time import perf_counter
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import InternalError, MethodNotAllowed, PathUnknown, code_of, problem_answer
from ledger.answers import Answer
from ledger.errors import LedgerError
from ledger.service import Backlog
from projections.models.standing import Standing

REQUESTS = Histogram(
    "ledger_http_request_seconds",
    "Requests by route, method and status, and how long the answer took.",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
EVENTS = Counter("ledger_events_total", "Events posted, by what became of them.", ["outcome", "code"])
FOLLOWERS = Gauge("ledger_feed_followers", "Clients that follow a feed live.", multiprocess_mode="livesum")

COMMANDS_WAITING = Gauge(
    "ledger_commands_waiting", "Events taken in and not answered yet.", ["program"], multiprocess_mode="livesum"
)
REFUSALS_WAITING = Gauge(
    "ledger_refusals_waiting",
    "Refusals kept until what they wait for arrives.",
    ["program"],
    multiprocess_mode="mostrecent",
)
PROJECTION_LAG_RECORDS = Gauge(
    "ledger_projection_lag_records",
    "Records of the log that a read model has not folded yet.",
    ["program", "model"],
    multiprocess_mode="mostrecent",
)
PROJECTION_LAG_SECONDS = Gauge(
    "ledger_projection_lag_seconds",
    "How long the first of them has waited.",
    ["program", "model"],
    multiprocess_mode="mostrecent",
)
PROJECTION_STOPPED = Gauge(
    "ledger_projection_stopped",
    "1: the read model stopped at a record that it cannot fold.",
    ["program", "model"],
    multiprocess_mode="mostrecent",
)
DUE_SECONDS = Gauge(
    "ledger_due_seconds",
    "How far back the instant lies up to which all that fell due is written.",
    ["program"],
    multiprocess_mode="mostrecent",
)

_LEGAL_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_PROCESS = secrets.token_hex(6).encode()
_NUMBERS = count(1)

_RECORDED = EVENTS.labels("recorded", "")
_REPLAYED = EVENTS.labels("replayed", "")

log = structlog.get_logger("api")


class RequestLog:
    """A line for every request, in the shape of all other lines, written by hand: structlog takes five times as long."""

    def __init__(self) -> None:
        self._out: BinaryIO | None = None

    def configure(self, level: int, out: BinaryIO) -> None:
        """Write from now on, if requests are to be seen at this level."""
        self._out = out if level <= logging.INFO else None

    def write(self, **fields: Any) -> None:
        """Write a line."""
        if self._out is None:
            return
        line = {**fields, "event": "request", "level": "info", "timestamp": datetime.now(UTC)}
        self._out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
        self._out.flush()


requests = RequestLog()


def configure_logging(level: str) -> None:
    """Write one JSON object a line to standard error, from `level` on; other libraries' loggers included."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    requests.configure(logging.getLevelName(level.upper()), sys.stderr.buffer)
    logging.basicConfig(level=level.upper(), handlers=[_IntoStructlog()], force=True)


def count_event(answer: Answer) -> None:
    """Count what became of an event."""
    if answer.error is not None:
        EVENTS.labels("refused", code_of(answer.error)).inc()
    elif answer.replayed:
        _REPLAYED.inc()
    else:
        _RECORDED.inc()


def show_backlogs(backlogs: Iterable[Backlog]) -> None:
    """Let the gauges show what programs have still to do."""
    for backlog in backlogs:
        COMMANDS_WAITING.labels(backlog.program).set(backlog.commands_waiting)
        REFUSALS_WAITING.labels(backlog.program).set(backlog.refusals_waiting)
        if backlog.due_seconds is not None:
            DUE_SECONDS.labels(backlog.program).set(backlog.due_seconds)


def show_projections(standings: Iterable[Standing]) -> None:
    """Let the gauges show how far the read models lag, and which have stopped."""
    for one in standings:
        PROJECTION_LAG_RECORDS.labels(one.program, one.model).set(one.lag_records)
        PROJECTION_LAG_SECONDS.labels(one.program, one.model).set(one.lag_seconds)
        PROJECTION_STOPPED.labels(one.program, one.model).set(one.stopped_at is not None)


def exposition() -> bytes:
    """The metrics in Prometheus' text format; of all processes where they share a directory."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class Telemetry:
    """The outermost layer: gives every request an id, catches what nobody caught, measures, logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._observed: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; see the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._observe(scope, receive, send)

    async def _observe(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["request_id"] = _request_id(scope)
        began = perf_counter()
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id))
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:
            if not isinstance(error, HTTPException):
                log.exception("request_failed", request_id=request_id.decode(), route=_route(scope))
            if status:
                raise
            await problem_answer(_as_ours(error, scope))(scope, receive, send_named)
        finally:
            self._note(scope, status, perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        key = (route, _method(scope), status)
        observed = self._observed.get(key)
        if observed is None:
            observed = self._observed[key] = REQUESTS.labels(route, key[1], str(status))
        observed.observe(seconds)
        caller = scope.get("caller")
        requests.write(
            request_id=scope["request_id"].decode(),
            method=key[1],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            key=None if caller is None else caller.key,
        )


class _IntoStructlog(logging.Handler):
    """Hands the log lines of libraries on to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a line of another library's."""
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def _as_ours(error: Exception, scope: Scope) -> LedgerError:
    if isinstance(error, HTTPException):
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(", ".join(sorted(_methods_at(scope))))
        return PathUnknown()
    return error if isinstance(error, LedgerError) else InternalError()


def _methods_at(scope: Scope) -> set[str]:
    """What the path answers: it may have a route for each method."""
    return {method for route in scope["app"].routes if route.path == _route(scope) for method in route.methods}


def _route(scope: Scope) -> str:
    """The route's template; what matched none is all one."""
    route = scope.get("route")
    return "unknown" if route is None else route.path


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _LEGAL_ID.match(value):
            sent: bytes = value
            return sent
    return b"%s-%x" % (_PROCESS, next(_NUMBERS))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
