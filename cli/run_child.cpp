// cli/run_child.cpp: see run_child.h.
#include "run_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "client.h"
#include "render.h"

namespace aa {
namespace {

enum class Step : int { user, command };

struct Trouble {
  Step step;
  int errno_value;
};

std::optional<std::uint32_t> id_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  std::uint32_t id = 0;
  const auto [stop, error] = std::from_chars(text, end, id);
  if (error != std::errc() || stop != end) {
    throw Failure(kRefused, std::string(variable) + " is not a number; use --as-root, or let sudo set it");
  }
  return id;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Failure(kRefused, std::string("cannot make a pipe: ") + std::strerror(errno));
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// ---- in the child, between fork and exec ----------------------------------------------------------------------------

// setuid() empties the effective, permitted and ambient sets but leaves the inheritable one.
bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

bool become(const User& user) {
  const bool groups =
      user.name.empty() ? ::setgroups(1, &user.gid) == 0 : ::initgroups(user.name.c_str(), user.gid) == 0;
  if (!groups || ::setgid(user.gid) != 0 || ::setuid(user.uid) != 0 || !drop_capabilities()) return false;
  ::setenv("HOME", user.home.c_str(), 1);
  ::setenv("USER", user.name.c_str(), 1);
  ::setenv("LOGNAME", user.name.c_str(), 1);
  ::setenv("SHELL", user.shell.c_str(), 1);
  return true;
}

// Where a shell would find it. Looked up here rather than by execvp, whose attempts would all be events of the account.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  std::string forbidden;
  for (;;) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    std::string candidate = (folder.empty() ? "." : std::string(folder)) + '/' + name;
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      if (::access(candidate.c_str(), X_OK) == 0) return candidate;
      if (forbidden.empty()) forbidden = std::move(candidate);
    }
    if (colon == std::string_view::npos) return forbidden;
    rest.remove_prefix(colon + 1);
  }
}

[[noreturn]] void give_up(int report, Step step) {
  const Trouble trouble{step, errno};
  const ssize_t ignored = ::write(report, &trouble, sizeof trouble);
  ::_exit(ignored < 0 ? 125 : 127);
}

[[noreturn]] void run_command(const std::vector<std::string>& command, const std::optional<User>& user,
                              const sigset_t& mask, int gate, int report) {
  if (user && !become(*user)) give_up(report, Step::user);
  char go = 0;
  if (::read(gate, &go, 1) != 1) ::_exit(125);  // never enrolled: the command must not run
  ::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string program = find_program(command.front());
  errno = ENOENT;
  if (!program.empty()) ::execvp(program.c_str(), argv.data());  // a path: no search, but scripts without #! do run
  give_up(report, Step::command);
}

}  // namespace

std::optional<User> sudo_user() {
  const auto uid = id_from("SUDO_UID");
  if (!uid || *uid == 0) return std::nullopt;
  const auto gid = id_from("SUDO_GID");
  if (!gid) throw Failure(kRefused, "SUDO_UID is set but SUDO_GID is not; use --as-root, or let sudo set both");
  User user{*uid, *gid, "", "/", "/bin/sh"};
  if (const passwd* entry = ::getpwuid(*uid); entry != nullptr) {
    user.name = entry->pw_name;
    user.home = entry->pw_dir;
    if (*entry->pw_shell != '\0') user.shell = entry->pw_shell;
  }
  return user;
}

Child::Child(const std::vector<std::string>& command, const std::optional<User>& user, const sigset_t& mask)
    : name_(command.front()), by_sudo_(user.has_value()) {
  auto [gate_out, gate_in] = make_pipe();
  auto [report_out, report_in] = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) throw Failure(kRefused, std::string("cannot start a process: ") + std::strerror(errno));
  if (pid_ == 0) {
    gate_in.reset();
    run_command(command, user, mask, gate_out.get(), report_in.get());
  }
  gate_ = std::move(gate_in);
  report_ = std::move(report_out);
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int err = errno;
    gate_.reset();
    ::waitpid(pid_, nullptr, 0);
    throw Failure(kRefused, std::string("cannot hold on to the new process: ") + std::strerror(err));
  }
}

Child::~Child() {
  if (pid_ <= 0 || !pidfd_) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::release() {
  const char go = 1;
  if (::write(gate_.get(), &go, 1) != 1) throw Failure(kRefused, "the new process was killed before it could start");
  Trouble trouble{};
  ssize_t got = 0;
  do got = ::read(report_.get(), &trouble, sizeof trouble);
  while (got < 0 && errno == EINTR);
  if (got != sizeof trouble) return;
  const std::string reason = std::strerror(trouble.errno_value);
  if (trouble.step == Step::user) throw Failure(kRefused, "cannot become the user who called sudo: " + reason);
  if (trouble.errno_value != ENOENT) throw Failure(126, name_ + ": cannot be run: " + reason);
  const bool searched = name_.find('/') == std::string::npos;
  std::string sentence = name_ + (searched ? ": command not found" : ": no such file (or its interpreter is missing)");
  if (searched && by_sudo_) sentence += "; sudo sets a PATH of its own: give the full path, \"$(command -v NAME)\"";
  throw Failure(127, sentence);
}

void Child::signal(int number) const {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

int Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace aa
