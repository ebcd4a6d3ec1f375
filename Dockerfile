# One file, two images that share every layer but their last:
#   docker build -t orgbridge .                               `orgbridge serve`, `worker`, `up`, everything
#   docker build -t orgbridge-emulator --target emulator .    an emulated Salesforce org and nothing else to type
# Another base, for example a mirror's or one pinned by digest: --build-arg BASE_IMAGE=mirror.example/python:3.11-slim
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_COMPILE=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
# Without pip of its own: nothing can be installed into the running image.
RUN python -m venv --without-pip /opt/orgbridge
# The pins first: they change seldom, so this layer is reused.
COPY requirements.txt ./
RUN pip --python /opt/orgbridge/bin/python install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# hatchling is among the pins, so nothing is fetched that has no hash; afterwards the build's own tools go again.
RUN pip --python /opt/orgbridge/bin/python install --no-build-isolation --no-deps . \
 && pip --python /opt/orgbridge/bin/python uninstall --yes hatchling editables trove-classifiers
# What the libraries bring for compiling against them and for testing them, and of Arrow what reading and writing Parquet does
# without: Flight, its own object storage (ours is obstore), ORC, and each library's second and third name, which wheels hold as copies.
RUN cd /opt/orgbridge/lib/python3*/site-packages \
 && rm -rf pyarrow/include pyarrow/includes pyarrow/src pyarrow/tests \
           pyarrow/_flight* pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* \
           pyarrow/libarrow_s3* pyarrow/_s3fs* pyarrow/_gcsfs* pyarrow/_azurefs* pyarrow/_hdfs* \
           pyarrow/_orc* pyarrow/_dataset_orc* pyarrow/_pyarrow_cpp_tests* \
           pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*.* \
 && find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.c' -o -name '*.h' \) -delete
# Bytecode is kept, for a read-only root could write none and every start would compile again. It is trusted without a look at its
# source, which cannot change in an image. What was left out above must not be missed: Parquet is written and read once here.
RUN python -m compileall -q -j 2 --invalidation-mode unchecked-hash /opt/orgbridge/lib \
 && /opt/orgbridge/bin/python -c "import io, pyarrow as a, pyarrow.parquet as p, orgbridge.cli.main, orgbridge.engine.parquet; \
file = io.BytesIO(); p.write_table(a.table({'n': [1, 2]}), file, compression='zstd'); assert p.read_table(file).num_rows == 2"

FROM ${BASE_IMAGE} AS runtime
# Numbers and not names, so that Kubernetes can see that it is not root. These folders are all that it may write to, and /tmp.
RUN groupadd --gid 10001 orgbridge \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin orgbridge \
 && install -d -o 10001 -g 10001 -m 0750 /data /app /app/data /app/data/input /app/data/output /app/data/failed /app/data/state
COPY --from=build /opt/orgbridge /opt/orgbridge
ENV PATH=/opt/orgbridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 10001:10001
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# docker run --rm -p 8080:8080 -v org:/data orgbridge-emulator
# The controls under /_emulator stay closed to other machines unless they are asked for: ... orgbridge-emulator --control-from-anywhere
FROM runtime AS emulator
LABEL org.opencontainers.image.title="Orgbridge emulated org" \
      org.opencontainers.image.description="A local Salesforce org for tests; holds no real data."
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080
# /_emulator answers to the machine itself, which this check is.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/_emulator/health', timeout=2).read()"]
ENTRYPOINT ["orgbridge", "emulator", "serve", "--host", "0.0.0.0", "--data", "/data/org.db"]

FROM runtime AS service
LABEL org.opencontainers.image.title="Orgbridge" \
      org.opencontainers.image.description="Salesforce Integration API: every row is accounted for."
ENV ORGBRIDGE_HOST=0.0.0.0 \
    ORGBRIDGE_PORT=8000 \
    ORGBRIDGE_DATA=/app/data/state \
    DATA_PATH_INPUT=/app/data/input \
    DATA_PATH_OUTPUT=/app/data/output \
    DATA_PATH_FAILED=/app/data/failed
WORKDIR /app
VOLUME ["/app/data"]
EXPOSE 8000
# For `serve`. A worker has no port: compose and Kubernetes replace this or switch it off.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ORGBRIDGE_PORT'] + '/health/live', timeout=2)"]
ENTRYPOINT ["orgbridge"]
CMD ["serve"]
