// Connections for bench/balance: a server that answers and closes, a client that opens new ones as
// fast as it can, and one that sends as much as it can by one. The clients end by themselves and
// print one JSON object.
//
//   connect serve PORT                            "ready", then serves for ever
//   connect many ADDRESS PORT AT_ONCE SECONDS     new connections, AT_ONCE of them at a time
//   connect bulk ADDRESS PORT SECONDS             one connection, flat out
//
// A request has OCTETS. After one of 'a' the server sends as many back, its address in front, and
// closes first, as a web server does. So what waits for the end of TIME-WAIT is the server, which
// takes a new connection in its place (RFC 6191), and no port of a client or a proxy is ever used
// up. What follows a 'b' is counted until the client has no more; then the number is sent.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROGRAM "connect"
#include "program.h"

#define OCTETS 64             // of a request and of an answer
#define BUFFER_OCTETS 131072  // of one system call of a bulk, as in iperf3
#define EVENTS 64             // for one epoll_wait
#define SOCKETS_MAX 4096      // open at a time, by number
#define BACKLOG 1024
#define BACKENDS_MAX 16       // that are counted apart
#define TIMES_MAX (4 << 20)   // times of connections kept; the rate counts all of them
#define STALL_S 3             // a connection that takes longer has failed
#define LOOK_MS 100           // how often that is looked for

struct connection {
  int64_t began;              // client: 0 when there is none
  uint64_t octets;
  uint32_t backend;
  int bulk, asked;
};

static struct connection connections[SOCKETS_MAX]; // by descriptor
static struct epoll_event events[EVENTS];
static char data[BUFFER_OCTETS];
static uint32_t times[TIMES_MAX]; // microseconds
static struct { uint32_t address; uint64_t count; } backends[BACKENDS_MAX];
static uint64_t done, failed;
static int open_now, poll_set, first_error;

static struct sockaddr_in place_of(const char *address, const char *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  must(inet_pton(AF_INET, address, &at.sin_addr) == 1, "address");
  return at;
}

static void watch(int s, uint32_t what) {
  struct epoll_event event = {.events = what, .data.fd = s};
  must(epoll_ctl(poll_set, EPOLL_CTL_ADD, s, &event) == 0, "epoll_ctl");
}

static void accept_all(int listener) {
  for (int s; (s = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
    must(s < SOCKETS_MAX, "too many sockets");
    connections[s] = (struct connection){0};
    watch(s, EPOLLIN);
  }
}

static void answer(int s, uint64_t counted) {
  struct sockaddr_in own = {0};
  socklen_t size = sizeof own;
  char text[OCTETS] = {0};
  getsockname(s, (void *)&own, &size);
  memcpy(text, &own.sin_addr, 4);
  memcpy(text + 8, &counted, 8);
  // The buffer of a fresh socket is empty; who does not get the answer says so.
  if (send(s, text, OCTETS, MSG_NOSIGNAL) != OCTETS) perror("connect: answer");
}

static void serve_one(int s) {
  struct connection *c = &connections[s];
  ssize_t n = read(s, data, sizeof data);
  if (n < 0 && errno == EAGAIN) return;
  if (c->octets == 0) c->bulk = n > 0 && data[0] == 'b';
  c->octets += n > 0 ? n : 0;
  int complete = c->bulk ? n == 0 : c->octets >= OCTETS;
  if (complete) answer(s, c->octets);
  if (complete || n <= 0) close(s);
}

static void serve(char **a) {
  struct sockaddr_in at = place_of("0.0.0.0", a[0]);
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  must(listener >= 0, "socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  must(bind(listener, (void *)&at, sizeof at) == 0 && listen(listener, BACKLOG) == 0, "bind");
  watch(listener, EPOLLIN);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int count = epoll_wait(poll_set, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) accept_all(listener);
      else serve_one(events[i].data.fd);
    }
  }
}

