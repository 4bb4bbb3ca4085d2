// state/command_runners.cpp: programs that take code: shells, interpreters, and those that hide commands in arguments.
#include <algorithm>
#include <iterator>

#include "state/command_opener.h"

namespace aa {

using shell::Word;

namespace {

// Code of other languages that hands a text to a shell or another program.
bool hands_to_shell(std::string_view code) {
  static constexpr std::string_view kCalls[] = {"system", "popen", "subprocess",   "exec", "spawn",
                                                "qx",     "`",     "check_output", "%x"};
  return std::any_of(std::begin(kCalls), std::end(kCalls),
                     [&](std::string_view call) { return code.find(call) != std::string_view::npos; });
}

struct Code {
  std::vector<Word> inline_code;
  std::vector<Word> files;  // named by an option
  Word operand;
  Words module_words;  // -m: its name and what it is given
  Words parameters;
  std::size_t own = 0;  // words before the operand
  bool has_operand = false;
  bool reads_stdin = false;
  bool never = false;  // only looked at, not run
};

Code code_of(const Runner& runner, const Words& words) {
  Code code;
  code.own = words.size();
  bool pending = false;  // a shell's -c: its text is the first operand
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& text = words[i].text;
    if (!runner.shell && contains(runner.inline_options, text) && text[0] != '-' && i + 1 < words.size()) {
      code.inline_code.push_back(words[i + 1]);  // deno eval TEXT
      break;
    }
    const bool is_word = text.size() < 2 || (text[0] != '-' && !(runner.shell && text[0] == '+'));
    if (is_word || text == "--") {
      code.own = i;
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
    if (const auto file = option_value(words, i, runner.file_options)) {
      code.files.push_back(*file);
      code.reads_stdin = code.reads_stdin || (file->made_by.empty() && is_stdin_path(file->text));
      if (i + 1 < words.size() && file->text == words[i + 1].text) ++i;
      continue;
    }
    if (runner.shell) {
      code.never = text[0] == '-' && (code.never || contains(runner.never_options, text));
      pending = pending || contains(runner.inline_options, text) ||
                in_cluster(text, runner.inline_options) != std::string::npos;
      code.reads_stdin = code.reads_stdin || in_cluster(text, {"-s"}) != std::string::npos;
    } else if (const auto value = option_value(words, i, runner.inline_options)) {
      code.inline_code.push_back(*value);
      if (i + 1 < words.size() && value->text == words[i + 1].text) ++i;
      continue;
    } else if (option_value(words, i, runner.module_options)) {
      code.module_words.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      code.own = i + 1;
      break;
    }
    if (takes_next(text, runner.value_options)) ++i;
  }
  return code;
}

// $(cat): what the command itself reads becomes part of its text.
bool copies_input(const Word& code) {
  return std::any_of(code.made_by.begin(), code.made_by.end(), [](const auto& script) {
    if (script->pipelines.size() != 1 || script->pipelines[0].stages.size() != 1) return false;
    const shell::Stage& stage = script->pipelines[0].stages[0];
    const bool reads = stage.words.size() == 1 && stage.words[0].text == "cat";
    const bool redirected = !stage.redirects.empty() && !is_stdin_path(stage.redirects[0].target.text);
    return (reads && !redirected) || (stage.words.size() == 2 && is_stdin_path(stage.words[1].text));
  });
}

// Below xargs: is what was read run, rather than handed to a program as an argument?
bool runs_input(const Code& code) {
  if (code.inline_code.empty()) return true;
  const std::string& text = code.inline_code.front().text;
  return text.starts_with("{}") || text.starts_with("$") || text.find("eval") != std::string::npos;
}

}  // namespace

const Runner* CommandOpener::runner_of(const OpenedCommand& command) const {
  for (const Runner& runner : table_.runners) {
    if ((runner.family & command.families) != 0) return &runner;
  }
  return nullptr;
}

CommandOpener::Indices CommandOpener::run(const Runner& runner, const Words& words, std::size_t at, bool feeds) {
  const Code code = code_of(runner, words);
  OpenedCommand& command = view_.commands[at];
  const bool from_stdin = code.has_operand && code.operand.made_by.empty() && is_stdin_path(code.operand.text);
  const bool none = code.inline_code.empty() && !code.has_operand && code.module_words.empty() &&
                    (runner.shell || code.files.empty());
  if (!runner.texts) command.own = code.own;
  if (code.never) return {};
  command.stdin_code = code.reads_stdin || from_stdin || none || (feeds && runner.shell && runs_input(code));
  if (command.stdin_code && runner.shell) command.families |= kStdinShell;
  if (code.has_operand && !from_stdin) command.operand = code.operand.text;
  const Families own = command.families;
  Words files = code.files;
  if (code.has_operand && !runner.texts) files.push_back(code.operand);
  for (const Word& file : files) {
    const Families from = (file.fed ? made_by(file) : 0) | written(file.text);
    if (from != 0) view_.flows.push_back({from, own, true});
  }
  if (runner.texts) run_texts(words);
  run_text_options(runner, words);
  Indices all;
  if (!code.module_words.empty()) all = simple(code.module_words, false);
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

// Shell text that an option hands over: -o ProxyCommand=TEXT, --eval=TEXT.
void CommandOpener::run_text_options(const Runner& runner, const Words& words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto value = option_value(words, i, runner.text_options);
    if (!value) continue;
    const std::size_t name = value->text.substr(0, value->text.find_first_of(" '\"")).rfind('=');
    text(value->text.substr(name == std::string::npos ? 0 : name + 1));
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
  if (copies_input(code)) view_.commands[at].stdin_code = true;
  if (shell) return text(code.text);
  note_redirects(code.text);
  if (!hands_to_shell(code.text)) return {};
  for (const std::string& quoted : shell::quoted_strings(code.text)) text(quoted);
  return {};  // their output is this command's own affair
}

// Redirections that code of another language may hold, in a text that nothing else opens.
void CommandOpener::note_redirects(std::string_view code) {
  constexpr std::size_t kMost = 256, kLongest = 256;
  for (std::size_t found = 0; found < kMost; ++found) {
    const std::size_t at = code.find_first_of("<>");
    if (at == std::string_view::npos) return;
    code.remove_prefix(at);
    const std::size_t op = std::min(code.size(), code.find_first_not_of("<>&"));
    const std::size_t begin = std::min(code.size(), code.find_first_not_of(' ', op));
    const std::size_t end = std::min({code.size(), code.find_first_of(" '\"`)\n", begin), begin + kLongest});
    view_.redirects.push_back(std::string(code.substr(0, op)).append(code.substr(begin, end - begin)));
    code.remove_prefix(op);
  }
}

void CommandOpener::run_text(std::size_t at, const std::string& source) {
  const Runner* runner = runner_of(view_.commands[at]);
  view_.commands[at].text.append(" ").append(source.substr(0, 65'536));
  run_code(at, {source, {}, false, false}, runner != nullptr && runner->shell);
}

}  // namespace aa
