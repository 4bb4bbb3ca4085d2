// config/load.cpp: from a request to a whole Config: which files there are, and what all of them together say.
#include "config/load.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "base/text.h"
#include "config/judge.h"
#include "config/override.h"
#include "config/read_file.h"
#include "config/rule_files.h"

namespace aa {
namespace {

constexpr std::size_t kMostBytes = 1024 * 1024;

Problem unreadable(const std::string& path, const Error& error) {
  std::string sentence = error.doing;
  if (error.errno_value != 0) sentence += std::string(": ") + std::strerror(error.errno_value);
  return {path, 0, 0, "", std::move(sentence)};
}

// The files of conf.d, in the order of their names.
std::vector<std::string> drop_ins(const std::string& main_file, std::vector<Problem>& problems) {
  const std::string folder = drop_in_folder(main_file);
  std::vector<std::string> files;
  if (Status checked = check_folder(folder); !checked) {
    const bool none = checked.error().errno_value == ENOENT && !std::filesystem::is_symlink(folder);
    if (!none) problems.push_back(unreadable(folder, checked.error()));
    return files;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), &::closedir);
  if (!entries) problems.push_back(unreadable(folder, {"cannot be opened", errno, {}}));
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr)
    if (is_config_name(entry->d_name)) files.push_back(folder + "/" + entry->d_name);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string drop_in_folder(const std::string& main_file) {
  return main_file.substr(0, main_file.rfind('/') + 1) + "conf.d";
}

bool is_config_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".toml") || name.ends_with(".json"));
}

std::string Problem::text() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += ": " + (key.empty() ? "" : key + " ") + sentence;
  return for_terminal(out);
}

Loaded parse_config(std::string_view text, const std::string& file) {
  Judge judge;
  judge.take_text(text, file);
  return judge.verdict();
}

Loaded load_config(const Request& request) {
  Judge judge;
  const auto take = [&](const std::string& file, Missing missing) {
    const auto text = read_file(file, kMostBytes);
    if (text) return judge.take_text(*text, file);
    if (text.error().errno_value == ENOENT && missing == Missing::means_defaults) return;
    judge.blame(unreadable(file, text.error()));
  };
  take(request.file, request.missing);
  std::vector<Problem> problems;
  for (const std::string& file : drop_ins(request.file, problems)) take(file, Missing::is_a_problem);
  for (Problem& problem : problems) judge.blame(std::move(problem));
  for (const std::string& assignment : request.set) judge.take_override(assignment);
  return judge.verdict();
}

}  // namespace aa
