/* The least that a supervisor can be. `floor FILE`: a command a line, its words separated by tabs; before them a word
 * that is "restart" or "once". Ends with all its children at SIGTERM.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 4096
static struct { char *argv[16]; int restart; pid_t pid; } services[MOST];
static int count, left;
static sigset_t caught, none;

static void start(int index) {
    pid_t pid = vfork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &none, 0);
        execv(services[index].argv[0], services[index].argv);
        _exit(127);
    }
    services[index].pid = pid;
    left++;
}

static void ended(pid_t pid, int again) {
    for (int index = 0; index < count; index++)
        if (services[index].pid == pid) {
            services[index].pid = 0;
            left--;
            if (again && services[index].restart) start(index);
            return;
        }
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : 0;
    if (!file) return 2;
    char *line = 0;
    size_t room = 0;
    while (count < MOST && getline(&line, &room, file) > 0) {
        char *words = strdup(strtok(line, "\n")), *word = strtok(words, "\t");
        services[count].restart = !strcmp(word, "restart");
        for (int index = 0; index < 15 && (word = strtok(0, "\t")); index++) services[count].argv[index] = word;
        count++;
    }
    sigemptyset(&none);
    sigemptyset(&caught);
    sigaddset(&caught, SIGCHLD);
    sigaddset(&caught, SIGTERM);
    sigprocmask(SIG_BLOCK, &caught, 0);
    for (int index = 0; index < count; index++) start(index);
    for (int again = 1; again || left;) {
        if (sigwaitinfo(&caught, 0) == SIGTERM) {
            again = 0;
            for (int index = 0; index < count; index++)
                if (services[index].pid) kill(services[index].pid, SIGTERM);
        }
        for (pid_t pid; (pid = waitpid(-1, 0, WNOHANG)) > 0;) ended(pid, again);
    }
    return 0;
}
