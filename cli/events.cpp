// cli/events.cpp: `aactl events`: what the daemon saw, and follows what it sees until somebody has seen enough.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "past.h"
#include "verbs.h"

namespace aa {
namespace {

std::string shown(const std::string& line, bool pretty, const Style& style) {
  if (!pretty) return line + '\n';
  const auto event = nlohmann::json::parse(line, nullptr, false);
  return event.is_object() ? event_line(event, style) + '\n' : std::string();
}

std::uint64_t seq_of(const std::string& line) {
  constexpr std::string_view kSeq = "\"seq\":";
  const std::size_t at = line.find(kSeq);
  return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at + kSeq.size(), nullptr, 10);
}

// Digits are a root pid to the daemon; the file has ids and names.
std::string target_in_file(Client& client, const std::string& target) {
  if (target.empty() || target.find_first_not_of("0123456789") != std::string::npos) return target;
  for (const auto& row : client.targets()) {
    if (std::to_string(number_of(row, "root_pid")) == target) return text_of(row, "id");
  }
  throw Failure(kRefused, "no target has the root pid " + target + "; aactl targets shows those there are");
}

// Shows the file's lines; returns the seq of the last one, 0 when there is none.
std::uint64_t show_past(Client& client, const EventsOptions& options, Output& out, bool pretty) {
  const std::string path = client.events_file();
  if (path.empty())
    throw Failure(kRefused, "the daemon writes no file of events; set jsonl.path in its configuration for --since");
  std::ifstream file(path);
  if (!file) throw Failure(kRefused, "cannot read " + path + ": " + std::strerror(errno));
  PastFilter past{since_text(options.since, ::time(nullptr)), options.filter};
  past.filter.target = target_in_file(client, options.filter.target);
  std::uint64_t last = 0;
  for (std::string line; std::getline(file, line);) {
    last = seq_of(line);
    if (past.wants(line) && !out.write(shown(line, pretty, out.style()))) break;
  }
  return last;
}

void follow(const UniqueFd& stream, Output& out, bool pretty, std::uint64_t shown_already) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  const UniqueFd signals(::signalfd(-1, &stop, SFD_CLOEXEC));
  LineReader lines;
  for (bool open = true; open;) {
    std::array<pollfd, 2> fds = {pollfd{stream.get(), POLLIN, 0}, pollfd{signals.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) open = lines.fill(stream.get());
    std::string text;
    for (std::string line; lines.next(line);) {
      if (shown_already == 0 || seq_of(line) > shown_already) text += shown(line, pretty, out.style());
    }
    if (!out.write(text) || fds[1].revents != 0) return;
  }
  throw Failure(kUnreachable, "aa-ebpfd ended the stream of events; see: systemctl status aa-ebpfd");
}

}  // namespace

int events(const Globals& globals, const EventsOptions& options) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const bool pretty = out.terminal() && !globals.json;
  // Before the file is read: what happens in between is then in one of them.
  const UniqueFd stream = client.subscribe(options.filter);
  std::uint64_t past = 0;
  if (!options.since.empty()) past = show_past(client, options, out, pretty);
  if (options.since.empty() || options.follow) follow(stream, out, pretty, past);
  return kDone;
}

}  // namespace aa
