# The service, the worker and the emulated org in one image: `orgbridge serve`, `orgbridge worker`, `orgbridge emulator serve`, `orgbridge up`.
# Another base, for example a mirror's: --build-arg BASE_IMAGE=mirror.example/python:3.11-slim
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Without pip of its own: nothing can be installed into the running image.
RUN python -m venv --without-pip /opt/orgbridge
# The pins first: they change seldom, so this layer is reused.
COPY requirements.txt ./
RUN pip --python /opt/orgbridge/bin/python install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# The build's own tools go again, and with them what the libraries bring for compiling and testing against them.
RUN pip --python /opt/orgbridge/bin/python install --no-build-isolation --no-deps . \
 && pip --python /opt/orgbridge/bin/python uninstall --yes hatchling editables trove-classifiers \
 && rm -rf /opt/orgbridge/lib/python3*/site-packages/pyarrow/include \
           /opt/orgbridge/lib/python3*/site-packages/pyarrow/tests \
           /opt/orgbridge/lib/python3*/site-packages/pyarrow/src \
 && python -m compileall -q -j 0 /opt/orgbridge/lib

FROM ${BASE_IMAGE} AS final
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Orgbridge" \
      org.opencontainers.image.description="Salesforce Integration API: every row is accounted for." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# A number and not a name, so that Kubernetes can see that it is not root.
RUN groupadd --gid 10001 orgbridge \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin orgbridge \
 && install -d -o 10001 -g 10001 -m 0750 /app /app/data /app/data/input /app/data/output /app/data/failed /app/data/state
COPY --from=build /opt/orgbridge /opt/orgbridge
# All that is written goes below /app/data and /tmp, so the root may be read-only.
ENV PATH=/opt/orgbridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    ORGBRIDGE_HOST=0.0.0.0 \
    ORGBRIDGE_PORT=8000 \
    ORGBRIDGE_DATA=/app/data/state \
    DATA_PATH_INPUT=/app/data/input \
    DATA_PATH_OUTPUT=/app/data/output \
    DATA_PATH_FAILED=/app/data/failed
WORKDIR /app
USER 10001:10001
VOLUME ["/app/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# For `serve`. A worker has no port: compose and Kubernetes replace or switch this off for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ORGBRIDGE_PORT'] + '/health/live', timeout=2)"]
ENTRYPOINT ["orgbridge"]
CMD ["serve"]
