#!/bin/sh
# Runs one task inside its namespaces: task-shim.sh HOSTNAME FOLDER CGROUP PATH COMMAND…
# It stays as the parent, so that the exit code is kept also when no daemon is there to see it.
hostname=$1 folder=$2 cgroup=$3 path=$4
shift 4
# What is in the group from the beginning cannot get out of it by any fork.
[ -z "$cgroup" ] || echo $$ > "$cgroup/cgroup.procs"
echo "$hostname" > /proc/sys/kernel/hostname
# As in containers, also who is not root may serve port 80 and ping.
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range
mount -a -T "$folder/fstab"
# Signals for the group reach the command by themselves; the shim must outlive them.
trap : HUP INT TERM QUIT USR1 USR2
# In a subshell, so that exec finds a program and nothing that the shell itself can do. Descriptor 3
# tells the daemon that the shim lives; nobody else may hold it.
(PATH=$path && exec "$@") 3>&-
code=$?
echo "$code" > "$folder/status"
exit "$code"
