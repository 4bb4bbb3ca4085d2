// state/monitor_learned.cpp: what files are known as, though their names change.
//
// Comes in: judged operations. Goes out: plans that have the kernel recognise a file by its inode, or what stands at a
// name.
#include <fcntl.h>
#include <linux/fs.h>

#include <algorithm>
#include <cerrno>

#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kMostFollowed = 64;  // of one folder; what is more is counted as not learned

}  // namespace

// The name says what it did to the kernel: from the machine's own root, not from elsewhere, and not another one by now.
bool Monitor::Impl::is_plain(const FileBody& file, const FilePath& at) {
  return !file.foreign && at.whole() && !at.outside_root && !at.changed && at.from_namespace().starts_with('/');
}

// Nothing is known any more of what had these names, where they are this machine's.
void Monitor::Impl::forget_names(const FileBody& file) {
  const bool is_taken_away = file.op == FileOp::rename || file.op == FileOp::unlink;
  const auto forget = [&](const FilePath& at) {
    if (is_plain(file, at)) learned.forget_name(at.from_namespace());
  };
  if (file.result == 0 && is_taken_away) forget(file.at);
  if (file.result == 0 && file.to) forget(*file.to);
}

// Where it is now the kernel meets the folder that a rule names, as before.
bool Monitor::Impl::stays_below(const FileBody& file, std::uint32_t object) const {
  const auto set = rule_sets.find(file.generation);
  if (set == rule_sets.end() || object == 0 || !file.to) return false;
  const PathRules::Object& rule = set->second->objects()[object - 1];
  return rule.kind == PathRules::Object::Kind::directory && file.to->whole() &&
         file.to->from_namespace().starts_with(rule.path + "/");
}

// What the kernel does not know of by itself: the file that a glob means, by a folder what leaves that.
void Monitor::Impl::learn(Step& step, const Event& event, const Judgement& judgement) {
  const auto& file = std::get<FileBody>(event.body);
  const bool named = gives_name(file);
  if (named && file.result != 0 && file.result != -EINPROGRESS) return;
  if (named && file.ino != 0 && stays_below(file, judgement.object)) return;
  const bool resolved = file.resolution == Resolution::kernel;
  if ((judgement.asked_only || judgement.by_mount) && resolved) return;
  const bool met = std::ranges::find(file.objects, judgement.object) != file.objects.end();  // by the rule's own object
  const bool known = met && !named;
  if (!known && file.ino != 0 && learned.learn(file, judgement.object))
    step.plans.emplace_back(
        LearnPlan{file.generation, judgement.object, file.dev, file.ino, file.inode_generation, ""});
  // A name is all that was seen of it, or it may be a folder: what it is must be looked up.
  if (!named || !file.to || (file.ino != 0 && file.op != FileOp::rename)) return;
  learn_name(step, event, *file.to, judgement.object);
  if ((file.flags.value_or(0) & RENAME_EXCHANGE) != 0) learn_name(step, event, file.at, judgement.object);
}

void Monitor::Impl::learn_name(Step& step, const Event& event, const FilePath& at, std::uint32_t object) {
  const auto& file = std::get<FileBody>(event.body);
  LearnPlan plan{file.generation,     object,   0, 0, 0, tidied(at.from_namespace()), event.boot_ns,
                 !is_plain(file, at), at.root()};
  if (&at != &file.at) {  // the first one's, where the kernel showed it
    plan.ino = file.ino;
    plan.dev = file.dev;
  }
  learn_name(step, std::move(plan));
}

void Monitor::Impl::learn_name(Step& step, LearnPlan plan) {
  if (!plan.foreign || plan.ino != 0) learned.learn_name(plan);
  step.plans.emplace_back(std::move(plan));
}

// Names that were given just now, and not looked up yet, go with the folder that they are in.
void Monitor::Impl::follow_folder(Step& step, const Event& event) {
  const auto& file = std::get<FileBody>(event.body);
  if (!file.to || !is_plain(file, file.at) || !is_plain(file, *file.to)) return;
  const auto follow = [&](std::vector<LearnPlan> plans, const std::string& from, const FilePath& to) {
    for (std::size_t at = 0; at < plans.size(); ++at) {
      plans[at].path = tidied(to.from_namespace()) + plans[at].path.substr(from.size());
      plans[at].root = to.root();
      plans[at].foreign = plans[at].foreign || at >= kMostFollowed;
      learn_name(step, std::move(plans[at]));
    }
  };
  const std::string from = tidied(file.at.from_namespace()), to = tidied(file.to->from_namespace());
  std::vector<LearnPlan> moved = learned.take_below(from, event.boot_ns);
  std::vector<LearnPlan> exchanged;
  if ((file.flags.value_or(0) & RENAME_EXCHANGE) != 0) exchanged = learned.take_below(to, event.boot_ns);
  follow(std::move(moved), from, *file.to);
  follow(std::move(exchanged), to, file.at);
}

}  // namespace aa
