#include "control/options.h"

#include <algorithm>

namespace aa {

namespace {

// A caller's own words in a sentence for it, short enough to read.
std::string quoted(const std::string& text) {
  constexpr std::size_t kShown = 64;
  return "'" + (text.size() <= kShown ? text : text.substr(0, kShown) + "…") + "'";
}

std::string join(std::initializer_list<std::string_view> words) {
  std::string line;
  for (const auto word : words) line += (line.empty() ? "" : ", ") + std::string(word);
  return line;
}

}  // namespace

Options::Options(const Dict& dict, std::string_view what, std::initializer_list<std::string_view> known)
    : dict_(dict), what_(what) {
  for (const auto& [key, value] : dict) {
    if (std::ranges::find(known, std::string_view(key)) != known.end()) continue;
    throw Refused(Fault::invalid_argument, "unknown " + what_ + " " + quoted(key) + "; known are: " + join(known));
  }
}

void Options::refuse_type(const std::string& key, const char* shape) const {
  throw Refused(Fault::invalid_argument, "the " + what_ + " '" + key + "' must be " + shape);
}

}  // namespace aa
