// config/keys.cpp: the table, and what follows from one row.
#include "config/keys.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <set>

#include "config/nearest.h"
#include "state/discovery.h"

namespace aa {
namespace {

constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};

constexpr std::array<std::string_view, 4> kFileHookSets = {"auto", "fentry", "kprobe", "tracepoint"};
constexpr std::array<std::string_view, 3> kTlsHookSets = {"auto", "uprobe_multi", "uprobe"};
constexpr std::array<std::string_view, 3> kReturnProbes = {"auto", "least", "off"};
constexpr std::array<std::string_view, 2> kTlsScopes = {"inode", "watched"};
constexpr std::array<std::string_view, 2> kReads = {"sum", "each"};
constexpr std::array<std::string_view, 2> kFsync = {"never", "batch"};
constexpr std::array<std::string_view, 4> kJournalSeverities = {"info", "warning", "critical", "off"};
constexpr std::array<std::string_view, 2> kOnOff = {"on", "off"};
constexpr std::array<std::string_view, 3> kHookSets = {"auto", "tp_btf", "raw_tp"};
constexpr std::array<std::string_view, 3> kSeverities = {"info", "warning", "critical"};

std::optional<std::string> wrong_agents(const std::string& value) {
  auto parsed = parse_agents(value);
  if (auto* wrong = std::get_if<std::string>(&parsed)) return std::move(*wrong);
  return std::nullopt;
}

bool is_absolute(const std::string& value) {
  return value.starts_with('/') && value.find('\0') == std::string::npos;
}

std::optional<std::string> wrong_path(const std::string& value) {
  if (!is_absolute(value)) return "has " + toml_text(value) + ", which is no absolute path";
  if (const std::string normal = lexically_normal(value); normal != value)
    return "has " + toml_text(value) + ": write " + toml_text(normal);
  return std::nullopt;
}

std::optional<std::string> wrong_rule(const std::string& value) {
  std::vector<std::string> known;
  for (const Rule& rule : shipped_detect_table().rules) known.push_back(rule.name);
  if (std::find(known.begin(), known.end(), value) != known.end()) return std::nullopt;
  return "has " + toml_text(value) + ", and no rule is called so; the nearest is " + nearest(value, known);
}

// As the libraries that are asked take a name: up to its first NUL.
bool is_cut(const std::string& value) {
  return value.find('\0') != std::string::npos;
}

bool is_number(const std::string& value) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), id);
  return error == std::errc() && end == value.data() + value.size() && id != UINT32_MAX;  // that one is nobody's
}

std::optional<std::string> wrong_user(const std::string& value) {
  if (is_number(value) || (!is_cut(value) && ::getpwnam(value.c_str()) != nullptr)) return std::nullopt;
  return "has " + toml_text(value) + ", and no user is called so";
}

std::optional<std::string> wrong_groups_name(const std::string& value) {
  if (is_number(value) || (!is_cut(value) && ::getgrnam(value.c_str()) != nullptr)) return std::nullopt;
  return "has " + toml_text(value) + ", and no group is called so";
}

std::optional<std::string> wrong_group(const std::string& value) {
  return value.empty() ? std::nullopt : wrong_groups_name(value);
}

