#include "state/command_view.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace aa {
namespace {

using shell::Pipeline;
using shell::Redirect;
using shell::Script;
using shell::Stage;
using shell::Word;

constexpr std::size_t kCommandsMax = 2048;
constexpr int kDepthMax = 48;

using Words = std::vector<Word>;
using Options = std::vector<std::string>;
using Indices = std::vector<std::size_t>;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool contains(const Options& options, std::string_view text) {
  return std::find(options.begin(), options.end(), text) != options.end();
}

// Where in `text` the letter of a short option of `options` stands in a cluster; npos: nowhere.
std::size_t in_cluster(std::string_view text, const Options& options) {
  if (text.size() < 2 || text[0] != '-' || text[1] == '-') return std::string_view::npos;
  for (std::size_t at = 1; at < text.size() && is_letter(text[at]); ++at) {
    for (const std::string& option : options) {
      if (option.size() == 2 && option[1] == text[at]) return at;
    }
  }
  return std::string_view::npos;
}

// "--x=value" of one of `options`: where the value begins; npos: it is none of them.
std::size_t after_equals(std::string_view text, const Options& options) {
  const std::size_t equals = text.find('=');
  const bool is_one = text.starts_with("--") && equals != std::string_view::npos;
  return is_one && contains(options, text.substr(0, equals)) ? equals + 1 : std::string_view::npos;
}

bool is_option(std::string_view text, const Options& options) {
  return contains(options, text) || after_equals(text, options) != std::string_view::npos;
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

// Code of other languages that hands a text to a shell or another program.
bool hands_to_shell(std::string_view code) {
  static constexpr std::string_view kCalls[] = {"system", "popen", "subprocess", "exec",
                                                "spawn",  "qx",    "`",          "check_output"};
  return std::any_of(std::begin(kCalls), std::end(kCalls),
                     [&](std::string_view call) { return code.find(call) != std::string_view::npos; });
}

class Opener {
 public:
  explicit Opener(const DetectTable& table) : table_(table) {}

  CommandView open(const std::vector<std::string>& argv, std::string_view exe) {
    Words words;
    for (const std::string& argument : argv) words.push_back({argument, {}, false, false});
    exe_ = exe;
    if (!words.empty()) simple(std::move(words), false);
    run_environment();
    for (const Command& command : view_.commands) view_.text.append(command.text).push_back(' ');
    return std::move(view_);
  }

 private:
  // Variables whose value a shell, or another program, runs by itself.
  void run_environment() {
    for (const char* name : {"BASH_ENV", "ENV", "PROMPT_COMMAND", "PS0", "PS4", "PAGER", "EDITOR", "VISUAL", "LESSOPEN",
                             "GIT_SSH_COMMAND", "GIT_PAGER", "GIT_EDITOR", "BROWSER"}) {
      if (const auto found = variables_.find(name); found != variables_.end()) text(std::string(found->second.text));
    }
  }

  // ---- scripts ----

  Indices text(std::string_view source) {
    const Script script = shell::parse(source, variables_, budget_);
    return walk(script);
  }

  Indices walk(const Script& script) {
    Indices all;
    if (++depth_ <= kDepthMax) {
      for (const Pipeline& pipeline : script.pipelines) {
        const Indices found = walk_pipeline(pipeline);
        all.insert(all.end(), found.begin(), found.end());
      }
    }
    --depth_;
    return all;
  }

  Indices walk_pipeline(const Pipeline& pipeline) {
    Indices all;
    Families upstream = 0;
    std::string literal;
    for (const Stage& stage : pipeline.stages) {
      if (view_.commands.size() > kCommandsMax) break;
      const Indices here = stage.group ? walk(*stage.group) : simple(stage.words, false);
      feed(here, upstream, literal);
      redirects(stage, here, upstream);
      const bool inner_echo = stage.group == nullptr;
      literal = inner_echo ? shell::literal_output(stage) : std::string();
      for (const std::size_t index : here) upstream |= output_of(index);
      all.insert(all.end(), here.begin(), here.end());
    }
    return all;
  }

  // What the stages before hand to these commands.
  void feed(const Indices& commands, Families upstream, const std::string& literal) {
    for (const std::size_t index : commands) {
      const Families to = view_.commands[index].families;
      const bool code = view_.commands[index].stdin_code;
      if (upstream != 0) view_.flows.push_back({upstream, to, code});
      if (upstream != 0) note_copies(view_.commands[index], upstream);
      if (code && !literal.empty()) run_text(index, literal);
    }
  }

  // tee and dd put what they read into files.
  void note_copies(const Command& command, Families upstream) {
    const std::string& name = command.names.empty() ? std::string() : command.names.front();
    if (name != "tee" && name != "dd") return;
    for (const Word& word : command.words)
      written_[file_key(word.text.substr(word.text.starts_with("of=") ? 3 : 0))] |= upstream;
  }

  void redirects(const Stage& stage, const Indices& commands, Families upstream) {
    Families own = upstream;
    for (const std::size_t index : commands) own |= output_of(index);
    for (const Redirect& redirect : stage.redirects) {
      const Families made = made_by(redirect.target);
      const bool document = redirect.op.starts_with("<<");
      if (redirect.op.find('>') != std::string::npos && own != 0) written_[file_key(redirect.target.text)] |= own;
      if (redirect.fd > 2 && made != 0) written_["&" + std::to_string(redirect.fd)] |= made;
      for (const std::size_t index : commands) {
        Command& command = view_.commands[index];
        if (!document) command.text.append(" ").append(redirect.op).append(redirect.target.text);
        if (redirect.op.front() != '<') continue;
        const std::string source = (redirect.op == "<&" ? "&" : "") + redirect.target.text;
        const Families from = made | (document ? 0 : written(source));
        if (from != 0) view_.flows.push_back({from, command.families, command.stdin_code});
        if (document && command.stdin_code) run_text(index, redirect.target.text);
      }
      if (commands.empty()) add_bare_redirect(redirect);
    }
  }

  void add_bare_redirect(const Redirect& redirect) {
    Command command;
    command.text = redirect.op + redirect.target.text;
    view_.commands.push_back(std::move(command));
    reads_.push_back(0);
  }

  // ---- commands ----

  Families written(const std::string& path) const {
    const auto found = written_.find(file_key(path));
    return found == written_.end() ? 0 : found->second;
  }

  Families output_of(std::size_t index) const { return view_.commands[index].families | reads_[index]; }

  // The families of the commands whose output is part of a word.
  Families made_by(const Word& word) {
    Families all = 0;
    for (const auto& script : word.made_by) {
      const auto [at, is_new] = made_.try_emplace(script.get(), 0);
      if (is_new) {
        kept_.push_back(script);
        Families families = 0;
        for (const std::size_t index : walk(*script)) families |= output_of(index);
        made_[script.get()] = families;
      }
      all |= made_[script.get()];
    }
    return all;
  }

  Families families_of(const std::string& name, const Words& words) const {
    Families families = 0;
    const auto found = table_.programs.find(name);
    if (found == table_.programs.end()) return 0;
    for (const Membership& membership : found->second) {
      if (membership.with_options.empty() || has_option(words, membership.with_options)) families |= membership.family;
    }
    return families;
  }

  void name_command(Command& command) {
    const Word& program = command.words.front();
    command.names.push_back(program_name(program.text, table_));
    // The first command's file says more than its argv[0], which anybody may choose; but not of a many-in-one program.
    const std::string real = exe_.empty() ? std::string() : program_name(std::exchange(exe_, {}), table_);
    const bool many = real == "busybox" || real == "toybox";
    const bool known = table_.programs.contains(real) || table_.wrappers.contains(real);
    if (known && !many) command.names = {real};
    if (many && !table_.programs.contains(command.names[0]) && !table_.wrappers.contains(command.names[0]))
      command.names = {real};
    if (program.pattern) {
      const std::string_view pattern = std::string_view(program.text).substr(program.text.rfind('/') + 1);
      const bool says_something = std::any_of(pattern.begin(), pattern.end(), is_letter);
      for (const auto& [name, memberships] : table_.programs) {
        if (says_something && matches_glob(pattern, name)) command.names.push_back(name);
      }
    }
    for (const std::string& name : command.names) command.families |= families_of(name, command.words);
    if (program.text.starts_with('$')) command.families |= kVariable;
    if (command.families == 0 && program.text.find('/') != std::string::npos) command.families |= kItself;
  }

  const Wrapper* wrapper_of(const Command& command) const {
    for (const std::string& name : command.names) {
      const auto found = table_.wrappers.find(name);
      if (found != table_.wrappers.end()) return &found->second;
    }
    return nullptr;
  }

  const Runner* runner_of(const Command& command) const {
    for (const Runner& runner : table_.runners) {
      if ((runner.family & command.families) != 0) return &runner;
    }
    return nullptr;
  }

  // A simple command, and those it leads to; `feeds`: what it is given on standard input becomes its arguments.
  Indices simple(Words words, bool feeds) {
    if (words.empty() || view_.commands.size() > kCommandsMax || depth_ > kDepthMax) return {};
    ++depth_;
    Command command;
    command.words = std::move(words);
    command.text = join(command.words, 0);
    name_command(command);
    Families reads = 0, made = made_by(command.words.front());
    if (made != 0) view_.flows.push_back({made, kItself, true});
    for (std::size_t i = 1; i < command.words.size(); ++i) {
      made_by(command.words[i]);
      reads |= written(command.words[i].text);
    }
    const std::size_t at = view_.commands.size();  // substitutions added theirs
    if (const Families self = written(command.words.front().text)) view_.flows.push_back({self, kItself, true});
    note_written(command, reads);
    const Wrapper* wrapper = wrapper_of(command);
    const Runner* runner = wrapper == nullptr ? runner_of(command) : nullptr;
    const Words own = command.words;
    view_.commands.push_back(std::move(command));
    reads_.push_back(reads);
    Indices all = {at};
    const auto add = [&](const Indices& more) { all.insert(all.end(), more.begin(), more.end()); };
    if (wrapper != nullptr) add(unwrap(*wrapper, own, at, feeds));
    if (runner != nullptr) add(run(*runner, own, at, feeds));
    --depth_;
    return all;
  }

  // Files that a command names as its output, or copies.
  void note_written(const Command& command, Families reads) {
    static const Options kOutput = {"-o", "-O", "--output", "--output-document", "-out"};
    const Words& words = command.words;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string& text = words[i].text;
      if (command.families != 0 && contains(kOutput, words[i - 1].text)) written_[file_key(text)] |= command.families;
      if (const std::size_t value = after_equals(text, kOutput); value != std::string::npos)
        written_[file_key(text.substr(value))] |= command.families;
      if (command.families != 0 && text.size() > 2 && text.starts_with("-o"))
        written_[file_key(text.substr(2))] |= command.families;
      if (command.families != 0 && text.find("://") != std::string::npos)
        written_[text.substr(text.rfind('/') + 1)] |= command.families;
      if (text.starts_with("of=") && reads != 0) written_[file_key(text.substr(3))] |= reads;
    }
    static const Options kCopies = {"cp", "mv", "install", "ln"};
    if (reads != 0 && contains(kCopies, command.names.front())) written_[file_key(words.back().text)] |= reads;
  }

  // ---- wrappers ----

  Indices unwrap(const Wrapper& wrapper, const Words& words, std::size_t at, bool feeds) {
    Indices all;
    const auto add = [&](const Indices& more) { all.insert(all.end(), more.begin(), more.end()); };
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (is_option(words[i].text, wrapper.stop_options)) return all;
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
      if (text == "--") {
        ++i;
        break;
      }
      if (wrapper.assignments && is_assignment(text)) {
        const std::size_t equals = text.find('=');
        variables_[text.substr(0, equals)] = {text.substr(equals + 1), words[i].made_by, false, false};
        continue;
      }
      if (text.size() < 2 || text[0] != '-') break;
      if (contains(wrapper.value_options, text)) ++i;
    }
    i += wrapper.positionals;
    if (i >= words.size()) return all;
    Words rest(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
    if (wrapper.first) return run_code(at, rest.front(), true);
    if (!wrapper.joined) return simple(std::move(rest), feeds || wrapper.feeds);
    Word line{join(rest, 0), {}, false, false};
    for (const Word& word : rest) line.made_by.insert(line.made_by.end(), word.made_by.begin(), word.made_by.end());
    return run_code(at, line, true);
  }

  // The value of words[i] when it is one of `options`: behind "=", attached, or the next word.
  static std::optional<Word> option_value(const Words& words, std::size_t i, const Options& options) {
    const std::string& text = words[i].text;
    if (options.empty()) return std::nullopt;
    Word value = words[i];
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

  // env -S "bash -c …": the text becomes words, what follows are further ones.
  Indices split(const Word& line, const Words& words, std::size_t i, bool feeds) {
    const Script script = shell::parse(line.text, variables_, budget_);
    if (script.pipelines.empty() || script.pipelines[0].stages.empty()) return {};
    Words all = {words[0]};
    const Words& first = script.pipelines[0].stages[0].words;
    all.insert(all.end(), first.begin(), first.end());
    const std::size_t next = words[i].text.size() == line.text.size() || words[i].text.size() == 2 ? i + 2 : i + 1;
    for (std::size_t rest = next; rest < words.size(); ++rest) all.push_back(words[rest]);
    return simple(std::move(all), feeds);
  }

  // ---- runners ----

  struct Code {
    std::vector<Word> inline_code;
    Word operand;
    Words parameters;
    bool has_operand = false;
    bool has_module = false;
    bool reads_stdin = false;
  };

  static Code code_of(const Runner& runner, const Words& words) {
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
  static bool runs_input(const Code& code) {
    if (code.inline_code.empty()) return true;
    const std::string& text = code.inline_code.front().text;
    return text.starts_with("{}") || text.starts_with("$") || text.find("eval") != std::string::npos;
  }

  Indices run(const Runner& runner, const Words& words, std::size_t at, bool feeds) {
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
    if (runner.shell) set_parameters(words, code);
    for (const Word& word : code.inline_code) {
      const Indices found = run_code(at, word, runner.shell);
      all.insert(all.end(), found.begin(), found.end());
    }
    return all;
  }

  // Commands within arguments: system("COMMAND"), x=COMMAND, :!COMMAND.
  void run_texts(const Words& words) {
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

  void set_parameters(const Words& words, const Code& code) {
    if (code.inline_code.empty()) return;
    Word all{join(code.parameters, std::min<std::size_t>(1, code.parameters.size())), {}, false, false};
    for (std::size_t i = 0; i < code.parameters.size() && i < 10; ++i)
      variables_[std::to_string(i)] = code.parameters[i];
    if (code.parameters.empty()) variables_["0"] = words[0];
    variables_["@"] = all;
  }

  // Text that a command runs: its own, and what made it flows into it.
  Indices run_code(std::size_t at, const Word& code, bool shell) {
    const Families own = view_.commands[at].families;
    if (const Families from = made_by(code)) view_.flows.push_back({from, own | kItself, true});
    if (shell) return text(code.text);
    if (!hands_to_shell(code.text)) return {};
    for (const std::string& quoted : shell::quoted_strings(code.text)) text(quoted);
    return {};  // their output is this command's own affair
  }

  void run_text(std::size_t at, const std::string& source) {
    const Runner* runner = runner_of(view_.commands[at]);
    view_.commands[at].text.append(" ").append(source.substr(0, 65'536));
    run_code(at, {source, {}, false, false}, runner != nullptr && runner->shell);
  }

  const DetectTable& table_;
  CommandView view_;
  std::vector<Families> reads_;  // beside commands: of the files they read that were written before
  std::string exe_;
  shell::Variables variables_;
  shell::Budget budget_;
  std::map<std::string, Families, std::less<>> written_;
  std::map<const Script*, Families> made_;
  std::vector<std::shared_ptr<const Script>> kept_;  // made_ goes by their addresses
  int depth_ = 0;
};

}  // namespace

CommandView view_command(const std::vector<std::string>& argv, std::string_view exe, const DetectTable& table) {
  return Opener(table).open(argv, exe);
}

bool has_option(const std::vector<shell::Word>& words, const std::vector<std::string>& options) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].text == "--") return false;
    if (is_option(words[i].text, options) || in_cluster(words[i].text, options) != std::string::npos) return true;
  }
  return false;
}

}  // namespace aa
