#!/usr/bin/env bash
# `slurm.sh up FOLDER`: a Slurm of two nodes of one core each on 127.0.0.1, as root, without systemd, cgroups or a
# database; its configuration is FOLDER/slurm.conf (SLURM_CONF). `slurm.sh down FOLDER` ends it.
set -euo pipefail
verb=$1 folder=$2 port=$((20000 + RANDOM % 10000))  # so that two of them do not meet
export SLURM_CONF=$folder/slurm.conf

down() {
  for daemon in slurmctld slurmd-n1 slurmd-n2 munged; do
    [ ! -f "$folder/$daemon.pid" ] || kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true
  done
}

up() {
  mkdir -p "$folder"/state "$folder"/log
  (umask 077; head -c 1024 /dev/urandom > "$folder/munge.key")
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
  cat > "$SLURM_CONF" <<CONF
ClusterName=here
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmdTimeout=10
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=1 RealMemory=2000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=1 RealMemory=2000
PartitionName=cpu Nodes=n1,n2 Default=YES MaxTime=01:00:00 State=UP
CONF
  slurmctld -c -f "$SLURM_CONF"
  slurmd -f "$SLURM_CONF" -N n1
  slurmd -f "$SLURM_CONF" -N n2
  for _ in $(seq 50); do
    [ "$(sinfo -h -N -t idle | wc -l)" = 2 ] && return
    sleep 0.2
  done
  sinfo -N -l >&2
  exit 1
}

"$verb"