constexpr std::array kKeys = {
    Key{"lifecycle", "ring_kib",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.lifecycle.ring_kib; }, 4, 1'048'576, true},
        Applies::restart, "Size of the ring buffer for fork, exec and exit records, in KiB."},
    Key{"lifecycle", "argv_bytes",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.lifecycle.argv_bytes; }, 0, 98'304}, Applies::restart,
        "How many bytes of a program's arguments are kept; longer ones are cut and marked."},
    Key{"lifecycle", "hooks", TextKey{[](Config& c) -> std::string& { return c.lifecycle.hooks; }, kHookSets},
        Applies::restart, "Which kind of kernel program sees them; auto: the first of these that the kernel takes."},
    Key{"watched", "limit", IntegerKey{[](Config& c) -> std::uint64_t& { return c.watched.limit; }, 16, 1'048'576},
        Applies::restart, "How many living processes can be watched at once, over all targets."},
    Key{"watched", "share", IntegerKey{[](Config& c) -> std::uint64_t& { return c.watched.share; }, 1, 1'048'576},
        Applies::restart, "How many of them a single target may hold; at most watched.limit."},
    Key{"lineage", "keep_exited_seconds",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.lineage.keep_exited_seconds; }, 0, 604'800},
        Applies::live, "How long an exited process is remembered after its last descendant is gone, in seconds."},
    Key{"lineage", "keep_exited_count",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.lineage.keep_exited_count; }, 0, 1'000'000},
        Applies::live, "How many exited processes are remembered at most."},
    Key{"lineage", "text_mib", IntegerKey{[](Config& c) -> std::uint64_t& { return c.lineage.text_mib; }, 1, 65'536},
        Applies::restart,
        "Memory for paths and arguments of all remembered processes, in MiB; beyond it the oldest exited are "
        "forgotten."},
    Key{"lineage", "reconcile_seconds",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.lineage.reconcile_seconds; }, 1, 3600}, Applies::live,
        "How often what is remembered is compared with the kernel's living processes, in seconds."},
    Key{"file", "ring_kib", IntegerKey{[](Config& c) -> std::uint64_t& { return c.file.ring_kib; }, 4, 1'048'576, true},
        Applies::restart, "Size of the ring buffer for file operations, in KiB."},
    Key{"file", "hooks", TextKey{[](Config& c) -> std::string& { return c.file.hooks; }, kFileHookSets},
        Applies::restart,
        "Which kind of kernel program sees file operations; auto: the first of these that the kernel takes."},
    Key{"file", "reads", TextKey{[](Config& c) -> std::string& { return c.file.reads; }, kReads}, Applies::restart,
        "Whether reads and writes of one process on one file are summed, or each is an event of its own."},
    Key{"file", "interval_ms",
        IntegerKey{[](Config& c) -> std::uint64_t& { return c.file.interval_ms; }, 10, 3'600'000}, Applies::live,
        "How often sums of reads and writes are told while their file stays open, in milliseconds."},
    Key{"file", "sums", IntegerKey{[](Config& c) -> std::uint64_t& { return c.file.sums; }, 16, 1'048'576},
        Applies::restart,
        "How many open files can have their reads and writes summed at once; more are told one by one."},
    Key{"tls", "ring_kib", IntegerKey{[](Config& c) -> std::uint64_t& { return c.tls.ring_kib; }, 128, 1'048'576, true},
        Applies::restart, "Size of the ring buffer for what TLS libraries send and receive, in KiB."},
    Key{"tls", "call_kib", IntegerKey{[](Config& c) -> std::uint64_t& { return c.tls.call_kib; }, 1, 8192},
        Applies::restart, "How much of one call is taken, in KiB; the rest is counted."},
    Key{"tls", "calls", IntegerKey{[](Config& c) -> std::uint64_t& { return c.tls.calls; }, 16, 1'048'576},
        Applies::restart, "How many TLS calls of watched processes can be under way at once."},
    Key{"tls", "connections", IntegerKey{[](Config& c) -> std::uint64_t& { return c.tls.connections; }, 16, 1'048'576},
        Applies::restart,
        "How many TLS connections of watched processes are known at once; one that has ended counts for ten seconds "
        "more."},
    Key{"tls", "hooks", TextKey{[](Config& c) -> std::string& { return c.tls.hooks; }, kTlsHookSets}, Applies::restart,
        "How programs are attached to TLS libraries; auto: the first of these that the kernel takes."},
    Key{"tls", "return_probes", TextKey{[](Config& c) -> std::string& { return c.tls.return_probes; }, kReturnProbes},
        Applies::restart,
        "Where the kernel's return probes are used, as far as programs under a system call filter survive them; least: "
        "where an object is made whose maker's returns cannot be found; auto: wherever they cost less, though they "
        "kill "
        "programs that switch stacks inside of a call; off: nowhere."},
    Key{"tls", "scope", TextKey{[](Config& c) -> std::string& { return c.tls.scope; }, kTlsScopes}, Applies::restart,
        "Who runs into programs on a TLS library; inode: whoever has it mapped, watched or not, and from its first "
        "call "
        "on; watched: watched processes alone, each attached to by itself as soon as it is seen to have mapped it."},
    Key{"tls", "hold_new_library", TextKey{[](Config& c) -> std::string& { return c.tls.hold_new_library; }, kOnOff},
        Applies::restart,
        "Whether a watched process that maps a library nobody has looked into is stopped until it is listened to."},
    Key{"tls", "hold_ms", IntegerKey{[](Config& c) -> std::uint64_t& { return c.tls.hold_ms; }, 10, 10'000},
        Applies::restart, "How long a process is held at most, in milliseconds."},
    Key{"paths", "shipped", TextKey{[](Config& c) -> std::string& { return c.paths.shipped; }, kOnOff}, Applies::live,
        "Whether the shipped list of secrets is among the path rules."},
    Key{"paths", "include",
        ListKey{[](Config& c) -> std::vector<std::string>& { return c.paths.include; }, &wrong_path,
                "a list of absolute paths"},
        Applies::live, "Files with more path rules, one a line."},
    Key{"detect", "min_severity", TextKey{[](Config& c) -> std::string& { return c.detect.min_severity; }, kSeverities},
        Applies::live, "Least severity of the alerts that the detector raises; every shell is an info."},
    Key{"detect", "off",
        ListKey{[](Config& c) -> std::vector<std::string>& { return c.detect.off; }, &wrong_rule,
                "a list of names of the detector's rules"},
        Applies::live, "Rules of the detector that do not count."},
    Key{"discovery", "agents",
        TextKey{[](Config& c) -> std::string& { return c.discovery.agents; },
                {},
                &wrong_agents,
                "names with commas between them, at most 256"},
        Applies::live,
        "Programs that are watched as soon as they are started: names, or paths with patterns in their folders; empty: "
        "none."},
    Key{"discovery", "per_uid", IntegerKey{[](Config& c) -> std::uint64_t& { return c.discovery.per_uid; }, 1, 255},
        Applies::live, "How many discovered targets one user may have at once."},
    Key{"families", "file", TextKey{[](Config& c) -> std::string& { return c.families.file; }, kOnOff},
        Applies::restart,
        "Whether file operations are watched, and path rules with them; without them TLS libraries that are mapped "
        "late are not found."},
    Key{"families", "tls", TextKey{[](Config& c) -> std::string& { return c.families.tls; }, kOnOff}, Applies::restart,
        "Whether what TLS libraries send and receive is watched."},
    Key{"families", "detect", TextKey{[](Config& c) -> std::string& { return c.families.detect; }, kOnOff},
        Applies::live, "Whether command lines are looked at by the detector."},
    Key{"jsonl", "path", TextKey{[](Config& c) -> std::string& { return c.jsonl.path; }, {}}, Applies::restart,
        "File that every event is appended to as JSON Lines; empty: no such file is written."},
    Key{"jsonl", "max_mib", IntegerKey{[](Config& c) -> std::uint64_t& { return c.jsonl.max_mib; }, 0, 1'048'576},
        Applies::restart,
        "Size in MiB at which the file is renamed to FILE.1 and begun anew; 0: it grows without end."},
    Key{"jsonl", "files", IntegerKey{[](Config& c) -> std::uint64_t& { return c.jsonl.files; }, 1, 1000},
        Applies::restart, "How many renamed files are kept beside it."},
    Key{"jsonl", "fsync", TextKey{[](Config& c) -> std::string& { return c.jsonl.fsync; }, kFsync}, Applies::restart,
        "Whether the disk is told to keep each batch of lines before the next is written."},
    Key{"jsonl", "group",
        TextKey{
            [](Config& c) -> std::string& { return c.jsonl.group; }, {}, &wrong_group, "the name of a group or empty"},
        Applies::restart, "Group that may read the file; empty: root alone may."},
    Key{"journal", "min_severity",
        TextKey{[](Config& c) -> std::string& { return c.journal.min_severity; }, kJournalSeverities}, Applies::live,
        "Least severity of alerts that the daemon's log tells; off: none, nor losses."},
    Key{"dbus", "signals", TextKey{[](Config& c) -> std::string& { return c.dbus.signals; }, kOnOff}, Applies::live,
        "Whether alerts, targets, losses and probe states are announced on the bus."},
    Key{"access", "users",
        ListKey{[](Config& c) -> std::vector<std::string>& { return c.access.users; }, &wrong_user,
                "a list of users' names or ids"},
        Applies::live, "Who besides root may call the daemon."},
    Key{"access", "groups",
        ListKey{[](Config& c) -> std::vector<std::string>& { return c.access.groups; }, &wrong_groups_name,
                "a list of groups' names or ids"},
        Applies::live, "Groups whose members may call the daemon."},
    Key{"reload", "watch", TextKey{[](Config& c) -> std::string& { return c.reload.watch; }, kOnOff}, Applies::live,
        "Whether the configuration is read again by itself when one of its files has changed."},
    Key{"log", "level", TextKey{[](Config& c) -> std::string& { return c.log.level; }, kLogLevels}, Applies::live,
        "Least severity of the daemon's own messages; they never contain captured data."},
};

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::string toml_string(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      out.append(1, '\\').push_back(character);
    } else if (byte < 0x20 || byte == 0x7F) {
      out.append("\\u00").push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 0xF]);
    } else {
      out.push_back(character);
    }
  }
  return out + '"';
}

}  // namespace

