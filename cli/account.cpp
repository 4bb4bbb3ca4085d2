// cli/account.cpp: see account.h.
#include "account.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace aa {
namespace {

using nlohmann::json;

std::string branch(std::uint32_t level, const char* knot) {
  std::string text;
  for (std::uint32_t i = 1; i < level; ++i) text += "│  ";
  return level == 0 ? text : text + knot;
}

}  // namespace

Account::Node& Account::born(const std::string& id, std::uint32_t pid, const std::string& parent) {
  const auto [it, fresh] = nodes_.try_emplace(id);
  Node& child = it->second;
  if (!fresh) return child;
  child.pid = pid;
  child.parent = parent;
  ++totals_.processes;
  if (const auto above = nodes_.find(parent); above != nodes_.end()) {
    ++above->second.children;
    child.level = above->second.level + 1;
    child.name = above->second.name;
  }
  totals_.deepest = std::max<std::uint64_t>(totals_.deepest, child.level + 1);
  return child;
}

Account::Node& Account::node(const json& process) {
  const auto pid = static_cast<std::uint32_t>(number_of(process, "pid"));
  Node& found = born(text_of(process, "id"), pid, text_of(process, "parent_id"));
  if (found.name.empty()) found.name = for_terminal(bytes_of(process, "comm"));
  return found;
}

std::string Account::add(const json& event, std::uint64_t now_ms) {
  const std::string type = text_of(event, "type");
  if (type == "loss") {
    const json& loss = member_of(event, "loss");
    const std::string family = text_of(loss, "family");
    // "lineage" says what an event counted elsewhere has left behind, "jsonl" what the daemon's file misses.
    if (family == "subscriber") totals_.lost_here += number_of(loss, "count");
    if (family != "subscriber" && family != "lineage" && family != "jsonl")
      totals_.lost_before += number_of(loss, "count");
    note("! " + loss_text(loss), Ink::red);
    return release(now_ms);
  }
  ++totals_.delivered;
  if (type == "fork") on_fork(event);
  if (type == "exec") on_exec(event, now_ms);
  if (type == "exit") on_exit(event, now_ms);
  if (type == "gap") note("! not observed: " + for_terminal(text_of(member_of(event, "gap"), "reason")), Ink::red);
  if (type == "alert") {
    ++totals_.alerts;
    const json& alert = member_of(event, "alert");
    note(for_terminal("! " + text_of(alert, "severity") + ": " + bytes_of(alert, "summary")), Ink::yellow);
  }
  return release(now_ms);
}

void Account::on_fork(const json& event) {
  node(member_of(event, "process"));
  const json& fork = member_of(event, "fork");
  born(text_of(fork, "child_id"), static_cast<std::uint32_t>(number_of(fork, "child_pid")),
       text_of(member_of(event, "process"), "id"));
}

void Account::on_exec(const json& event, std::uint64_t now_ms) {
  const json& process = member_of(event, "process");
  const json& exec = member_of(event, "exec");
  const std::string id = text_of(process, "id");
  Node& self = node(process);
  if (const std::int64_t result = signed_of(exec, "result"); result != 0) {
    ++totals_.failed_execs;
    self.failed = shell_quote(bytes_of(exec, "filename")) + ": " + std::strerror(static_cast<int>(-result));
    if (!show_failed_) return;
    list_ancestors(id, now_ms);
    hold({.id = id, .text = "✗ " + self.failed, .ink = Ink::dim, .complete = true}, now_ms);
    return;
  }
  list_ancestors(id, now_ms);
  if (Line* earlier = waiting(id)) earlier->complete = true;
  const std::string exe = bytes_of(process, "exe");
  programs_.insert(exe.empty() ? bytes_of(exec, "filename") : exe);
  totals_.programs = programs_.size();
  const std::string arrow = self.execed ? "→ " : "";
  self.execed = true;
  self.listed = true;
  self.failed.clear();
  const auto argv = list_of(exec, "argv");
  self.name = for_terminal(last_component(argv.empty() || argv.front().empty() ? exe : argv.front()));
  json shown = exec;
  if (argv.empty()) {
    shown["exe"] = exe;
    shown.erase("argv_truncated");  // the whole is missing, and the program is named instead
  }
  hold({.id = id, .text = arrow + command_line(shown)}, now_ms);
}

void Account::on_exit(const json& event, std::uint64_t now_ms) {
  const json& process = member_of(event, "process");
  const std::string id = text_of(process, "id");
  Node& self = node(process);
  if (self.ended) return;
  self.ended = true;
  ++totals_.ended;
  const std::int64_t status = wait_status(member_of(event, "exit"));
  const std::uint64_t runtime = number_of(member_of(event, "exit"), "runtime_ns");
  Line ending{.id = id,
              .ink = Ink::plain,
              .closing = true,
              .complete = true,
              .has_status = true,
              .status = status,
              .runtime_ns = runtime};
  if (Line* line = waiting(id)) {
    line->complete = line->has_status = true;
    line->status = status;
    line->runtime_ns = runtime;
  } else if (self.listed && (self.execed || status != 0)) {
    ending.text = self.name;
    hold(std::move(ending), now_ms);
  } else if (!self.listed && status != 0) {
    list_ancestors(id, now_ms);
    self.listed = true;
    ending.closing = false;
    ending.ink = Ink::dim;
    ending.text = self.failed.empty() ? self.name + " (forked)" : "✗ " + self.failed;
    hold(std::move(ending), now_ms);
  }
  forget(id);
}

