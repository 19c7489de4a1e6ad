/* Loaded before libc: a disk that takes as long as the file named by SLOW_DISK says, in milliseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_for_disk(void) {
    const char *path = getenv("SLOW_DISK");
    FILE *file = path ? fopen(path, "r") : NULL;
    unsigned int milliseconds = 0;
    if (file) {
        if (fscanf(file, "%u", &milliseconds) != 1) milliseconds = 0;
        fclose(file);
    }
    usleep(milliseconds * 1000);
}

int fsync(int descriptor) {
    wait_for_disk();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}

int fdatasync(int descriptor) {
    wait_for_disk();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
}
