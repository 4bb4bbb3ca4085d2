// config/watch_files.h: has one of the configuration's files changed?
//
// Comes in: which files the configuration in force was read from. Goes out: that it is time to read it again. Folders
// are watched, not files: most programs put a new file in the place of the old one, or lead a link elsewhere, and each
// folder and link on the way may be another one. A file that is just being written does not count before it is closed;
// of a burst of changes the last one counts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

class FileWatch {
 public:
  static Result<std::unique_ptr<FileWatch>> make();

  // From now on these: the main file with conf.d beside it, and files of rules. A folder that is not there is watched
  // as soon as it is, when the one above is; what was watched before and is not named any more is let go.
  void watch(const std::string& main_file, const std::vector<std::string>& rule_files);
  void watch_nothing();

  int fd() const { return inotify_.get(); }
  void take(std::uint64_t now_boot_ns);                                   // reads what came
  std::optional<std::uint64_t> next_deadline() const { return due_ns_; }  // boot time
  void on_time();                                                         // it is read again now

 private:
  // What in a folder counts.
  struct Names {
    std::set<std::string> files;
    bool drop_ins = false;  // every file of a configuration
  };
  explicit FileWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}
  void want();
  std::string want_way_to(const std::string& path);
  void arm();
  bool counts(int descriptor, std::uint32_t mask, const std::string& name) const;

  UniqueFd inotify_;
  std::string main_file_;  // "" nothing is watched
  std::vector<std::string> rule_files_;
  std::map<std::string, Names> wanted_;            // by folder
  std::map<int, std::vector<std::string>> armed_;  // inotify's descriptor → folder, as it is spelt
  std::optional<std::uint64_t> due_ns_;
  std::uint64_t first_ns_ = 0;  // of the burst under way
};

}  // namespace aa
