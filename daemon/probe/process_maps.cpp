#include "probe/process_maps.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/file_text.h"

namespace aa {
namespace {

constexpr std::string_view kNewline = "\\012";  // as maps shows one, and what only looks so

// The next word of a line, which loses it and the spaces behind.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return word;
}

template <class Number>
bool parse(std::string_view text, int base, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// "START-END r-xp OFFSET MAJOR:MINOR INODE   NAME"
std::optional<ExecutableMapping> mapping_in(std::string_view line) {
  constexpr unsigned kMinorBits = 20;
  ExecutableMapping mapping;
  const std::string_view range = take_word(line);
  const std::string_view permissions = take_word(line);
  const std::string_view offset = take_word(line);
  const std::string_view device = take_word(line);
  const std::size_t colon = device.find(':');
  std::uint32_t major = 0, minor = 0;
  if (permissions.size() != 4 || permissions[2] != 'x' || colon == std::string_view::npos) return std::nullopt;
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || !parse(range.substr(0, dash), 16, mapping.begin)) return std::nullopt;
  if (!parse(range.substr(dash + 1), 16, mapping.end) || !parse(offset, 16, mapping.offset)) return std::nullopt;
  if (!parse(device.substr(0, colon), 16, major) || !parse(device.substr(colon + 1), 16, minor)) return std::nullopt;
  if (!parse(take_word(line), 10, mapping.ino) || mapping.ino == 0) return std::nullopt;
  mapping.dev = major << kMinorBits | minor;
  mapping.name = line;
  return mapping;
}

std::string hex(std::uint64_t number) {
  std::array<char, 16> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr};
}

}  // namespace

// Its names have no zeros before the numbers, other than maps, which pads them to eight digits: where programs lie that
// cannot be moved (Node, Go).
std::string ExecutableMapping::link(std::uint32_t pid) const {
  return "/proc/" + std::to_string(pid) + "/map_files/" + hex(begin) + "-" + hex(end);
}

ExecutableMappings executable_mappings(std::string_view maps) {
  ExecutableMappings all;
  std::set<std::pair<std::uint32_t, std::uint64_t>> seen;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    auto mapping = mapping_in(maps.substr(0, end));
    maps.remove_prefix(std::min(end + 1, maps.size()));
    if (!mapping || !seen.emplace(mapping->dev, mapping->ino).second) continue;
    if (all.size() >= kMostMapped) mapping->name = {};
    all.push_back(std::move(*mapping));
  }
  return all;
}

ExecutableMappings executable_mappings_of(std::uint32_t pid) {
  return executable_mappings_of(std::vector{pid}).front();
}

std::vector<ExecutableMappings> executable_mappings_of(const std::vector<std::uint32_t>& pids) {
  std::map<std::tuple<std::uint32_t, std::uint64_t, std::string>, std::shared_ptr<const UniqueFd>> open;
  const auto none = std::make_shared<const UniqueFd>();
  std::vector<ExecutableMappings> all;
  for (const std::uint32_t pid : pids) {
    all.push_back(executable_mappings(file_text("/proc/" + std::to_string(pid) + "/maps")));
    std::size_t most = kMostMapped;
    for (ExecutableMapping& mapping : all.back()) {
      mapping.file = none;
      mapping.error = E2BIG;
      if (most == 0) continue;
      --most;
      std::shared_ptr<const UniqueFd>& file = open[{mapping.dev, mapping.ino, mapping.name}];
      if (!file || !*file)
        file = std::make_shared<const UniqueFd>(::open(mapping.link(pid).c_str(), O_PATH | O_CLOEXEC));
      mapping.error = *file ? 0 : errno;
      mapping.file = file;
      if (*file && mapping.name.find(kNewline) != std::string::npos) mapping.name = link_text(link_to(*file));
    }
  }
  return all;
}

}  // namespace aa
