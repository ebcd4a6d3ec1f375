#!/bin/sh
# The first process of a cell (cell.py): prepares its namespaces, and ends, and with it everything in the cell, when its standard input does.
#   cell.sh FOLDER SIZE    FOLDER/resolv.conf is the cell's; FOLDER/ready says that it is made; FOLDER/data lies in memory if SIZE is not 0
set -eu
ip link set lo up
# What engines keep under fixed names stays in here.
name=$(readlink -m /etc/resolv.conf)
mount -t tmpfs -o mode=755 cell /run
case $name in
  /run/*) mkdir -p "${name%/*}" && cp "$1/resolv.conf" "$name" ;;
  *) mount --bind "$1/resolv.conf" "$name" ;;
esac
for own in /var/lib/containers /etc/containers/networks; do
  [ ! -d "$own" ] || mount -t tmpfs cell "$own"
done
[ "$2" = 0 ] || mount -t tmpfs -o "size=$2,mode=711" cell "$1/data"
: > "$1/ready"
# Nothing is ever written to it: this returns when the holder closes it or dies.
cat
