# The image of every pod: Dagster's webserver and daemon, the code location, run workers, the API and the migrations.
# docs/how-to/build-the-image.md shows how it is built so that two builds of one commit are the same bytes.
# From elsewhere with MIRROR, such as mirror.example/library/ with the slash; by this digest all the same.
ARG MIRROR=

FROM ${MIRROR}python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base

FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# The environment has no pip: the one of the base fills it, and none comes along.
RUN python -m venv --without-pip /app/venv
COPY requirements.lock ./
# Wheels only: nothing is compiled, so there is no compiler that would have to be pinned too.
RUN python -m pip --python /app/venv/bin/python install --no-cache-dir --no-compile \
    --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md ./
COPY seed_pipelines ./seed_pipelines
RUN python -m pip --python /app/venv/bin/python install --no-cache-dir --no-compile --no-deps --no-build-isolation .
# Compiled here, because the root file system of a pod is read-only; checked by nothing, since no source changes there.
RUN PYTHONHASHSEED=0 /app/venv/bin/python -m compileall -q -j 1 --invalidation-mode unchecked-hash /app/venv/lib

FROM base AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="seed-pipelines" \
      org.opencontainers.image.description="Deterministic, masked, resumable synthetic data as partitioned Dagster jobs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Lines and not useradd, which writes the day into the image. Kubernetes goes by the number.
RUN echo "seed:x:10001:10001::/tmp:/usr/sbin/nologin" >> /etc/passwd && echo "seed:x:10001:" >> /etc/group \
    && mkdir -p /opt/seed/dagster /var/lib/seed && chown 10001:10001 /var/lib/seed
COPY --from=build /app/venv /app/venv
COPY manifests /app/manifests
ENV PATH=/app/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SEED_HOME=/var/lib/seed SEED_MANIFESTS_DIR=/app/manifests
WORKDIR /app
USER 10001:10001
EXPOSE 8080
# Of the command below; what else this image runs has checks of its own in the chart.
HEALTHCHECK --interval=20s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["seed-data", "api", "--host", "0.0.0.0", "--port", "8080"]
