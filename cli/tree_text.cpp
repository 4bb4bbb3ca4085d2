// cli/tree_text.cpp: see tree_text.h.
#include "tree_text.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"

namespace aa {
namespace {

using nlohmann::json;

std::string process_line(const json& process, const std::string& prefix, const Style& style) {
  const std::int64_t exit = signed_of(process, "exit");
  std::string head = std::to_string(number_of(process, "pid")) + ' ';
  std::string end;
  if (exit != -1) {
    const std::uint64_t from = number_of(process, "start_ns");
    const std::uint64_t to = number_of(process, "exit_ns");
    end = "  " + (to > from ? duration_text(to - from) + "  " : std::string()) + status_text(exit);
  }
  std::string text = command_line(process);
  if (style.width > 0) {
    const std::size_t used = columns(prefix) + head.size() + columns(end) + 1;
    const auto width = static_cast<std::size_t>(style.width);
    text = clip(text, width > used + 12 ? width - used : 12);
  }
  return paint(style, Ink::dim, prefix) + head + paint(style, exit == -1 ? Ink::bold : Ink::dim, text) +
         paint(style, status_ink(exit), end) + '\n';
}

struct Step {
  std::size_t process;
  std::string prefix;  // of this line
  std::string below;   // of the lines below it
};

}  // namespace

std::string tree_text(const std::vector<json>& processes, const Style& style) {
  std::unordered_map<std::string, std::size_t> by_id;
  for (std::size_t i = 0; i < processes.size(); ++i) by_id.emplace(text_of(processes[i], "id"), i);
  std::vector<std::vector<std::size_t>> children(processes.size());
  std::vector<Step> steps;  // a stack: a chain of processes may be deeper than ours
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const auto parent = by_id.find(text_of(processes[i], "parent_id"));
    if (parent == by_id.end() || parent->second == i) {
      steps.push_back({i, "", ""});
    } else {
      children[parent->second].push_back(i);
    }
  }
  std::reverse(steps.begin(), steps.end());
  std::string text;
  while (!steps.empty()) {
    const Step step = std::move(steps.back());
    steps.pop_back();
    text += process_line(processes[step.process], step.prefix, style);
    const auto& below = children[step.process];
    for (std::size_t i = below.size(); i-- > 0;) {
      const bool last = i + 1 == below.size();
      steps.push_back({below[i], step.below + (last ? "└─ " : "├─ "), step.below + (last ? "   " : "│  ")});
    }
  }
  return text;
}

std::string ancestry_text(const std::vector<json>& processes, const Style& style) {
  std::string text;
  for (auto it = processes.rbegin(); it != processes.rend(); ++it) text += process_line(*it, "", style);
  return text;
}

}  // namespace aa
