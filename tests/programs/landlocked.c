/* landlocked FILE: forbids itself all reading of files, by Landlock, and opens FILE. Says `open RESULT`, or
 * `unsupported`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "say.h"

int main(int argc, char** argv) {
  const struct landlock_ruleset_attr forbidden = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
  if (argc != 2) return 2;
  const long ruleset = syscall(SYS_landlock_create_ruleset, &forbidden, sizeof(forbidden), 0);
  if (ruleset < 0) {
    say("unsupported");
    return 0;
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) fail("landlock_restrict_self");
  const int fd = open(argv[1], O_RDONLY);
  say("open %d", fd < 0 ? -errno : 0);
  return 0;
}
