/* What is supervised, and what starts the supervisor. Each stamps a file: who, what, CLOCK_MONOTONIC in ns.
 *
 *   child STAMPS ID wait              stamp the start, wait for a signal
 *   child STAMPS ID step              stamp the start, end with 0
 *   child STAMPS ID crash MS          stamp the start, end with 1 after so many milliseconds, with a stamp
 *   child STAMPS ID flood BYTES       stamp, write lines of 100 bytes to stdout, stamp, wait
 *   child STAMPS ID orphans N         stamp, leave N orphans that end at once, stamp, wait
 *   child STAMPS ID exec PROGRAM ...  stamp, become the program
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int stamps;
static int32_t id;

static void stamp(int32_t what) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct { int32_t who, what; int64_t at; } record = {id, what, now.tv_sec * 1000000000LL + now.tv_nsec};
    if (write(stamps, &record, sizeof record) != sizeof record) _exit(3);
}

static void flood(long bytes) {
    static char block[65500];
    memset(block, 'x', sizeof block);
    for (size_t end = 99; end < sizeof block; end += 100) block[end] = '\n';
    while (bytes > 0) {
        long size = bytes < (long)sizeof block ? bytes / 100 * 100 : (long)sizeof block;
        if (size == 0) break;
        for (long done = 0; done < size;) {
            ssize_t wrote = write(1, block + done, size - done);
            if (wrote < 0) _exit(4);
            done += wrote;
        }
        bytes -= size;
    }
}

static void orphans(long count) {
    while (count-- > 0) {
        pid_t middle = vfork();
        if (middle == 0) {
            if (fork() == 0) _exit(0);
            _exit(0);
        }
        waitpid(middle, 0, 0);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    stamps = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    id = atoi(argv[2]);
    long number = argc > 4 ? atol(argv[4]) : 0;
    stamp(0);
    if (!strcmp(argv[3], "exec")) return execvp(argv[4], argv + 4), 127;
    if (!strcmp(argv[3], "step")) return 0;
    if (!strcmp(argv[3], "crash")) {
        usleep(number * 1000);
        stamp(1);
        return 1;
    }
    if (!strcmp(argv[3], "flood")) flood(number), stamp(1);
    if (!strcmp(argv[3], "orphans")) orphans(number), stamp(1);
    pause();
    return 0;
}
