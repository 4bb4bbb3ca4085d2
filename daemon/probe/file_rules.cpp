#include "probe/file_rules.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "abi/filter.h"
#include "base/clock.h"
#include "base/file_text.h"
#include "base/quiet_thread.h"
#include "base/text.h"
#include "probe/given_name.h"

namespace aa {
namespace {

// Room for what is learned while a set is in force: files that globs deny, files that replace others.
constexpr std::uint32_t kRoomToLearn = 16'384;
constexpr std::size_t kMostHeirs = 8;      // changes of rules that a record may be behind and still teach something
constexpr std::size_t kMostUnseen = 1024;  // beyond that a file is known again when its path is used

// False: there is no room for all rules of one file; those that deny come first.
bool add_id(aa_object& object, const PathRules::Object& rule, const std::vector<PathRules::Object>& all) {
  if (rule.denies) object.flags |= AA_OBJECT_DENIES;
  if (rule.watches) object.flags |= AA_OBJECT_WATCHES;
  for (__u32& id : object.id) {
    if (id == rule.id) return true;
    if (id != 0) continue;
    id = rule.id;
    return true;
  }
  const auto gives_way = [&](std::uint32_t id) { return !all[id - 1].denies; };
  if (rule.denies)
    if (auto* place = std::ranges::find_if(object.id, gives_way); place != std::end(object.id)) *place = rule.id;
  return false;
}

// What lies below a folder is meant by rules that name a folder, or end in **.
bool means_what_is_below(const PathRules::Object& rule) {
  return rule.kind == PathRules::Object::Kind::directory ||
         (rule.kind == PathRules::Object::Kind::glob && rule.path.ends_with("**"));
}

// Every entry of a map of objects, read a batch at a time.
template <class Then>
void each_object(int map, Then then) {
  constexpr __u32 kBatch = 4096;
  std::vector<aa_object_key> keys(kBatch);
  std::vector<aa_object> objects(kBatch);
  std::uint64_t place = 0;
  for (void* after = nullptr;; after = &place) {
    __u32 count = kBatch;
    const int error = bpf_map_lookup_batch(map, after, &place, keys.data(), objects.data(), &count, nullptr);
    if (error != 0 && error != -ENOENT) return;  // not seen to happen
    for (__u32 at = 0; at < count; ++at) then(keys[at], objects[at]);
    if (error != 0) return;
  }
}

}  // namespace

struct FileRules::Entries {
  struct LessBytes {
    template <class Key>
    bool operator()(const Key& a, const Key& b) const {
      return std::memcmp(&a, &b, sizeof(Key)) < 0;
    }
  };
  std::map<aa_object_key, aa_object, LessBytes> objects;
  std::map<aa_name_key, aa_object, LessBytes> names;
};

Result<std::unique_ptr<FileRules>> FileRules::make(const FileFamily& family) {
  std::unique_ptr<FileRules> rules(new FileRules(family));
  rules->done_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!rules->done_) return Error{"make an eventfd for the path rules", errno, ""};
  rules->thread_ = quiet_thread([raw = rules.get()] { raw->run(); });
  return rules;
}

FileRules::~FileRules() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_one();
  opener_.stop();
  learner_.stop();
  if (thread_.joinable()) thread_.join();
}

void FileRules::put(const RulesPlan& plan) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({plan, unseen_put_, boot_ns()});
    ++untaken_;
  }
  wanted_.notify_one();
}

std::vector<RulesInForce> FileRules::take() {
  std::uint64_t count = 0;
  (void)!::read(done_.get(), &count, sizeof(count));
  const std::lock_guard lock(mutex_);
  std::vector<RulesInForce> out(finished_.begin(), finished_.end());
  finished_.clear();
  untaken_ -= out.size();
  return out;
}

bool FileRules::has_untaken() {
  const std::lock_guard lock(mutex_);
  return untaken_ > 0;
}

