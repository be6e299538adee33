// Traffic for the benchmark that Debian's tools do not make well: many small datagrams at a given
// rate (with one system call per packet, as iperf3 and sockperf do it, the generator is measured),
// and a plain request and response loop over TCP. Each command ends by itself, except echo, and
// prints one JSON object on its last line.
//
//   load send ADDRESS PORT OCTETS RATE SECONDS   RATE datagrams per second (0: flat out)
//   load sink PORT SECONDS               "ready", then counts until QUIET_MS after the last one
//   load echo PORT                       "ready", then answers connections one after the other
//   load ask ADDRESS PORT OCTETS SECONDS sends OCTETS, waits for as many, again and again
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROGRAM "load"
#include "program.h"

#define BATCH 64            // datagrams per system call, both ways
#define OCTETS_MAX 2048     // of one datagram or one request
#define SLICE_NS 250000     // the sender wakes this often and sends what is due
#define QUIET_MS 300        // the sink ends after so long a silence
#define STALL_S 5           // a request without an answer for so long is an error
#define SINK_BUFFER (4 << 20)
#define ANSWERS_MAX (4 << 20) // latencies kept; the rate counts every answer

static char data[BATCH][OCTETS_MAX];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];
static uint32_t latencies[ANSWERS_MAX]; // nanoseconds

static int open_socket(int type, const char *address, const char *port, int server) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  int one = 1, s = socket(AF_INET, type, 0);
  must(s >= 0, "socket");
  if (server) {
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(bind(s, (void *)&at, sizeof at) == 0, "bind");
  } else {
    must(inet_pton(AF_INET, address, &at.sin_addr) == 1, "address");
    must(connect(s, (void *)&at, sizeof at) == 0, "connect");
  }
  return s;
}

static void wait_at_most(int s, int ms) {
  struct timeval t = {ms / 1000, ms % 1000 * 1000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

static void prepare_batch(int octets) {
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){data[i], octets};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
}

static void ready(void) {
  puts("ready");
  fflush(stdout);
}

static int octets_of(const char *text) {
  int octets = atoi(text);
  must(octets >= 8 && octets <= OCTETS_MAX, "octets (8 to 2048)");
  return octets;
}

static void send_datagrams(char **a) {
  int s = open_socket(SOCK_DGRAM, a[0], a[1], 0);
  prepare_batch(octets_of(a[2]));
  double rate = atof(a[3]);
  uint64_t sent = 0;
  prctl(PR_SET_TIMERSLACK, 1000UL);
  int64_t start = now_ns(), end = start + (int64_t)(atof(a[4]) * 1e9), slice = start, t;
  while ((t = now_ns()) < end) {
    uint64_t due = rate > 0 ? (uint64_t)((t - start) * 1e-9 * rate) + 1 : sent + BATCH;
    if (due <= sent) { // sleeping, not spinning: the tunnel needs this core
      slice = t - (t - start) % SLICE_NS + SLICE_NS;
      struct timespec until = {slice / 1000000000, slice % 1000000000};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0);
      continue;
    }
    int count = due - sent < BATCH ? (int)(due - sent) : BATCH;
    for (int i = 0; i < count; i++) memcpy(data[i], &(uint64_t){sent + i}, 8);
    int done = sendmmsg(s, messages, count, 0);
    // A full queue or a refused port says nothing about the rate; the sink's count tells.
    int passing = errno == ENOBUFS || errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED;
    must(done > 0 || passing, "sendmmsg");
    if (done > 0) sent += done;
  }
  printf("{\"sent\":%llu,\"seconds\":%.6f}\n", (unsigned long long)sent, (now_ns() - start) * 1e-9);
}

static void sink_datagrams(char **a) {
  int s = open_socket(SOCK_DGRAM, 0, a[0], 1), buffer = SINK_BUFFER;
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  prepare_batch(OCTETS_MAX);
  uint64_t received = 0, late = 0, highest = 0, number;
  int64_t limit = now_ns() + (int64_t)(atof(a[1]) * 1e9), first = 0, last = 0;
  wait_at_most(s, (int)(atof(a[1]) * 1000));
  ready();
  while (now_ns() < limit) {
    int count = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    last = now_ns();
    if (received == 0) {
      first = last;
      wait_at_most(s, QUIET_MS);
    }
    for (int i = 0; i < count; i++) {
      memcpy(&number, data[i], 8);
      if (number < highest) late++;
      else highest = number;
    }
    received += count;
  }
  printf("{\"received\":%llu,\"late\":%llu,\"seconds\":%.6f}\n", (unsigned long long)received,
         (unsigned long long)late, (last - first) * 1e-9);
}

static void echo_requests(char **a) {
  int listener = open_socket(SOCK_STREAM, 0, a[0], 1), one = 1;
  must(listen(listener, 4) == 0, "listen");
  ready();
  for (;;) {
    int s = accept(listener, 0, 0);
    if (s < 0) continue;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (ssize_t n; (n = read(s, data, sizeof data)) > 0;)
      if (write(s, data, n) != n) break;
    close(s);
  }
}

static int by_size(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return (a > b) - (a < b);
}

static void ask_and_wait(char **a) {
  int s = open_socket(SOCK_STREAM, a[0], a[1], 0), octets = octets_of(a[2]), one = 1;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  wait_at_most(s, STALL_S * 1000);
  uint64_t answers = 0;
  int64_t start = now_ns(), end = start + (int64_t)(atof(a[3]) * 1e9), t = start;
  while (t < end) {
    must(write(s, data, octets) == octets, "request");
    for (int got = 0; got < octets;) {
      ssize_t n = read(s, data, octets - got);
      must(n > 0, "answer");
      got += n;
    }
    int64_t done = now_ns();
    if (answers < ANSWERS_MAX) latencies[answers] = (uint32_t)(done - t);
    answers++;
    t = done;
  }
  uint64_t kept = answers < ANSWERS_MAX ? answers : ANSWERS_MAX;
  qsort(latencies, kept, sizeof latencies[0], by_size);
  printf("{\"perSecond\":%.1f,\"p50Us\":%.2f,\"p99Us\":%.2f}\n", answers / ((t - start) * 1e-9),
         latencies[kept / 2] * 1e-3, latencies[kept * 99 / 100] * 1e-3);
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  if (strcmp(what, "send") == 0 && count == 7) send_datagrams(words + 2);
  else if (strcmp(what, "sink") == 0 && count == 4) sink_datagrams(words + 2);
  else if (strcmp(what, "echo") == 0 && count == 3) echo_requests(words + 2);
  else if (strcmp(what, "ask") == 0 && count == 6) ask_and_wait(words + 2);
  else {
    fprintf(stderr, "usage: load send|sink|echo|ask ... (see bench/load.c)\n");
    return 2;
  }
  return 0;
}
