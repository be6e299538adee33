// Numbers from the kernel's uapi headers, each group under the name of its header.

// asm-generic/errno-base.h, asm-generic/errno.h
export const EPERM = 1
export const ENOENT = 2
export const ESRCH = 3
export const EINTR = 4
export const EIO = 5
export const EAGAIN = 11
export const ENOMEM = 12
export const EACCES = 13
export const EBUSY = 16
export const EEXIST = 17
export const ENODEV = 19
export const EINVAL = 22
export const ENAMETOOLONG = 36
export const EMSGSIZE = 90
export const EAFNOSUPPORT = 97
export const EADDRINUSE = 98
export const EADDRNOTAVAIL = 99
export const ENETUNREACH = 101
export const ENOBUFS = 105
export const ECONNREFUSED = 111
export const EHOSTUNREACH = 113

// asm-generic/fcntl.h
export const O_RDONLY = 0
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000

// linux/fcntl.h
export const F_DUPFD_CLOEXEC = 1030

// asm-generic/mman-common.h
export const MADV_HUGEPAGE = 14

// linux/magic.h
export const NSFS_MAGIC = 0x6e736673

// sys/file.h
export const LOCK_EX = 2
export const LOCK_NB = 4

// linux/if_tun.h
export const TUNSETIFF = 0x400454ca
export const TUNSETPERSIST = 0x400454cb
export const TUNSETOFFLOAD = 0x400454d0
export const TUNGETDEVNETNS = 0x54e3
export const TUNSETSTEERINGEBPF = 0x800454e0
export const IFF_TAP = 0x0002
export const IFF_MULTI_QUEUE = 0x0100
export const IFF_NO_PI = 0x1000
export const IFF_VNET_HDR = 0x4000
export const TUN_F_CSUM = 0x01
export const TUN_F_TSO4 = 0x02
export const TUN_F_TSO6 = 0x04
export const TUN_F_TSO_ECN = 0x08
export const TUN_F_USO4 = 0x20
export const TUN_F_USO6 = 0x40

// linux/socket.h, asm-generic/socket.h
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_TYPE = 3
export const SO_NO_CHECK = 11
export const SO_REUSEPORT = 15
export const SO_ATTACH_FILTER = 26
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUF = 8
export const SO_RCVBUFFORCE = 33
export const SO_MEMINFO = 55
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000

// linux/socket.h, linux/netlink.h
export const SOL_NETLINK = 270
export const NETLINK_NO_ENOBUFS = 5

// linux/in.h
export const IPPROTO_IP = 0
export const IPPROTO_UDP = 17
export const IP_TOS = 1
export const IP_TTL = 2
export const IP_MTU_DISCOVER = 10
export const IP_RECVTOS = 13
export const IP_PMTUDISC_DO = 2
export const IP_PMTUDISC_PROBE = 3

// linux/in6.h
export const IPPROTO_IPV6 = 41
export const IPV6_V6ONLY = 26

// linux/udp.h
export const UDP_SEGMENT = 103
export const UDP_GRO = 104

// linux/bpf.h
export const BPF_PROG_LOAD = 5
export const BPF_PROG_TYPE_SOCKET_FILTER = 1

// linux/eventpoll.h
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLLIN = 0x001

// linux/sched.h
export const CLONE_NEWNET = 0x40000000

// linux/mount.h
export const MS_BIND = 4096
export const MS_REC = 16384
export const MS_SHARED = 1 << 20
export const MNT_DETACH = 2

// linux/wait.h
export const WNOHANG = 1

// spawn.h of glibc
export const POSIX_SPAWN_SETSIGDEF = 0x04
export const POSIX_SPAWN_SETSIGMASK = 0x08
export const POSIX_SPAWN_SETSID = 0x80

// linux/time.h
export const CLOCK_MONOTONIC = 1
