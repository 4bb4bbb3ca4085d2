// config/judge.h: what files say, held against the tables of keys and records.
//
// Comes in: texts, in the order in which the later wins. Goes out: a Config, or everything that is wrong with any of
// them: one thing wrong refuses the whole.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/records.h"
#include "config/rule_files.h"
#include "config/value.h"
#include "state/rule_clashes.h"

namespace aa {

class Judge {
 public:
  void take_text(std::string_view text, const std::string& file);
  void take_override(const std::string& assignment);  // KEY=VALUE
  void blame(Problem problem) { problems_.push_back(std::move(problem)); }

  Loaded verdict();  // reads the rule files that were named

 private:
  struct Place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string text() const { return file + (line == 0 ? "" : ":" + std::to_string(line)); }
  };
  void take_member(const std::string& section, const Member& member);
  void take_key(const std::string& dotted, const Value& value);
  void take_records(const Record& record, const Value& value);
  void take_record(const Record& record, const Value& value);
  void take_fields(const Record& record, const Value::Table& table, const std::string& dotted, Draft& draft,
                   bool& good);
  bool take_field(const Field& field, const Value& value, const std::string& name, Draft& draft);
  using WrongItem = std::optional<std::string> (*)(const std::string& item);
  template <class Row>  // a Key or a Field
  Value::List good_items(const Value::List& list, const Row& row, WrongItem wrong, const std::string& name);
  void blame(const Value& value, std::string key, std::string sentence);
  void note_origin(const std::string& dotted, const Place& place);
  void contradictions();
  void check_detect_table();
  void check_counts();
  Problem problem_at(const std::string& dotted) const;
  static std::string last(const std::string& record, std::size_t count);

  Config config_;
  std::string file_;  // the one being taken
  RuleClashes rules_of_file_;
  std::vector<Problem> rows_;                  // where each of config_.detect.own stands
  std::map<std::string, std::size_t> count_;   // records of each kind, good or bad, of all files
  std::map<std::string, std::size_t> stored_;  // of these the good ones, as Config counts them
  std::map<std::string, Place> places_;
  std::vector<Problem> problems_;
};

}  // namespace aa
