#include "state/process_text.h"

#include <algorithm>
#include <utility>

namespace aa {
namespace {

// A short string lives inside its object; a longer one has an allocation of its own.
std::size_t cost_of(const std::string& text) {
  constexpr std::size_t kObject = sizeof(std::string);
  constexpr std::size_t kInside = 15;
  constexpr std::size_t kAllocation = 16;
  return kObject + (text.size() > kInside ? text.capacity() + kAllocation : 0);
}

std::size_t cost_of(const ProcessText& text) {
  std::size_t cost = sizeof(text) + cost_of(text.exe) + cost_of(text.cwd);
  for (const std::string& argument : text.argv) cost += cost_of(argument);
  return cost;
}

// True when something had to go.
bool cut(std::vector<std::string>& argv, std::size_t room) {
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (argv[i].size() < room) {
      room -= argv[i].size() + 1;  // with its NUL, so that empty elements cannot be endless
      continue;
    }
    argv[i].resize(std::min(argv[i].size(), room));
    argv[i].shrink_to_fit();
    argv.resize(i + 1);
    return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<const ProcessText> TextBudget::make(std::string exe, std::string cwd, std::vector<std::string> argv,
                                                    bool truncated) {
  truncated |= cut(argv, over() ? std::min(kShortBytes, limits_.argv_bytes) : limits_.argv_bytes);
  argv.shrink_to_fit();
  auto text = std::make_unique<ProcessText>(ProcessText{std::move(exe), std::move(cwd), std::move(argv), truncated});
  const std::size_t cost = cost_of(*text);
  *used_ += cost;
  return {text.release(), [used = used_, cost](const ProcessText* gone) {
            *used -= cost;
            delete gone;
          }};
}

}  // namespace aa
