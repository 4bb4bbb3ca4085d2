// config/import_claude.cpp: permissions.deny of Claude Code's settings: "Read(./.env)", "Edit(src/**)".
#include <algorithm>
#include <array>

#include "config/import_formats.h"

namespace aa {
namespace {

// Which operations a tool's rule denies. Who may not read a file may not edit it either.
std::optional<OpSet> ops_of(std::string_view tool) {
  constexpr std::array<std::string_view, 4> kEditors = {"Edit", "Write", "MultiEdit", "NotebookEdit"};
  if (tool == "Read") return kAllOps;
  if (std::find(kEditors.begin(), kEditors.end(), tool) != kEditors.end()) return kChanges;
  return std::nullopt;
}

// What a path with one slash before it counts from: the project of a settings file that lies in a project's .claude,
// else where the agent was started.
std::optional<std::string> project_of(const std::string& path, const ImportBase& base) {
  const std::size_t folder = path.rfind("/.claude/");
  if (folder == std::string::npos) return base.cwd;
  const std::string project = path.substr(0, folder);
  return base.home && project == *base.home ? base.cwd : project;
}

void take(const Entry& entry, std::string_view text, const std::string& path, const ImportBase& base) {
  const std::size_t open = text.find('(');
  const std::string_view tool = text.substr(0, open);
  const std::optional<OpSet> ops = ops_of(tool);
  if (!ops) return entry.skip("it speaks of something else than files");
  if (open == std::string_view::npos || !text.ends_with(')')) return entry.skip("it names no path");
  std::string_view pattern = text.substr(open + 1, text.size() - open - 2);
  if (pattern.empty()) return entry.skip("it names no path");
  std::optional<std::string> folder = base.cwd;
  if (pattern.starts_with("//")) {
    folder = "";
    pattern.remove_prefix(1);
  } else if (pattern == "~" || pattern.starts_with("~/")) {
    folder = base.home;
    pattern.remove_prefix(1);
  } else if (pattern.starts_with('/')) {
    folder = project_of(path, base);
  }
  if (!folder) return entry.skip("the folder it counts from is unknown");
  if (pattern.empty()) return entry.add_below(*folder, "", *ops);
  entry.add_gitignore(*folder, pattern, *ops);
}

// Lists of the sandbox: another way to promise, with rules of its own.
void take_sandbox(const Value& root, Promises& out) {
  const Value* sandbox = member(root, "sandbox");
  const Value* files = sandbox == nullptr ? nullptr : member(*sandbox, "filesystem");
  for (const char* name : {"denyRead", "denyWrite"}) {
    const Value* value = files == nullptr ? nullptr : member(*files, name);
    if (value != nullptr)
      Entry(out, value->line, std::string("sandbox.filesystem.") + name).skip("only permissions.deny is read");
  }
}

}  // namespace

Promises translate_claude(std::string_view text, const std::string& path, const ImportBase& base) {
  Promises out;
  const Read read = read_json(text, path);
  if (out.broken = first_problem(read); out.broken) return out;
  take_sandbox(read.root, out);
  const Value* permissions = member(read.root, "permissions");
  const Value* deny = permissions == nullptr ? nullptr : member(*permissions, "deny");
  if (permissions != nullptr && !std::holds_alternative<Value::Table>(permissions->held))
    out.broken = "permissions is " + permissions->kind() + ", not an object";
  if (deny == nullptr) return out;
  const auto* list = std::get_if<Value::List>(&deny->held);
  if (list == nullptr) {
    out.broken = "permissions.deny is " + deny->kind() + ", not a list";
    return out;
  }
  for (const Value& one : *list) {
    const auto* entry = std::get_if<std::string>(&one.held);
    if (entry == nullptr)
      Entry(out, one.line, one.kind()).skip("it is no text");
    else
      take(Entry(out, one.line, *entry), *entry, path, base);
  }
  return out;
}

}  // namespace aa
