#include "state/command_view.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "state/command_opener.h"

namespace aa {

using shell::Pipeline;
using shell::Redirect;
using shell::Script;
using shell::Stage;
using shell::Word;

CommandView CommandOpener::open(const std::vector<std::string>& argv, std::string_view exe, Families upstream) {
  Words words;
  for (const std::string& argument : argv) words.push_back({argument, {}, false, false});
  exe_ = exe;
  const Indices opened = simple(std::move(words), false);
  feed(opened, upstream, "");
  view_.output = upstream;
  for (const std::size_t index : opened) view_.output |= output_of(index);
  run_environment();
  for (const OpenedCommand& command : view_.commands) view_.text.append(command.text).push_back(' ');
  return std::move(view_);
}

// Variables whose value a shell, or another program, runs by itself.
void CommandOpener::run_environment() {
  for (const char* name : {"BASH_ENV", "ENV", "PROMPT_COMMAND", "PS0", "PS4", "PAGER", "EDITOR", "VISUAL", "LESSOPEN",
                           "GIT_SSH_COMMAND", "GIT_PAGER", "GIT_EDITOR", "BROWSER", "LD_PRELOAD", "LD_AUDIT"}) {
    if (const auto found = variables_.find(name); found != variables_.end()) {
      if (const Families from = made_by(found->second)) view_.flows.push_back({from, kItself, true});
      text(std::string(found->second.text));
    }
  }
}

CommandOpener::Indices CommandOpener::text(std::string_view source) {
  const Script script = shell::parse(source, variables_, budget_);
  return walk(script);
}

CommandOpener::Indices CommandOpener::walk(const Script& script) {
  Indices all;
  if (++depth_ <= kOpenDepthMax) {
    for (const Pipeline& pipeline : script.pipelines) {
      const Indices found = walk_pipeline(pipeline);
      all.insert(all.end(), found.begin(), found.end());
    }
  }
  --depth_;
  return all;
}

CommandOpener::Indices CommandOpener::walk_pipeline(const Pipeline& pipeline) {
  Indices all;
  Families upstream = 0;
  std::string literal;
  for (const Stage& stage : pipeline.stages) {
    if (is_spent()) break;
    const Indices here = stage.group ? walk(*stage.group) : simple(stage.words, false);
    feed(here, upstream, literal);
    redirects(stage, here, upstream);
    const bool inner_echo = stage.group == nullptr;
    literal = inner_echo ? shell::literal_output(stage) : std::string();
    for (const std::size_t index : here) upstream |= output_of(index);
    if (!stage.defines.empty()) functions_[stage.defines] |= upstream;
    give(stage, upstream);
    all.insert(all.end(), here.begin(), here.end());
  }
  return all;
}

// tee >(sh), > >(sh): what a command writes there is read by these.
void CommandOpener::give(const Stage& stage, Families families) {
  const auto to = [&](const Word& word) {
    for (const auto& script : word.given_to) feed(walk(*script), families, "");
  };
  for (const Word& word : stage.words) to(word);
  for (const Redirect& redirect : stage.redirects) to(redirect.target);
}

void CommandOpener::feed(const Indices& commands, Families upstream, const std::string& literal) {
  for (const std::size_t index : commands) {
    const Families to = view_.commands[index].families;
    const bool code = view_.commands[index].stdin_code;
    if (upstream != 0) view_.flows.push_back({upstream, to, code});
    if (upstream != 0) note_copies(view_.commands[index], upstream);
    if (code && !literal.empty()) run_text(index, literal);
  }
}

// tee and dd put what they read into files.
void CommandOpener::note_copies(const OpenedCommand& command, Families upstream) {
  const std::string& name = command.names.empty() ? std::string() : command.names.front();
  if (name != "tee" && name != "dd") return;
  for (const Word& word : command.words)
    written_[file_key(word.text.substr(word.text.starts_with("of=") ? 3 : 0))] |= upstream;
}

void CommandOpener::redirects(const Stage& stage, const Indices& commands, Families upstream) {
  Families own = upstream;
  for (const std::size_t index : commands) own |= output_of(index);
  for (const Redirect& redirect : stage.redirects) {
    const Families made = made_by(redirect.target);
    const bool document = redirect.op.starts_with("<<");
    if (redirect.op.find('>') != std::string::npos && own != 0) written_[file_key(redirect.target.text)] |= own;
    const Families held = made | written(redirect.target.text);
    if (redirect.fd > 2 && held != 0) written_["&" + std::to_string(redirect.fd)] |= held;
    if (!document) view_.redirects.push_back(redirect.op + redirect.target.text);
    for (const std::size_t index : commands) {
      OpenedCommand& command = view_.commands[index];
      if (!document) command.text.append(" ").append(redirect.op).append(redirect.target.text);
      if (redirect.op.front() != '<') continue;
      const std::string source = (redirect.op == "<&" ? "&" : "") + redirect.target.text;
      const Families from = made | (document ? 0 : written(source));
      if (from != 0) view_.flows.push_back({from, command.families, command.stdin_code});
      reads_[index] |= from;
      if (document && command.stdin_code) run_text(index, redirect.target.text);
    }
    if (commands.empty()) add_bare_redirect(redirect);
  }
}

void CommandOpener::add_bare_redirect(const Redirect& redirect) {
  OpenedCommand command;
  command.text = redirect.op + redirect.target.text;
  view_.commands.push_back(std::move(command));
  reads_.push_back(0);
}

Families CommandOpener::written(const std::string& path) const {
  if (path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/")) return kNetwork;
  const auto found = written_.find(file_key(path));
  const auto fetched = fetched_.find(last_component(path));
  return (found == written_.end() ? 0 : found->second) | (fetched == fetched_.end() ? 0 : fetched->second);
}

Families CommandOpener::output_of(std::size_t index) const {
  return view_.commands[index].families | reads_[index];
}

// The families of the commands whose output is part of a word.
Families CommandOpener::made_by(const Word& word) {
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

CommandView view_command(const std::vector<std::string>& argv, std::string_view exe, Families upstream,
                         const DetectTable& table) {
  return CommandOpener(table).open(argv, exe, upstream);
}

}  // namespace aa
