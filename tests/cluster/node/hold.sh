#!/bin/sh
# hold.sh FOLDER KIND
# Makes the namespaces of a cluster and holds them until its standard input ends, which it does when the test is gone,
# however that ended. Then the kernel ends everything in them, and nothing is left on the machine.
# Prints the process id of the namespaces' parent; their first process prints `ready` once they can be used.
set -eu
folder=$1
kind=$2
here=$(dirname "$0")
group=gamepipe-kubernetes-$$

# The cluster's folder in every hierarchy of cgroup v1, or in the one of v2.
cgroups() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        echo "/sys/fs/cgroup/$group"
        return
    fi
    for hierarchy in /sys/fs/cgroup/*/; do
        case $hierarchy in
            */unified/) ;;
            *) echo "$hierarchy$group" ;;
        esac
    done
}

make_cgroups() {
    for cgroup in $(cgroups); do
        mkdir -p "$cgroup"
        # A new set of processors of v1 is empty, and nothing can run in it.
        if [ -e "$cgroup/cpuset.cpus" ] && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
            cat "${cgroup%/*}/cpuset.cpus" >"$cgroup/cpuset.cpus"
            cat "${cgroup%/*}/cpuset.mems" >"$cgroup/cpuset.mems"
        fi
    done
    echo "/$group" >"$folder/cgroup"
}

# Outside, the cluster's addresses mean nothing, and must not mean whatever the default route leads to. The metric tells
# this cluster's route from that of another one.
guard() {
    ip route "$1" unreachable 198.18.0.0/15 metric $$
}

leave_nothing() {
    first=$(cat "/proc/$parent/task/$parent/children" 2>/dev/null || true)
    # shellcheck disable=SC2086 # a number, or nothing when it has ended by itself
    kill -9 ${first:-$parent} 2>/dev/null || true
    # It has ended when everything below its first process has.
    wait "$parent" 2>/dev/null || true
    if [ "$kind" = node ]; then
        guard del || true
        # Also where it was not made here: containers have it in v2's hierarchy beside those of v1.
        for cgroup in "/sys/fs/cgroup/$group" /sys/fs/cgroup/*/"$group"; do
            find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
    fi
    rm -rf "$folder"
}

if [ "$kind" = node ]; then
    make_cgroups
    guard add
fi
# Should this shell be killed, the kernel kills the parent, and that one the first process.
setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --mount-proc --propagation private --net \
    sh "$here/first.sh" "$folder" "$kind" </dev/null &
parent=$!
echo "$parent"
# Whoever waits for `ready` must see it when the namespaces' processes have ended without it.
exec >/dev/null
while read -r _; do :; done
leave_nothing
