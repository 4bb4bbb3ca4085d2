// state/command_wrappers.cpp: programs that run another one: where in their arguments it stands.
#include "state/command_opener.h"

namespace aa {

using shell::Script;
using shell::Word;

const Wrapper* CommandOpener::wrapper_of(const OpenedCommand& command) const {
  for (const std::string& name : command.names) {
    const auto found = table_.wrappers.find(name);
    if (found != table_.wrappers.end()) return &found->second;
  }
  return nullptr;
}

CommandOpener::Indices CommandOpener::unwrap(const Wrapper& wrapper, const Words& words, std::size_t at, bool feeds) {
  Indices all;
  const auto add = [&](const Indices& more) { all.insert(all.end(), more.begin(), more.end()); };
  for (std::size_t i = 1; i < words.size() && !is_spent(); ++i) {
    if (contains(wrapper.exec_options, words[i].text)) {
      std::size_t end = i + 1;
      while (end < words.size() && words[end].text != ";" && words[end].text != "+") ++end;
      add(simple(
          Words(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.begin() + static_cast<std::ptrdiff_t>(end)),
          feeds));
    }
    if (const auto script = option_value(words, i, wrapper.script_options)) return run_code(at, *script, true);
  }
  if (!wrapper.exec_options.empty()) return all;
  std::size_t i = 1;
  for (; i < words.size(); ++i) {
    const std::string& text = words[i].text;
    if (const auto line = option_value(words, i, wrapper.split_options)) return split(*line, words, i, feeds);
    if (text == "--" || text == ":::") {
      ++i;
      break;
    }
    if (is_option(text, wrapper.stop_options)) return all;
    if (wrapper.assignments && is_assignment(text)) {
      const std::size_t equals = text.find('=');
      variables_[text.substr(0, equals)] = {text.substr(equals + 1), words[i].made_by, false, false};
      continue;
    }
    if (text.size() < 2 || text[0] != '-') break;
    if (takes_next(text, wrapper.value_options)) ++i;
  }
  view_.commands[at].own = i;
  i += wrapper.positionals;
  while (wrapper.positionals > 0 && i < words.size() && words[i].text.starts_with('-'))
    i += takes_next(words[i].text, wrapper.value_options) ? 2 : 1;
  if (i >= words.size() || is_spent()) return all;
  Words rest(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  if (wrapper.first) return run_code(at, rest.front(), true);
  if (!wrapper.joined) return simple(std::move(rest), feeds || wrapper.feeds);
  Word line{join(rest, 0), {}, false, false};
  for (const Word& word : rest) line.made_by.insert(line.made_by.end(), word.made_by.begin(), word.made_by.end());
  return run_code(at, line, true);
}

// env -S "bash -c …": the text becomes words, what follows are further ones.
CommandOpener::Indices CommandOpener::split(const Word& line, const Words& words, std::size_t i, bool feeds) {
  const Script script = shell::parse(line.text, variables_, budget_);
  if (script.pipelines.empty() || script.pipelines[0].stages.empty()) return {};
  Words all = {words[0]};
  const Words& first = script.pipelines[0].stages[0].words;
  all.insert(all.end(), first.begin(), first.end());
  const std::size_t next = words[i].text.size() == line.text.size() || words[i].text.size() == 2 ? i + 2 : i + 1;
  for (std::size_t rest = next; rest < words.size(); ++rest) all.push_back(words[rest]);
  return simple(std::move(all), feeds);
}

}  // namespace aa