// What is learned late is learned by what the set after it calls the rule.
bool FileRules::is_due(const Waiting& waiting) const {
  constexpr std::uint64_t kWaits = 1'000'000'000;
  return waiting.after <= unseen_done_ || waiting.boot_ns + kWaits <= boot_ns();
}

void FileRules::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return !waiting_.empty() || !unseen_.empty() || ending_; });
    if (ending_) return;
    if (!unseen_.empty() && (waiting_.empty() || !is_due(waiting_.front()))) {
      LearnPlan plan = std::move(unseen_.front());
      unseen_.pop_front();
      lock.unlock();
      look_at(std::move(plan));
      lock.lock();
      ++unseen_done_;
      continue;
    }
    const RulesPlan plan = std::move(waiting_.front().plan);
    waiting_.pop_front();
    lock.unlock();
    const Status applied = apply(plan.rules);
    lock.lock();
    RulesInForce done{plan.token, boot_ns(), plan.rules->generation(), std::nullopt};
    if (!applied) done.refusal = Refusal{Fault::map_failed, applied.error().text()};
    finished_.push_back(std::move(done));
    const std::uint64_t one = 1;
    (void)!::write(done_.get(), &one, sizeof(one));
  }
}

// ---- what the kernel calls a path
// ----------------------------------------------------------------------------------

bool FileRules::ask(PatientOpen& opener, const std::vector<std::string>& paths,
                    std::unordered_map<std::string, Identity>& known, const PatientOpen::Open& how) {
  const auto use = [&](std::size_t begin, const std::vector<UniqueFd>& open) {
    aa_learned* rows = family_.learn_rows();
    std::memset(rows, 0, sizeof(*rows) * AA_LEARN_MAX);
    std::vector<const std::string*> named;
    for (std::size_t at = 0; at < open.size(); ++at) {
      if (!open[at]) continue;  // does not exist yet: its name in its folder stands for it
      rows[named.size()].fd = static_cast<__u32>(open[at].get());
      named.push_back(&paths[begin + at]);
    }
    LIBBPF_OPTS(bpf_test_run_opts, options);
    if (named.empty() || bpf_prog_test_run_opts(family_.learn_program_fd(), &options) != 0) return;
    for (std::size_t at = 0; at < named.size(); ++at)
      if (rows[at].is_known != 0)
        known[*named[at]] = {rows[at].ino, rows[at].dev, rows[at].inode_generation, S_ISDIR(rows[at].mode)};
  };
  return opener.open(paths, AA_LEARN_MAX - 1, use, how);
}

void FileRules::add(aa_object& entry, const Object& object, const PathRules& rules) const {
  if (!add_id(entry, object, rules.objects())) family_.count_unlearned();
}