std::string Key::dotted() const {
  return std::string(section) + "." + std::string(name);
}

std::string Key::allowed() const {
  if (const auto* integer = std::get_if<IntegerKey>(&type)) {
    return std::to_string(integer->low) + " to " + std::to_string(integer->high) +
           (integer->power_of_two ? ", a power of two" : "");
  }
  if (const auto* list = std::get_if<ListKey>(&type)) return std::string(list->allowed);
  const auto& text = std::get<TextKey>(type);
  if (text.wrong != nullptr) return std::string(text.allowed);
  if (text.choices.empty()) return "an absolute path or empty";
  std::string out;
  for (const std::string_view choice : text.choices) out += (out.empty() ? "" : ", ") + quoted(choice);
  return out;
}

std::span<const Key> all_keys() {
  return kKeys;
}

const Key* find_key(std::string_view dotted) {
  const auto found = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) { return key.dotted() == dotted; });
  return found == kKeys.end() ? nullptr : &*found;
}

std::string_view name_of(Applies applies) {
  return applies == Applies::live ? "live" : "restart";
}

KeyValue value_of(const Key& key, const Config& config) {
  auto& fields = const_cast<Config&>(config);  // the table's fields are writable; this one is only read
  if (const auto* integer = std::get_if<IntegerKey>(&key.type)) return integer->field(fields);
  if (const auto* list = std::get_if<ListKey>(&key.type)) return list->field(fields);
  return std::get<TextKey>(key.type).field(fields);
}

