// The one door to libc, through koffi, synchronous only. One typed function per call; each answers
// the call's result, or minus errno. No policy here: wrappers elsewhere in this room name the call
// and throw. In hot calls memory is an address (a plain number below 2^47), because that is the
// cheapest form to hand over; elsewhere it is a Uint8Array, passed in place.
import koffi from 'koffi'

const libc = koffi.load('libc.so.6')
const errno = koffi.errno

function answer(result: number): number {
  return result < 0 ? -errno() : result
}

/** Address of the first octet of `memory`, which must never be grown or detached: it stays put. */
export function addressOf(memory: ArrayBuffer | SharedArrayBuffer | Uint8Array): number {
  return Number(koffi.address(memory))
}

const cOpen = libc.func('int open(const char *, int, int)')
export const open = (path: string, flags: number, mode = 0): number =>
  answer(cOpen(path, flags, mode))

const cClose = libc.func('int close(int)')
export const close = (fd: number): number => answer(cClose(fd))

const cRead = libc.func('int read(int, uintptr_t, size_t)')
export function read(fd: number, address: number, octets: number): number {
  const result = cRead(fd, address, octets) as number
  return result < 0 ? -errno() : result
}

const cWrite = libc.func('int write(int, uintptr_t, size_t)')
export function write(fd: number, address: number, octets: number): number {
  const result = cWrite(fd, address, octets) as number
  return result < 0 ? -errno() : result
}

const cWritev = libc.func('int writev(int, uintptr_t, int)')
export function writev(fd: number, vectors: number, count: number): number {
  const result = cWritev(fd, vectors, count) as number
  return result < 0 ? -errno() : result
}

const cSendmmsg = libc.func('int sendmmsg(int, uintptr_t, unsigned int, int)')
export function sendmmsg(fd: number, messages: number, count: number, flags: number): number {
  const result = cSendmmsg(fd, messages, count, flags) as number
  return result < 0 ? -errno() : result
}

const cRecvmmsg = libc.func('int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)')
export function recvmmsg(fd: number, messages: number, count: number, flags: number): number {
  const result = cRecvmmsg(fd, messages, count, flags, 0) as number
  return result < 0 ? -errno() : result
}

const cEpollWait = libc.func('int epoll_wait(int, uintptr_t, int, int)')
export function epollWait(fd: number, events: number, max: number, timeoutMs: number): number {
  const result = cEpollWait(fd, events, max, timeoutMs) as number
  return result < 0 ? -errno() : result
}

const cSchedYield = libc.func('int sched_yield()')
export function schedYield(): void {
  cSchedYield()
}

const cClockGettime = libc.func('int clock_gettime(int, uintptr_t)')
/** Fills a struct timespec, of two words of 64 bits: seconds, nanoseconds. */
export function clockGettime(clock: number, address: number): void {
  cClockGettime(clock, address)
}

const cEpollCreate1 = libc.func('int epoll_create1(int)')
export const epollCreate1 = (flags: number): number => answer(cEpollCreate1(flags))

const cEpollCtl = libc.func('int epoll_ctl(int, int, int, void *)')
export const epollCtl = (fd: number, op: number, target: number, event: Uint8Array): number =>
  answer(cEpollCtl(fd, op, target, event))

const cEventfd = libc.func('int eventfd(unsigned int, int)')
export const eventfd = (initial: number, flags: number): number => answer(cEventfd(initial, flags))

const cIoctl = libc.func('int ioctl(int, unsigned long, void *)')
export const ioctl = (fd: number, request: number, argument: Uint8Array): number =>
  answer(cIoctl(fd, request, argument))

const cIoctlValue = libc.func('int ioctl(int, unsigned long, uintptr_t)')
/** For requests whose argument is a number, not a pointer. */
export const ioctlValue = (fd: number, request: number, value: number): number =>
  answer(cIoctlValue(fd, request, value))

const cFcntl = libc.func('int fcntl(int, int, int)')
/** For commands whose argument is a number. */
export const fcntl = (fd: number, command: number, value: number): number =>
  answer(cFcntl(fd, command, value))

const cSyscall = libc.func('long syscall(long, int, void *, unsigned int)')
/** asm/unistd.h of the two machines that we run on. */
const BPF_NUMBER = process.arch === 'arm64' ? 280 : 321
/** libc has no function for bpf(2). @param octets of `memory` that are the request itself */
export const bpf = (command: number, memory: Uint8Array, octets: number): number =>
  answer(Number(cSyscall(BPF_NUMBER, command, memory, octets)))

