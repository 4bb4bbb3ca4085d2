#include "probe/return_probes.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"

namespace aa {
namespace {

constexpr const char* kGroup = "aa_ebpfd";

// A line to kprobe_events; errno says why it was refused.
bool order(const std::string& tracing, const std::string& line) {
  const UniqueFd file(::open((tracing + "/kprobe_events").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  return file && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// "aa_read_4711" was made by process 4711.
bool maker_is_gone(const std::string& event) {
  const auto maker = static_cast<pid_t>(std::atol(event.c_str() + event.rfind('_') + 1));
  return maker > 0 && ::kill(maker, 0) != 0 && errno == ESRCH;
}

UniqueFd open_event(const std::string& tracing, const std::string& event) {
  perf_event_attr wanted{};
  wanted.size = sizeof(wanted);
  wanted.type = PERF_TYPE_TRACEPOINT;
  std::ifstream file(tracing + "/events/" + kGroup + "/" + event + "/id");
  if (!(file >> wanted.config)) return UniqueFd();
  return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &wanted, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
}

}  // namespace

bool ReturnProbes::begin() {
  if (begun_) return !tracing_.empty();
  begun_ = true;
  for (const char* place : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (::access((std::string(place) + "/kprobe_events").c_str(), W_OK) != 0) continue;
    tracing_ = place;
    remove_leftovers();
    return true;
  }
  return false;
}

// Events stay when their maker is killed.
void ReturnProbes::remove_leftovers() const {
  std::vector<std::string> left;
  std::ifstream file(tracing_ + "/kprobe_events");
  const std::string mark = std::string(":") + kGroup + "/";
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(mark);
    if (at == std::string::npos) continue;
    const std::string event = line.substr(at + mark.size(), line.find(' ') - at - mark.size());
    if (maker_is_gone(event)) left.push_back(event);
  }
  for (const std::string& event : left) order(tracing_, "-:" + std::string(kGroup) + "/" + event + "\n");
}

bool ReturnProbes::has_room() {
  return begin();
}

LinkPtr ReturnProbes::attach(const bpf_program* program) {
  if (!begin()) return LinkPtr(bpf_program__attach(program));
  const std::string section = bpf_program__section_name(program);
  const std::string function = section.substr(section.find('/') + 1);
  const std::string event = std::string(bpf_program__name(program)) + "_" + std::to_string(::getpid());
  const std::string place = std::string(kGroup) + "/" + event;
  if (!order(tracing_, "r" + std::to_string(kRoom) + ":" + place + " " + function + "\n")) return nullptr;
  events_.push_back(event);
  UniqueFd opened = open_event(tracing_, event);
  if (!opened) return nullptr;
  LinkPtr link(bpf_program__attach_perf_event(program, opened.get()));
  if (link) opened.release();  // the link closes it
  return link;
}

std::uint64_t ReturnProbes::missed() const {
  std::uint64_t sum = 0;
  if (events_.empty()) return sum;
  std::ifstream file(tracing_ + "/kprobe_profile");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string event;
    std::uint64_t hits = 0, misses = 0;
    if (words >> event >> hits >> misses && std::find(events_.begin(), events_.end(), event) != events_.end())
      sum += misses;
  }
  return sum;
}

ReturnProbes::~ReturnProbes() {
  for (const std::string& event : events_) order(tracing_, "-:" + std::string(kGroup) + "/" + event + "\n");
}

}  // namespace aa
