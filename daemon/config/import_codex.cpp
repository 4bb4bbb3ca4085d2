// config/import_codex.cpp: the denies ("none", "deny") of the permission profile that Codex's config.toml chooses.
#include <algorithm>

#include "config/import_formats.h"

namespace aa {
namespace {

bool denies(const Value& value) {
  const auto* access = std::get_if<std::string>(&value.held);
  return access != nullptr && (*access == "none" || *access == "deny");
}

// A key is a path, or a name for some folder. The folder, and what of the key lies below it; a reason when that is not
// to be known.
struct Place {
  std::string folder;
  std::string below;
};
std::variant<Place, std::string> place_of(const std::string& key, const ImportBase& base) {
  const bool of_cwd = key == ":workspace_roots" || key == ":project_roots" || key == ":cwd";
  const bool of_home = key == "~" || key.starts_with("~/");
  if ((of_cwd && !base.cwd) || (of_home && !base.home)) return "the folder it counts from is unknown";
  if (of_cwd) return Place{*base.cwd, ""};
  if (of_home) return Place{*base.home, key.substr(std::min<std::size_t>(2, key.size()))};
  if (key == ":slash_tmp") return Place{"/tmp", ""};
  if (key.starts_with('/')) return Place{"", key.substr(1)};
  return "it is no folder of which the place is known";
}

void take_access(const Entry& entry, const std::string& key, std::string_view below, const ImportBase& base) {
  const auto place = place_of(key, base);
  if (const auto* wrong = std::get_if<std::string>(&place)) return entry.skip(*wrong);
  const auto& [folder, rest] = std::get<Place>(place);
  entry.add_below(folder, rest + (rest.empty() || below.empty() ? "" : "/") + std::string(below), kAllOps);
}

void take_scoped(Promises& out, const Member& scope, const ImportBase& base) {
  for (const Member& one : std::get<Value::Table>(scope.value.held)) {
    if (!denies(one.value)) continue;
    const std::string name = scope.name + " " + one.name;
    take_access(Entry(out, one.value.line, name), scope.name, one.name == "." ? "" : one.name, base);
  }
}

}  // namespace

Promises translate_codex(std::string_view text, const std::string& path, const ImportBase& base) {
  Promises out;
  const Read read = read_toml(text, path);
  if (out.broken = first_problem(read); out.broken) return out;
  const Value* permissions = member(read.root, "permissions");
  const Value* chosen = member(read.root, "default_permissions");
  const auto* name = chosen == nullptr ? nullptr : std::get_if<std::string>(&chosen->held);
  if (permissions == nullptr || !std::holds_alternative<Value::Table>(permissions->held)) return out;
  const bool older = member(read.root, "sandbox_mode") != nullptr;
  for (const Member& profile : std::get<Value::Table>(permissions->held)) {
    const Value* files = member(profile.value, "filesystem");
    if (files == nullptr || !std::holds_alternative<Value::Table>(files->held)) continue;
    if (older || name == nullptr || profile.name != *name) {
      Entry(out, profile.value.line, "permissions." + profile.name)
          .skip(older ? "Codex goes by sandbox_mode, which is given too"
                      : "default_permissions chooses another profile");
      continue;
    }
    for (const Member& one : std::get<Value::Table>(files->held)) {
      if (std::holds_alternative<Value::Table>(one.value.held))
        take_scoped(out, one, base);
      else if (denies(one.value))
        take_access(Entry(out, one.value.line, one.name), one.name, "", base);
    }
  }
  return out;
}

}  // namespace aa
