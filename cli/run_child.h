// cli/run_child.h: the command that `aactl run` starts.
//
// Comes in: a command and the user it shall run as. Goes out: a process that exists but has not run an instruction of
// its own until it is released, and how it ended. Knows processes and users, nothing of watching.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace aa {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
  std::string shell;
};

// Who called sudo; nothing when nobody did, or root itself. Throws Failure when SUDO_UID or SUDO_GID make no sense.
std::optional<User> sudo_user();

class Child {
 public:
  // Forks; the child waits. It keeps the process group and the standard streams, takes on the user's ids, groups and
  // home, and gets `mask` and SIGPIPE's default back. Throws Failure when the system has no room for it.
  Child(const std::vector<std::string>& command, const std::optional<User>& user, const sigset_t& mask);
  ~Child();  // kills what was not waited for
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  // readable when it has ended

  // Lets it run the command and waits until it does. Throws Failure with 127 (not found), 126 (cannot be run) or
  // kRefused.
  void release();
  void signal(int number) const;
  int wait();  // wait status; call it when pidfd is readable

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd gate_;    // closing it without a byte makes the child give up
  UniqueFd report_;  // what went wrong before exec; the end of the file means that exec succeeded
  std::string name_;
  bool by_sudo_ = false;
};

}  // namespace aa
