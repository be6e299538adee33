# Connections of which the beginning and the end matter: a server with a port for each kind, and a
# client that compares every octet. The client prints {"good": COUNT, "bad": [words, ...]}.
# usage: endings.py serve
#        endings.py short|half|slow|first HOST COUNT AT_ONCE
#   short  one question, one answer, and the server closes
#   half   the client sends OCTETS and says that it is done; only then OCTETS come back. Every
#          second time it is FEW_OCTETS: all is sent at once, and the FIN has to go alone
#   slow   the same, to a server that reads only when its window is closed
#   first  the server speaks first, is asked and answers, and the client closes
import fcntl, hashlib, json, socket, struct, sys, threading, time
from multiprocessing import Pool

PORTS = {'short': 8001, 'half': 8002, 'slow': 8003, 'first': 8004}
OCTETS, FEW_OCTETS = 200_000, 10_000
DEADLINE_SECONDS = 20
NARROW_OCTETS = 16384
SIOCOUTQ, SIOCOUTQNSD = 0x5411, 0x894b # linux/sockios.h

def octets(name, count):
    """Different for each name, and the same each time."""
    return hashlib.shake_128(str(name).encode()).digest(count)

def short_answer(n):
    return octets(n, 1 + int(n) % 1000)

def half_octets(n, name):
    return octets(name, FEW_OCTETS if int(n) % 2 else OCTETS)

def line_of(sock):
    line = b''
    while not line.endswith(b'\n'):
        part = sock.recv(1)
        if part == b'':
            raise EOFError(f'end after {line!r}')
        line += part
    return line[:-1].decode()

def rest_of(sock):
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b''.join(parts)

# ---- server ----

def serve_short(sock):
    answer = short_answer(line_of(sock))
    sock.sendall(answer)
    sock.close()

def answer_half(sock, question):
    line, _, words = question.partition(b'\n')
    n = line.decode()
    sock.sendall(half_octets(n, f'back {n}') if words == half_octets(n, n)
        else b'other octets than were sent')
    sock.close()

def serve_half(sock):
    answer_half(sock, rest_of(sock))

def serve_slow(control, listener):
    control.sendall(b'.')
    sock, _ = listener.accept()
    question = b''
    while control.recv(1) == b'r':
        question += sock.recv(1 << 16)
        control.sendall(b'.')
    answer_half(sock, question + rest_of(sock))

def serve_first(sock):
    sock.sendall(b'hello\n')
    sock.sendall(line_of(sock).encode() + b'\n')
    rest_of(sock)

def listen(kind):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == 'slow':
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_OCTETS)
    listener.bind(('', PORTS[kind]))
    listener.listen(256)
    return listener

def serve(kind):
    listener = listen(kind)
    while True:
        sock, _ = listener.accept()
        try:
            if kind == 'half': # several at once
                threading.Thread(target=serve_half, args=[sock]).start()
            elif kind == 'slow':
                with sock: serve_slow(sock, listener)
            else:
                with sock: {'short': serve_short, 'first': serve_first}[kind](sock)
        except (OSError, EOFError) as error:
            print(kind, error, file=sys.stderr, flush=True)

# ---- client ----

def connect(host, kind):
    return socket.create_connection((host, PORTS[kind]), DEADLINE_SECONDS)

def ask_short(host, n):
    with connect(host, 'short') as sock:
        sock.sendall(f'{n}\n'.encode())
        return rest_of(sock) == short_answer(n)

def half_question(n):
    return f'{n}\n'.encode() + half_octets(n, n)

def is_half_answer(sock, n):
    return rest_of(sock) == half_octets(n, f'back {n}')

def ask_half(host, n):
    with connect(host, 'half') as sock:
        sock.sendall(half_question(n))
        sock.shutdown(socket.SHUT_WR)
        return is_half_answer(sock, n)

def wait_until_closed(sock):
    """Until all that was sent has been acknowledged, and what waits must not be sent."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        unacknowledged, unsent = (struct.unpack('i', fcntl.ioctl(sock, name, bytes(4)))[0]
            for name in (SIOCOUTQ, SIOCOUTQNSD))
        if unacknowledged == unsent > 0:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f'{unacknowledged} octets are not acknowledged, {unsent} not sent')
        time.sleep(0.001)

def ask_slow(host, n):
    n *= 2 # each with OCTETS
    with connect(host, 'slow') as control:
        control.recv(1)
        with connect(host, 'slow') as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            sock.setblocking(False)
            left = memoryview(half_question(n))
            while left:
                try:
                    left = left[sock.send(left):]
                except BlockingIOError:
                    wait_until_closed(sock)
                    control.sendall(b'r')
                    control.recv(1)
            sock.settimeout(DEADLINE_SECONDS)
            sock.shutdown(socket.SHUT_WR)
            control.sendall(b'e')
            return is_half_answer(sock, n)

def ask_first(host, n):
    with connect(host, 'first') as sock:
        if line_of(sock) != 'hello':
            return False
        sock.sendall(f'{n}\n'.encode())
        return line_of(sock) == str(n)

ASK = {'short': ask_short, 'half': ask_half, 'slow': ask_slow, 'first': ask_first}

def fault(job):
    """What is wrong with one connection; empty when nothing is."""
    kind, host, n = job
    try:
        return '' if ASK[kind](host, n) else f'{n}: other octets'
    except (OSError, EOFError) as error:
        return f'{n}: {error!r}'

if sys.argv[1] == 'serve':
    threads = [threading.Thread(target=serve, args=[kind]) for kind in PORTS]
    for thread in threads:
        thread.start()
else:
    kind, host, count, at_once = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with Pool(at_once) as pool: # processes: threads of this language wait for each other
        faults = pool.map(fault, [(kind, host, n) for n in range(count)], 1 + count // at_once // 4)
    print(json.dumps({'good': faults.count(''), 'bad': [words for words in faults if words][:9]}))
