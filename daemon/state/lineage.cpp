// state/lineage.cpp: the questions lineage answers, and what a sighting of a process changes.
//
// Comes in: processes, ends, time. Goes out: ancestry and descendants. The links themselves are lineage_links.cpp's.
#include "state/lineage.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "state/lineage_impl.h"

namespace aa {
namespace {

struct StartsLater {
  bool operator()(const LineageNode* a, const LineageNode* b) const { return starts_before(&b->process, &a->process); }
};

void append_children(const LineageNode& node, std::vector<const LineageNode*>& out) {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  for (const LineageNode* child = node.first_child; child != nullptr; child = child->next_sibling) out.push_back(child);
  std::sort(out.begin() + first, out.end(),
            [](const LineageNode* a, const LineageNode* b) { return starts_before(&a->process, &b->process); });
}

// What a later sighting tells about a process already known: never older text over newer.
void complete(Process& known, Process&& seen) {
  if (seen.image < known.image) return;
  if (seen.image > known.image || known.text == nullptr) known.text = std::move(seen.text);
  known.image = seen.image;
  known.uid = seen.uid;
  known.gid = seen.gid;
  if (seen.ns_pid != 0) known.ns_pid = seen.ns_pid;
  if (seen.cgroup != nullptr) known.cgroup = std::move(seen.cgroup);
  if (seen.comm[0] != '\0') std::copy(std::begin(seen.comm), std::end(seen.comm), known.comm);
  known.exec_ns = std::max(known.exec_ns, seen.exec_ns);
}

}  // namespace

void Lineage::set_limits(Limits limits) {
  impl_->limits = limits;
}

Lineage::Lineage(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
Lineage::~Lineage() = default;
Lineage::Lineage(Lineage&&) noexcept = default;
Lineage& Lineage::operator=(Lineage&&) noexcept = default;

Process& Lineage::insert(Process process) {
  const auto [it, is_new] = impl_->nodes.try_emplace(process.id);
  LineageNode& node = it->second;
  if (is_new) {
    node.process = std::move(process);
    impl_->take_pid(node);
    impl_->attach(node);
    impl_->take_waiting(node);
    if (node.process.alive()) ++impl_->living;
    if (!node.held()) impl_->enqueue(node, node.process.exit_ns);
    return node.process;
  }
  impl_->learn_parent(node, process);
  if (process.watched) {
    node.process.watched = true;
    node.process.target = process.target;
  }
  if (!process.alive()) impl_->end(node, process.exit, process.exit_ns);
  complete(node.process, std::move(process));
  return node.process;
}

const Process* Lineage::get(const ProcessId& id) const {
  const LineageNode* node = impl_->find(id);
  return node == nullptr ? nullptr : &node->process;
}

Process* Lineage::find(const ProcessId& id) {
  LineageNode* node = impl_->find(id);
  return node == nullptr ? nullptr : &node->process;
}

const Process* Lineage::by_pid(std::uint32_t pid) const {
  const auto it = impl_->holders.find(pid);
  return it == impl_->holders.end() ? nullptr : &it->second->process;
}

void Lineage::exited(const ProcessId& id, std::int32_t status, std::uint64_t boot_ns) {
  if (LineageNode* node = impl_->find(id)) impl_->end(*node, status, boot_ns);
}

bool Lineage::revive(const ProcessId& id) {
  LineageNode* node = impl_->find(id);
  if (node == nullptr || node->process.exit != kExitLost || impl_->holders.at(id.pid) != node) return false;
  const bool was_held = node->held();
  node->process.exit = kAlive;
  node->process.exit_ns = 0;
  ++impl_->living;
  if (!was_held) impl_->now_held(*node);
  return true;
}

std::vector<const Process*> Lineage::ancestry(const ProcessId& id) const {
  std::vector<const Process*> out;
  for (const LineageNode* node = impl_->find(id); node != nullptr; node = node->parent) out.push_back(&node->process);
  return out;
}

std::vector<const Process*> Lineage::children(const ProcessId& id) const {
  return descendants(id, 1);
}

std::vector<const Process*> Lineage::descendants(const ProcessId& id, std::uint32_t depth) const {
  std::vector<const Process*> out;
  const LineageNode* root = impl_->find(id);
  if (root == nullptr) return out;
  std::vector<const LineageNode*> level{root};
  for (std::uint32_t at = 0; !level.empty() && (depth == 0 || at < depth); ++at) {
    std::vector<const LineageNode*> next;
    for (const LineageNode* node : level) append_children(*node, next);
    for (const LineageNode* node : next) out.push_back(&node->process);
    level = std::move(next);
  }
  return out;
}

bool Lineage::is_descendant_of(const ProcessId& id, const ProcessId& ancestor) const {
  for (const LineageNode* node = impl_->find(id); node != nullptr; node = node->parent) {
    if (node->process.id == ancestor || (ancestor && node->process.parent == ancestor)) return true;
  }
  return false;
}

void Lineage::remove(const ProcessId& id) {
  if (LineageNode* node = impl_->find(id)) impl_->forget(*node);
}

std::size_t Lineage::expire(std::uint64_t now_boot_ns) {
  std::size_t forgotten = 0;
  for (; impl_->free_first != nullptr; ++forgotten) {
    const std::optional<std::uint64_t> due = next_expiry();
    if (!over_count() && now_boot_ns < *due) break;
    impl_->forget(*impl_->free_first);
  }
  return forgotten;
}

bool Lineage::forget_oldest() {
  if (impl_->free_first == nullptr) return false;
  impl_->forget(*impl_->free_first);
  return true;
}

std::optional<std::uint64_t> Lineage::next_expiry() const {
  if (impl_->free_first == nullptr) return std::nullopt;
  return impl_->free_first->free_since_ns + static_cast<std::uint64_t>(impl_->limits.keep_exited.count());
}

bool Lineage::over_count() const {
  return impl_->free_count > impl_->limits.keep_exited_count;
}

std::size_t Lineage::size() const {
  return impl_->nodes.size();
}

std::size_t Lineage::living() const {
  return impl_->living;
}

std::vector<const Process*> Lineage::all() const {
  std::priority_queue<const LineageNode*, std::vector<const LineageNode*>, StartsLater> ready;
  for (const auto& [id, node] : impl_->nodes) {
    if (node.parent == nullptr) ready.push(&node);
  }
  std::vector<const Process*> out;
  out.reserve(size());
  while (!ready.empty()) {
    const LineageNode* node = ready.top();
    ready.pop();
    out.push_back(&node->process);
    for (const LineageNode* child = node->first_child; child != nullptr; child = child->next_sibling) ready.push(child);
  }
  return out;
}

void Lineage::for_each(const std::function<void(Process&)>& visit) {
  for (auto& [id, node] : impl_->nodes) visit(node.process);
}

}  // namespace aa
