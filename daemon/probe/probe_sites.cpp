#include "probe/probe_sites.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "probe/machine_code.h"

namespace aa {
namespace {

constexpr std::size_t kMostElsewhere = 4096;  // instructions that are followed outside of the function
constexpr std::size_t kLongest = 15;          // bytes of an instruction
constexpr std::int32_t kMostDepth = 1 << 16;
// Places that one function's end may have: a library's have ten at most, and each costs the kernel memory, which who
// writes a file must not choose.
constexpr std::size_t kMostEnds = 64;

// What is known of a function as a whole.
struct Code {
  std::vector<Instruction> all;
  std::set<std::int64_t> targets;     // in the function, of jumps and branches from anywhere
  std::vector<std::int64_t> leaving;  // jumps and branches to elsewhere
  bool hides = false;                 // some jump's target is not known, or goes into the middle of an instruction
  bool returns_elsewhere = false;     // code outside of it returns to its caller
  std::vector<std::int64_t> returns;  // those of it that could be followed
  bool lost = false;                  // code outside of it could not be followed; then it hides too

  std::int64_t size() const { return all.back().end(); }
  bool holds(std::int64_t at) const { return at >= 0 && at < size(); }
  // No jump can arrive at `from` to `to`, both included.
  bool is_straight(std::int64_t from, std::int64_t to) const {
    const auto next = targets.lower_bound(from);
    return !hides && (next == targets.end() || *next > to);
  }
};

bool jumps(const Instruction& one) {
  return one.flow == Flow::jump || one.flow == Flow::branch;
}

// A canary's branch is taken by a program that is killed there and then.
bool is_canary(const std::vector<Instruction>& all, std::size_t i) {
  return all[i].flow == Flow::branch && i > 0 && all[i - 1].reads_canary;
}

// Code that the function reaches by jumping out of itself: the part of it that the compiler thought rarely used, or
// another function that ends for it.
void follow_elsewhere(Code& code, const CodeElsewhere& elsewhere) {
  std::vector<std::int64_t> todo = code.leaving;
  std::set<std::int64_t> seen;
  while (!todo.empty()) {
    const std::int64_t at = todo.back();
    todo.pop_back();
    if (code.holds(at)) {
      code.targets.insert(at);
      continue;
    }
    if (!seen.insert(at).second) continue;
    if (elsewhere.is_probed && elsewhere.is_probed(at)) {
      code.returns_elsewhere = true;
      continue;
    }
    const auto bytes = elsewhere.bytes ? elsewhere.bytes(at, kLongest) : std::vector<std::uint8_t>();
    const auto one = decode_instruction(bytes, at);
    if (!one || one->flow == Flow::indirect_jump || seen.size() > kMostElsewhere) {
      code.hides = code.lost = true;
      return;
    }
    if (one->flow == Flow::ret) {
      code.returns_elsewhere = true;
      code.returns.push_back(at);
    }
    if (jumps(*one)) todo.push_back(*one->target);
    if (one->flow != Flow::ret && one->flow != Flow::jump && one->flow != Flow::stop) todo.push_back(one->end());
  }
}

std::optional<Code> read_code(std::span<const std::uint8_t> function, const CodeElsewhere& elsewhere) {
  auto all = decode_function(function);
  if (!all) return std::nullopt;
  Code code;
  code.all = std::move(*all);
  std::set<std::int64_t> beginnings;
  for (std::size_t i = 0; i < code.all.size(); ++i) {
    const Instruction& one = code.all[i];
    beginnings.insert(one.at);
    if (one.flow == Flow::indirect_jump) code.hides = true;
    if (!jumps(one)) continue;
    if (code.holds(*one.target))
      code.targets.insert(*one.target);
    else if (!is_canary(code.all, i))
      code.leaving.push_back(*one.target);
  }
  follow_elsewhere(code, elsewhere);
  code.hides = code.hides || !std::ranges::includes(beginnings, code.targets);
  return code;
}

// ---- the beginning ----

struct Begin {
  ProbePlace place;
  std::string_view name;
};

std::string_view name_of(const Instruction& one) {
  switch (one.flow) {
    case Flow::call:
      return "call";
    case Flow::jump:
      return "jump";
    case Flow::branch:
      return "branch";
    default:
      return one.taken > 0 ? "push" : "nop";
  }
}

// The first instruction that the kernel carries out itself, when every call comes through it once, with its arguments.
std::optional<Begin> early_begin(const Code& code, const ProbeNeeds& needs) {
  std::int32_t depth = 0;
  for (const Instruction& one : code.all) {
    if (one.emulated) {
      const bool once = one.at == 0 || code.is_straight(1, one.at);
      if (!once || depth < 0 || depth > kMostDepth || (depth > 0 && !needs.depths)) return std::nullopt;
      return Begin{{one.at, static_cast<std::uint32_t>(depth)}, name_of(one)};
    }
    if (one.flow != Flow::on || one.loses_stack || (one.writes & needs.arguments) != 0) return std::nullopt;
    depth += one.taken;
  }
  return std::nullopt;
}

// ---- the end ----

// Of one return: the canary's branch before it, when nothing else leads to it and the result is there already.
std::optional<ProbePlace> canary_before(const Code& code, std::size_t ret) {
  std::int32_t depth = 0;
  for (std::size_t i = ret; i-- > 0;) {
    const Instruction& one = code.all[i];
    if (is_canary(code.all, i)) {
      const bool fits = one.emulated && depth >= 0 && depth <= kMostDepth;
      if (!fits || !code.is_straight(one.at, code.all[ret].at)) return std::nullopt;
      return ProbePlace{one.at, static_cast<std::uint32_t>(depth)};
    }
    if (one.flow != Flow::on || one.loses_stack || (one.writes & 1u << kRax) != 0) return std::nullopt;
    depth -= one.taken;
  }
  return std::nullopt;
}

std::optional<std::vector<ProbePlace>> canaries(const Code& code) {
  std::vector<ProbePlace> places;
  if (code.hides || code.returns_elsewhere) return std::nullopt;
  for (std::size_t i = 0; i < code.all.size(); ++i) {
    if (code.all[i].flow != Flow::ret) continue;
    const auto place = canary_before(code, i);
    if (!place) return std::nullopt;
    places.push_back(*place);
  }
  if (places.size() > kMostEnds) return std::nullopt;
  return places.empty() ? std::nullopt : std::optional(std::move(places));
}

// How deep the stack is at each instruction that is reached without a jump to a place that is not known.
std::map<std::int64_t, std::int32_t> depths_of(const Code& code) {
  std::map<std::int64_t, const Instruction*> by_place;
  for (const Instruction& one : code.all) by_place[one.at] = &one;
  std::map<std::int64_t, std::int32_t> depths;
  std::vector<std::pair<std::int64_t, std::int32_t>> todo = {{0, 0}};
  while (!todo.empty()) {
    const auto [at, depth] = todo.back();
    todo.pop_back();
    const auto found = by_place.find(at);
    if (found == by_place.end() || !depths.try_emplace(at, depth).second) continue;
    const Instruction& one = *found->second;
    if (one.loses_stack) continue;
    if (jumps(one)) todo.emplace_back(*one.target, depth);
    const bool goes_on = one.flow == Flow::on || one.flow == Flow::call || one.flow == Flow::branch;
    if (goes_on) todo.emplace_back(one.end(), depth + one.taken);
  }
  return depths;
}

// A jump through a table has the function's own stack still; one with the caller's stack goes to another function.
bool is_switch(const Instruction& one, const std::map<std::int64_t, std::int32_t>& depths) {
  const auto depth = depths.find(one.at);
  return depth != depths.end() && depth->second > 0;
}

bool leads_only_to_probed(const Code& code, const CodeElsewhere& elsewhere) {
  return std::ranges::all_of(code.leaving, [&](std::int64_t at) {
    return code.holds(at) || (elsewhere.is_probed && elsewhere.is_probed(at));
  });
}

// All its returns, or why they are not all known.
std::vector<ProbePlace> returns(const Code& code, const ProbeNeeds& needs, std::string& trouble) {
  std::vector<ProbePlace> places;
  const auto depths = depths_of(code);
  for (const Instruction& one : code.all) {
    if (one.flow == Flow::ret) places.push_back({one.at, 0});
    if (one.flow == Flow::indirect_jump && !is_switch(one, depths))
      trouble = "it ends in a jump that cannot be followed";
  }
  if (code.lost) trouble = "it goes on where it cannot be followed";
  for (const std::int64_t at : code.returns) places.push_back({at, 0, true});
  if (!code.returns.empty() && !needs.begin) trouble = "it ends in another function";  // whose results are no objects
  if (places.empty() && trouble.empty()) trouble = "it has no return";
  return places;
}

// Nothing of it returns by itself.
bool only_goes_on(const Code& code, const CodeElsewhere& elsewhere) {
  return !code.hides && !code.leaving.empty() && leads_only_to_probed(code, elsewhere) &&
         std::ranges::none_of(code.all, [](const Instruction& one) { return one.flow == Flow::ret; });
}

ProbeChoice without_code(const ProbeNeeds& needs) {
  ProbeChoice choice;
  choice.how = "entry";
  if (!needs.end) return choice;
  choice.return_probe = needs.return_probes;
  if (needs.return_probes)
    choice.how += " + return probe";
  else
    choice.trouble = "its code cannot be read";
  return choice;
}

ProbeChoice choose_end(const Code& code, const ProbeNeeds& needs, const std::optional<Begin>& begin) {
  ProbeChoice choice;
  const auto set = [&](const std::optional<Begin>& at, std::string_view end) {
    if (at) choice.begin = at->place;
    choice.how = std::string(at ? at->name : "entry") + " + " + std::string(end);
  };
  if (const auto places = needs.depths ? canaries(code) : std::nullopt) {
    set(begin, "canary");
    choice.ends = *places;
    return choice;
  }
  // A return probe stands where nothing was pushed yet.
  const auto shallow = begin && begin->place.depth == 0 ? begin : std::nullopt;
  std::string trouble;
  auto places = returns(code, needs, trouble);
  const bool cheaper = needs.begin && begin && !shallow && trouble.empty() && code.returns.empty();
  if (needs.return_probes && !cheaper) {
    set(shallow, "return probe");
    choice.return_probe = true;
    return choice;
  }
  set(begin, "returns");
  choice.ends = std::move(places);
  choice.trouble = std::move(trouble);
  if (choice.ends.size() > kMostEnds && choice.trouble.empty()) choice.trouble = "it has too many returns";
  return choice;
}

}  // namespace

ProbeChoice choose_probes(std::span<const std::uint8_t> function, const ProbeNeeds& needs,
                          const CodeElsewhere& elsewhere) {
  const auto code = read_code(function, elsewhere);
  if (!code) return without_code(needs);
  if (only_goes_on(*code, elsewhere)) {
    ProbeChoice choice;
    choice.skip = true;
    choice.how = "goes on to another";
    return choice;
  }
  const auto begin = early_begin(*code, needs);
  if (needs.end) return choose_end(*code, needs, begin);
  ProbeChoice choice;
  if (begin) choice.begin = begin->place;
  choice.how = begin ? begin->name : "entry";
  return choice;
}

}  // namespace aa
