// event/event.cpp: names and ids of event.h's values.
#include "event/event.h"

#include <array>
#include <charconv>

namespace aa {
namespace {

// Decimal without sign or leading zero, so that an id has one spelling only.
template <class Number>
bool parse_decimal(std::string_view text, Number& value) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// In the order of EventBody's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<EventBody>> kTypes = {
    "fork",  "exec",    "exit",    "file", "alert", "loss",           "gap",       "target",
    "probe", "refused", "adopted", "sum",  "tls",   "tls-connection", "tls-closed"};

constexpr std::array<std::string_view, 3> kSeverities = {"info", "warning", "critical"};
constexpr std::array<std::string_view, 5> kProbeStates = {"attached", "standby", "degraded", "failed", "unavailable"};
constexpr std::array<std::string_view, 4> kTargetChanges = {"added", "removed", "exited", "adopted"};
constexpr std::array<std::string_view, kFileOps> kFileOpNames = {
    "open",   "read", "write",   "create",   "unlink", "rmdir", "mkdir", "mknod",
    "rename", "link", "symlink", "truncate", "chmod",  "chown", "mmap",  "mprotect"};
constexpr std::array<std::string_view, 4> kVerdicts = {"none", "allow", "deny", "watch"};
constexpr std::array<std::string_view, 3> kResolutions = {"kernel", "user", "unresolved"};
constexpr std::array<std::string_view, 4> kFileHooks = {"tracepoint", "kprobe", "fentry", "lsm"};
constexpr std::array<std::string_view, 2> kFileVias = {"syscall", "io_uring"};
constexpr std::array<std::string_view, 2> kTlsDirections = {"send", "recv"};
constexpr std::array<std::string_view, kPeerSourceCount> kPeerSources = {"", "descriptor", "call", "thread"};
constexpr std::array<std::string_view, kWithheldCount> kWithheld = {"",       "level",  "limit",  "unreadable", "file",
                                                                    "binary", "coding", "broken", "bound"};
constexpr std::array<std::string_view, kUndoneCount> kUndone = {"http2", "hpack",   "websocket", "chunked",
                                                                "gzip",  "deflate", "br",        "zstd"};

}  // namespace

std::string FilePath::root() const {
  if (path == "/") return ns_path;
  return ns_path.ends_with(path) ? ns_path.substr(0, ns_path.size() - path.size()) : "";
}

std::string ProcessId::text() const {
  return std::to_string(pid) + "-" + std::to_string(start_ns);
}

std::optional<ProcessId> parse_process_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  ProcessId id;
  if (!parse_decimal(text.substr(0, dash), id.pid) || !parse_decimal(text.substr(dash + 1), id.start_ns)) {
    return std::nullopt;
  }
  return id;
}

std::string_view type_name(const EventBody& body) {
  return kTypes[body.index()];
}

std::string_view name_of(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)];
}

std::string_view name_of(ProbeState state) {
  return kProbeStates[static_cast<std::size_t>(state)];
}

std::string_view name_of(TargetChange change) {
  return kTargetChanges[static_cast<std::size_t>(change)];
}

std::optional<Severity> parse_severity(std::string_view name) {
  for (std::size_t at = 0; at < kSeverities.size(); ++at) {
    if (kSeverities[at] == name) return static_cast<Severity>(at);
  }
  return std::nullopt;
}

std::string_view name_of(FileOp op) {
  return kFileOpNames[static_cast<std::size_t>(op)];
}

std::optional<FileOp> parse_file_op(std::string_view name) {
  for (std::size_t at = 0; at < kFileOpNames.size(); ++at) {
    if (kFileOpNames[at] == name) return static_cast<FileOp>(at);
  }
  return std::nullopt;
}

std::string_view name_of(Verdict verdict) {
  return kVerdicts[static_cast<std::size_t>(verdict)];
}

std::string_view name_of(Resolution resolution) {
  return kResolutions[static_cast<std::size_t>(resolution)];
}

std::string_view name_of(FileHook hook) {
  return kFileHooks[static_cast<std::size_t>(hook)];
}

std::string_view name_of(FileVia via) {
  return kFileVias[static_cast<std::size_t>(via)];
}

std::string_view name_of(TlsDirection direction) {
  return kTlsDirections[static_cast<std::size_t>(direction)];
}

std::string_view name_of(PeerSource source) {
  return kPeerSources[static_cast<std::size_t>(source)];
}

std::string_view name_of(Withheld withheld) {
  return kWithheld[static_cast<std::size_t>(withheld)];
}

std::vector<std::string> names_of(Undone undone) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < kUndone.size(); ++bit)
    if ((undone >> bit & 1) != 0) names.emplace_back(kUndone[bit]);
  return names;
}

}  // namespace aa
