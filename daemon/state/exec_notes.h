// state/exec_notes.h: recent execs whose judgement may change, and the pipes they stand between.
//
// Comes in: execs, by process and image, with the pipes they read and write. Goes out: what is known of one of them,
// what a pipe carries, who reads it. Pure. Only the newest kMost are kept: who comes later than so many others is not
// joined any more.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event/event.h"
#include "state/detect_table.h"
#include "state/process_text.h"

namespace aa {

struct ExecNote {
  ProcessId process;
  std::uint32_t image = 0;
  std::uint32_t slot = 0;
  std::uint64_t seq = 0;  // of its event
  std::uint64_t boot_ns = 0;
  std::uint64_t stdin_pipe = 0;
  std::uint64_t stdout_pipe = 0;
  std::string known_as;
  std::shared_ptr<const ProcessText> text;  // its own, whatever the process has become since; null: given up
};

class ExecNotes {
 public:
  using Key = std::pair<ProcessId, std::uint32_t>;
  static constexpr std::size_t kMost = 4096;
  static constexpr std::size_t kMostReaders = 16;  // of one pipe, the newest

  void add(ExecNote note);
  ExecNote* find(const ProcessId& process, std::uint32_t image);

  // What is known to flow through a pipe; 0: nothing, or no pipe.
  Families carried(std::uint64_t pipe) const;
  // Who of the noted execs read it, when it carries these too; none when that is no news.
  std::vector<Key> carry(std::uint64_t pipe, Families families);

  void drop_texts();  // memory is short

 private:
  struct Pipe {
    Families carried = 0;
    std::size_t ends = 0;  // notes that name it
    std::vector<Key> readers;
  };
  void forget_oldest();
  void let_go(std::uint64_t pipe, const Key& key);

  std::map<Key, ExecNote> notes_;
  std::deque<Key> order_;  // oldest first
  std::map<std::uint64_t, Pipe> pipes_;
};

}  // namespace aa
