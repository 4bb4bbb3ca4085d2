#include "config/judge.h"

#include <algorithm>
#include <set>

#include "config/keys.h"
#include "config/nearest.h"
#include "config/override.h"
#include "state/discovery.h"

namespace aa {
namespace {

std::string_view section_of(std::string_view dotted) {
  const std::size_t dot = dotted.find('.');
  return dot == std::string_view::npos ? std::string_view() : dotted.substr(0, dot);
}

std::vector<std::string> dotted_names() {
  std::vector<std::string> out;
  for (const Key& key : all_keys()) out.push_back(key.dotted());
  for (const Record& record : all_records()) out.emplace_back(record.dotted);
  return out;
}

// What may stand outside any section: sections, and records that belong to none.
std::vector<std::string> top_names() {
  std::vector<std::string> out;
  for (const std::string& dotted : dotted_names()) {
    const std::string_view section = section_of(dotted);
    std::string name(section.empty() ? std::string_view(dotted) : section);
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

const Record* find_record(std::string_view dotted) {
  const auto records = all_records();
  const auto found = std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.dotted == dotted; });
  return found == records.end() ? nullptr : &*found;
}

// Keys of the section it stands in: [watched] limitt means watched.limit, not log.level.
std::string unknown_in(const std::string& section, const std::string& name) {
  std::vector<std::string> known = dotted_names();
  std::erase_if(known, [&](const std::string& dotted) { return section_of(dotted) != section; });
  return "is not a key; the nearest is " + nearest(section + "." + name, known);
}

// Without a section, the bare name is all there is to go by.
std::string outside(const std::string& name) {
  const std::vector<std::string> known = dotted_names();
  const auto bare = [](std::string_view dotted) { return dotted.substr(dotted.find('.') + 1); };
  const auto best = std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    const std::string_view start = std::string_view(name).substr(0, 64);
    return distance(start, bare(a)) < distance(start, bare(b));
  });
  return "stands outside any section; the nearest key is " + *best;
}

// All of them are texts.
std::vector<std::string> texts_of(const Value::List& list) {
  std::vector<std::string> out;
  for (const Value& item : list) out.push_back(std::get<std::string>(item.held));
  return out;
}

bool fits(Field::Type type, const Value& value) {
  if (type == Field::Type::integer) return std::holds_alternative<std::int64_t>(value.held);
  if (type == Field::Type::text) return std::holds_alternative<std::string>(value.held);
  return std::holds_alternative<Value::List>(value.held);
}

std::string wrong_type(const Field& field, std::string_view got) {
  const char* wanted = field.type == Field::Type::integer ? "an integer"
                       : field.type == Field::Type::text  ? "a string"
                                                          : "a list of strings";
  return std::string("wants ") + wanted + " (" + std::string(field.allowed) + "), not " + std::string(got);
}

// How many names or users the kernel looks for, at most.
std::size_t looked_for_by(const TargetWish& wish) {
  if (wish.by == TargetWish::By::user) return 1;
  if (wish.by != TargetWish::By::exe) return 0;
  return wish.leads_to.empty() ? 1 : 2;
}

}  // namespace

void Judge::take_text(std::string_view text, const std::string& file) {
  file_ = file;
  rules_of_file_ = {};
  config_.files.push_back(file);
  Read read = file.ends_with(".json") ? read_json(text, file) : read_toml(text, file);
  for (Problem& problem : read.problems) blame(std::move(problem));
  const auto top = top_names();
  for (const Member& member : std::get<Value::Table>(read.root.held)) {
    const bool known = std::find(top.begin(), top.end(), member.name) != top.end();
    const auto* table = std::get_if<Value::Table>(&member.value.held);
    if (const Record* record = find_record(member.name)) {
      take_records(*record, member.value);
    } else if (known && table != nullptr) {
      for (const Member& inner : *table) take_member(member.name, inner);
    } else if (known) {
      blame(member.value, member.name, "is a section and holds keys; it cannot have a value of its own");
    } else if (table != nullptr) {
      blame(member.value, member.name, "is not a section; the nearest is " + nearest(member.name, top));
    } else {
      blame(member.value, member.name, outside(member.name));
    }
  }
}

