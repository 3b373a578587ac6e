// Preloaded into a process, it makes syncs of a write-ahead log fail while the file that FAIL_FSYNC names exists. The file
// holds an order: "<number of the error> <fsync | both> <how many succeed before> <hold | at-once>". DuckDB calls fsync and
// Eider fdatasync, so that one that is to fail alone can be told from the other. With "hold" a sync waits until the file is
// gone and fails then: until that, everybody can read what was written, as on a slow disk. Each one that is to fail adds
// its name to "<file>.calls". With FAIL_FSYNC_OF files whose path contains that are meant, in place of logs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int passed = 0;

static int is_meant(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 4) return 0;
  path[length] = 0;
  int is_log = strcmp(path + length - 4, ".wal") == 0;
  const char *part = getenv("FAIL_FSYNC_OF");
  return part == NULL ? is_log : !is_log && strstr(path, part) != NULL;
}

static void note(const char *order, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s.calls", order);
  FILE *file = fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s\n", name);
  fclose(file);
}

static int fails(int descriptor, const char *name) {
  const char *order = getenv("FAIL_FSYNC");
  FILE *file = order == NULL ? NULL : fopen(order, "r");
  if (file == NULL) {
    passed = 0;
    return 0;
  }
  int error = 0, before = 0;
  char which[16] = "", how[16] = "";
  int fields = fscanf(file, "%d %15s %d %15s", &error, which, &before, how);
  fclose(file);
  if (fields != 4 || !is_meant(descriptor)) return 0;
  if (strcmp(which, "both") != 0 && strcmp(which, name) != 0) return 0;
  if (__sync_fetch_and_add(&passed, 1) < before) return 0;
  note(order, name);
  while (strcmp(how, "hold") == 0 && access(order, F_OK) == 0) usleep(10 * 1000);
  errno = error;
  return 1;
}

int fsync(int descriptor) {
  if (fails(descriptor, "fsync")) return -1;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return real(descriptor);
}

int fdatasync(int descriptor) {
  if (fails(descriptor, "fdatasync")) return -1;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return real(descriptor);
}
