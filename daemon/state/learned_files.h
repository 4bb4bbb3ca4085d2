// state/learned_files.h: files that path rules were found to mean, until the kernel recognises them by itself.
//
// Comes in: what records showed, in their order. Goes out: for a later record the rules' objects that its file is known
// as, so that there is no gap between the record that showed it and the kernel's having been told. Private to this
// room.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "event/event.h"
#include "state/plan.h"

namespace aa {

// Without what changes nothing, whatever its folders are.
std::string tidied(const std::string& path);

// The name says what it did to the kernel: from the machine's own root, not from elsewhere, and not another one by now.
bool is_plain(const FileBody& file, const FilePath& at);

class LearnedFiles {
 public:
  // A file by its inode, or by the name that an operation has just given it, where the inode was not seen. Objects are
  // those of the rules that the record names. False when the file was known so already.
  bool learn(const FileBody& file, std::uint32_t object);
  void learn_name(const LearnPlan& plan);
  // Another file has the name from now on, or none.
  void forget_name(const std::string& path);
  // The names below this folder that are believed still: none of them is, from now on. The caller says where they are.
  struct Below {
    std::vector<LearnPlan> plans;
    std::size_t left_out = 0;  // beyond the most that are followed
  };
  Below take_below(const std::string& folder, std::uint64_t boot_ns);

  // The object that the record's file is known as by the rules it names, 0 when there is none. A name is believed for
  // the second in which its inode is looked up.
  std::uint32_t object_of(const FileBody& file, std::uint64_t boot_ns) const;

 private:
  std::uint32_t object_named(const FileBody& file, std::uint64_t boot_ns) const;
  void forget_older(std::uint64_t boot_ns);
  using Inode =
      std::tuple<std::uint64_t, std::uint32_t, std::uint64_t, std::uint32_t>;  // generation, dev, ino, its own
  static Inode inode_of(const FileBody& file) { return {file.generation, file.dev, file.ino, file.inode_generation}; }

  std::map<Inode, std::uint32_t> inodes_;
  std::deque<Inode> order_;  // the oldest go first

  // By name; in the order that they were given.
  std::map<std::string, LearnPlan> names_;
  std::deque<std::pair<std::uint64_t, std::string>> names_order_;
  std::uint64_t last_named_ns_ = 0;
};

}  // namespace aa
