#!/bin/sh
# Boots the systemd of a root file system as the first process of new namespaces: boot-host.sh ROOT.
# It ends with this process, and everything with it. Device eth1 there has 192.168.56.11/24.
set -eu
exec unshare --pid --mount --net --uts --ipc --cgroup --propagation private --fork --kill-child \
  sh -euc '
    root=$1
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs run "$root/run"
    mount -t tmpfs tmp "$root/tmp"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
    for device in null zero full random urandom tty net/tun; do
      touch "$root/dev/$device"
      mount --bind "/dev/$device" "$root/dev/$device"
    done
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ip link set lo up
    ip link add eth1 type veth peer name wire1
    ip link set wire1 up
    ip link set eth1 up
    ip address add 192.168.56.11/24 dev eth1
    hostname host1
    cd "$root"
    pivot_root . mnt
    umount -l /mnt
    exec env -i container=tapmesh-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      /lib/systemd/systemd --log-target=console --show-status=1
  ' sh "$1" 3>&-
