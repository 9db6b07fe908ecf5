# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/fleetbeat
COPY requirements-run.lock ./
RUN /opt/fleetbeat/bin/pip install --require-hashes -r requirements-run.lock
COPY pyproject.toml ./
COPY app app
COPY schema schema
COPY jobs jobs
RUN /opt/fleetbeat/bin/pip install --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin fleetbeat
COPY --from=build /opt/fleetbeat /opt/fleetbeat
ENV PATH=/opt/fleetbeat/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8080
USER fleetbeat
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]
ENTRYPOINT ["fleetbeat"]
CMD ["api"]
