// state/targets.cpp: a target's id, and the words for its source, level and name.
#include "state/targets.h"

#include <uuid/uuid.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace aa {
namespace {

constexpr std::size_t kNameMax = 128;

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool shaped_like_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

// C0, DEL, and C1 as UTF-8 writes it (C2 80..9F). `text` is valid UTF-8.
bool has_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

Refusal bad_name(std::string_view what) {
  return {Fault::invalid_argument, "the target's name " + std::string(what) +
                                       "; a name is 1 to 128 bytes of UTF-8 without control characters, not all "
                                       "digits and not shaped like a UUID"};
}

std::string uuid_of(std::string_view boot_id, const std::string& name) {
  uuid_t space;
  uuid_t id;
  if (uuid_parse(std::string(boot_id).c_str(), space) != 0) uuid_clear(space);
  uuid_generate_sha1(id, space, name.data(), name.size());
  char text[UUID_STR_LEN];
  uuid_unparse_lower(id, text);
  return text;
}

}  // namespace

std::string target_id(std::string_view boot_id, const ProcessId& root) {
  return uuid_of(boot_id, "process:" + root.text());
}

std::string target_id(std::string_view boot_id, std::string_view unit) {
  return uuid_of(boot_id, "unit:" + std::string(unit));
}

std::string_view name_of(TargetWish::By by) {
  constexpr std::array<std::string_view, 5> kNames = {"pid", "exe", "unit", "cgroup", "user"};
  return kNames[static_cast<std::size_t>(by)];
}

std::string_view name_of(TargetSource source) {
  switch (source) {
    case TargetSource::config:
      return "config";
    case TargetSource::dbus:
      return "dbus";
    case TargetSource::discovered:
      return "discovered";
  }
  return "";
}

std::string_view name_of(TlsLevel level) {
  switch (level) {
    case TlsLevel::off:
      return "off";
    case TlsLevel::metadata:
      return "metadata";
    case TlsLevel::redacted:
      return "redacted";
    case TlsLevel::full:
      return "full";
  }
  return "";
}

std::optional<TlsLevel> parse_tls_level(std::string_view name) {
  for (const TlsLevel level : {TlsLevel::off, TlsLevel::metadata, TlsLevel::redacted, TlsLevel::full}) {
    if (name == name_of(level)) return level;
  }
  return std::nullopt;
}

std::optional<Refusal> check_target_name(std::string_view name) {
  if (name.empty()) return bad_name("is empty");
  if (name.size() > kNameMax) return bad_name("has " + std::to_string(name.size()) + " bytes");
  if (!is_utf8(name)) return bad_name("is not UTF-8");
  if (has_control_character(name)) return bad_name("holds a control character");
  if (std::all_of(name.begin(), name.end(), is_digit)) return bad_name("is all digits, which means a root pid");
  if (shaped_like_uuid(name)) return bad_name("is shaped like a UUID, which means a target's id");
  return std::nullopt;
}

}  // namespace aa
