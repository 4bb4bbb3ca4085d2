// state/command_runners.cpp: programs that take code: shells, interpreters, and those that hide commands in arguments.
#include <algorithm>
#include <iterator>

#include "state/command_opener.h"

namespace aa {

using shell::Word;

namespace {

// Code of other languages that hands a text to a shell or another program.
bool hands_to_shell(std::string_view code) {
  static constexpr std::string_view kCalls[] = {"system", "popen", "subprocess", "exec",
                                                "spawn",  "qx",    "`",          "check_output"};
  return std::any_of(std::begin(kCalls), std::end(kCalls),
                     [&](std::string_view call) { return code.find(call) != std::string_view::npos; });
}

struct Code {
  std::vector<Word> inline_code;
  Word operand;
  Words parameters;
  bool has_operand = false;
  bool has_module = false;
  bool reads_stdin = false;
};

Code code_of(const Runner& runner, const Words& words) {
  Code code;
  bool pending = false;  // a shell's -c: its text is the first operand
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& text = words[i].text;
    const bool is_word = text.size() < 2 || (text[0] != '-' && !(runner.shell && text[0] == '+'));
    if (is_word || text == "--") {
      if (text == "--" && ++i >= words.size()) break;
      if (!pending && text == "-") {
        if (code.inline_code.empty()) code.reads_stdin = true;
      } else if (pending) {
        code.inline_code.push_back(words[i]);
        code.parameters.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      } else if (code.inline_code.empty()) {
        code.operand = words[i];
        code.has_operand = true;
      }
      break;
    }
    if (runner.shell) {
      pending = pending || contains(runner.inline_options, text) ||
                in_cluster(text, runner.inline_options) != std::string::npos;
      code.reads_stdin = code.reads_stdin || in_cluster(text, {"-s"}) != std::string::npos;
    } else if (const auto value = option_value(words, i, runner.inline_options)) {
      code.inline_code.push_back(*value);
      if (i + 1 < words.size() && value->text == words[i + 1].text) ++i;
      continue;
    } else if (option_value(words, i, runner.module_options)) {
      code.has_module = true;
      break;
    }
    if (contains(runner.value_options, text)) ++i;
  }
  return code;
}

// Below xargs: is what was read run, rather than handed to a program as an argument?
bool runs_input(const Code& code) {
  if (code.inline_code.empty()) return true;
  const std::string& text = code.inline_code.front().text;
  return text.starts_with("{}") || text.starts_with("$") || text.find("eval") != std::string::npos;
}

}  // namespace

const Runner* CommandOpener::runner_of(const Command& command) const {
  for (const Runner& runner : table_.runners) {
    if ((runner.family & command.families) != 0) return &runner;
  }
  return nullptr;
}

CommandOpener::Indices CommandOpener::run(const Runner& runner, const Words& words, std::size_t at, bool feeds) {
  const Code code = code_of(runner, words);
  Command& command = view_.commands[at];
  const bool from_stdin = code.has_operand && code.operand.made_by.empty() && is_stdin_path(code.operand.text);
  const bool none = code.inline_code.empty() && !code.has_operand && !code.has_module;
  if (runner.texts) run_texts(words);
  if (runner.texts) return {};
  command.stdin_code = code.reads_stdin || from_stdin || none || (feeds && runner.shell && runs_input(code));
  if (command.stdin_code && runner.shell) command.families |= kStdinShell;
  if (code.has_operand && !from_stdin) command.operand = code.operand.text;
  const Families own = command.families;
  if (code.has_operand) {
    const Families from = (code.operand.fed ? made_by(code.operand) : 0) | written(code.operand.text);
    if (from != 0) view_.flows.push_back({from, own, true});
  }
  Indices all;
  if (runner.shell && !code.inline_code.empty()) set_parameters(words, code.parameters);
  for (const Word& word : code.inline_code) {
    const Indices found = run_code(at, word, runner.shell);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

// Commands within arguments: system("COMMAND"), x=COMMAND, :!COMMAND.
void CommandOpener::run_texts(const Words& words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& argument = words[i].text;
    if (hands_to_shell(argument)) {
      for (const std::string& quoted : shell::quoted_strings(argument)) text(quoted);
    }
    const std::size_t sign = argument.find_first_of("=!");
    if (sign != std::string::npos && !argument.starts_with("--"))
      text(argument.substr(std::min(argument.size(), argument.find_first_not_of("=!", sign))));
  }
}

void CommandOpener::set_parameters(const Words& words, const Words& parameters) {
  Word all{join(parameters, std::min<std::size_t>(1, parameters.size())), {}, false, false};
  for (std::size_t i = 0; i < parameters.size() && i < 10; ++i) variables_[std::to_string(i)] = parameters[i];
  if (parameters.empty()) variables_["0"] = words[0];
  variables_["@"] = all;
}

// Text that a command runs: its own, and what made it flows into it.
CommandOpener::Indices CommandOpener::run_code(std::size_t at, const Word& code, bool shell) {
  const Families own = view_.commands[at].families;
  if (const Families from = made_by(code)) view_.flows.push_back({from, own | kItself, true});
  if (shell) return text(code.text);
  if (!hands_to_shell(code.text)) return {};
  for (const std::string& quoted : shell::quoted_strings(code.text)) text(quoted);
  return {};  // their output is this command's own affair
}

void CommandOpener::run_text(std::size_t at, const std::string& source) {
  const Runner* runner = runner_of(view_.commands[at]);
  view_.commands[at].text.append(" ").append(source.substr(0, 65'536));
  run_code(at, {source, {}, false, false}, runner != nullptr && runner->shell);
}

}  // namespace aa