const cSocket = libc.func('int socket(int, int, int)')
export const socket = (family: number, type: number, protocol: number): number =>
  answer(cSocket(family, type, protocol))

const cBind = libc.func('int bind(int, void *, unsigned int)')
export const bind = (fd: number, address: Uint8Array): number =>
  answer(cBind(fd, address, address.length))

const cConnect = libc.func('int connect(int, void *, unsigned int)')
export const connect = (fd: number, address: Uint8Array): number =>
  answer(cConnect(fd, address, address.length))

const cSend = libc.func('long send(int, void *, size_t, int)')
export const send = (fd: number, octets: Uint8Array, flags: number): number =>
  answer(Number(cSend(fd, octets, octets.length, flags)))

const cSetsockopt = libc.func('int setsockopt(int, int, int, void *, unsigned int)')
export const setsockopt = (fd: number, level: number, name: number, value: Uint8Array): number =>
  answer(cSetsockopt(fd, level, name, value, value.length))

const cGetsockopt = libc.func('int getsockopt(int, int, int, void *, void *)')
/** Fills `value`; answers the octets that the kernel wrote. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  const length = new Uint32Array([value.length])
  const result = cGetsockopt(fd, level, name, value, length) as number
  return result < 0 ? -errno() : (length[0] ?? 0)
}

const cGetsockname = libc.func('int getsockname(int, void *, void *)')
/** Fills `address`, a struct sockaddr of the socket's family. */
export const getsockname = (fd: number, address: Uint8Array): number =>
  answer(cGetsockname(fd, address, new Uint32Array([address.length])))

const cFlock = libc.func('int flock(int, int)')
export const flock = (fd: number, operation: number): number => answer(cFlock(fd, operation))

const cSetns = libc.func('int setns(int, int)')
export const setns = (fd: number, type: number): number => answer(cSetns(fd, type))

const cUnshare = libc.func('int unshare(int)')
export const unshare = (flags: number): number => answer(cUnshare(flags))

const cMount = libc.func(
  'int mount(const char *, const char *, const char *, unsigned long, void *)')
export const mount = (source: string, target: string, type: string, flags: number): number =>
  answer(cMount(source, target, type, flags, null))

const cUmount2 = libc.func('int umount2(const char *, int)')
export const umount2 = (target: string, flags: number): number => answer(cUmount2(target, flags))

const cMadvise = libc.func('int madvise(uintptr_t, size_t, int)')
export const madvise = (address: number, octets: number, advice: number): number =>
  answer(cMadvise(address, octets, advice))

const cPipe2 = libc.func('int pipe2(void *, int)')
/** Fills `fds` with the end to read and the end to write. */
export const pipe2 = (fds: Int32Array, flags: number): number => answer(cPipe2(fds, flags))

const cWaitpid = libc.func('int waitpid(int, void *, int)')
export const waitpid = (pid: number, flags: number): number => answer(cWaitpid(pid, null, flags))

const cPosixSpawn = libc.func(
  'int posix_spawn(void *, const char *, void *, void *, const char **, const char **)')
/** Fills `pid`. The lists of words end with null, as they do in C. */
export const posixSpawn = (pid: Int32Array, path: string, actions: Uint8Array,
  attributes: Uint8Array, argv: (string | null)[], env: (string | null)[]): number =>
  -cPosixSpawn(pid, path, actions, attributes, argv, env)

// These fill records of glibc's own, <spawn.h>; each answers zero, or minus errno.
const cActions = (name: string, rest: string) => {
  const call = libc.func(`int posix_spawn_file_actions_${name}(void *${rest})`)
  return (...words: unknown[]): number => -call(...words)
}
export const spawnActionsInit = cActions('init', '')
export const spawnActionsOpen = cActions('addopen', ', int, const char *, int, int')
export const spawnActionsDup2 = cActions('adddup2', ', int, int')
export const spawnActionsChdir = cActions('addchdir_np', ', const char *')
export const spawnActionsDestroy = cActions('destroy', '')

const cAttributes = (name: string, rest: string) => {
  const call = libc.func(`int posix_spawnattr_${name}(void *${rest})`)
  return (...words: unknown[]): number => -call(...words)
}
export const spawnAttributesInit = cAttributes('init', '')
export const spawnAttributesFlags = cAttributes('setflags', ', short')
export const spawnAttributesDefault = cAttributes('setsigdefault', ', void *')
export const spawnAttributesMask = cAttributes('setsigmask', ', void *')