void FileRules::collect(const PathRules& rules, Entries& entries) {
  std::vector<std::string> paths;
  for (const Object& object : rules.objects()) {
    if (object.kind == Object::Kind::glob) continue;
    paths.push_back(object.path);
    if (object.kind == Object::Kind::file) paths.push_back(folder_of(object.path));
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::unordered_map<std::string, Identity> known;
  ask(opener_, paths, known);
  for (const Object& object : rules.objects()) {
    if (object.kind == Object::Kind::glob) continue;
    const bool folder = object.kind == Object::Kind::directory;
    if (const auto found = known.find(object.path); found != known.end()) {
      const Identity& id = found->second;
      aa_object& entry = entries.objects[{id.ino, id.dev, folder ? AA_OBJECT_DIRECTORY : AA_OBJECT_FILE}];
      entry.inode_generation = id.inode_generation;
      add(entry, object, rules);
    }
    const auto parent = folder ? known.end() : known.find(folder_of(object.path));
    if (parent == known.end()) continue;
    aa_name_key name{};
    const std::string_view last = last_component(object.path);
    name.ino = parent->second.ino;
    name.dev = parent->second.dev;
    name.length = static_cast<__u32>(last.size());
    std::memcpy(name.name, last.data(), std::min<std::size_t>(last.size(), AA_RULE_NAME));
    add(entries.names[name], object, rules);
  }
}

FileRules::Heirs FileRules::heirs_of(const Slot& before, const PathRules& rules) {
  if (before.rules == nullptr) return {};
  std::map<std::pair<Object::Kind, std::string_view>, std::vector<std::uint32_t>> known;
  for (const Object& object : rules.objects()) known[{object.kind, object.path}].push_back(object.id);
  Heirs heirs(before.rules->objects().size() + 1);
  for (const Object& object : before.rules->objects())
    if (const auto found = known.find({object.kind, object.path}); found != known.end())
      heirs[object.id] = found->second;
  return heirs;
}

// What was learned while the set before was in force stays learned, under those of its rules that are still there: a
// file that was moved away from its rule's name has nothing else to be known by.
void FileRules::carry_over(const Slot& before, const PathRules& rules, const Heirs& heirs, Entries& entries) const {
  if (heirs.empty()) return;
  std::uint32_t room = kRoomToLearn / 2;
  each_object(before.objects.get(), [&](const aa_object_key& key, const aa_object& learned) {
    aa_object carried{};
    carried.inode_generation = learned.inode_generation;
    const auto known = entries.objects.find(key);
    if (known != entries.objects.end() && known->second.inode_generation != learned.inode_generation) return;
    aa_object& entry = known != entries.objects.end() ? known->second : carried;
    for (const __u32 id : learned.id)
      if (id < heirs.size())
        for (const std::uint32_t heir : heirs[id]) add(entry, rules.objects()[heir - 1], rules);
    if (known != entries.objects.end() || carried.id[0] == 0 || room == 0) return;
    --room;
    entries.objects.emplace(key, carried);
  });
}

// What programs learned by the set before until the very end.
void FileRules::carry_late(const Slot& before, const Heirs& heirs, const Slot& slot, const Entries& early) {
  Entries late = early;
  carry_over(before, *slot.rules, heirs, late);
  for (const auto& [key, object] : late.objects) {
    const auto known = early.objects.find(key);
    if (known != early.objects.end() && std::memcmp(&known->second, &object, sizeof(object)) == 0) continue;
    const std::lock_guard lock(mutex_);
    for (const std::uint32_t id : object.id)
      if (id != 0) learn_in(slot, key, object.inode_generation, slot.rules->objects()[id - 1]);
  }
}

// ---- into the maps
// ---------------------------------------------------------------------------------------------------

Status FileRules::fill(const Entries& entries, Slot& slot) {
  const auto sized = [](std::size_t entries) { return static_cast<std::uint32_t>(entries); };
  slot.objects = family_.make_inner(FileFamily::kRuleObjects, sized(entries.objects.size() + kRoomToLearn));
  slot.names = family_.make_inner(FileFamily::kRuleNames, sized(entries.names.size() + 1));
  if (!slot.objects || !slot.names) return Error{"make the maps of a set of path rules", errno, ""};
  for (const auto& [key, object] : entries.objects)
    if (bpf_map_update_elem(slot.objects.get(), &key, &object, BPF_ANY) != 0)
      return Error{"fill the map of path rules", errno, ""};
  for (const auto& [key, object] : entries.names)
    if (bpf_map_update_elem(slot.names.get(), &key, &object, BPF_ANY) != 0)
      return Error{"fill the map of path rules' names", errno, ""};
  return Done{};
}

// Setting a slot returns once no program uses what was in it; programs that still judge by the present generation use
// the other one.
Status FileRules::apply(const std::shared_ptr<const PathRules>& rules) {
  if (rules->generation() != generation_ + 1)
    return Error{"the set of path rules before this one was refused, and this one was made from it", 0, "try again"};
  Entries entries;
  collect(*rules, entries);
  const Slot& before = slots_[generation_ & 1];
  Heirs heirs = heirs_of(before, *rules);
  carry_over(before, *rules, heirs, entries);
  Slot slot;
  slot.rules = rules;
  if (Status filled = fill(entries, slot); !filled) return filled;
  const auto which = static_cast<__u32>(rules->generation() & 1);
  for (const auto& [outer, inner] :
       {std::pair(FileFamily::kRuleObjects, &slot.objects), std::pair(FileFamily::kRuleNames, &slot.names)})
    if (Status put = family_.put_inner(outer, which, *inner); !put) return put;
  {
    const std::lock_guard lock(mutex_);
    slots_[which] = std::move(slot);
    heirs_.push_back(std::move(heirs));
    if (heirs_.size() > kMostHeirs) heirs_.pop_front();
    generation_ = rules->generation();
    __atomic_store_n(&family_.settings().generation, generation_, __ATOMIC_SEQ_CST);
  }
  carry_late(before, heirs_.back(), slots_[which], entries);
  return Done{};
}

void FileRules::look_at(LearnPlan plan) {
  std::unordered_map<std::string, Identity> known;
  const auto refused = std::make_shared<std::atomic<bool>>(false);
  const auto open_name = [plan, refused](const std::string& path) {
    GivenName given = open_given(path, plan.root, plan.boot_ns);
    *refused = given.refused;
    return std::move(given.file);
  };
  if (!ask(learner_, {plan.path}, known, open_name) || *refused) return family_.count_unlearned();
  const auto found = known.find(plan.path);
  if (found == known.end()) return family_.count_unlearned();
  plan.ino = found->second.ino;
  plan.dev = found->second.dev;
  plan.inode_generation = found->second.inode_generation;
  learn_as(plan, found->second.is_folder ? AA_OBJECT_DIRECTORY : AA_OBJECT_FILE);
}

void FileRules::learn(const LearnPlan& plan) {
  if (plan.path.empty()) {
    learn_as(plan, AA_OBJECT_FILE);
    if (plan.is_folder) learn_as(plan, AA_OBJECT_DIRECTORY);
    return;
  }
  if (plan.foreign) return family_.count_unlearned();  // here the name is another file's
  const std::lock_guard lock(mutex_);
  if (unseen_.size() >= kMostUnseen) return family_.count_unlearned();
  unseen_.push_back(plan);
  ++unseen_put_;
  wanted_.notify_one();
}

void FileRules::learn_as(const LearnPlan& plan, std::uint32_t kind) {
  const std::lock_guard lock(mutex_);
  const Slot& slot = slots_[generation_ & 1];
  if (slot.rules == nullptr || plan.object == 0) return;
  const auto ids = now_called(plan.object, plan.generation);
  if (!ids) return family_.count_unlearned();
  for (const std::uint32_t id : *ids) {
    const Object& rule = slot.rules->objects()[id - 1];
    learn_in(slot, {plan.ino, plan.dev, means_what_is_below(rule) ? kind : AA_OBJECT_FILE}, plan.inode_generation,
             rule);
  }
}

// The objects that an object of an older set is by the rules in force; none when its rule is gone, nullopt when nobody
// remembers.
std::optional<std::vector<std::uint32_t>> FileRules::now_called(std::uint32_t object, std::uint64_t generation) const {
  if (generation > generation_ || generation_ - generation > heirs_.size()) return std::nullopt;
  std::vector<std::uint32_t> ids{object};
  for (std::size_t set = heirs_.size() - (generation_ - generation); set < heirs_.size(); ++set) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t id : ids)
      if (id < heirs_[set].size()) next.insert(next.end(), heirs_[set][id].begin(), heirs_[set][id].end());
    ids = std::move(next);
  }
  return ids;
}

void FileRules::learn_in(const Slot& slot, const aa_object_key& key, std::uint32_t inode_generation,
                         const Object& rule) const {
  aa_object object{};
  if (bpf_map_lookup_elem(slot.objects.get(), &key, &object) != 0 || object.inode_generation != inode_generation)
    object = {};
  object.inode_generation = inode_generation;
  add(object, rule, *slot.rules);
  if (bpf_map_update_elem(slot.objects.get(), &key, &object, BPF_ANY) != 0) family_.count_unlearned();
}

}  // namespace aa