void Account::note(const std::string& text, Ink ink) {
  lines_.push_back({.text = text, .ink = ink, .complete = true});
}

// A forked copy that never ran a program of its own gets a line only now that something beneath it does.
void Account::list_ancestors(const std::string& id, std::uint64_t now_ms) {
  std::vector<std::string> missing;
  for (auto it = nodes_.find(nodes_[id].parent); it != nodes_.end() && !it->second.listed;
       it = nodes_.find(it->second.parent)) {
    missing.push_back(it->first);
  }
  for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
    Node& above = nodes_[*it];
    above.listed = true;
    hold({.id = *it, .text = above.name + " (forked)", .ink = Ink::dim, .complete = above.ended}, now_ms);
  }
}

void Account::hold(Line line, std::uint64_t now_ms) {
  line.deadline = now_ms + kHoldMs;
  ++nodes_[line.id].held;
  lines_.push_back(std::move(line));
}

Account::Line* Account::waiting(const std::string& id) {
  const auto it =
      std::find_if(lines_.rbegin(), lines_.rend(), [&](const Line& line) { return line.id == id && !line.complete; });
  return it == lines_.rend() ? nullptr : &*it;
}

std::string Account::release(std::uint64_t now_ms) {
  std::string out;
  while (!lines_.empty() && (lines_.front().complete || lines_.front().deadline <= now_ms)) {
    const Line line = std::move(lines_.front());
    lines_.pop_front();
    out += print(line);
    if (line.id.empty()) continue;
    --nodes_[line.id].held;
    forget(line.id);
  }
  return out;
}

std::string Account::finish() {
  return release(UINT64_MAX);
}

std::optional<std::uint64_t> Account::next_deadline() const {
  if (lines_.empty()) return std::nullopt;
  return lines_.front().deadline;
}

std::string Account::print(const Line& line) {
  if (line.id.empty()) return paint(style_, line.ink, line.text) + '\n';
  const Node& self = nodes_[line.id];
  if (line.closing) {
    if (shown_.size() > self.level && shown_[self.level] == line.id) shown_.resize(self.level);
    return layout(branch(self.level + 1, "└─ "), self, line, "");
  }
  std::string hint;
  const bool implied = self.level == 0 || (shown_.size() >= self.level && shown_[self.level - 1] == self.parent);
  if (const auto above = nodes_.find(self.parent); !implied && above != nodes_.end()) {
    hint = "  (child of " + std::to_string(above->second.pid) + ')';
  }
  shown_.resize(self.level + 1);
  shown_[self.level] = line.id;
  return layout(branch(self.level, "├─ "), self, line, hint);
}

std::string Account::layout(const std::string& prefix, const Node& self, const Line& line,
                            const std::string& hint) const {
  const std::string head = prefix + std::to_string(self.pid) + ' ';
  const std::string duration = line.has_status ? duration_text(line.runtime_ns) : "";
  const std::string status = line.has_status ? status_text(line.status) : "";
  const std::size_t right = line.has_status ? 11 + std::max<std::size_t>(columns(status), 4) : 0;
  const std::size_t used = columns(head) + columns(hint);
  std::string text = line.text;
  std::size_t room = 62;
  if (style_.width > 0) {
    const auto width = static_cast<std::size_t>(style_.width);
    const std::size_t limit = width > right + used + 12 ? width - right - used - 1 : 12;
    text = clip(text, limit);
    room = std::clamp<std::size_t>(width - std::min<std::size_t>(width, 18), 20, 90);
  }
  std::string out = paint(style_, Ink::dim, prefix) + std::to_string(self.pid) + ' ' + paint(style_, line.ink, text) +
                    paint(style_, Ink::dim, hint);
  if (!line.has_status) return out + '\n';
  const std::size_t length = used + columns(text);
  out += std::string(room > length ? room - length : 0, ' ');
  out +=
      std::string(duration.size() < 9 ? 9 - duration.size() : 0, ' ') + ' ' + paint(style_, Ink::dim, duration) + "  ";
  return out + paint(style_, status_ink(line.status), status) + '\n';
}

// An ended process is kept only while something that refers to it is: a line that waits, or a child.
void Account::forget(std::string id) {
  for (auto it = nodes_.find(id); it != nodes_.end(); it = nodes_.find(id)) {
    const Node& self = it->second;
    if (!self.ended || self.held > 0 || self.children > 0) return;
    id = self.parent;
    nodes_.erase(it);
    if (const auto above = nodes_.find(id); above != nodes_.end()) --above->second.children;
  }
}

}  // namespace aa