void Judge::take_member(const std::string& section, const Member& member) {
  const std::string dotted = section + "." + member.name;
  if (const Record* record = find_record(dotted)) return take_records(*record, member.value);
  if (find_key(dotted) != nullptr) return take_key(dotted, member.value);
  blame(member.value, dotted, unknown_in(section, member.name));
}

void Judge::take_key(const std::string& dotted, const Value& value) {
  const Key& key = *find_key(dotted);
  std::optional<std::string> refusal;
  if (const auto* number = std::get_if<std::int64_t>(&value.held)) {
    refusal = store(key, *number, config_);
  } else if (const auto* text = std::get_if<std::string>(&value.held)) {
    refusal = store(key, *text, config_);
  } else if (const auto* list = std::get_if<Value::List>(&value.held)) {
    const auto* wants = std::get_if<ListKey>(&key.type);
    refusal = wants == nullptr ? wrong_type(key, value.kind())
                               : store(key, texts_of(good_items(*list, key, wants->wrong, dotted)), config_);
  } else {
    refusal = wrong_type(key, value.kind());
  }
  if (refusal) return blame(value, dotted, *refusal);
  note_origin(dotted, {file_, value.line, value.column});
}

// Each item that is wrong is told, at its own place; the others are judged further.
template <class Row>
Value::List Judge::good_items(const Value::List& list, const Row& row, WrongItem wrong, const std::string& name) {
  Value::List good;
  std::set<std::string> known;
  for (const Value& item : list) {
    const auto* text = std::get_if<std::string>(&item.held);
    if (text == nullptr)
      blame(item, name, wrong_type(row, "a list with " + item.kind()));
    else if (auto sentence = wrong(*text))
      blame(item, name, *sentence);
    else if (!known.insert(*text).second)
      blame(item, name, "has " + toml_text(*text) + " twice");
    else
      good.push_back(item);
  }
  return good;
}

// The later wins; who wants to know sees over what.
void Judge::note_origin(const std::string& dotted, const Place& place) {
  const auto before = places_.find(dotted);
  const bool over = before != places_.end();
  config_.origin[dotted] = place.text() + (over ? ", over " + before->second.text() : "");
  places_[dotted] = place;
}

void Judge::take_records(const Record& record, const Value& value) {
  const std::string name(record.dotted);
  const auto* list = std::get_if<Value::List>(&value.held);
  if (list == nullptr)
    return blame(value, name, "comes in any number: write it as [[" + name + "]], in JSON as a list of objects");
  for (const Value& item : *list) take_record(record, item);
}

void Judge::take_record(const Record& record, const Value& value) {
  const std::string dotted =
      std::string(record.dotted) + "[" + std::to_string(count_[std::string(record.dotted)]++) + "]";
  const auto* table = std::get_if<Value::Table>(&value.held);
  if (table == nullptr) return blame(value, dotted, "wants a table of fields, not " + value.kind());
  Draft draft;
  bool good = true;
  take_fields(record, *table, dotted, draft, good);
  if (!good) return;
  if (record.dotted == "paths.rules")
    if (auto clash = rules_of_file_.add(draft.rule, value.line)) return blame(value, dotted, *clash);
  std::size_t& stored = stored_[std::string(record.dotted)];
  const std::string known = std::string(record.dotted) + "[" + std::to_string(stored) + "]";
  places_[known] = {file_, value.line, value.column};
  config_.origin[known] = places_[known].text();
  const std::size_t rows = config_.detect.own.size();
  if (auto wrong = record.store(std::move(draft), config_))
    blame(value, dotted, *wrong);
  else
    ++stored;
  if (config_.detect.own.size() > rows) rows_.push_back({file_, value.line, value.column, dotted + ".row", ""});
}

void Judge::take_fields(const Record& record, const Value::Table& table, const std::string& dotted, Draft& draft,
                        bool& good) {
  for (const Member& member : table) {
    const auto& fields = record.fields;
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const Field& one) { return one.name == member.name; });
    const std::string name = dotted + "." + member.name;
    if (field == fields.end()) {
      std::vector<std::string> known;
      for (const Field& one : fields) known.emplace_back(one.name);
      good = false;
      blame(member.value, name, "is not a field; the nearest is " + nearest(member.name, known));
    } else if (!take_field(*field, member.value, name, draft)) {
      good = false;
    }
  }
}