std::string toml_text(const KeyValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return toml_string(*text);
  std::string out;
  for (const std::string& one : std::get<std::vector<std::string>>(value))
    out += (out.empty() ? "" : ", ") + toml_string(one);
  return "[" + out + "]";
}

std::string wrong_type(const Key& key, std::string_view got) {
  const char* wanted = std::holds_alternative<IntegerKey>(key.type) ? "an integer"
                       : std::holds_alternative<TextKey>(key.type)  ? "a string"
                                                                    : "a list of strings";
  return std::string("wants ") + wanted + " (" + key.allowed() + "), not " + std::string(got);
}

std::optional<std::string> store(const Key& key, std::int64_t value, Config& config) {
  const auto* integer = std::get_if<IntegerKey>(&key.type);
  if (integer == nullptr) return wrong_type(key, "an integer");
  const auto number = static_cast<std::uint64_t>(value);
  const bool fits = value >= 0 && number >= integer->low && number <= integer->high;
  if (!fits || (integer->power_of_two && !std::has_single_bit(number))) {
    return "must be " + key.allowed() + "; " + std::to_string(value) + " is not";
  }
  integer->field(config) = number;
  return std::nullopt;
}

std::optional<std::string> store(const Key& key, const std::string& value, Config& config) {
  const auto* text = std::get_if<TextKey>(&key.type);
  if (text == nullptr) return wrong_type(key, "a string");
  if (text->wrong != nullptr) {
    if (std::optional<std::string> wrong = text->wrong(value)) return wrong;
    text->field(config) = value;
    return std::nullopt;
  }
  const bool fits = text->choices.empty()
                        ? value.empty() || is_absolute(value)
                        : std::find(text->choices.begin(), text->choices.end(), value) != text->choices.end();
  if (!fits)
    return "must be " + std::string(text->choices.empty() ? "" : "one of ") + key.allowed() + "; " +
           toml_string(value) + " is not";
  text->field(config) = value;
  return std::nullopt;
}

std::optional<std::string> store(const Key& key, const std::vector<std::string>& value, Config& config) {
  const auto* list = std::get_if<ListKey>(&key.type);
  if (list == nullptr) return wrong_type(key, "a list");
  std::set<std::string_view> known;
  for (const std::string& one : value) {
    if (std::optional<std::string> wrong = list->wrong(one)) return wrong;
    if (!known.insert(one).second) return "has " + toml_string(one) + " twice";
  }
  list->field(config) = value;
  return std::nullopt;
}

}  // namespace aa
