#include "state/command_words.h"

#include <algorithm>

#include "state/command_view.h"

namespace aa {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool contains(const Options& options, std::string_view text) {
  return std::find(options.begin(), options.end(), text) != options.end();
}

std::size_t in_cluster(std::string_view text, const Options& options) {
  if (text.size() < 2 || text[0] != '-' || text[1] == '-') return std::string_view::npos;
  for (std::size_t at = 1; at < text.size() && is_letter(text[at]); ++at) {
    for (const std::string& option : options) {
      if (option.size() == 2 && option[1] == text[at]) return at;
    }
  }
  return std::string_view::npos;
}

std::size_t after_equals(std::string_view text, const Options& options) {
  const std::size_t equals = text.find('=');
  const bool is_one = text.starts_with("--") && equals != std::string_view::npos;
  return is_one && contains(options, text.substr(0, equals)) ? equals + 1 : std::string_view::npos;
}

bool is_option(std::string_view text, const Options& options) {
  return contains(options, text) || after_equals(text, options) != std::string_view::npos;
}

bool takes_next(std::string_view text, const Options& options) {
  return contains(options, text) || in_cluster(text, options) == text.size() - 1;
}

std::string join(const Words& words, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < words.size(); ++i) out += (i == from ? "" : " ") + words[i].text;
  return out;
}

bool is_assignment(std::string_view text) {
  const std::size_t equals = text.find('=');
  return equals != std::string_view::npos && equals > 0 && text[0] != '-' && text.find('/') > equals;
}

bool is_stdin_path(std::string_view path) {
  return path == "-" || path == "/dev/stdin" || path == "/dev/fd/0" || path == "/proc/self/fd/0";
}

std::string file_key(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(path);
}

std::optional<shell::Word> option_value(const Words& words, std::size_t i, const Options& options) {
  const std::string& text = words[i].text;
  if (options.empty()) return std::nullopt;
  shell::Word value = words[i];
  if (const std::size_t equals = after_equals(text, options); equals != std::string::npos) {
    value.text.erase(0, equals);
    return value;
  }
  const std::size_t letter = in_cluster(text, options);
  if (!contains(options, text) && letter == std::string::npos) return std::nullopt;
  if (!contains(options, text) && letter + 1 < text.size()) {
    value.text.erase(0, letter + 1);
    return value;
  }
  if (i + 1 >= words.size()) return std::nullopt;
  return words[i + 1];
}

bool has_option(const Words& words, std::size_t own, const Options& options) {
  for (std::size_t i = 1; i < std::min(own, words.size()); ++i) {
    if (words[i].text == "--") return false;
    if (is_option(words[i].text, options) || in_cluster(words[i].text, options) != std::string::npos) return true;
  }
  return false;
}

}  // namespace aa
