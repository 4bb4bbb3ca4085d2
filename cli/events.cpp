// cli/events.cpp: `aactl events`: follows what the daemon sees until somebody has seen enough.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

#include "verbs.h"

namespace aa {
namespace {

std::string shown(const std::string& line, bool pretty, const Style& style) {
  if (!pretty) return line + '\n';
  const auto event = nlohmann::json::parse(line, nullptr, false);
  return event.is_object() ? event_line(event, style) + '\n' : std::string();
}

}  // namespace

int events(const Globals& globals, const Client::Filter& filter) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const bool pretty = out.terminal() && !globals.json;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  const UniqueFd signals(::signalfd(-1, &stop, SFD_CLOEXEC));
  const UniqueFd stream = client.subscribe(filter);
  LineReader lines;
  for (bool open = true; open;) {
    std::array<pollfd, 2> fds = {pollfd{stream.get(), POLLIN, 0}, pollfd{signals.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) open = lines.fill(stream.get());
    std::string text;
    for (std::string line; lines.next(line);) text += shown(line, pretty, out.style());
    if (!out.write(text) || fds[1].revents != 0) return kDone;
  }
  throw Failure(kUnreachable, "aa-ebpfd ended the stream of events; see: systemctl status aa-ebpfd");
}

}  // namespace aa