static void begin(const struct sockaddr_in *to) {
  int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  must(s >= 0 && s < SOCKETS_MAX, "socket");
  connections[s] = (struct connection){.began = now_ns()};
  open_now++;
  must(connect(s, (void *)to, sizeof *to) == 0 || errno == EINPROGRESS, "connect");
  watch(s, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void end_of(int s, int error) {
  connections[s].began = 0;
  close(s);
  open_now--;
  if (error != 0 && failed++ == 0) first_error = error;
}

static void count_backend(uint32_t address) {
  int i = 0;
  while (i < BACKENDS_MAX - 1 && backends[i].count > 0 && backends[i].address != address) i++;
  backends[i].address = address;
  backends[i].count++;
}

// Answers 1 when the connection is over, well or not.
static int go_on(int s, uint32_t seen) {
  struct connection *c = &connections[s];
  if (!c->asked && (seen & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
    char request[OCTETS] = "a";
    c->asked = 1;
    if (send(s, request, OCTETS, MSG_NOSIGNAL) != OCTETS) return end_of(s, errno), 1;
  }
  while (c->asked) {
    ssize_t n = read(s, data, OCTETS);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) return end_of(s, errno), 1;
    if (n == 0) break;
    if (c->octets == 0 && n >= 4) memcpy(&c->backend, data, 4);
    c->octets += n;
  }
  if (!c->asked) return 0;
  if (c->octets != OCTETS) return end_of(s, ENODATA), 1;
  if (done < TIMES_MAX) times[done] = (uint32_t)((now_ns() - c->began) / 1000);
  done++;
  count_backend(c->backend);
  return end_of(s, 0), 1;
}

static int end_stalled(int64_t t) {
  int ended = 0;
  for (int s = 0; s < SOCKETS_MAX; s++) {
    if (connections[s].began == 0 || t - connections[s].began < STALL_S * 1000000000LL) continue;
    end_of(s, ETIMEDOUT), ended++;
  }
  return ended;
}

static int by_size(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return (a > b) - (a < b);
}

static void print_many(uint64_t counted, double seconds) {
  uint64_t kept = done < TIMES_MAX ? done : TIMES_MAX;
  qsort(times, kept, sizeof times[0], by_size);
  printf("{\"perSecond\":%.1f,\"p50Us\":%u,\"p99Us\":%u,", counted / seconds, times[kept / 2],
         times[kept * 99 / 100]);
  printf("\"failed\":%llu,\"why\":\"%s\",\"backends\":[", (unsigned long long)failed,
         first_error == 0 ? "" : strerror(first_error));
  for (int i = 0; i < BACKENDS_MAX && backends[i].count > 0; i++) {
    printf("%s%llu", i == 0 ? "" : ",", (unsigned long long)backends[i].count);
  }
  puts("]}");
}

static void open_many(char **a) {
  struct sockaddr_in to = place_of(a[0], a[1]);
  int at_once = atoi(a[2]);
  must(at_once > 0 && at_once < SOCKETS_MAX / 2, "at once (1 to 2047)");
  int64_t start = now_ns(), end = start + (int64_t)(atof(a[3]) * 1e9), t = start, looked = start;
  uint64_t counted = 0;
  for (int i = 0; i < at_once; i++) begin(&to);
  while (open_now > 0) {
    int count = epoll_wait(poll_set, events, EVENTS, LOOK_MS), over = 0;
    for (int i = 0; i < count; i++) over += go_on(events[i].data.fd, events[i].events);
    t = now_ns();
    if (t - looked > LOOK_MS * 1000000LL) over += end_stalled(looked = t);
    if (t >= end) continue; // those under way may end
    counted = done;
    while (over-- > 0) begin(&to);
  }
  print_many(counted, (end - start) * 1e-9);
}

static void send_bulk(char **a) {
  struct sockaddr_in to = place_of(a[0], a[1]);
  struct timeval limit = {STALL_S, 0};
  uint64_t sent = 0, arrived;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  must(s >= 0, "socket");
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  must(connect(s, (void *)&to, sizeof to) == 0, "connect");
  int64_t start = now_ns(), end = start + (int64_t)(atof(a[2]) * 1e9);
  memset(data, 'b', sizeof data);
  while (now_ns() < end) {
    ssize_t n = send(s, data, sizeof data, MSG_NOSIGNAL);
    must(n > 0, "send");
    sent += n;
  }
  shutdown(s, SHUT_WR);
  must(recv(s, data, OCTETS, MSG_WAITALL) == OCTETS, "answer");
  int64_t took = now_ns() - start;
  memcpy(&arrived, data + 8, 8);
  errno = ENODATA;
  must(arrived == sent, "octets on the way");
  printf("{\"octets\":%llu,\"seconds\":%.6f}\n", (unsigned long long)arrived, took * 1e-9);
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  poll_set = epoll_create1(0);
  must(poll_set >= 0, "epoll_create1");
  if (strcmp(what, "serve") == 0 && count == 3) return serve(words + 2), 0;
  if (strcmp(what, "many") == 0 && count == 6) return open_many(words + 2), 0;
  if (strcmp(what, "bulk") == 0 && count == 5) return send_bulk(words + 2), 0;
  fprintf(stderr, "usage: connect serve|many|bulk ... (see bench/connect.c)\n");
  return 2;
}
