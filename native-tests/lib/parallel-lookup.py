# A and AAAA of a name, asked as musl does: both at once, from one socket, and the answers told
# apart by their ids. Prints the addresses, and the milliseconds until both answers were there.
# usage: parallel-lookup.py NAME
import socket, struct, sys, time

def question(ident, name, kind):
    labels = b''.join(bytes([len(part)]) + part.encode() for part in name.split('.'))
    return struct.pack('>HHHHHH', ident, 0x0100, 1, 0, 0, 0) + labels + b'\0' + struct.pack('>HH', kind, 1)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
sock.connect(('127.0.0.11', 53))
began = time.monotonic()
asked = {11: 1, 22: 28}
for ident, kind in asked.items():
    sock.send(question(ident, sys.argv[1], kind))
lines = []
while asked:
    octets = sock.recv(4096)
    ident, flags, _, answers = struct.unpack('>HHHH', octets[:8])
    kind = asked.pop(ident)
    addresses = [socket.inet_ntoa(octets[-4:])] if kind == 1 and answers == 1 else []
    lines.append(f'{"A" if kind == 1 else "AAAA"} rcode={flags & 15} {answers} {" ".join(addresses)}'.strip())
print('\n'.join(sorted(lines)))
print(f'{(time.monotonic() - began) * 1000:.1f} ms')
