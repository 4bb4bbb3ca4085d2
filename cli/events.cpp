// cli/events.cpp: `aactl events`: what the daemon saw, and follows what it sees until somebody has seen enough.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

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

// The daemon's files, oldest first: it renames FILE to FILE.1, FILE.1 to FILE.2 and so on. They are opened from the
// newest on: one that is renamed meanwhile is met again, and none is passed over.
class PastFiles {
 public:
  explicit PastFiles(const std::string& path) {
    open(path);
    const int error = errno;
    for (int number = 1; open(path + "." + std::to_string(number)); ++number) continue;
    if (files_.empty()) throw Failure(kRefused, "cannot read " + path + ": " + std::strerror(error));
  }

  // Those that may hold what is not older than `from`: when a file begins before it, all before that one do not.
  std::vector<UniqueFd> since(const PastFilter& past) {
    auto last = files_.begin();
    while (last != files_.end() && !past.is_older(first_line(last->get()))) ++last;
    if (last != files_.end()) files_.erase(last + 1, files_.end());
    std::reverse(files_.begin(), files_.end());
    return std::move(files_);
  }

 private:
  bool open(const std::string& path) {
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return false;
    if (known_.emplace(status.st_dev, status.st_ino).second) files_.push_back(std::move(file));
    return true;
  }

  static std::string first_line(int file) {
    std::string line(256, '\0');
    const ssize_t length = ::pread(file, line.data(), line.size(), 0);
    line.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    return line;
  }

  std::vector<UniqueFd> files_;  // newest first
  std::set<std::pair<dev_t, ino_t>> known_;
};

// Shows the files' lines; returns the seq of the last one, 0 when there is none.
std::uint64_t show_past(Client& client, const EventsOptions& options, Output& out, bool pretty) {
  const std::string path = client.events_file();
  if (path.empty())
    throw Failure(kRefused, "the daemon writes no file of events; set jsonl.path in its configuration for --since");
  PastFiles files(path);
  PastFilter past{since_text(options.since, ::time(nullptr)), options.filter};
  past.filter.target = target_in_file(client, options.filter.target);
  std::uint64_t last = 0;
  for (const UniqueFd& file : files.since(past)) {
    LineReader lines;
    for (bool more = true; more;) {
      more = lines.fill(file.get());
      for (std::string line; lines.next(line);) {
        last = seq_of(line);
        if (past.wants(line) && !out.write(shown(line, pretty, out.style()))) return last;
      }
    }
  }
  return last;
}

void follow(const UniqueFd& stream, Output& out, bool pretty, std::uint64_t shown_already) {
  // At once, wherever it is: nothing is kept back, and a write that nobody reads would wait forever.
  for (const int stop : {SIGINT, SIGTERM}) ::signal(stop, [](int) { ::_exit(kDone); });
  LineReader lines;
  for (bool open = true; open;) {
    pollfd readable{stream.get(), POLLIN, 0};
    if (::poll(&readable, 1, -1) < 0) continue;
    open = lines.fill(stream.get());
    std::string text;
    for (std::string line; lines.next(line);) {
      if (shown_already == 0 || seq_of(line) > shown_already) text += shown(line, pretty, out.style());
    }
    if (!out.write(text)) return;
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
