// cli/run.cpp: `aactl run`: a command watched from its first instruction, its account, its exit status.
//
// One loop over three descriptors: the stream of events, the command's pidfd, and a signalfd. The command is forked but
// held, enrolled, subscribed to, and only then let go, so that nothing it does can come too early.
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "account.h"
#include "base/text.h"
#include "event/redact.h"
#include "run_child.h"
#include "touched.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

constexpr std::uint64_t kDrainMs = 5000;  // for the command's own exit event, after it has ended
constexpr std::uint64_t kLingerMs = 200;  // for what ends together with the command
constexpr std::uint64_t kNever = UINT64_MAX;
constexpr std::size_t kShortName = 36;  // a UUID's length: such names are ids

std::uint64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// SIGINT and SIGQUIT belong to the command while it runs, SIGTERM and SIGHUP are handed on: all four are read from a
// descriptor. A reader of the account that goes away must not end the command either.
struct Signals {
  Signals() {
    sigset_t mine;
    sigemptyset(&mine);
    for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) sigaddset(&mine, number);
    ::sigprocmask(SIG_BLOCK, &mine, &before);
    ::signal(SIGPIPE, SIG_IGN);
    fd.reset(::signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) throw Failure(kRefused, std::string("cannot wait for signals: ") + std::strerror(errno));
  }
  int next() const {
    signalfd_siginfo info{};
    return ::read(fd.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }
  sigset_t before{};
  UniqueFd fd;
};

// The file is opened with the rights of whom the command runs as: it is theirs, and sudo opens no door.
UniqueFd open_output(const std::string& path, const std::optional<User>& user) {
  if (path.empty()) return {};
  if (user && (::setegid(user->gid) != 0 || ::seteuid(user->uid) != 0)) {
    throw Failure(kRefused, std::string("cannot act as the user who called sudo: ") + std::strerror(errno));
  }
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  const int err = errno;
  if (user && (::seteuid(0) != 0 || ::setegid(0) != 0)) throw Failure(kRefused, "cannot become root again");
  if (!file) throw Failure(kRefused, path + ": " + std::strerror(err));
  return file;
}

// The command's own name; "" when it may not be a target's, which the daemon then names itself.
std::string default_name(const std::string& command) {
  const std::string name(last_component(command));
  const bool has_letter = std::any_of(name.begin(), name.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
  const bool printable =
      is_utf8(name) && std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 32; });
  return has_letter && printable && name.size() < kShortName ? name : "";
}

class Session {
 public:
  Session(const Globals& globals, const RunOptions& options)
      : globals_(globals),
        client_(globals.bus),
        user_(options.as_root ? std::nullopt : sudo_user()),
        file_(open_output(options.output, user_)),
        out_(file_ ? file_.get() : STDOUT_FILENO, globals, Output::OnFailure::complain),
        account_(out_.style(), options.verbose),
        child_(options.command, user_, signals_.before) {}

  int go(const RunOptions& options) {
    root_pid_ = static_cast<std::uint64_t>(child_.pid());
    Client::Options wishes;
    const std::string name = options.name.empty() ? default_name(options.command.front()) : options.name;
    if (!name.empty()) wishes.emplace("name", name);
    target_ = client_.start_pidfd(child_.pidfd(), wishes);
    stream_ = client_.subscribe({target_, {}, ""});
    if (!globals_.json) out_.write(header(options));  // before it runs: the command may write to the same place
    child_.release();
    while (!over()) turn();
    if (!globals_.json) out_.write(account_.finish());
    return conclude();
  }

 private:
  std::string header(const RunOptions& options) const {
    std::string line;
    std::vector<std::string> command = options.command;
    redact_arguments(command);  // as the daemon does: what is shown may be kept
    for (const std::string& argument : command) line += (line.empty() ? "" : " ") + shell_quote(argument);
    const std::string who = user_ ? (user_->name.empty() ? "uid " + std::to_string(user_->uid) : user_->name) : "root";
    return paint(out_.style(), Ink::dim, "watching, as " + for_terminal(who) + ": ") + line + '\n';
  }

  void turn() {
    std::array<pollfd, 3> fds = {pollfd{stream_.get(), POLLIN, 0}, pollfd{signals_.fd.get(), POLLIN, 0},
                                 pollfd{ended_ ? -1 : child_.pidfd(), POLLIN, 0}};
    const std::uint64_t deadline = std::min(deadline_, account_.next_deadline().value_or(kNever));
    const std::uint64_t now = now_ms();
    const std::uint64_t wait = deadline > now ? std::min<std::uint64_t>(deadline - now, 3'600'000) : 0;
    if (::poll(fds.data(), fds.size(), deadline == kNever ? -1 : static_cast<int>(wait)) < 0) return;
    if (fds[0].revents != 0) read_stream();
    if (fds[1].revents != 0) on_signal(signals_.next());
    if (fds[2].revents != 0) on_end();
    if (!globals_.json) out_.write(account_.release(now_ms()));
  }

