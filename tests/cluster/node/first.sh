#!/bin/sh
# first.sh FOLDER KIND
# The first process in a cluster's namespaces: makes them fit for it, says `ready`, and waits. Its orphans are buried by
# the shell as it waits.
set -eu
folder=$1
kind=$2

# The machine's settings are not for a test to change. kubelet, which wants them so, finds them so, and writes nothing.
pretend() {
    echo "$2" >"$folder/sysctl/$(echo "$1" | tr / .)"
    mount --bind "$folder/sysctl/$(echo "$1" | tr / .)" "/proc/sys/$1"
}

settings() {
    mkdir "$folder/sysctl"
    pretend vm/overcommit_memory 1
    pretend vm/panic_on_oom 0
    pretend kernel/panic 10
    pretend kernel/panic_on_oops 1
    pretend kernel/keys/root_maxkeys 1000000
    pretend kernel/keys/root_maxbytes 25000000
}

# What containerd, kubelet and the network's plugins write to these stays here, whatever their settings say.
folders() {
    for path in /run/containerd /run/netns /var/lib/cni /var/lib/kubelet /var/log/containers /var/log/pods; do
        mkdir -p "$path"
        mount -t tmpfs none "$path"
    done
}

# A bridge without ports gives the cluster an address. The default route ends there, too: without one, nothing is sent to the
# addresses of services, which are translated on the way.
network() {
    ip link set lo up
    ip link add node0 type bridge
    ip addr add 198.19.255.1/24 dev node0
    ip link set node0 up
    ip route add default dev node0
}

forwarding() {
    sysctl -q -w net.ipv4.ip_forward=1
    # Packets between pods of one bridge are translated and filtered as others are.
    sysctl -q -w net.bridge.bridge-nf-call-iptables=1
    mount --bind "$folder/resolv.conf" /etc/resolv.conf
}

network
if [ "$kind" = node ]; then
    settings
    folders
    forwarding
    # What a volume mounted in a pod may ask for.
    mount --make-rshared /
fi
echo ready
while :; do
    sleep 3600
done
