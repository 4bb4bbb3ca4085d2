// config/import.h: an agent's own promises, translated into path rules.
//
// Comes in: one file's text, in one of the formats that docs/imports.md describes, and from where its paths count. Goes
// out: rules that deny, and each entry that is no rule, with its line and the reason. Pure: it opens nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "state/path_rules.h"

namespace aa {

inline constexpr std::size_t kMostImports = 16;  // of one target

enum class ImportFormat : std::uint8_t { claude, codex, ignore };

struct ImportSource {
  ImportFormat format = ImportFormat::ignore;
  std::string path;  // absolute, from ~/, or from where the target was started
};

// "claude:~/.claude/settings.json", ".gitignore"; a string goes on after "which": what is wrong.
std::variant<ImportSource, std::string> parse_import(std::string_view text);

// Where a target stands: absolute paths without a slash at the end, "" the root. Unknown: entries that count from there
// are told of.
struct ImportBase {
  std::optional<std::string> cwd;
  std::optional<std::string> home;
};

// The file that is meant; nullopt when it counts from something unknown.
std::optional<std::string> path_of(const ImportSource& source, const ImportBase& base);

struct Promises {
  struct Skipped {
    std::uint32_t line = 0;  // 0: unknown
    std::string entry;
    std::string why;
  };
  std::vector<PathRule> rules;  // pattern and operations
  std::vector<Skipped> skipped;
  std::optional<std::string> broken;  // the file is not what it should be: nothing was taken
};

// `path`: path_of the source.
Promises translate(ImportFormat format, std::string_view text, const std::string& path, const ImportBase& base);

}  // namespace aa
