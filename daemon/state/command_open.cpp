// state/command_open.cpp: one simple command: what it goes by, what it leads to, which files it makes.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "state/command_opener.h"

namespace aa {

using shell::Word;

Families CommandOpener::families_of(const std::string& name, const Words& words) const {
  Families families = 0;
  const auto found = table_.programs.find(name);
  if (found == table_.programs.end()) return 0;
  for (const Membership& membership : found->second) {
    if (membership.with_options.empty() || has_option(words, words.size(), membership.with_options))
      families |= membership.family;
  }
  return families;
}

void CommandOpener::name_command(OpenedCommand& command) {
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
    const std::string_view pattern = last_component(program.text);
    const bool says_something = std::any_of(pattern.begin(), pattern.end(), is_letter);
    for (const auto& [name, memberships] : table_.programs) {
      if (says_something && matches_glob(pattern, name)) command.names.push_back(name);
    }
  }
  for (const std::string& name : command.names) command.families |= families_of(name, command.words);
  if (const auto function = functions_.find(program.text); function != functions_.end())
    command.families |= function->second;
  if (program.text.starts_with('$')) command.families |= kVariable;
  if (command.families == 0 && program.text.find('/') != std::string::npos) command.families |= kItself;
}

CommandOpener::Indices CommandOpener::simple(Words words, bool feeds) {
  if (words.empty() || is_spent()) return {};
  ++depth_;
  OpenedCommand command;
  command.words = std::move(words);
  command.own = command.words.size();
  command.text = join(command.words, 0);
  work_ += command.text.size() + 32 * command.words.size();
  name_command(command);
  Families reads = 0, made = made_by(command.words.front());
  if (made != 0) view_.flows.push_back({made, kItself, true});
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    const Families read = made_by(command.words[i]);
    reads |= written(command.words[i].text) | (command.words[i].fed ? read : 0);
  }
  const std::size_t at = view_.commands.size();  // substitutions added theirs
  if (const Families self = written(command.words.front().text)) view_.flows.push_back({self, kItself, true});
  note_written(command, reads);
  const Wrapper* wrapper = wrapper_of(command);
  const Runner* runner = wrapper == nullptr ? runner_of(command) : nullptr;
  if (reads != 0 && wrapper == nullptr) view_.flows.push_back({reads, command.families & ~kVariable, false});
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
void CommandOpener::note_written(const OpenedCommand& command, Families reads) {
  static const Options kOutput = {"-o", "-O", "--output", "--output-document", "-out"};
  const Words& words = command.words;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& text = words[i].text;
    if (command.families != 0 && contains(kOutput, words[i - 1].text)) written_[file_key(text)] |= command.families;
    if (const std::size_t value = after_equals(text, kOutput); value != std::string::npos)
      written_[file_key(text.substr(value))] |= command.families;
    if (command.families != 0 && text.size() > 2 && text.starts_with("-o"))
      written_[file_key(text.substr(2))] |= command.families;
    if (command.families != 0 && text.find("://") != std::string::npos && !text.ends_with('/'))
      fetched_[std::string(last_component(text))] |= command.families;
    if (text.starts_with("of=") && reads != 0) written_[file_key(text.substr(3))] |= reads;
  }
  static const Options kCopies = {"cp", "mv", "install", "ln"};
  if (reads != 0 && contains(kCopies, command.names.front())) written_[file_key(words.back().text)] |= reads;
}

}  // namespace aa
