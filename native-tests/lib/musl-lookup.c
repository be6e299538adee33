// Looks names up by the C library that it is compiled with: forward, A and AAAA as one question, or
// backwards where a word is an address. musl sends both questions at once and waits for both
// answers. A line for each word: what was found or why not, and after how many milliseconds.
// usage: musl-lookup WORD...
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

static long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static void look_back(const struct sockaddr_in *address)
{
	char name[NI_MAXHOST];
	int fault = getnameinfo((const struct sockaddr *)address, sizeof *address, name, sizeof name,
		NULL, 0, NI_NAMEREQD);
	printf(" %s", fault == 0 ? name : gai_strerror(fault));
}

static void look_forward(const char *word)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int fault = getaddrinfo(word, "80", &hints, &found);
	if (fault != 0) {
		printf(" %s", gai_strerror(fault));
		return;
	}
	for (struct addrinfo *one = found; one != NULL; one = one->ai_next) {
		char text[NI_MAXHOST];
		getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
		printf(" %s", text);
	}
	freeaddrinfo(found);
}

int main(int count, char **words)
{
	for (int n = 1; n < count; n++) {
		struct sockaddr_in address = { .sin_family = AF_INET };
		long began = now_ms();
		printf("%s:", words[n]);
		if (inet_pton(AF_INET, words[n], &address.sin_addr) == 1) look_back(&address);
		else look_forward(words[n]);
		printf(" after %ld ms\n", now_ms() - began);
	}
	return 0;
}
