#!/bin/sh
# Runs one task inside its namespaces: task-shim.sh HOSTNAME STATUS_FILE COMMAND…
# It stays as the parent, so that the exit code is kept also when no daemon is there to see it.
hostname=$1 status=$2
shift 2
echo "$hostname" > /proc/sys/kernel/hostname
# A fresh sysfs shows the devices of this network namespace, not those of the machine.
umount -l /sys 2>/dev/null
mount -t sysfs sysfs /sys 2>/dev/null
# Signals for the group reach the command by themselves; the shim must outlive them.
trap : HUP INT TERM QUIT USR1 USR2
"$@"
code=$?
printf '%s\n' "$code" > "$status.new" && mv "$status.new" "$status"
exit "$code"
