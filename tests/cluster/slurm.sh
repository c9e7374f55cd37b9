# shellcheck shell=bash disable=SC2034 # what inside.sh and the scenarios use
# slurm.sh: brings up a Slurm of namespaces and takes nodes away. Sourced by inside.sh, in its namespaces.
#     share    a tmpfs that all nodes see, for everything      nodes   the names
#     node_pid[NAME]   the process whose death is the node's

: "${cluster:?set by inside.sh}"
share=/mnt/share
nodes=(n1 n2 n3 n4)
declare -A node_pid=()

write_configuration() {
    cat >"$share/etc/slurm.conf" <<END
ClusterName=fakesift
SlurmctldHost=ctl(10.77.0.1)
SlurmctldPort=6817
SlurmdPort=6818
AuthType=auth/munge
CredType=cred/munge
# A requeued job may start again once its credential has expired: 2 minutes by default.
AuthInfo=socket=/run/munge/munge.socket.2,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$share/state
SlurmdSpoolDir=$share/spool/%n
SlurmctldPidFile=$share/slurmctld.pid
SlurmdPidFile=$share/slurmd.%n.pid
SlurmctldLogFile=$share/log/slurmctld.log
SlurmdLogFile=$share/log/slurmd.%n.log
SlurmctldParameters=preempt_send_user_signal
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
AccountingStoreFlags=job_comment
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,default_queue_depth=100
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=pmix
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=6
MessageTimeout=3
TCPTimeout=2
BatchStartTimeout=10
UnkillableStepTimeout=20
KillWait=3
CompleteWait=0
InactiveLimit=0
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n1 NodeAddr=10.77.0.11 CPUs=2 RealMemory=8000 State=UNKNOWN
NodeName=n2 NodeAddr=10.77.0.12 CPUs=2 RealMemory=8000 State=UNKNOWN
NodeName=n3 NodeAddr=10.77.0.13 CPUs=2 RealMemory=8000 State=UNKNOWN
NodeName=n4 NodeAddr=10.77.0.14 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=batch Nodes=n[1-4] Default=YES MaxTime=1-00:00:00 DefaultTime=10 State=UP PriorityTier=1
PartitionName=urgent Nodes=n[1-4] MaxTime=02:00:00 DefaultTime=10 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=n[1-2] MaxTime=00:30:00 DefaultTime=10 State=UP PriorityTier=1
END
    # slurmd looks for cgroups even where no plugin of ours uses them.
    echo 'CgroupPlugin=cgroup/v1' >"$share/etc/cgroup.conf"
}

# node_up NAME: starts a node, also one that was killed before.
node_up() {
    local name=$1 number=${1#n}
    ip netns del "$name" 2>/dev/null || true
    ip link del "v-$name" 2>/dev/null || true
    ip netns add "$name"
    ip link add "v-$name" type veth peer name eth0 netns "$name"
    ip link set "v-$name" master br0 up
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    ip -n "$name" addr add "10.77.0.1$number/24" dev eth0
    mkdir -p "$share/spool/$name"
    nsenter --net="/run/netns/$name" setsid unshare --uts --ipc --mount --pid --fork --kill-child --mount-proc \
        bash "$cluster/node.sh" "$name" "$share" >>"$share/log/node.$name.out" 2>&1 </dev/null &
    node_pid[$name]=$!
}

# node_kill NAME: as if its power failed: its processes at once, and its address with them.
node_kill() {
    ip link set "v-$1" down
    kill -9 "${node_pid[$1]}" 2>/dev/null || true
    wait "${node_pid[$1]}" 2>/dev/null || true
}

controller_up() {
    slurmctld -D >>"$share/log/slurmctld.out" 2>&1 </dev/null &
    controller_pid=$!
}

controller_kill() {
    kill -9 "$controller_pid" 2>/dev/null || true
    wait "$controller_pid" 2>/dev/null || true
}

nodes_idle() { [ "$(sinfo -h -p batch -t idle -o %D 2>/dev/null)" = ${#nodes[@]} ]; }

cluster_up() {
    local name
    mkdir -p "$share"/{etc,log,state,spool}
    write_configuration
    export SLURM_CONF=$share/etc/slurm.conf
    hostname ctl
    printf '127.0.0.1 localhost\n10.77.0.1 ctl\n' >"$share/etc/hosts"
    for name in "${nodes[@]}"; do echo "10.77.0.1${name#n} $name" >>"$share/etc/hosts"; done
    mount --bind "$share/etc/hosts" /etc/hosts
    ip link set lo up
    ip link add br0 type bridge
    ip link set br0 up
    ip addr add 10.77.0.1/24 dev br0
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 "$share/munge"
    head -c 1024 /dev/urandom >"$share/munge/key"
    chown munge:munge "$share/munge/key"
    chmod 400 "$share/munge/key"
    runuser -u munge -- /usr/sbin/munged --foreground --key-file="$share/munge/key" --seed-file="$share/munge/seed" \
        --pid-file="$share/munge/pid" --log-file="$share/munge/log" >>"$share/log/munged.out" 2>&1 </dev/null &
    wait_for 20 test -S /run/munge/munge.socket.2
    controller_up
    for name in "${nodes[@]}"; do node_up "$name"; done
    wait_for 40 nodes_idle
}
