// Preloaded into a process, it lets fsync of a write-ahead log wait while the file that FAIL_FSYNC names exists, and then
// fail: until then everybody can read what was written, as on a slow disk. The file holds the number of the error. With
// FAIL_FSYNC_OF, fsync of files whose path contains that, but for logs, fails instead, at once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int descriptor) {
  const char *order = getenv("FAIL_FSYNC");
  char link[64], path[4096];
  FILE *file = order == NULL ? NULL : fopen(order, "r");
  if (file == NULL) return 0;
  int error = 0;
  if (fscanf(file, "%d", &error) != 1) error = 0;
  fclose(file);
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  const char *part = getenv("FAIL_FSYNC_OF");
  if (error != 0 && length >= 4 && part != NULL) {
    path[length] = 0;
    errno = error;
    return strstr(path, part) != NULL && strcmp(path + length - 4, ".wal") != 0;
  }
  if (error == 0 || length < 4 || memcmp(path + length - 4, ".wal", 4) != 0) return 0;
  while (access(order, F_OK) == 0) usleep(10 * 1000);
  errno = error;
  return 1;
}

int fsync(int descriptor) {
  if (fails(descriptor)) return -1;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return real(descriptor);
}

int fdatasync(int descriptor) {
  if (fails(descriptor)) return -1;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return real(descriptor);
}
