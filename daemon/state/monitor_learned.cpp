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
  return rule.kind == PathRules::Object::Kind::directory && is_plain(file, *file.to) &&
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
  const bool moves_folder = named && file.is_folder;  // it may be known, but not what lies below
  if (!known && file.ino != 0 && (learned.learn(file, judgement.object) || moves_folder))
    step.plans.emplace_back(
        LearnPlan{file.generation, judgement.object, file.dev, file.ino, file.inode_generation, moves_folder});
  if (!named || !file.to) return;
  if (file.ino == 0) learn_name(step, event, *file.to, judgement.object);
  if ((file.flags.value_or(0) & RENAME_EXCHANGE) != 0) learn_name(step, event, file.at, judgement.object);
}

void Monitor::Impl::learn_name(Step& step, const Event& event, const FilePath& at, std::uint32_t object) {
  const auto& file = std::get<FileBody>(event.body);
  learn_name(step, {file.generation, object, 0, 0, 0, false, tidied(at.from_namespace()), event.boot_ns,
                    !is_plain(file, at), at.root()});
}

void Monitor::Impl::learn_name(Step& step, LearnPlan plan) {
  if (!plan.foreign) learned.learn_name(plan);
  step.plans.emplace_back(std::move(plan));
}

// Names that were given just now, and not looked up yet, go with the folder that they are in.
void Monitor::Impl::follow_folder(Step& step, const Event& event) {
  const auto& file = std::get<FileBody>(event.body);
  if (!file.to || !is_plain(file, file.at) || !is_plain(file, *file.to)) return;
  const std::string from = tidied(file.at.from_namespace()), to = tidied(file.to->from_namespace());
  const auto follow = [&](LearnedFiles::Below below, const std::string& before, const std::string& now,
                          const std::string& root) {
    for (LearnPlan& plan : below.plans) {
      plan.path = now + plan.path.substr(before.size());
      plan.root = root;
      learn_name(step, std::move(plan));
    }
    if (below.left_out != 0) step.plans.emplace_back(UnlearnedPlan{below.left_out});
  };
  LearnedFiles::Below moved = learned.take_below(from, event.boot_ns);
  LearnedFiles::Below exchanged;
  if ((file.flags.value_or(0) & RENAME_EXCHANGE) != 0) exchanged = learned.take_below(to, event.boot_ns);
  follow(std::move(moved), from, to, file.to->root());
  follow(std::move(exchanged), to, from, file.at.root());
}

}  // namespace aa
