// probe/file_rules.h: brings a set of path rules into the kernel: objects by device and inode, names by their folder.
//
// Comes in: compiled sets, in the order of their generations, and single files found later. Goes out: completions. A
// thread has each path opened, asks the kernel what it is, fills the maps of the idle slot and then tells the
// generation: no program ever sees half a set.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "probe/file_family.h"
#include "probe/patient_open.h"
#include "state/plan.h"

struct aa_object_key;
struct aa_object;
struct aa_name_key;

namespace aa {

class FileRules {
 public:
  static Result<std::unique_ptr<FileRules>> make(const FileFamily& family);
  ~FileRules();

  // Queued; done_fd() becomes readable when some set is in force, and take() says which.
  void put(const RulesPlan& plan);
  int done_fd() const { return done_.get(); }
  std::vector<RulesInForce> take();
  bool has_untaken();  // something was put that take() has not given back yet

  // At once; by a path: soon.
  void learn(const LearnPlan& plan);

  // Paths that could not be looked at, since it was last asked: their rules go by the path alone.
  std::vector<std::string> take_unanswered() { return opener_.take_unanswered(); }

 private:
  using Object = PathRules::Object;
  struct Identity {
    std::uint64_t ino = 0;
    std::uint32_t dev = 0;
    std::uint32_t inode_generation = 0;
    bool is_folder = false;
  };
  struct Entries;
  struct Slot {
    UniqueFd objects;
    UniqueFd names;
    std::shared_ptr<const PathRules> rules;
  };

  struct Waiting {
    RulesPlan plan;
    std::uint64_t after = 0;    // what was to be learned before it, …
    std::uint64_t boot_ns = 0;  // … if that does not take long
  };

  explicit FileRules(const FileFamily& family) : family_(family) {}
  void run();
  bool is_due(const Waiting& waiting) const;
  Status apply(const std::shared_ptr<const PathRules>& rules);
  void look_at(LearnPlan plan);
  void learn_as(const LearnPlan& plan, std::uint32_t kind);  // AA_OBJECT_FILE, AA_OBJECT_DIRECTORY
  // False: not all were looked up, for somebody does not answer.
  bool ask(PatientOpen& opener, const std::vector<std::string>& paths, std::unordered_map<std::string, Identity>& known,
           const PatientOpen::Open& how = PatientOpen::open_path);
  void collect(const PathRules& rules, Entries& entries);
  void add(aa_object& entry, const Object& object, const PathRules& rules) const;
  // The objects of a set that the next one has too: by the id in the one, the ids in the other.
  using Heirs = std::vector<std::vector<std::uint32_t>>;
  static Heirs heirs_of(const Slot& before, const PathRules& rules);
  void carry_over(const Slot& before, const PathRules& rules, const Heirs& heirs, Entries& entries) const;
  void carry_late(const Slot& before, const Heirs& heirs, const Slot& slot, const Entries& early);
  std::optional<std::vector<std::uint32_t>> now_called(std::uint32_t object, std::uint64_t generation) const;
  void learn_in(const Slot& slot, const aa_object_key& key, std::uint32_t inode_generation, const Object& rule) const;
  Status fill(const Entries& entries, Slot& slot);

  const FileFamily& family_;
  PatientOpen opener_;
  PatientOpen learner_;  // of names that the watched choose: where nobody answers for them, rules are opened still
  UniqueFd done_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Waiting> waiting_;
  std::deque<RulesInForce> finished_;
  std::deque<LearnPlan> unseen_;  // to be learned by their paths
  std::uint64_t unseen_put_ = 0, unseen_done_ = 0;
  std::size_t untaken_ = 0;
  bool ending_ = false;
  Slot slots_[2];
  std::deque<Heirs> heirs_;  // of the last changes, the latest last
  std::uint64_t generation_ = 0;
  std::thread thread_;
};

}  // namespace aa
