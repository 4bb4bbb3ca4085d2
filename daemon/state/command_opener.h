// state/command_opener.h: how a command line is opened. Private to the files of command_view.h.
//
// command_view.cpp: scripts, pipelines, redirections; command_open.cpp: one command, its names, the files it makes;
// command_wrappers.cpp: programs that run another one; command_runners.cpp: programs that take code.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "state/command_view.h"
#include "state/command_words.h"

namespace aa {

inline constexpr std::size_t kCommandsMax = 2048;
inline constexpr int kOpenDepthMax = 48;
inline constexpr std::size_t kWorkMax = 4 * 1024 * 1024;  // bytes of all commands' words, and 32 for each word

class CommandOpener {
 public:
  explicit CommandOpener(const DetectTable& table) : table_(table) {}

  CommandView open(const std::vector<std::string>& argv, std::string_view exe, Families upstream);

 private:
  using Indices = std::vector<std::size_t>;  // of view_.commands

  // Scripts: what all their commands are.
  Indices text(std::string_view source);
  Indices walk(const shell::Script& script);
  Indices walk_pipeline(const shell::Pipeline& pipeline);
  // What the stages before hand to these commands.
  void feed(const Indices& commands, Families upstream, const std::string& literal);
  void give(const shell::Stage& stage, Families families);
  void note_copies(const OpenedCommand& command, Families upstream);
  void redirects(const shell::Stage& stage, const Indices& commands, Families upstream);
  void add_bare_redirect(const shell::Redirect& redirect);
  void run_environment();
  Families written(const std::string& path) const;
  Families output_of(std::size_t index) const;
  Families made_by(const shell::Word& word);

  // A simple command, and those it leads to; `feeds`: what it is given on standard input becomes its arguments.
  Indices simple(Words words, bool feeds);
  // The rest is not opened: what argv leads to is more than anybody writes.
  bool is_spent() const { return view_.commands.size() > kCommandsMax || depth_ > kOpenDepthMax || work_ > kWorkMax; }
  Families families_of(const std::string& name, const Words& words) const;
  void name_command(OpenedCommand& command);
  void note_written(const OpenedCommand& command, Families reads);

  const Wrapper* wrapper_of(const OpenedCommand& command) const;
  Indices unwrap(const Wrapper& wrapper, const Words& words, std::size_t at, bool feeds);
  Indices split(const shell::Word& line, const Words& words, std::size_t i, bool feeds);

  const Runner* runner_of(const OpenedCommand& command) const;
  Indices run(const Runner& runner, const Words& words, std::size_t at, bool feeds);
  void run_texts(const Words& words);
  void run_text_options(const Runner& runner, const Words& words);
  void set_parameters(const Words& words, const Words& parameters);
  Indices run_code(std::size_t at, const shell::Word& code, bool shell);
  void run_text(std::size_t at, const std::string& source);
  void note_redirects(std::string_view code);

  const DetectTable& table_;
  CommandView view_;
  std::vector<Families> reads_;  // beside commands: of the files they read that were written before
  std::string exe_;
  shell::Variables variables_;
  shell::Budget budget_;
  std::map<std::string, Families, std::less<>> written_;
  std::map<std::string, Families, std::less<>> fetched_;    // last components of addresses: the folder is not known
  std::map<std::string, Families, std::less<>> functions_;  // what they write
  std::map<const shell::Script*, Families> made_;
  std::vector<std::shared_ptr<const shell::Script>> kept_;  // made_ goes by their addresses
  int depth_ = 0;
  std::size_t work_ = 0;
};

}  // namespace aa
