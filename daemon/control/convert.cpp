#include "control/convert.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "state/rules_text.h"

namespace aa {

namespace {

constexpr std::string_view kEllipsis = "…";

using Bytes = std::vector<std::uint8_t>;

// A string on the wire: length, bytes, NUL, and at worst padding before it.
constexpr std::size_t string_size(std::size_t length) {
  return length + 1 + 4 + 3;
}

const ProcessText& text_of(const Process& process) {
  static const ProcessText kNone;
  return process.text ? *process.text : kNone;
}

std::string comm_of(const Process& process) {
  const auto* end = std::find(std::begin(process.comm), std::end(process.comm), '\0');
  return std::string(std::begin(process.comm), end);
}

std::string id_text(const ProcessId& id) {
  return id ? id.text() : std::string();
}

Bytes bytes_of(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

// The member as text and, where the text is not exact, `<key>_bytes`.
void put_text(Dict& dict, const std::string& key, const std::string& exact) {
  const std::string shown = to_bus_string(exact);
  if (shown != exact) dict[key + "_bytes"] = sdbus::Variant{bytes_of(exact)};
  dict[key] = sdbus::Variant{shown};
}

// Of one member of a dictionary with such a key and a value of so many bytes.
constexpr std::size_t member_size(std::string_view key, std::size_t value) {
  return 7 + string_size(key.size()) + 8 + value;
}

// Of bytes beside the text that does not hold them exactly; 0 when the text does.
std::size_t exact_size(std::string_view key, std::string_view exact, std::string_view shown) {
  return shown == exact ? 0 : member_size(key, 4 + 3 + exact.size());
}

void put_argv(Dict& dict, const ProcessText& text) {
  std::vector<std::string> shown;
  std::vector<Bytes> exact;
  bool differs = false;
  bool cut = false;
  std::size_t size = 0;
  for (const auto& argument : text.argv) {
    std::string clean = to_bus_string(argument);
    size += string_size(clean.size()) + string_size(argument.size());
    cut = size > kDictArgvLimit;
    if (cut) break;
    differs |= clean != argument;
    exact.push_back(bytes_of(argument));
    shown.push_back(std::move(clean));
  }
  dict["argv"] = sdbus::Variant{shown};
  dict["argv_truncated"] = sdbus::Variant{text.argv_truncated || cut};
  if (differs) dict["argv_bytes"] = sdbus::Variant{exact};
}

// At most `length` bytes of valid UTF-8, ending at a character.
std::string_view utf8_prefix(std::string_view text, std::size_t length) {
  if (text.size() <= length) return text;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
  return text.substr(0, length);
}

// As much of argv as takes `limit` bytes, terminators included; the last element may be cut. Sets `cut` when some is
// left.
std::vector<std::string> fitting(const std::vector<std::string>& argv, std::size_t limit, bool& cut) {
  std::vector<std::string> out;
  std::size_t used = 0;
  for (const auto& argument : argv) {
    std::string clean = to_bus_string(argument);
    if (used + clean.size() + 1 > limit) {
      cut = true;
      if (used + 1 <= limit) out.emplace_back(utf8_prefix(clean, limit - used - 1));
      break;
    }
    used += clean.size() + 1;
    out.push_back(std::move(clean));
  }
  return out;
}

std::size_t variant_size(const sdbus::Variant& value) {
  if (value.containsValueOfType<std::string>()) return string_size(value.get<std::string>().size());
  if (value.containsValueOfType<Bytes>()) return 4 + 3 + value.get<Bytes>().size();
  std::size_t size = 4 + 7 + 8;  // an array's length and padding, or one number
  if (value.containsValueOfType<std::vector<std::string>>()) {
    for (const auto& item : value.get<std::vector<std::string>>()) size += string_size(item.size());
  } else if (value.containsValueOfType<std::vector<Bytes>>()) {
    for (const auto& item : value.get<std::vector<Bytes>>()) size += string_size(item.size());
  }
  return size;
}

}  // namespace

std::vector<std::string> short_argv(const std::vector<std::string>& argv, bool truncated, std::size_t limit) {
  bool cut = false;
  auto shown = fitting(argv, limit, cut);
  if (!cut && !truncated) return shown;
  shown = fitting(argv, limit - kEllipsis.size(), cut);
  if (shown.empty()) shown.emplace_back();
  shown.back() += kEllipsis;
  return shown;
}

ProcessRow process_row(const Process& process) {
  const ProcessText& text = text_of(process);
  return ProcessRow{process.id.text(),
                    id_text(process.parent),
                    process.id.start_ns,
                    process.id.pid,
                    process.uid,
                    process.exec_ns,
                    to_bus_string(text.exe),
                    to_bus_string(text.cwd),
                    short_argv(text.argv, text.argv_truncated, kRowArgvLimit),
                    process.exit};
}

Dict process_dict(const Monitor& monitor, const Process& process) {
  const ProcessText& text = text_of(process);
  const Target* target = process.target != 0 ? monitor.target(process.target) : nullptr;
  Dict dict;
  dict["id"] = sdbus::Variant{process.id.text()};
  dict["parent_id"] = sdbus::Variant{id_text(process.parent)};
  dict["parent_source"] =
      sdbus::Variant{std::string(process.parent_source == ParentSource::birth ? "birth" : "current")};
  dict["pid"] = sdbus::Variant{process.id.pid};
  dict["ns_pid"] = sdbus::Variant{process.ns_pid};
  dict["uid"] = sdbus::Variant{process.uid};
  dict["gid"] = sdbus::Variant{process.gid};
  dict["image"] = sdbus::Variant{process.image};
  dict["start_ns"] = sdbus::Variant{process.id.start_ns};
  dict["exec_ns"] = sdbus::Variant{process.exec_ns};
  dict["exit"] = sdbus::Variant{process.exit};
  if (!process.alive()) dict["exit_ns"] = sdbus::Variant{process.exit_ns};
  dict["watched"] = sdbus::Variant{process.watched};
  dict["remembered"] = sdbus::Variant{!process.alive()};
  dict["target"] = sdbus::Variant{target != nullptr ? target->id : std::string()};
  put_text(dict, "exe", text.exe);
  put_text(dict, "cwd", text.cwd);
  put_text(dict, "comm", comm_of(process));
  put_text(dict, "cgroup", process.cgroup ? *process.cgroup : std::string());
  put_argv(dict, text);
  return dict;
}

TargetRow target_row(const Monitor& monitor, const Target& target) {
  Dict more;
  if (target.root) more["root"] = sdbus::Variant{target.root.text()};
  if (!target.unit.empty()) more["unit"] = sdbus::Variant{to_bus_string(target.unit)};
  if (target.source != TargetSource::discovered)
    more["layer"] = sdbus::Variant{std::string(target.on_bus ? "runtime" : "file")};
  more["adopted"] = sdbus::Variant{target.adopted};
  more["processes"] = sdbus::Variant{target.processes};
  more["events"] = sdbus::Variant{target.events};
  more["attempts"] = sdbus::Variant{target.attempts};
  more["lost"] = sdbus::Variant{target.lost};
  more["refused"] = sdbus::Variant{target.refused};
  more["tls"] = sdbus::Variant{std::string(name_of(target.tls))};
  more["owner_uid"] = sdbus::Variant{target.owner_uid};
  more["started_boot_ns"] = sdbus::Variant{target.started_boot_ns};
  if (!target.running) more["ended_boot_ns"] = sdbus::Variant{target.ended_boot_ns};
  const Target* outer = target.outer != 0 ? monitor.target(target.outer) : nullptr;
  if (outer != nullptr) more["outer"] = sdbus::Variant{outer->id};
  return TargetRow{target.id,
                   to_bus_string(target.name),
                   target.root.pid,
                   std::string(name_of(target.source)),
                   target.running ? "running" : "exited",
                   target.live,
                   std::move(more)};
}

ProbeRow probe_row(const ProbeBody& probe) {
  return ProbeRow{to_bus_string(probe.family), to_bus_string(probe.program), std::string(name_of(probe.state)),
                  probe.error_number, to_bus_string(probe.reason)};
}

RuleRow rule_row(const PathRule& rule) {
  Dict options;
  if (rule.ops != kAllOps) options["ops"] = sdbus::Variant{op_names(rule.ops)};
  if (rule.severity) options["severity"] = sdbus::Variant{std::string(name_of(*rule.severity))};
  if (!rule.category.empty()) options["category"] = sdbus::Variant{to_bus_string(rule.category)};
  if (!rule.target.empty()) put_text(options, "target", rule.target);
  std::string pattern = to_bus_string(rule.pattern);
  if (pattern != rule.pattern) options["pattern_bytes"] = sdbus::Variant{bytes_of(rule.pattern)};
  return RuleRow{std::move(pattern), std::string(name_of(rule.verdict)), std::string(name_of(rule.layer)),
                 std::move(options)};
}

Dict alert_details(const Event& event, const AlertBody& alert) {
  Dict details;
  details["process"] = sdbus::Variant{event.process ? id_text(event.process->id) : std::string()};
  details["rule"] = sdbus::Variant{to_bus_string(alert.rule)};
  if (!alert.detect_class.empty()) details["class"] = sdbus::Variant{alert.detect_class};
  details["seq"] = sdbus::Variant{event.seq};
  if (alert.cause_seq) details["cause_seq"] = sdbus::Variant{*alert.cause_seq};
  return details;
}

std::size_t wire_size(const ProcessRow& row) {
  std::size_t size = 7 + 3 * 8 + 3 * 4 + 4 + 7;  // the struct's padding, its numbers, the array's length
  size += string_size(std::get<0>(row).size()) + string_size(std::get<1>(row).size());
  size += string_size(std::get<6>(row).size()) + string_size(std::get<7>(row).size());
  for (const auto& argument : std::get<8>(row)) size += string_size(argument.size());
  return size;
}

std::size_t wire_size(const Dict& dict) {
  std::size_t size = 4 + 7;
  for (const auto& [key, value] : dict) size += member_size(key, variant_size(value));
  return size;
}

std::size_t wire_size(const PathRule& rule) {
  const std::string pattern = to_bus_string(rule.pattern);
  std::size_t size = 7 + 4 + 7;  // the struct's padding, the dictionary's length and padding
  size += string_size(pattern.size()) + exact_size("pattern_bytes", rule.pattern, pattern);
  size += string_size(name_of(rule.verdict).size()) + string_size(name_of(rule.layer).size());
  if (rule.ops != kAllOps) {
    std::size_t names = 4 + 7 + 8;  // as of any array
    for (const std::string& name : op_names(rule.ops)) names += string_size(name.size());
    size += member_size("ops", names);
  }
  if (rule.severity) size += member_size("severity", string_size(name_of(*rule.severity).size()));
  if (!rule.category.empty()) size += member_size("category", string_size(to_bus_string(rule.category).size()));
  if (rule.target.empty()) return size;
  const std::string target = to_bus_string(rule.target);
  return size + member_size("target", string_size(target.size())) + exact_size("target_bytes", rule.target, target);
}

}  // namespace aa
