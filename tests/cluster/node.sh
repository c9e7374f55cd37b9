#!/usr/bin/env bash
# One node: PID 1 of its namespaces. In: its name; slurm.conf. Out: a slurmd that runs until this process is killed, and
# with it whatever was started on the node.
set -euo pipefail
name=$1 share=$2
hostname "$name"
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
cd "$share"
slurmd -D -N "$name" >>"$share/log/slurmd.$name.out" 2>&1 &
# PID 1 reaps what its children leave behind; bash does so while it waits.
while :; do wait -n || true; kill -0 %1 2>/dev/null || break; done
