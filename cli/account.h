// cli/account.h: the live account of one watched command.
//
// Comes in: the events of one target in the order of delivery, and the time. Goes out: lines to append, each a process
// in the place where it stands in the tree, and totals. Pure. A line is held back for kHoldMs so that a process which
// ends at once takes one line, not two; nothing waits longer than that.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "render.h"

namespace aa {

class Account {
 public:
  static constexpr std::uint64_t kHoldMs = 40;

  struct Totals {
    std::uint64_t processes = 0;
    std::uint64_t ended = 0;
    std::uint64_t programs = 0;     // distinct executables that ran
    std::uint64_t deepest = 0;      // levels, the command itself being the first
    std::uint64_t delivered = 0;    // events received, loss lines not counted
    std::uint64_t lost_before = 0;  // by loss lines: what the kernel or the daemon could not take
    std::uint64_t lost_here = 0;    // by loss lines: what we read too slowly
    std::uint64_t failed_execs = 0;
    std::uint64_t alerts = 0;
  };

  // `failed_execs`: show attempts to run what is not there.
  Account(Style style, bool failed_execs) : style_(style), show_failed_(failed_execs) {}

  // Text to append now, perhaps empty. Time in ms of any steady clock. Memory: what lives, plus the parents of what
  // lives.
  std::string add(const nlohmann::json& event, std::uint64_t now_ms);
  std::string release(std::uint64_t now_ms);  // what has been held long enough
  std::string finish();                       // everything held
  std::optional<std::uint64_t> next_deadline() const;

  const Totals& totals() const { return totals_; }

 private:
  struct Node {
    std::uint32_t pid = 0;
    std::string parent;
    std::uint32_t level = 0;
    std::uint32_t children = 0;  // remembered ones
    std::uint32_t held = 0;      // lines waiting
    bool execed = false;
    bool listed = false;  // has a line, printed or waiting
    bool ended = false;
    std::string name;    // for the closing line and for forked copies
    std::string failed;  // what it last failed to run
  };
  struct Line {
    std::string id = {};
    std::string text = {};
    Ink ink = Ink::bold;
    bool closing = false;
    bool complete = false;  // nothing more will be known about it
    bool has_status = false;
    std::int64_t status = 0;
    std::uint64_t runtime_ns = 0;
    std::uint64_t deadline = 0;
  };

  Node& node(const nlohmann::json& process);
  Node& born(const std::string& id, std::uint32_t pid, const std::string& parent);
  void on_fork(const nlohmann::json& event);
  void on_exec(const nlohmann::json& event, std::uint64_t now_ms);
  void on_exit(const nlohmann::json& event, std::uint64_t now_ms);
  void note(const std::string& text, Ink ink);
  void list_ancestors(const std::string& id, std::uint64_t now_ms);
  void hold(Line line, std::uint64_t now_ms);
  Line* waiting(const std::string& id);
  std::string print(const Line& line);
  std::string layout(const std::string& prefix, const Node& node, const Line& line, const std::string& hint) const;
  void forget(std::string id);

  Style style_;
  bool show_failed_;
  Totals totals_;
  std::unordered_map<std::string, Node> nodes_;
  std::unordered_set<std::string> programs_;
  std::deque<Line> lines_;
  std::vector<std::string> shown_;  // by level: the process whose line a reader would take for the parent
};

// What the summary says besides the account's own totals.
struct Ending {
  std::uint64_t lost = 0;     // of this target: counted by the kernel, and by the stream
  std::uint64_t refused = 0;  // processes that found no room in the watched set
  std::uint64_t running = 0;
  std::string target;      // its id
  std::string incomplete;  // why the account may lack something; "" when it is whole
};

// A few sentences, each a line, with a newline at the end.
std::string summary_text(const Account::Totals& totals, const Ending& ending, const Style& style);

}  // namespace aa