  void read_stream() {
    const bool open = lines_.fill(stream_.get());
    std::string text;
    for (std::string line; lines_.next(line);) {
      const json event = json::parse(line, nullptr, false);
      if (globals_.json) text += line + '\n';
      if (!event.is_object()) continue;
      std::string shown = account_.add(event, now_ms());
      if (!globals_.json) text += shown;
      touched_.add(event);
      look_for_the_end(event);
    }
    out_.write(text);
    if (open) return;
    stream_.reset();
    incomplete_ = "aa-ebpfd ended the stream of events";
    complain(incomplete_ + "; the command runs on, but what it does from here on is not shown");
  }

  // The root's id comes from its first event; its pid names it alone until it is waited for.
  void look_for_the_end(const json& event) {
    const std::string type = text_of(event, "type");
    if (type == "target" && text_of(member_of(event, "target_change"), "change") == "exited") target_exited_ = true;
    const json& process = member_of(event, "process");
    const std::string id = text_of(process, "id");
    if (root_id_.empty() && number_of(process, "pid") == root_pid_) root_id_ = id;
    if (type != "exit" || root_id_.empty() || id != root_id_) return;
    root_exited_ = true;
    if (ended_) deadline_ = now_ms() + kLingerMs;
  }

  void on_signal(int number) {
    if (ended_) {
      stop_waiting_ = true;
    } else if (number == SIGTERM || number == SIGHUP) {
      child_.signal(number);
    }
  }

  void on_end() {
    status_ = child_.wait();
    ended_ = true;
    last_deadline_ = now_ms() + kDrainMs;
    deadline_ = root_exited_ ? now_ms() + kLingerMs : last_deadline_;
  }

  bool over() {
    if (!ended_) return false;
    if (target_exited_ || stop_waiting_ || !stream_) return true;
    if (now_ms() < deadline_) return false;
    if (!root_exited_) incomplete_ = "the end of the command itself was not seen within 5 s";
    if (deadline_ == last_deadline_ || !root_exited_) return true;
    // The command is over and others still live, or the word of the last one's end is on its way.
    if (living() > 0) return true;
    deadline_ = last_deadline_;
    return now_ms() >= deadline_;
  }

  std::uint64_t living() {
    try {
      const json target = client_.target(target_);
      return text_of(target, "state") == "running" ? number_of(target, "live") : 0;
    } catch (const Failure&) {
      return 0;
    }
  }

  int conclude() {
    const Account::Totals& totals = account_.totals();
    Ending ending;
    ending.incomplete = incomplete_;
    ending.lost = totals.lost_before + totals.lost_here;
    try {
      const json target = client_.target(target_);
      ending.lost = number_of(target, "lost") + totals.lost_here;  // the loss lines may be other targets' too
      ending.refused = number_of(target, "refused");
      ending.target = target_;
      if (text_of(target, "state") == "running") ending.running = number_of(target, "live");
    } catch (const Failure& failure) {
      if (ending.incomplete.empty()) ending.incomplete = failure.what();
    }
    if (out_.failed() && ending.incomplete.empty()) ending.incomplete = "its output could not be written";
    Output errors(STDERR_FILENO, globals_, Output::OnFailure::complain);
    Output& out = globals_.json || out_.failed() ? errors : out_;
    out.write(touched_.text(out.style()) + summary_text(totals, ending, out.style()));
    return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
  }

  const Globals& globals_;
  Client client_;
  std::optional<User> user_;
  UniqueFd file_;
  Output out_;
  Account account_;
  Touched touched_;
  Signals signals_;
  Child child_;
  std::uint64_t root_pid_ = 0;
  std::string target_;
  std::string root_id_;
  UniqueFd stream_;
  LineReader lines_;
  std::string incomplete_;
  std::uint64_t deadline_ = kNever;
  std::uint64_t last_deadline_ = kNever;
  int status_ = 0;
  bool ended_ = false;
  bool root_exited_ = false;
  bool target_exited_ = false;
  bool stop_waiting_ = false;
};

}  // namespace

int run(const Globals& globals, const RunOptions& options) {
  if (::geteuid() != 0) throw Failure(kRefused, "watching needs root; run it with sudo: sudo aactl run -- …");
  return Session(globals, options).go(options);
}

}  // namespace aa
