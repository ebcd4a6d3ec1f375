#!/bin/sh
# Gets what tests/system/containers needs, where CI is true: an engine that answers is taken as it is, else Debian's packages come and the
# tests start an engine of their own. Everything is asked of the sources that this machine's apt has; no image registry is needed.
#   install.sh FOLDER    FOLDER then holds: bin/ (kubectl), config/ (docker's, with compose), base.tar (in the place of python:3.11-slim)
set -eu
[ "${CI:-}" = true ] || exit 0
mkdir -p "$1/bin" "$1/config/cli-plugins"
folder=$(cd "$1" && pwd)
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
updated=
# RUNLEVEL=1 keeps Debian from starting the servers that packages bring.
packages() {
  [ -n "$updated" ] || root apt-get -q update; updated=yes
  root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}
known() { apt-cache show "$1" >/dev/null 2>&1; }
answers() { docker version >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; }
lines() { apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian' | sort -u; }

# Two programs of which Debian 12 has none, or one that is too old, are unpacked from the packages of Debian 13, and not installed.
newer() {
  own=$(mktemp -d)
  mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/files"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror" > "$own/sources.list"
  printf '%s "%s";\n' Dir::State::lists "$own/lists" Dir::State::status /dev/null Dir::Cache "$own/cache" \
    Dir::Etc::sourcelist "$own/sources.list" Dir::Etc::sourceparts - APT::Sandbox::User root > "$own/apt.conf"
  APT_CONFIG="$own/apt.conf" apt-get -q update
  (cd "$own/files" && APT_CONFIG="$own/apt.conf" apt-get -q download "$@" && for file in *.deb; do dpkg -x "$file" .; done)
  find "$own/files" -name docker-compose -type f -perm -u+x -exec install -m 755 {} "$folder/config/cli-plugins/" \;
  find "$own/files" -path '*/bin/kubectl' -exec install -m 755 {} "$folder/bin/" \;
  rm -rf "$own"
}

if ! answers; then
  wanted=
  for part in dockerd:docker.io iptables:iptables slirp4netns:slirp4netns unshare:util-linux ip:iproute2; do
    command -v "${part%%:*}" >/dev/null || wanted="$wanted ${part#*:}"
  done
  # In Debian 13 the command and BuildKit are packages of their own.
  [ -z "$wanted" ] || packages $wanted $(for name in docker-cli docker-buildx; do known $name && echo $name || true; done)
fi
wanted=
for part in podman:podman netavark:netavark aardvark-dns:aardvark-dns catatonit:catatonit; do
  dpkg -s "${part#*:}" >/dev/null 2>&1 || wanted="$wanted ${part#*:}"
done
[ -z "$wanted" ] || packages $wanted

wanted=
answers || DOCKER_CONFIG="$folder/config" docker compose version >/dev/null 2>&1 || wanted="$wanted docker-compose"
command -v kubectl >/dev/null || [ -x "$folder/bin/kubectl" ] || wanted="$wanted kubectl"
[ -z "$wanted" ] || newer $wanted

# The base image: the real one where it is there or can be had, else Debian's own Python on the smallest Debian, in its place.
base=${BASE_IMAGE:-python:3.11-slim}
if answers; then
  docker image inspect "$base" >/dev/null 2>&1 || timeout 300 docker pull -q "$base" || echo "no image $base; making one of Debian's packages" >&2
  docker image inspect "${POSTGRES_IMAGE:-postgres:17-alpine}" >/dev/null 2>&1 || timeout 300 docker pull -q "${POSTGRES_IMAGE:-postgres:17-alpine}" \
    || echo "no image of PostgreSQL; the tests make one" >&2
  docker image inspect "$base" >/dev/null 2>&1 && exit 0
fi
[ ! -s "$folder/base.tar" ] || exit 0
command -v mmdebstrap >/dev/null || packages mmdebstrap
lines 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' > "$folder/sources.list"
apt-config dump Acquire | grep -iE '^Acquire::https?::' > "$folder/apt.conf" || true
# What this machine trusts (its own authorities, if any) pip trusts in there. No documentation, no other languages: nobody reads them.
cat > "$folder/customize" <<'HOOK'
set -eu
ln -s python3 "$1/usr/bin/python"
rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "$1/etc/pip.conf"
HOOK
chmod 755 "$folder/customize"
root mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-pip \
  --aptopt="$folder/apt.conf" --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="sh $folder/customize \"\$1\"" \
  "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$folder/base.part.tar" "$folder/sources.list"
mv "$folder/base.part.tar" "$folder/base.tar"