bool Judge::take_field(const Field& field, const Value& value, const std::string& name, Draft& draft) {
  const std::size_t before = problems_.size();
  const auto* list = std::get_if<Value::List>(&value.held);
  std::optional<std::string> wrong;
  if (!fits(field.type, value)) {
    wrong = wrong_type(field, value.kind());
  } else if (list != nullptr) {
    Value::List good = good_items(*list, field, field.wrong, name);
    if (list->empty() || !good.empty()) wrong = field.set({std::move(good), value.line, value.column}, draft);
  } else {
    wrong = field.set(value, draft);
  }
  if (wrong) blame(value, name, *wrong);
  return problems_.size() == before;
}

void Judge::take_override(const std::string& assignment) {
  if (auto wrong = override_config(assignment, config_)) return blame({"--set " + assignment, 0, 0, "", *wrong});
  places_[assignment.substr(0, assignment.find('='))] = {"--set " + assignment};
}

void Judge::blame(const Value& value, std::string key, std::string sentence) {
  blame({file_, value.line, value.column, std::move(key), std::move(sentence)});
}

// Values that are each fine alone.
void Judge::contradictions() {
  Config::Watched& watched = config_.watched;
  const bool given = places_.contains("watched.share");
  if (!given) watched.share = std::min(watched.share, watched.limit);  // what nobody gave is never more than the limit
  if (watched.share <= watched.limit) return;
  const Place& place = places_["watched.share"];
  blame({place.file, place.line, place.column, "watched.share",
         "is " + std::to_string(watched.share) + ", more than watched.limit, which is " +
             std::to_string(watched.limit) + "; give share at most that"});
}

// All rows together: one may name a family that another one, of another file, has made.
void Judge::check_detect_table() {
  if (config_.detect.own.empty()) return;
  const auto changed = change_detect_table(shipped_detect_table(), detect_change_of(config_));
  const auto* problems = std::get_if<std::vector<DetectProblem>>(&changed);
  if (problems == nullptr) return;
  for (const DetectProblem& one : *problems) {
    Problem problem = rows_[one.row];
    problem.sentence = "cannot be used: " + one.what;
    blame(std::move(problem));
  }
}

// Where something was said; else the main file as a whole.
Problem Judge::problem_at(const std::string& dotted) const {
  const auto place = places_.find(dotted);
  if (place != places_.end()) return {place->second.file, place->second.line, place->second.column, "", ""};
  return {config_.files.empty() ? "" : config_.files.front(), 0, 0, "", ""};
}

std::string Judge::last(const std::string& record, std::size_t count) {
  return record + "[" + std::to_string(count - 1) + "]";
}

// What is more than can be in force, told before it is tried.
void Judge::check_counts() {
  if (std::string wrong = check_room(config_.paths.rules); !wrong.empty()) {
    const bool includes = places_.contains("paths.include");
    Problem problem = problem_at(includes ? "paths.include" : last("paths.rules", config_.paths.own.size()));
    problem.key = "paths";
    problem.sentence = "says too much with the shipped rules and those of files: " + wrong;
    blame(std::move(problem));
  }
  const auto agents = parse_agents(config_.discovery.agents);
  const auto* names = std::get_if<std::vector<std::string>>(&agents);
  std::size_t looked_for = names == nullptr ? 0 : names->size();
  for (const TargetWish& wish : config_.targets) looked_for += looked_for_by(wish);
  if (looked_for <= kLookedForMax) return;
  Problem problem = problem_at(last("targets", config_.targets.size()));
  problem.key = "targets";
  problem.sentence = "has programs and users that make " + std::to_string(looked_for) +
                     " with discovery.agents; at most " + std::to_string(kLookedForMax) + " are looked for";
  blame(std::move(problem));
}

Loaded Judge::verdict() {
  const bool limit_in_doubt = !problems_.empty() && !places_.contains("watched.limit");
  if (!limit_in_doubt) contradictions();
  check_detect_table();
  load_path_rules(config_, problem_at("paths.include"), problems_);
  check_counts();
  if (problems_.empty()) return std::move(config_);
  return std::move(problems_);
}

}  // namespace aa
