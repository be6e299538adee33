# Looks a name up at a steady rate. usage: names-asker.py NAME PER_SECOND SECONDS
# Prints how many were asked and answered, and how long an answer took.
import selectors, socket, struct, sys, time

name, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
labels = b''.join(bytes([len(part)]) + part.encode() for part in name.split('.')) + b'\0'
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(('127.0.0.11', 53))
sock.setblocking(False)
wait = selectors.DefaultSelector()
wait.register(sock, selectors.EVENT_READ)
sent, took, asked = {}, [], 0
began = time.monotonic()
while (now := time.monotonic()) < began + seconds + 1:
    while asked < min(now - began, seconds) * rate:
        sent[asked & 0xffff] = time.monotonic()
        sock.send(struct.pack('>HHHHHH', asked & 0xffff, 0x0100, 1, 0, 0, 0) + labels
                  + struct.pack('>HH', 1, 1))
        asked += 1
    wait.select(0.0005)
    while True:
        try:
            octets = sock.recv(4096)
        except BlockingIOError:
            break
        took.append(time.monotonic() - sent.pop(struct.unpack('>H', octets[:2])[0]))
took.sort()
print(f'         {asked} asked, {len(took)} answered, p50 {took[len(took) // 2] * 1e6:.0f} us, '
      f'p99 {took[len(took) * 99 // 100] * 1e6:.0f} us')
